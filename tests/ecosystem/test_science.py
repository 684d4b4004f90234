"""Libraries for scientific data over `lucidlink://` and on streams of `filespace.fs.open`."""

from __future__ import annotations

import io
import json
from typing import Any

import fsspec
import geopandas
import h5py
import intake
import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr
from geopandas.testing import assert_geodataframe_equal
from intake.readers.datatypes import CSV, Parquet
from intake.readers.readers import DaskParquet, PandasCSV, PandasParquet
from kerchunk.combine import MultiZarrToZarr
from kerchunk.hdf import SingleHdf5ToZarr

import lucidlink
from lucidlink.fsspec import LucidLinkFileSystem

Driver = LucidLinkFileSystem
FS = lucidlink.Filesystem
library = pytest.mark.library


@library("kerchunk", "HDF5 files to references, combined; read through reference:// by zarr and xarray")
def test_kerchunk(driver: Driver, url: str, home: str) -> None:
    data = np.random.default_rng(4).random((3, 400, 500))
    for number, part in enumerate(data):
        with driver.open(f"{home}/{number}.h5", "wb+") as file, h5py.File(file, "w") as target:
            values = target.create_dataset("t", data=part[None], chunks=(1, 100, 100), compression="gzip", shuffle=True)
            target.create_dataset("time", data=np.array([number]))
            for place, name in enumerate(["time", "x", "y"]):
                values.dims[place].label = name
            target["time"].make_scale("time")
            values.dims[0].attach_scale(target["time"])
    singles = [_references(f"{url}/{number}.h5") for number in range(3)]
    view = fsspec.filesystem("reference", fo=singles[1], remote_protocol="lucidlink", asynchronous=True)
    group = zarr.open_group(zarr.storage.FsspecStore(view, read_only=True), mode="r")
    assert np.array_equal(group["t"][0, 50:250, 30:40], data[1, 50:250, 30:40])
    together = MultiZarrToZarr(singles, concat_dims=["time"], remote_protocol="lucidlink").translate()
    with fsspec.open(f"{url}/all.json", "w") as file:
        json.dump(together, file)
    options = {"fo": f"{url}/all.json", "remote_protocol": "lucidlink"}
    with xr.open_dataset(
        "reference://", engine="zarr", backend_kwargs={"consolidated": False, "storage_options": options}
    ) as found:
        assert np.array_equal(found["t"].values, data)


def _references(url: str) -> Any:
    with fsspec.open(url, "rb") as file:
        return SingleHdf5ToZarr(file, url, inline_threshold=100).translate()


@library("geopandas", "parquet by URL and filesystem=, feather and GeoJSON in streams, FlatGeobuf by way of memory")
def test_geopandas(driver: Driver, fs: FS, folder: str, home: str, url: str) -> None:
    chance = np.random.default_rng(6)
    points = geopandas.points_from_xy(chance.random(50_000), chance.random(50_000))
    places = geopandas.GeoDataFrame({"n": np.arange(50_000)}, geometry=points, crs="EPSG:4326")
    # What writes is pyarrow alone, which knows URLs of fsspec by this prefix. What reads takes both.
    places.to_parquet(f"fsspec+{url}/a.parquet", row_group_size=5000, write_covering_bbox=True)
    assert_geodataframe_equal(geopandas.read_parquet(f"{url}/a.parquet"), places)
    west = geopandas.read_parquet(f"{url}/a.parquet", bbox=(0, 0, 0.5, 1), columns=["n", "geometry"])
    assert_geodataframe_equal(west, places[places.geometry.x <= 0.5].reset_index(drop=True))
    places.to_parquet(f"{home}/b.parquet", filesystem=driver)
    assert_geodataframe_equal(geopandas.read_parquet(f"{home}/b.parquet", filesystem=driver), places)
    with fs.open(f"{folder}/a.feather", "wb") as file:
        places.to_feather(file)
    with fs.open(f"{folder}/a.feather", "rb") as file:
        assert_geodataframe_equal(geopandas.read_feather(file), places)
    with fs.open(f"{folder}/a.geojson", "w") as file:
        file.write(places.to_json())
    # GDAL takes local paths and bytes: `read_file` reads a stream whole, `to_file` writes to nothing but a BytesIO.
    memory = io.BytesIO()
    places.to_file(memory, driver="FlatGeobuf", SPATIAL_INDEX="NO")
    with fs.open(f"{folder}/a.fgb", "wb") as file:
        file.write(memory.getbuffer())
    for name in ("a.geojson", "a.fgb"):
        with fs.open(f"{folder}/{name}", "rb") as file:
            found = geopandas.read_file(file)[["n", "geometry"]]
        assert_geodataframe_equal(found, places, check_less_precise=True, check_dtype=False)


@library("intake", "readers of pandas and dask, a catalog written and read by URL")
def test_intake(url: str, frame: pd.DataFrame, shared: Any) -> None:
    frame.to_parquet(f"{url}/a.parquet")
    frame.to_csv(f"{url}/a.csv", index=False)
    options = {"hub": shared.hub.url}
    catalog = intake.Catalog()
    catalog["table"] = PandasParquet(Parquet(f"{url}/a.parquet", storage_options=options))
    catalog["text"] = PandasCSV(CSV(f"{url}/a.csv"))
    catalog["parts"] = DaskParquet(Parquet(f"{url}/*.parquet"))
    catalog.to_yaml_file(f"{url}/catalog.yaml")
    again = intake.from_yaml_file(f"{url}/catalog.yaml")
    pd.testing.assert_frame_equal(again["table"].read(), frame)
    pd.testing.assert_frame_equal(again["text"].read(), frame, check_dtype=False)
    assert again["parts"].read()["id"].sum().compute() == frame["id"].sum()
