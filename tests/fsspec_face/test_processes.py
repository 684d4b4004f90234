"""The fsspec driver: threads, forks, workers."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context, resource_tracker

import pytest

from lucidlink.fsspec import LucidLinkFileSystem

FS = LucidLinkFileSystem


def test_sixteen_threads_on_one_instance(driver: FS, home: str) -> None:
    def work(number: int) -> None:
        for turn in range(10):
            path = f"{home}/{number}/{turn}"
            body = os.urandom(5000 * (turn + 1))
            driver.pipe_file(path, body)
            assert driver.cat_file(path) == body
            assert path in driver.ls(f"{home}/{number}", detail=False)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(16)))
    assert len(driver.find(home)) == 160


def _write_and_read(fs: FS, home: str, number: int) -> bytes:
    fs.pipe_file(f"{home}/from-{number}", b"%d" % number * 1000)
    with fs.open(f"{home}/base", "rb") as file:
        data: bytes = file.read()
    return data


@pytest.mark.parametrize("method", ["fork", "spawn"] if sys.platform == "linux" else ["spawn"])
def test_workers_use_what_they_are_given(driver: FS, home: str, method: str) -> None:
    base = os.urandom(300_000)
    driver.pipe_file(f"{home}/base", base)
    with ProcessPoolExecutor(3, mp_context=get_context(method)) as pool:
        found = list(pool.map(_write_and_read, [driver] * 6, [home] * 6, range(6)))
    if method == "spawn":
        resource_tracker._resource_tracker._stop()  # type: ignore[attr-defined]  # it would stay until the end
    assert found == [base] * 6
    assert driver.cat([f"{home}/from-{number}" for number in range(6)]) == {
        f"{home}/from-{number}": b"%d" % number * 1000 for number in range(6)
    }


def test_a_forked_child_uses_the_parents_instance(driver: FS, home: str) -> None:
    driver.pipe_file(f"{home}/file", b"from the parent")
    reader = driver.open(f"{home}/file", "rb")
    assert reader.read(4) == b"from"
    child = os.fork()
    if not child:
        good = reader.read() == b" the parent" and driver.cat_file(f"{home}/file") == b"from the parent"
        driver.pipe_file(f"{home}/child", b"from the child")
        os._exit(0 if good else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert reader.read() == b" the parent"
    reader.close()
    assert driver.cat_file(f"{home}/child") == b"from the child"
