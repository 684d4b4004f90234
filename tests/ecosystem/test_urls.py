"""Libraries over `lucidlink://`."""

from __future__ import annotations

import json
import re
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import dask
import dask.bag
import dask.dataframe as dd
import duckdb
import fsspec
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.fs
import pyarrow.parquet as pq
import pytest
import xarray as xr
import zarr
from dask.distributed import Client, LocalCluster
from upath import UPath

from lucidlink.fsspec import LucidLinkFileSystem
from tests import seeds

Driver = LucidLinkFileSystem
library = pytest.mark.library
ROOT = Path(__file__).resolve().parents[2]


@library("pandas", "parquet, csv, json, feather, excel by URL; partitions; compressed")
def test_pandas(url: str, frame: pd.DataFrame) -> None:
    frame.to_parquet(f"{url}/a.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(f"{url}/a.parquet"), frame)
    assert list(pd.read_parquet(f"{url}/a.parquet", columns=["value"]).columns) == ["value"]
    frame.to_csv(f"{url}/a.csv.gz", index=False)
    pd.testing.assert_frame_equal(pd.read_csv(f"{url}/a.csv.gz"), frame, check_dtype=False)
    frame.to_feather(f"{url}/a.feather")
    pd.testing.assert_frame_equal(pd.read_feather(f"{url}/a.feather"), frame)
    small = frame.head(3000)
    small.to_json(f"{url}/a.json", orient="records", lines=True)
    pd.testing.assert_frame_equal(
        pd.read_json(f"{url}/a.json", lines=True, precise_float=True), small, check_dtype=False
    )
    small.to_excel(f"{url}/a.xlsx", index=False)
    pd.testing.assert_frame_equal(pd.read_excel(f"{url}/a.xlsx"), small, check_dtype=False)
    frame.to_parquet(f"{url}/parts", partition_cols=["kind"])
    assert len(pd.read_parquet(f"{url}/parts", filters=[("kind", "==", "red")])) == (frame["kind"] == "red").sum()


@library("dask", "the quick start's pandas and dask snippets, as they stand")
def test_quick_start(driver: Driver, shared: Any, frame: pd.DataFrame) -> None:
    snippets = [code for code in seeds.snippets() if re.search("pandas|dask", code)]
    assert len(snippets) == 2
    table = frame.head(1000).rename(columns={"kind": "category"})
    driver.pipe_file("demo/data/data.csv", table.to_csv(index=False).encode())
    for number in range(3):
        table.to_parquet(f"lucidlink://demo/data/dataset/{number}.parquet")
    scope: dict[str, Any] = {}
    with ThreadPoolExecutor(2) as pool, dask.config.set(pool=pool):  # dask's own would stay
        for code in snippets:
            exec(compile(seeds.runnable(code, shared.tokens["admin"], {}, "demo/data"), "<quick start>", "exec"), scope)
    assert len(pd.read_parquet("lucidlink://demo/data/output.parquet")) == 1000
    expected = table.groupby("category").agg({"value": "sum"}) * 3
    pd.testing.assert_frame_equal(scope["result"].sort_index(), expected.sort_index(), check_index_type=False)


@library("pandas", "the README's snippets, storage_options for token and hub")
def test_snippets(driver: Driver, shared: Any, monkeypatch: pytest.MonkeyPatch, frame: pd.DataFrame) -> None:
    driver.pipe_file("demo/data/data.csv", frame.head(100).to_csv(index=False).encode())
    code = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[1]
    exec(compile(code.replace("main/production-data", "demo/data"), "README.md", "exec"), {})
    assert len(pd.read_parquet("lucidlink://demo/data/output.parquet")) == 100
    monkeypatch.delenv("LUCIDLINK_TOKEN")
    monkeypatch.delenv("LUCIDLINK_HUB")
    options = {"token": shared.tokens["admin"], "hub": shared.hub.url}
    assert len(pd.read_csv("lucidlink://demo/data/data.csv", storage_options=options)) == 100


@library("pyarrow", "datasets: projection, filters, partitioned writes; FSSpecHandler; fsspec+lucidlink:// URLs")
def test_pyarrow(driver: Driver, home: str, frame: pd.DataFrame) -> None:
    table = pa.Table.from_pandas(frame, preserve_index=False)
    handler = pyarrow.fs.PyFileSystem(pyarrow.fs.FSSpecHandler(driver))
    pq.write_table(table, f"{home}/a.parquet", filesystem=driver, row_group_size=20_000)
    assert pq.read_table(f"{home}/a.parquet", filesystem=handler).equals(table)
    assert pq.read_table(f"fsspec+lucidlink://{home}/a.parquet").equals(table)
    ds.write_dataset(
        table, f"{home}/parts", filesystem=handler, format="parquet", partitioning=["kind"], partitioning_flavor="hive"
    )
    data = ds.dataset(f"{home}/parts", filesystem=handler, partitioning="hive")
    found = data.to_table(columns=["id"], filter=(ds.field("kind") == "red") & (ds.field("value") < 0.5))
    assert found.num_rows == ((frame["kind"] == "red") & (frame["value"] < 0.5)).sum()
    assert handler.get_file_info(f"{home}/a.parquet").size == driver.size(f"{home}/a.parquet")


@library("polars", "read and write by URL of fsspec; scan through a dataset")
def test_polars(driver: Driver, url: str, home: str, frame: pd.DataFrame) -> None:
    table = pl.from_pandas(frame)
    with fsspec.open(f"{url}/a.parquet", "wb") as file:
        table.write_parquet(file)
    with fsspec.open(f"{url}/a.parquet", "rb") as file:
        assert pl.read_parquet(file, columns=["id", "kind"]).equals(table.select("id", "kind"))
    lazy = pl.scan_pyarrow_dataset(ds.dataset(f"{home}/a.parquet", filesystem=driver))
    assert lazy.filter(pl.col("kind") == "red").select(pl.len()).collect().item() == (frame["kind"] == "red").sum()


@library("duckdb", "register_filesystem: parquet, globs, hive partitions, COPY TO")
def test_duckdb(driver: Driver, url: str, home: str, frame: pd.DataFrame) -> None:
    base = duckdb.connect()
    base.register_filesystem(driver)
    base.register("frame", frame)
    base.execute(f"copy (select * from frame) to '{url}/a.parquet' (format parquet)")
    assert base.execute(f"select count(*), sum(id) from '{url}/a.parquet'").fetchone() == (
        len(frame),
        frame["id"].sum(),
    )
    frame.to_parquet(f"{url}/parts", partition_cols=["kind"])
    query = f"select count(*) from read_parquet('{url}/parts/*/*.parquet', hive_partitioning=true) where kind = 'red'"
    assert base.execute(query).fetchone() == ((frame["kind"] == "red").sum(),)
    base.close()


@library("dask", "dataframe and bag, with threads and processes: written by workers, read at once by others")
@pytest.mark.parametrize("scheduler", ["threads", "processes"])
def test_dask(url: str, frame: pd.DataFrame, scheduler: str) -> None:
    with dask.config.set(scheduler=scheduler, num_workers=3):
        _use_dask(url, frame)


@library("distributed", "dask dataframe and bag on a cluster of processes")
def test_distributed(url: str, frame: pd.DataFrame) -> None:
    with LocalCluster(n_workers=2, threads_per_worker=2, dashboard_address=None) as cluster, Client(cluster):
        _use_dask(url, frame)


def _use_dask(url: str, frame: pd.DataFrame) -> None:
    table = dd.from_pandas(frame, npartitions=8)
    table.to_parquet(f"{url}/parts", write_index=False)
    again = dd.read_parquet(f"{url}/parts/*.parquet")
    found = again.groupby("kind").agg({"value": "sum"}).compute().sort_index()
    expected = frame.groupby("kind").agg({"value": "sum"}).sort_index()
    assert np.allclose(found["value"], expected["value"])
    assert len(again) == len(frame)
    table.to_csv(f"{url}/csv/*.csv", index=False)
    assert dd.read_csv(f"{url}/csv/*.csv")["id"].sum().compute() == frame["id"].sum()
    dask.bag.from_sequence(range(1000), npartitions=8).map(json.dumps).to_textfiles(f"{url}/bag/*.txt")
    assert dask.bag.read_text(f"{url}/bag/*.txt").map(json.loads).sum().compute() == sum(range(1000))


@library("zarr", "FsspecStore: groups, chunks, shards, eight writers at once")
def test_zarr(url: str) -> None:
    data = np.random.default_rng(2).random((800, 800))
    store = zarr.storage.FsspecStore.from_url(f"{url}/a.zarr")
    array = zarr.create_array(store, name="x/y", shape=data.shape, chunks=(100, 100), dtype="f8")

    def write(row: int) -> None:
        array[row * 100 : row * 100 + 100] = data[row * 100 : row * 100 + 100]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    again = zarr.open_group(zarr.storage.FsspecStore.from_url(f"{url}/a.zarr", read_only=True), mode="r")
    assert np.array_equal(again["x/y"][:], data)
    assert np.array_equal(again["x/y"][150:250, 30:40], data[150:250, 30:40])


@library("xarray", "to_zarr and open_zarr, netCDF through h5netcdf")
def test_xarray(driver: Driver, url: str, home: str) -> None:
    data = xr.Dataset({"t": (("x", "y"), np.random.default_rng(3).random((300, 400)))}, {"x": np.arange(300)})
    data.to_zarr(f"{url}/a.zarr", consolidated=False)
    with xr.open_zarr(f"{url}/a.zarr", consolidated=False) as again:
        xr.testing.assert_equal(again.load(), data)
    with driver.open(f"{home}/a.nc", "wb") as file:
        file.write(bytes(data.to_netcdf(engine="h5netcdf")))
    with driver.open(f"{home}/a.nc", "rb") as file, xr.open_dataset(file, engine="h5netcdf") as again:
        xr.testing.assert_equal(again.load(), data)


@library("universal_pathlib", "UPath as a path object")
def test_upath(url: str) -> None:
    path = UPath(url)
    (path / "a" / "b").mkdir(parents=True)
    (path / "a" / "b" / "c.txt").write_text("text")
    assert (path / "a/b/c.txt").read_text() == "text"
    assert sorted(found.name for found in path.rglob("*")) == ["a", "b", "c.txt"]
    assert (path / "a/b/c.txt").stat().st_size == 4
    (path / "a/b/c.txt").rename(path / "d.txt")
    assert [found.name for found in path.iterdir() if found.is_file()] == ["d.txt"]
    (path / "d.txt").unlink()
    assert not (path / "d.txt").exists()


@library("fsspec", "chained URLs: simplecache, filecache, zip, reference")
def test_chains(driver: Driver, url: str, home: str, tmp_path: Path) -> None:
    driver.pipe_file(f"{home}/file", b"0123456789" * 100_000)
    for kind in ("simplecache", "filecache"):
        with fsspec.open(f"{kind}::{url}/file", **{kind: {"cache_storage": str(tmp_path / kind)}}) as file:
            assert file.read() == b"0123456789" * 100_000
    with driver.open(f"{home}/a.zip", "wb") as file, zipfile.ZipFile(file, "w") as archive:
        archive.writestr("in.txt", b"zipped")
    with fsspec.open(f"zip://in.txt::{url}/a.zip") as file:
        assert file.read() == b"zipped"
    references = {"part": [f"{url}/file", 5, 10], "inline": "text"}
    view = fsspec.filesystem("reference", fo=references, remote_protocol="lucidlink")
    assert view.cat("part") == b"5678901234"
