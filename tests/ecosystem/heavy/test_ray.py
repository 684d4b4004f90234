"""Ray Data: tasks in processes of their own read and write."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator

import pandas as pd
import pyarrow.fs
import pytest
import ray

from lucidlink.fsspec import LucidLinkFileSystem
from tests.sdk import World

Driver = LucidLinkFileSystem
library = pytest.mark.library


@pytest.fixture(scope="module", autouse=True)
def cluster(shared: World) -> Iterator[None]:
    """Ray on this machine, whose workers inherit token and hub."""
    below = tempfile.mkdtemp(prefix="ray-", dir="/tmp")  # paths of sockets have little room
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LUCIDLINK_TOKEN", shared.tokens["admin"])
        patch.setenv("LUCIDLINK_HUB", shared.hub.url)
        ray.init(
            address="local",
            num_cpus=2,
            include_dashboard=False,
            object_store_memory=200 << 20,
            log_to_driver=False,
            _temp_dir=below,
        )
        yield
        ray.shutdown()
    shutil.rmtree(below, ignore_errors=True)


@library(
    "ray", "Ray Data: parquet, csv, json by paths and lucidlink:// URLs with filesystem=, bare or in FSSpecHandler"
)
@pytest.mark.parametrize("wrapped", [False, True])
def test_filesystem(driver: Driver, home: str, url: str, frame: pd.DataFrame, wrapped: bool) -> None:
    there = pyarrow.fs.PyFileSystem(pyarrow.fs.FSSpecHandler(driver)) if wrapped else driver
    data = ray.data.from_pandas(frame).repartition(8).materialize()
    data.write_parquet(f"{home}/parquet", filesystem=there)
    assert len(driver.ls(f"{home}/parquet")) == 8
    again = ray.data.read_parquet(f"{url}/parquet", filesystem=there).select_columns(["id", "kind"])
    assert again.count() == len(frame)
    red = again.filter(lambda row: row["kind"] == "red")
    assert red.sum("id") == frame["id"][frame["kind"] == "red"].sum()
    data.write_csv(f"{url}/csv", filesystem=there)
    assert ray.data.read_csv(f"{home}/csv", filesystem=there).sum("id") == frame["id"].sum()
    data.limit(5000).write_json(f"{home}/json", filesystem=there)
    assert ray.data.read_json(f"{url}/json", filesystem=there).count() == 5000


@library("ray", "Ray Data: fsspec+lucidlink:// URLs alone")
def test_urls(url: str, frame: pd.DataFrame) -> None:
    # Without filesystem= Ray asks pyarrow, which knows URLs of fsspec by this prefix.
    ray.data.from_pandas(frame).repartition(4).write_parquet(f"fsspec+{url}/parquet")
    assert ray.data.read_parquet(f"fsspec+{url}/parquet").sum("id") == frame["id"].sum()


@library("ray", "tasks and actors: files written by some are read at once by others, through the caller's driver")
def test_tasks(driver: Driver, home: str) -> None:
    @ray.remote
    def write(number: int) -> str:
        path = f"{home}/{number // 10}/{number}"
        driver.pipe_file(path, b"%d" % number * 10_000)
        return path

    @ray.remote
    class Reader:
        def read(self, path: str) -> bool:
            number = path.rpartition("/")[2].encode()
            return LucidLinkFileSystem().cat_file(path) == number * 10_000

    readers = [Reader.options(num_cpus=0).remote() for _ in range(2)]
    written = [write.remote(number) for number in range(100)]
    assert all(ray.get([readers[at % 2].read.remote(path) for at, path in enumerate(written)]))
    assert len(driver.find(home)) == 100
