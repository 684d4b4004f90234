"""The fsspec driver: ranges, many files at once, streams."""

from __future__ import annotations

import io
import os

import pytest

from lucidfs.limits import FRAME_BYTES, MIB
from lucidlink.fsspec import LucidLinkFileSystem
from tests.sdk import World

FS = LucidLinkFileSystem


def test_ranges_are_slices(driver: FS, home: str) -> None:
    data = os.urandom(3 * FRAME_BYTES + 77)
    path = f"{home}/file"
    driver.pipe_file(path, data)
    cases = [(0, 10), (None, 5), (FRAME_BYTES - 5, FRAME_BYTES + 5), (-100, None), (-100, -50), (5, 5), (10**9, None)]
    for start, end in cases:
        assert driver.cat_file(path, start, end) == data[start:end]
    starts, ends = [start for start, _ in cases], [end for _, end in cases]
    assert driver.cat_ranges([path] * len(cases), starts, ends) == [data[start:end] for start, end in cases]
    assert driver.head(path, 7) == data[:7]
    assert driver.tail(path, 7) == data[-7:]
    assert driver.read_block(path, 100, 50) == data[100:150]


def test_many_at_once(driver: FS, home: str) -> None:
    files = {f"{home}/d/{number}": os.urandom(number * 300) for number in range(300)}
    driver.pipe(files)
    assert driver.cat(list(files)) == files
    assert driver.cat(f"{home}/d", recursive=True) == files
    assert driver.cat(f"{home}/d/1?") == {
        path: data for path, data in files.items() if len(path) == len(home) + 5 and "/d/1" in path
    }
    missing = [f"{home}/d/5", f"{home}/nothing"]
    with pytest.raises(FileNotFoundError, match="nothing"):
        driver.cat(missing)
    assert driver.cat(missing, on_error="omit") == {missing[0]: files[missing[0]]}
    returned = driver.cat(missing, on_error="return")
    assert isinstance(returned[missing[1]], FileNotFoundError)
    found = driver.cat_ranges([missing[0], missing[1]], [0, 0], [10, 10])
    assert found[0] == files[missing[0]][:10]
    assert isinstance(found[1], FileNotFoundError)
    assert found[1].filename == missing[1]


@pytest.mark.parametrize("mode", ["wb", "xb", "ab", "w+b", "x+b", "a+b"])
def test_folders_above_a_new_file_are_made(driver: FS, home: str, mode: str) -> None:
    with driver.open(f"{home}/not/yet/there", mode) as file:
        file.write(b"data")
        assert file.path == f"{home}/not/yet/there"
        assert file.fs is driver
    assert driver.cat_file(f"{home}/not/yet/there") == b"data"


def test_streams_are_those_of_the_sdk(driver: FS, home: str) -> None:
    data = os.urandom(5 * MIB + 1)
    with driver.open(f"{home}/file", "wb") as file:
        file.write(data)
    with driver.open(f"{home}/file", "rb") as file:
        assert isinstance(file, io.BufferedReader)
        assert (vars(file)["size"], file.read(10), file.tell()) == (len(data), data[:10], 10)
        file.seek(-10, os.SEEK_END)
        assert file.read() == data[-10:]
    with driver.open(f"{home}/file", "r+b") as file:
        file.seek(MIB)
        file.write(b"patched")
    with driver.open(f"{home}/file", "ab") as file:
        file.write(b"end")
    assert driver.cat_file(f"{home}/file") == data[:MIB] + b"patched" + data[MIB + 7 :] + b"end"
    with pytest.raises(FileExistsError):
        driver.open(f"{home}/file", "xb")
    with pytest.raises(FileNotFoundError):
        driver.open(f"{home}/nothing", "rb")
    with driver.open(f"{home}/file", "rb", cache_type="readahead", block_size=2**16) as file:
        assert file.read(3) == data[:3]


@pytest.mark.parametrize("mode", ["wb", "w"])
def test_a_with_block_that_fails_publishes_nothing(driver: FS, home: str, mode: str) -> None:
    driver.pipe_file(f"{home}/file", b"old")
    with pytest.raises(ZeroDivisionError), driver.open(f"{home}/file", mode) as file:
        file.write("new" if mode == "w" else b"new")
        raise ZeroDivisionError
    assert driver.cat_file(f"{home}/file") == b"old"


def test_locks_of_an_open(driver: FS, shared: World, home: str) -> None:
    other = FS(token=shared.tokens["second"], hub=shared.hub.url)
    driver.pipe_file(f"{home}/file", b"data")
    with driver.open(f"{home}/file", "r+b", lock_type="exclusive"), pytest.raises(TimeoutError):
        other.open(f"{home}/file", "rb", lock_timeout=0)
    with pytest.raises(ValueError, match="lock_type"):
        driver.open(f"{home}/file", "rb", lock_type="some")
    other.close()


def test_a_reader_that_is_dropped_is_closed_without_a_word(driver: FS, home: str) -> None:
    driver.pipe_file(f"{home}/file", b"data")
    file = driver.open(f"{home}/file", "rb")
    del file
    file = driver.open(f"{home}/file", "wb")
    with pytest.warns(ResourceWarning, match="not published"):
        del file
    assert driver.cat_file(f"{home}/file") == b"data"


def test_compression_of_fsspec(driver: FS, home: str) -> None:
    with driver.open(f"{home}/file.gz", "wt", compression="infer") as file:
        file.write("text " * 1000)
    assert driver.size(f"{home}/file.gz") < 1000
    with driver.open(f"{home}/file.gz", "rt", compression="infer") as file:
        assert file.read() == "text " * 1000
    for name in ("gzip", "bz2", "xz"):
        with driver.open(f"{home}/bytes", "wb", compression=name) as file:
            file.write(b"bytes" * 1000)
        with driver.open(f"{home}/bytes", "rb", compression=name) as file:
            assert file.read() == b"bytes" * 1000
        for mode, data in (("wb", b"lost"), ("w", "lost")):
            with pytest.raises(ZeroDivisionError), driver.open(f"{home}/bytes", mode, compression=name) as file:
                file.write(data)
                raise ZeroDivisionError
        with driver.open(f"{home}/bytes", "rb", compression=name) as file:
            assert file.read() == b"bytes" * 1000
    with pytest.raises(ValueError, match="nonsense"):
        driver.open(f"{home}/bytes", "wb", compression="nonsense")
