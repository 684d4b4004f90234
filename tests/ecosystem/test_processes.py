"""Many processes: what a writer closed, a reader in another process finds whole and at once."""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context, resource_tracker

import joblib
import numpy as np
import pandas as pd
import pytest

from lucidlink.fsspec import LucidLinkFileSystem

library = pytest.mark.library
FILES = 1000


def write(url: str, number: int) -> str:
    path = f"{url}/part-{number}.parquet"
    pd.DataFrame({"n": np.full(100, number)}).to_parquet(path)
    return path


def read(url: str, path: str) -> bool:
    """Whether a file whose writer returned is listed, whole and right."""
    driver = LucidLinkFileSystem()
    name = driver._strip_protocol(path)
    found = pd.read_parquet(path)
    number = int(name.rpartition("-")[2].partition(".")[0])
    return name in driver.ls(url, detail=False) and len(found) == 100 and bool((found["n"] == number).all())


@library("concurrent.futures", "1,000 parquet files written by a process pool, each listed and read by another at once")
@pytest.mark.timeout(900)
def test_read_after_write(url: str) -> None:
    context = get_context("spawn")
    rounds = int(os.environ.get("LUCID_STRESS_ROUNDS", "1"))
    for turn in range(rounds):
        folder = f"{url}/{turn}"
        with (
            ProcessPoolExecutor(2, mp_context=context) as writers,
            ProcessPoolExecutor(2, mp_context=context) as readers,
        ):
            written = [writers.submit(write, folder, number) for number in range(FILES)]
            checks = [readers.submit(read, folder, done.result()) for done in as_completed(written)]
            wrong = sum(not check.result() for check in checks)
        assert not wrong
    resource_tracker._resource_tracker._stop()  # type: ignore[attr-defined]


@library("joblib", "Parallel with processes")
def test_joblib(url: str) -> None:
    paths = joblib.Parallel(n_jobs=2)(joblib.delayed(write)(url, number) for number in range(20))
    assert all(joblib.Parallel(n_jobs=2)(joblib.delayed(read)(url, path) for path in paths))
    joblib.externals.loky.get_reusable_executor().shutdown(wait=True)
    resource_tracker._resource_tracker._stop()  # type: ignore[attr-defined]


@library("multiprocessing", "fork: parent with open streams, four workers read and write, the parent goes on")
def test_fork(driver: LucidLinkFileSystem, home: str) -> None:
    data = os.urandom(1_000_000)
    driver.pipe_file(f"{home}/file", data)
    reader, writer = driver.open(f"{home}/file", "rb"), driver.open(f"{home}/parent", "wb")
    writer.write(b"before ")
    assert reader.read(1000) == data[:1000]
    children = []
    for number in range(4):
        child = os.fork()
        if not child:
            good = reader.read() == data[1000:]
            driver.pipe_file(f"{home}/child-{number}", b"%d" % number)
            os._exit(0 if good else 1)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
    writer.write(b"after")
    writer.close()
    assert reader.read() == data[1000:]
    reader.close()
    assert driver.cat_file(f"{home}/parent") == b"before after"
    assert [driver.cat_file(f"{home}/child-{number}") for number in range(4)] == [b"0", b"1", b"2", b"3"]
