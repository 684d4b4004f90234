"""anndata over `lucidlink://` and in streams. It is here, though light, because it holds pandas back to version 2."""

from __future__ import annotations

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import zarr

import lucidlink

FS = lucidlink.Filesystem
library = pytest.mark.library


@pytest.fixture(scope="module")
def cells() -> anndata.AnnData:
    chance = np.random.default_rng(5)
    return anndata.AnnData(
        X=chance.random((2000, 300)).astype("f4"),
        obs=pd.DataFrame({"kind": chance.choice(["a", "b"], 2000)}, index=[f"cell {n}" for n in range(2000)]),
        layers={"counts": scipy.sparse.random(2000, 300, 0.1, "csr", rng=chance)},
    )


def _same(found: anndata.AnnData, cells: anndata.AnnData) -> bool:
    return (
        np.array_equal(found.X, cells.X)
        and list(found.obs["kind"]) == list(cells.obs["kind"])
        and (found.layers["counts"] != cells.layers["counts"]).nnz == 0
    )


@library("anndata", "h5ad written and read in streams; with pandas 2")
def test_h5ad(fs: FS, folder: str, cells: anndata.AnnData) -> None:
    with fs.open(f"{folder}/a.h5ad", "wb+") as file, h5py.File(file, "w") as target:
        anndata.io.write_elem(target, "/", cells)  # write_h5ad takes nothing but local paths
    with fs.open(f"{folder}/a.h5ad", "rb") as file:
        assert _same(anndata.read_h5ad(file), cells)


@library("anndata", "zarr in a store of fsspec; with pandas 2")
def test_anndata_zarr(url: str, cells: anndata.AnnData) -> None:
    cells.write_zarr(zarr.storage.FsspecStore.from_url(f"{url}/a.zarr"))
    assert _same(anndata.read_zarr(zarr.storage.FsspecStore.from_url(f"{url}/a.zarr", read_only=True)), cells)
    assert _same(anndata.read_zarr(f"{url}/a.zarr"), cells)
