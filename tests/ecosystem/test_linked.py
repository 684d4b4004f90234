"""Linked parquet: pandas and pyarrow read objects of a bucket through the filespace, and fetch what they need."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pyarrow.dataset
import pyarrow.fs
import pyarrow.parquet as pq
import pytest

from lucidlink import ConnectManager
from lucidlink.fsspec import LucidLinkFileSystem
from tests.s3.conftest import bucket, s3_server  # noqa: F401  fixtures of this file too
from tests.s3.kit import Bucket

library = pytest.mark.library

COLUMNS = [f"c{number}" for number in range(40)]
WANTED = ["c3", "c30"]


@library("pandas, pyarrow", "two columns of a linked parquet file: 1.2 times the bytes needed at most")
def test_a_projection_fetches_what_it_needs(driver: LucidLinkFileSystem, home: str, bucket: Bucket) -> None:  # noqa: F811
    frame = pd.DataFrame({name: np.random.default_rng(7).random(300_000) for name in COLUMNS})
    body = io.BytesIO()
    frame.to_parquet(body, row_group_size=100_000)
    bucket.put("set/big.parquet", body.getvalue())
    link = driver._place(home)[0]._link  # of the filespace that the driver has linked
    connect = ConnectManager(link)
    connect.add_data_store("sets", bucket.config())
    path = f"{home}/big.parquet"
    connect.link_file(path.partition("/data")[2], "sets", "set/big.parquet")

    external = link.connect().engine._bodies.external_store
    before = external.statistics().get_bytes
    found = pd.read_parquet(f"lucidlink://{path}", columns=WANTED)
    fetched = external.statistics().get_bytes - before
    pd.testing.assert_frame_equal(found, frame[WANTED])
    metadata = pq.read_metadata(io.BytesIO(body.getvalue()))
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    needed = sum(
        group.column(at).total_compressed_size
        for group in groups
        for at in range(group.num_columns)
        if group.column(at).path_in_schema in WANTED
    )
    assert fetched <= 1.2 * needed, (fetched, needed)

    files = pyarrow.fs.PyFileSystem(pyarrow.fs.FSSpecHandler(driver))
    table = pyarrow.dataset.dataset(path, filesystem=files).to_table(columns=["c0"])
    assert table["c0"].to_numpy().sum() == frame["c0"].sum()
