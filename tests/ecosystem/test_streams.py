"""Streams of `filespace.fs.open` in libraries that take a file object."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import os
import pickle
import shutil
import sqlite3
import tarfile
import wave
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import openpyxl
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.orc
import pyarrow.parquet as pq
import pytest
import soundfile
from PIL import Image

import lucidlink

FS = lucidlink.Filesystem
library = pytest.mark.library
NOISE = os.urandom(5 * 1024 * 1024 + 77)


@library("zipfile", "write, append, read")
def test_zipfile(fs: FS, folder: str) -> None:
    with fs.open(f"{folder}/a.zip", "wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("noise", NOISE)
    with fs.open(f"{folder}/a.zip", "r+b") as file, zipfile.ZipFile(file, "a") as archive:
        archive.writestr("more", b"more")
    with fs.open(f"{folder}/a.zip", "rb") as file, zipfile.ZipFile(file) as archive:
        assert (archive.read("noise"), archive.read("more"), archive.testzip()) == (NOISE, b"more", None)


@library("tarfile", "write and read, plain, gz and xz, seeking and streaming")
@pytest.mark.parametrize("kind", ["", "gz", "xz"])
def test_tarfile(fs: FS, folder: str, tmp_path: Path, kind: str) -> None:
    (tmp_path / "noise").write_bytes(NOISE)
    with fs.open(f"{folder}/a.tar", "wb") as file, tarfile.open(fileobj=file, mode=f"w:{kind}") as archive:  # type: ignore[call-overload]
        archive.add(tmp_path / "noise", "noise")
    for way in ("r:", "r|"):
        with fs.open(f"{folder}/a.tar", "rb") as file, tarfile.open(fileobj=file, mode=f"{way}{kind}") as archive:  # type: ignore[call-overload]
            for member in archive:
                assert archive.extractfile(member).read() == NOISE


@library("gzip, bz2, lzma", "write and read")
@pytest.mark.parametrize("module", [gzip, bz2, lzma])
def test_compressors(fs: FS, folder: str, module: Any) -> None:
    with fs.open(f"{folder}/packed", "wb") as file, module.open(file, "wb") as packed:
        packed.write(NOISE)
    with fs.open(f"{folder}/packed", "rb") as file, module.open(file, "rb") as packed:
        assert packed.read() == NOISE


@library("sqlite3", "dump, serialize and back")
def test_sqlite3(fs: FS, folder: str) -> None:
    database = sqlite3.connect(":memory:")
    database.executescript("create table t (n, body); insert into t values (1, randomblob(300000)), (2, 'zwei');")
    with fs.open(f"{folder}/dump.sql", "w") as file:
        file.writelines(f"{line}\n" for line in database.iterdump())
    again = sqlite3.connect(":memory:")
    with fs.open(f"{folder}/dump.sql", "r") as file:
        again.executescript(file.read())
    query = "select n, body from t order by n"
    assert again.execute(query).fetchall() == database.execute(query).fetchall()
    if hasattr(database, "serialize"):  # Python 3.11
        with fs.open(f"{folder}/t.sqlite", "wb") as file:
            file.write(database.serialize())
        with fs.open(f"{folder}/t.sqlite", "rb") as file:
            again.deserialize(file.read())
        assert again.execute(query).fetchall() == database.execute(query).fetchall()
    database.close()
    again.close()


@library("pickle, json, csv, shutil", "dump and load, write and read, copyfileobj")
def test_small_ones(fs: FS, folder: str) -> None:
    thing = {"noise": NOISE, "list": list(range(1000))}
    with fs.open(f"{folder}/pickle", "wb") as file:
        pickle.dump(thing, file)
    with fs.open(f"{folder}/pickle", "rb") as file:
        assert pickle.load(file) == thing
    with fs.open(f"{folder}/json", "w") as file:
        json.dump(thing["list"], file)
    with fs.open(f"{folder}/json") as file:
        assert json.load(file) == thing["list"]
    rows = [[str(number), f"zeile {number}", "ä,\n"] for number in range(20_000)]
    with fs.open(f"{folder}/csv", "w", newline="") as file:
        csv.writer(file).writerows(rows)
    with fs.open(f"{folder}/csv", "r", newline="") as file:
        assert list(csv.reader(file)) == rows
    with fs.open(f"{folder}/copy", "wb") as file:
        shutil.copyfileobj(io.BytesIO(NOISE), file)
    with fs.open(f"{folder}/copy", "rb") as file:
        target = io.BytesIO()
        shutil.copyfileobj(file, target)
    assert target.getvalue() == NOISE


@library("wave", "write and read")
def test_wave(fs: FS, folder: str) -> None:
    with fs.open(f"{folder}/a.wav", "wb") as file, wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(NOISE[:200_000])
    with fs.open(f"{folder}/a.wav", "rb") as file, wave.open(file, "rb") as sound:
        assert sound.readframes(10**6) == NOISE[:200_000]


@library("numpy", "save, load, savez")
def test_numpy(fs: FS, folder: str) -> None:
    array = np.arange(10**6, dtype="f8").reshape(1000, 1000)
    with fs.open(f"{folder}/a.npy", "wb") as file:
        np.save(file, array)
    with fs.open(f"{folder}/a.npy", "rb") as file:
        assert np.array_equal(np.load(file), array)
    with fs.open(f"{folder}/a.npz", "wb") as file:
        np.savez_compressed(file, one=array, two=array[0])
    with fs.open(f"{folder}/a.npz", "rb") as file, np.load(file) as loaded:
        assert np.array_equal(loaded["one"], array)


@library("pillow", "save and open, the format by the stream's name")
def test_pillow(fs: FS, folder: str) -> None:
    image = Image.frombytes("RGB", (1000, 1000), NOISE[:3_000_000])
    with fs.open(f"{folder}/a.png", "wb") as file:
        image.save(file)
    with fs.open(f"{folder}/a.png", "rb") as file, Image.open(file) as again:
        assert again.tobytes() == image.tobytes()


@library("soundfile", "write and read, WAV and FLAC")
@pytest.mark.parametrize("kind", ["WAV", "FLAC"])
def test_soundfile(fs: FS, folder: str, kind: str) -> None:
    samples = np.frombuffer(NOISE[:2_000_000], "i2").reshape(-1, 2)
    with fs.open(f"{folder}/a", "w+b") as file:
        soundfile.write(file, samples, 44_100, format=kind, subtype="PCM_16")
    with fs.open(f"{folder}/a", "rb") as file:
        again, rate = soundfile.read(file, dtype="int16")
    assert rate == 44_100
    assert np.array_equal(again, samples)


@library("h5py", "write, read and change in place")
def test_h5py(fs: FS, folder: str) -> None:
    array = np.arange(10**6, dtype="f8").reshape(1000, 1000)
    with fs.open(f"{folder}/a.h5", "w+b") as file, h5py.File(file, "w") as book:
        book.create_dataset("group/array", data=array, chunks=(100, 100), compression="gzip")
    with fs.open(f"{folder}/a.h5", "r+b") as file, h5py.File(file, "r+") as book:
        book["group/array"][5, 5] = -1
    with fs.open(f"{folder}/a.h5", "rb") as file, h5py.File(file, "r") as book:
        assert book["group/array"][5, 5] == -1
        assert np.array_equal(book["group/array"][100:200, :50], array[100:200, :50])


@library("openpyxl", "write and read a workbook")
def test_openpyxl(fs: FS, folder: str) -> None:
    book = openpyxl.Workbook()
    for number in range(2000):
        book.active.append([number, f"row {number}"])
    with fs.open(f"{folder}/a.xlsx", "wb") as file:
        book.save(file)
    with fs.open(f"{folder}/a.xlsx", "rb") as file:
        sheet = openpyxl.load_workbook(file, read_only=True).active
        assert sum(1 for _ in sheet.rows) == 2000


@library("pandas", "parquet, feather, csv, json through streams")
def test_pandas(fs: FS, folder: str, frame: pd.DataFrame) -> None:
    for name, write, read in (
        ("parquet", frame.to_parquet, pd.read_parquet),
        ("feather", frame.to_feather, pd.read_feather),
        ("csv", lambda file: frame.to_csv(file, index=False), pd.read_csv),
        (
            "json",
            lambda file: frame.to_json(file, orient="records"),
            lambda file: pd.read_json(file, precise_float=True),
        ),
    ):
        with fs.open(f"{folder}/a.{name}", "wb") as file:
            write(file)
        assert fs.get_entry(f"{folder}/a.{name}").size > 1_000_000
        with fs.open(f"{folder}/a.{name}", "rb") as file:
            pd.testing.assert_frame_equal(read(file), frame, check_dtype=False)


@library("pyarrow", "parquet, feather, orc, csv, IPC through streams, buffered and raw")
@pytest.mark.parametrize("buffering", [-1, 0])
def test_pyarrow(fs: FS, folder: str, frame: pd.DataFrame, buffering: int) -> None:
    table = pa.Table.from_pandas(frame, preserve_index=False)
    for name, write, read in (
        ("parquet", pq.write_table, pq.read_table),
        ("feather", pyarrow.feather.write_feather, pyarrow.feather.read_table),
        ("orc", pyarrow.orc.write_table, pyarrow.orc.read_table),
        ("csv", pyarrow.csv.write_csv, pyarrow.csv.read_csv),
    ):
        with fs.open(f"{folder}/a.{name}", "wb", buffering) as file:
            write(table, file)
        with fs.open(f"{folder}/a.{name}", "rb", buffering) as file:
            assert read(file).cast(table.schema).equals(table)
    with fs.open(f"{folder}/a.arrow", "wb", buffering) as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table)
    with fs.open(f"{folder}/a.arrow", "rb", buffering) as file, pa.ipc.open_stream(file) as reader:
        assert reader.read_all().equals(table)


@library("polars", "parquet, csv, IPC through streams")
def test_polars(fs: FS, folder: str, frame: pd.DataFrame) -> None:
    table = pl.from_pandas(frame)
    for name, write, read in (
        ("parquet", table.write_parquet, pl.read_parquet),
        ("csv", table.write_csv, pl.read_csv),
        ("ipc", table.write_ipc, pl.read_ipc),
    ):
        with fs.open(f"{folder}/a.{name}", "wb") as file:
            write(file)
        with fs.open(f"{folder}/a.{name}", "rb") as file:
            assert read(file).cast(table.schema).equals(table)
