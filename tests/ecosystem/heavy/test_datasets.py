"""Hugging Face datasets: data files, saved sets and streaming over `lucidlink://`.

With HF_HUB_OFFLINE=1 datasets refuses to load data files from any URL, whatever the driver, except with streaming=True.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import pandas as pd
import pytest

from lucidlink.fsspec import LucidLinkFileSystem

Driver = LucidLinkFileSystem
library = pytest.mark.library


@pytest.fixture(autouse=True)
def caches(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of the test's own: they are local, whatever is loaded."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "DOWNLOADED_DATASETS_PATH", tmp_path / "downloads")


@library("datasets", "load_dataset of parquet, csv and json by URL and pattern, token and hub in storage_options")
def test_load(url: str, frame: pd.DataFrame, shared: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        part = frame.iloc[number::4]
        part.to_parquet(f"{url}/train-{number}.parquet", index=False)
        part.to_csv(f"{url}/{number}.csv", index=False)
    frame.head(5000).to_json(f"{url}/a.jsonl", orient="records", lines=True)
    monkeypatch.delenv("LUCIDLINK_TOKEN")
    monkeypatch.delenv("LUCIDLINK_HUB")
    options = {"token": shared.tokens["admin"], "hub": shared.hub.url}
    files = {"train": f"{url}/train-*.parquet", "test": [f"{url}/train-0.parquet"]}
    loaded = datasets.load_dataset("parquet", data_files=files, storage_options=options)
    assert sorted(loaded["train"]["id"]) == list(frame["id"])
    assert loaded["test"][7]["text"] == frame["text"][28]
    table = datasets.load_dataset("csv", data_files=f"{url}/*.csv", storage_options=options, split="train")
    assert sum(table["id"]) == frame["id"].sum()
    lines = datasets.load_dataset("json", data_files=f"{url}/a.jsonl", storage_options=options, split="train")
    assert lines[4999]["kind"] == frame["kind"][4999]


@library("datasets", "streaming=True: parquet and compressed csv, also offline")
def test_streaming(url: str, frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    frame.to_parquet(f"{url}/a.parquet", index=False)
    frame.to_csv(f"{url}/a.csv.gz", index=False)
    rows = datasets.load_dataset("parquet", data_files=f"{url}/a.parquet", split="train", streaming=True)
    assert [row["id"] for row in rows.skip(150_000).take(3)] == [150_000, 150_001, 150_002]
    rows = datasets.load_dataset("csv", data_files=f"{url}/a.csv.gz", split="train", streaming=True)
    assert sum(batch["id"].sum() for batch in rows.with_format("numpy").iter(10_000)) == frame["id"].sum()


@library("datasets", "save_to_disk and load_from_disk by URL, by several processes; to_parquet, to_csv, to_json")
@pytest.mark.parametrize("processes", [None, 2])
def test_save(driver: Driver, url: str, home: str, frame: pd.DataFrame, processes: int | None) -> None:
    data = datasets.Dataset.from_pandas(frame, preserve_index=False)
    data.save_to_disk(f"{url}/saved", num_shards=4, num_proc=processes)
    assert len(driver.glob(f"{home}/saved/*.arrow")) == 4
    again = datasets.load_from_disk(f"{url}/saved")
    assert again[123_456] == data[123_456]
    assert again.features == data.features
    both = datasets.DatasetDict({"train": data.select(range(1000)), "test": data.select(range(1000, 1500))})
    both.save_to_disk(f"{url}/both")
    assert {name: len(part) for name, part in datasets.load_from_disk(f"{url}/both").items()} == {
        "train": 1000,
        "test": 500,
    }
    data.to_parquet(f"{url}/a.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(f"{url}/a.parquet"), frame)
    data.to_csv(f"{url}/a.csv")
    assert pd.read_csv(f"{url}/a.csv")["id"].sum() == frame["id"].sum()
    data.to_json(f"{url}/a.jsonl")
    assert len(pd.read_json(f"{url}/a.jsonl", lines=True)) == len(frame)
