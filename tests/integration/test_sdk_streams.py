"""Open files against a real hub: what others see and when, text, legacy handles."""

from __future__ import annotations

import errno
import io
import os
from typing import Any

import pytest

import lucidlink
from tests.sdk import refused


def test_open_kinds(fs: lucidlink.Filesystem, home: str) -> None:
    path = f"{home}/file"
    fs.write_file(path, b"content")
    cases: list[tuple[str, int, type]] = [
        ("rb", -1, io.BufferedReader),
        ("wb", -1, io.BufferedWriter),
        ("r+b", -1, io.BufferedRandom),
        ("rb", 8192, io.BufferedReader),
        ("rb", 0, lucidlink.LucidFileStream),
        ("wb", 0, io.RawIOBase),
        ("r", -1, io.TextIOWrapper),
        ("w", 1, io.TextIOWrapper),
        ("a+", 64, io.TextIOWrapper),
    ]
    for mode, buffering, kind in cases:
        with fs.open(path, mode, buffering) as stream:
            assert isinstance(stream, kind)
            assert getattr(stream, "line_buffering", False) == (buffering == 1)


def test_open_arguments(fs: lucidlink.Filesystem, home: str) -> None:
    path = f"{home}/file"
    wrong: list[dict[str, Any]] = [
        {"mode": "rw"},
        {"mode": "r", "buffering": 0},
        {"buffering": -2},
        {"encoding": "utf-8"},
        {"errors": "strict"},
        {"newline": ""},
        {"lock_type": "both"},
        {"lock_timeout": -1},
        {"mode": "w", "newline": "x"},
    ]
    for options in wrong:
        with pytest.raises(ValueError):
            fs.open(path, **options)
    with pytest.raises(LookupError):
        fs.open(path, "w", encoding="no-such-encoding")
    for options in ({"mode": 5}, {"buffering": 1.5}):
        with pytest.raises(TypeError):
            fs.open(path, **options)
    assert not fs.file_exists(path)


def test_nothing_shows_before_close(fs: lucidlink.Filesystem, second: lucidlink.Filespace, home: str) -> None:
    path = f"{home}/file"
    stream = fs.open(path, "wb")
    stream.write(b"first")
    assert not second.fs.file_exists(path)
    stream.flush()
    assert second.fs.read_file(path) == b"first"
    stream.write(b" second")
    assert second.fs.read_file(path) == b"first"
    stream.close()
    assert second.fs.read_file(path) == b"first second"


def test_failed_with_block_leaves_the_old(fs: lucidlink.Filesystem, second: lucidlink.Filespace, home: str) -> None:
    path = f"{home}/file"
    fs.write_file(path, b"old")
    with pytest.raises(KeyError), fs.open(path, "w") as stream:
        stream.write("new" * 100_000)
        raise KeyError
    assert second.fs.read_file(path) == b"old"
    with pytest.raises(KeyError), fs.open(path, "r+b", lock_type="exclusive") as locked:
        locked.write(b"new")
        raise KeyError
    assert second.fs.read_file(path) == b"old"
    assert fs.list_locks(path) == []


def test_exclusive_creation(fs: lucidlink.Filesystem, second: lucidlink.Filespace, home: str) -> None:
    path = f"{home}/file"
    with fs.open(path, "x") as stream:
        stream.write("mine")
        refused(FileExistsError, errno.EEXIST, path, lambda: second.fs.open(path, "x"))
    assert second.fs.read_file(path) == b"mine"
    fs.open(f"{home}/other", "xb").abort()
    second.fs.open(f"{home}/other", "xb").close()


def test_reader_keeps_its_revision(fs: lucidlink.Filesystem, second: lucidlink.Filespace, home: str) -> None:
    path = f"{home}/file"
    fs.write_file(path, b"old" * 100_000)
    with fs.open(path) as stream:
        assert stream.read(3) == b"old"
        second.fs.write_file(path, b"new")
        assert stream.read() == b"old" * 99_999
        stream.seek(0)
        assert stream.read(3) == b"old"
        stream.seek(0)
        stream.refresh()
        assert stream.read() == b"new"


def test_streaming(fs: lucidlink.Filesystem, second: lucidlink.Filespace, home: str) -> None:
    path = f"{home}/big"
    block = os.urandom(1024 * 1024)
    with fs.open(path, "wb") as stream:
        for _ in range(12):
            stream.write(block)
    with second.fs.open(path, buffering=8192) as reading:
        chunks = list(iter(lambda: reading.read(4096), b""))
        assert b"".join(chunks) == block * 12
        reading.seek(1000)
        assert reading.read(100) == block[1000:1100]
        reading.seek(-5, io.SEEK_END)
        assert reading.read() == block[-5:]


def test_update_and_append(fs: lucidlink.Filesystem, second: lucidlink.Filespace, home: str) -> None:
    path = f"{home}/file"
    fs.write_file(path, b"0123456789")
    with fs.open(path, "r+b") as stream:
        assert stream.read(2) == b"01"
        stream.write(b"xx")
        stream.seek(8)
        assert stream.read() == b"89"
    assert second.fs.read_file(path) == b"01xx456789"
    with fs.open(path, "ab") as one, second.fs.open(path, "ab") as two:
        one.write(b"-one")
        two.write(b"-two")
    assert sorted(fs.read_file(path)[10:].split(b"-")) == [b"", b"one", b"two"]


def test_text(fs: lucidlink.Filesystem, home: str) -> None:
    path = f"{home}/text"
    with fs.open(path, "w") as stream:
        stream.write("grüße\nzweite\n")
    assert fs.read_file(path) == "grüße\nzweite\n".encode()
    with fs.open(path, "rt", encoding="utf-8") as stream:
        assert [line.strip() for line in stream] == ["grüße", "zweite"]
    with fs.open(path, "w", encoding="utf-16", newline="\r\n") as stream:
        stream.write("a\n")
    assert fs.read_file(path).decode("utf-16") == "a\r\n"


def test_open_buffered_and_open_text(fs: lucidlink.Filesystem, home: str) -> None:
    path = f"{home}/file"
    with lucidlink.open_buffered(fs, path, "w", 16) as stream:
        stream.write(b"hello")
    with lucidlink.open_buffered(fs, path) as reading:
        assert reading.read() == b"hello"
    with lucidlink.open_text(fs, path, "a") as text:
        text.write(" world")
    with lucidlink.open_text(fs, path, lock_type="shared") as text:
        assert text.read() == "hello world"
    for call in (
        lambda: lucidlink.open_buffered(fs, path, "rt"),
        lambda: lucidlink.open_buffered(fs, path, buffer_size=0),
        lambda: lucidlink.open_text(fs, path, "rb"),
    ):
        with pytest.raises(ValueError):
            call()


def test_legacy_handles(fs: lucidlink.Filesystem, home: str) -> None:
    path = f"{home}/file"
    with fs.open_legacy(path, "w") as handle:
        assert (handle.path, handle.mode, handle.closed) == (path, "w", False)
        assert handle.write(b"0123456789") == 10
        assert handle.write(b"xx", offset=4) == 2
    assert handle.closed
    handle = fs.open_legacy(path)
    assert handle.read() == b"0123xx6789"
    assert handle.read(3, 3) == b"3xx"
    with pytest.raises(io.UnsupportedOperation):
        handle.write(b"x")
    handle.close()
    handle.close()
    with pytest.raises(ValueError):
        handle.read()
    with pytest.raises(KeyError), fs.open_legacy(path, "r+") as handle:
        handle.write(b"lost")
        raise KeyError
    assert fs.read_file(path) == b"0123xx6789"
