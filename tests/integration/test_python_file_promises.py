"""What Python promises of raw, buffered and text files: one list, run against the builtin `open` and against ours."""

from __future__ import annotations

import array
import csv
import errno
import io
import json
import shutil
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import lucidlink

BINARY = b"first line\nsecond line\r\nthird\n" + bytes(range(256)) * 300
LINES = ["first\n", "zweite äöü\n", "third 😀\n", "no end"]


class Place(ABC):
    """Somewhere with one file that can be opened."""

    raw: type[io.RawIOBase]

    @abstractmethod
    def open(self, mode: str, buffering: int = -1, **options: Any) -> Any: ...

    @abstractmethod
    def put(self, data: bytes) -> None: ...

    @abstractmethod
    def get(self) -> bytes: ...


class LocalPlace(Place):
    raw = io.FileIO

    def __init__(self, path: Path) -> None:
        self.path = path

    def open(self, mode: str, buffering: int = -1, **options: Any) -> Any:
        return open(self.path, mode, buffering, **options)

    def put(self, data: bytes) -> None:
        self.path.write_bytes(data)

    def get(self) -> bytes:
        return self.path.read_bytes()


class OurPlace(Place):
    raw = lucidlink.LucidFileStream

    def __init__(self, fs: lucidlink.Filesystem, path: str) -> None:
        self.fs, self.path = fs, path

    def open(self, mode: str, buffering: int = -1, **options: Any) -> Any:
        return self.fs.open(self.path, mode, buffering, **options)

    def put(self, data: bytes) -> None:
        self.fs.write_file(self.path, data)

    def get(self) -> bytes:
        return self.fs.read_file(self.path)


@pytest.fixture(scope="module")
def shared(world: Any) -> Iterator[lucidlink.Filesystem]:
    with world.client() as client:
        yield client.fs


@pytest.fixture(params=["builtin", "lucid"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "builtin":
        return LocalPlace(tmp_path / "file")
    fs = request.getfixturevalue("shared")
    name = "/" + "".join(letter if letter.isalnum() else "-" for letter in request.node.name)
    return OurPlace(fs, name)


@pytest.fixture
def full(place: Place) -> Place:
    """The place with a file in it."""
    place.put(BINARY)
    return place


class TestTypes:
    @pytest.mark.parametrize(
        ("mode", "buffering", "kind"),
        [
            ("rb", -1, io.BufferedReader),
            ("r+b", -1, io.BufferedRandom),
            ("r", -1, io.TextIOWrapper),
            ("rb", 10, io.BufferedReader),
            ("r", 1, io.TextIOWrapper),
        ],
    )
    def test_open_gives_the_layer(self, full: Place, mode: str, buffering: int, kind: type) -> None:
        with full.open(mode, buffering) as file:
            assert isinstance(file, kind)

    @pytest.mark.parametrize("mode", ["wb", "ab"])
    def test_writers_are_buffered_writers(self, full: Place, mode: str) -> None:
        with full.open(mode) as file:
            assert isinstance(file, io.BufferedWriter)

    def test_unbuffered_is_raw(self, full: Place) -> None:
        with full.open("rb", 0) as file:
            assert isinstance(file, full.raw)
            assert isinstance(file, io.RawIOBase)

    def test_layers_can_be_taken_apart(self, full: Place) -> None:
        file = full.open("r", encoding="latin-1")
        assert isinstance(file.buffer, io.BufferedReader)
        assert isinstance(file.buffer.raw, full.raw)
        buffer = file.detach()
        assert buffer.read(5) == b"first"
        raw = buffer.detach()
        raw.seek(0)
        assert raw.read(5) == b"first"
        raw.close()

    @pytest.mark.parametrize("mode", ["rw", "", "b", "t", "rbt", "rr", "r++", "z", "wx", "+b"])
    def test_modes_that_are_none(self, full: Place, mode: str) -> None:
        with pytest.raises(ValueError):
            full.open(mode)

    @pytest.mark.parametrize("mode", ["rb", "br", "r+b", "rb+", "b+r", "+br"])
    def test_modes_in_any_order(self, full: Place, mode: str) -> None:
        with full.open(mode) as file:
            assert file.read(5) == b"first"

    def test_text_cannot_be_unbuffered(self, full: Place) -> None:
        with pytest.raises(ValueError):
            full.open("r", 0)

    @pytest.mark.parametrize("option", ["encoding", "errors", "newline"])
    def test_binary_takes_no_text_options(self, full: Place, option: str) -> None:
        with pytest.raises(ValueError):
            full.open("rb", -1, **{option: "\n" if option == "newline" else "strict"})

    def test_unknown_encoding(self, full: Place) -> None:
        with pytest.raises(LookupError):
            full.open("r", encoding="no-such-encoding")

    def test_illegal_newline(self, full: Place) -> None:
        with pytest.raises(ValueError):
            full.open("r", newline="x")


class TestMissingAndTaken:
    @pytest.mark.parametrize("mode", ["r", "rb", "r+", "r+b"])
    def test_reading_what_is_missing(self, place: Place, mode: str) -> None:
        with pytest.raises(FileNotFoundError) as caught:
            place.open(mode)
        assert caught.value.errno == errno.ENOENT
        assert caught.value.filename

    @pytest.mark.parametrize("mode", ["x", "xb", "x+b"])
    def test_exclusive_creation(self, full: Place, mode: str) -> None:
        with pytest.raises(FileExistsError) as caught:
            full.open(mode)
        assert caught.value.errno == errno.EEXIST
        assert full.get() == BINARY

    @pytest.mark.parametrize("mode", ["w", "wb", "a", "ab", "x", "xb", "w+b", "a+b"])
    def test_creation(self, place: Place, mode: str) -> None:
        place.open(mode).close()
        assert place.get() == b""


class TestAbilities:
    @pytest.mark.parametrize("buffering", [0, -1])
    @pytest.mark.parametrize(
        ("mode", "reads", "writes"),
        [("rb", True, False), ("wb", False, True), ("ab", False, True), ("r+b", True, True), ("w+b", True, True)],
    )
    def test_readable_writable_seekable(
        self, full: Place, mode: str, buffering: int, reads: bool, writes: bool
    ) -> None:
        with full.open(mode, buffering) as file:
            assert (file.readable(), file.writable(), file.seekable(), file.isatty()) == (reads, writes, True, False)

    @pytest.mark.parametrize("buffering", [0, -1])
    def test_unsupported(self, full: Place, buffering: int) -> None:
        with full.open("rb", buffering) as file:
            with pytest.raises(io.UnsupportedOperation):
                file.write(b"x")
            with pytest.raises(io.UnsupportedOperation):
                file.truncate(0)
        with full.open("wb", buffering) as file:
            with pytest.raises(io.UnsupportedOperation):
                file.read(1)
            with pytest.raises(io.UnsupportedOperation):
                file.readinto(bytearray(1))
            with pytest.raises(io.UnsupportedOperation):
                next(file)

    def test_text_on_binary_and_back(self, full: Place) -> None:
        with full.open("wb") as file, pytest.raises(TypeError):
            file.write("text")
        with full.open("w") as file, pytest.raises(TypeError):
            file.write(b"bytes")

    def test_name_and_mode(self, full: Place) -> None:
        with full.open("rb", 0) as file:
            assert file.mode == "rb"
            assert str(file.name).endswith(str(full.path).rpartition("/")[2])  # type: ignore[attr-defined]
        with full.open("r") as file:
            assert file.mode == "r"
            assert file.name


class TestClosed:
    @pytest.mark.parametrize("mode", ["rb", "r+b", "wb", "ab", "r", "w"])
    @pytest.mark.parametrize("buffering", [0, -1])
    def test_every_use_of_a_closed_file_is_a_value_error(self, full: Place, mode: str, buffering: int) -> None:
        if "b" not in mode and not buffering:
            return
        file = full.open(mode, buffering)
        assert not file.closed
        file.close()
        file.close()
        assert file.closed
        content: Any = b"x" if "b" in mode else "x"
        calls = [
            lambda: file.read(1), lambda: file.readline(), lambda: file.readlines(), lambda: next(file),
            lambda: file.write(content), lambda: file.writelines([content]), lambda: file.seek(0), file.tell,
            lambda: file.truncate(0), file.flush, file.__enter__,
            file.isatty, file.fileno, lambda: iter(file),
        ]  # fmt: skip
        for call in calls:
            with pytest.raises(ValueError):
                call()

    def test_with_closes(self, full: Place) -> None:
        with full.open("rb") as file:
            pass
        assert file.closed

    def test_closing_the_wrapper_closes_all(self, full: Place) -> None:
        file = full.open("r", encoding="latin-1")
        raw = file.buffer.raw
        file.close()
        assert raw.closed


class TestReading:
    @pytest.mark.parametrize("buffering", [0, -1, 7, 1000])
    def test_read(self, full: Place, buffering: int) -> None:
        with full.open("rb", buffering) as file:
            assert file.read(0) == b""
            assert file.read(10) == BINARY[:10]
            assert file.tell() == 10
            assert file.read() == BINARY[10:]
            assert file.read() == b""
            assert file.read(5) == b""
            file.seek(3)
            assert file.read(-1) == BINARY[3:]
            file.seek(0)
            assert file.read(None) == BINARY

    @pytest.mark.parametrize("buffering", [0, -1, 7])
    def test_readinto(self, full: Place, buffering: int) -> None:
        with full.open("rb", buffering) as file:
            buffer = bytearray(10)
            assert file.readinto(buffer) == 10
            assert buffer == BINARY[:10]
            assert file.readinto(memoryview(buffer)[2:4]) == 2
            assert buffer == BINARY[:2] + BINARY[10:12] + BINARY[4:10]
            numbers = array.array("I", [0, 0])
            assert file.readinto(numbers) == 8
            assert numbers.tobytes() == BINARY[12:20]
            assert file.readinto(bytearray(0)) == 0
            with pytest.raises(TypeError):
                file.readinto(b"read only")
            file.seek(0, io.SEEK_END)
            assert file.readinto(buffer) == 0

    @pytest.mark.parametrize("buffering", [0, -1])
    def test_lines(self, full: Place, buffering: int) -> None:
        expected = io.BytesIO(BINARY).readlines()
        with full.open("rb", buffering) as file:
            assert file.readline() == expected[0]
            assert file.readline(3) == expected[1][:3]
            assert file.readline() == expected[1][3:]
            assert next(file) == expected[2]
            assert list(file) == expected[3:]
            file.seek(0)
            assert file.readlines(15) == expected[:2]

    def test_peek_and_read1(self, full: Place) -> None:
        with full.open("rb") as file:
            assert file.peek(5)[:5] == b"first"
            assert file.tell() == 0
            assert file.read1(5) == b"first"
            assert file.read1()

    def test_beyond_the_end(self, full: Place) -> None:
        with full.open("rb", 0) as file:
            assert file.seek(10**9) == 10**9
            assert file.read(1) == b""
            assert file.tell() == 10**9

    def test_copyfileobj(self, full: Place) -> None:
        target = io.BytesIO()
        with full.open("rb") as file:
            shutil.copyfileobj(file, target)
        assert target.getvalue() == BINARY


class TestSeeking:
    @pytest.mark.parametrize("buffering", [0, -1, 7])
    def test_whence(self, full: Place, buffering: int) -> None:
        with full.open("rb", buffering) as file:
            assert file.seek(5) == 5
            assert file.seek(3, io.SEEK_CUR) == 8
            assert file.seek(-2, io.SEEK_CUR) == 6
            assert file.seek(-4, io.SEEK_END) == len(BINARY) - 4
            assert file.read() == BINARY[-4:]
            assert file.tell() == len(BINARY)

    @pytest.mark.parametrize("buffering", [0, -1])
    def test_before_the_start(self, full: Place, buffering: int) -> None:
        with full.open("rb", buffering) as file:
            file.seek(4)
            for offset, whence in [(-1, 0), (-5, 1), (-len(BINARY) - 1, 2)]:
                with pytest.raises(OSError) as caught:
                    file.seek(offset, whence)
                assert caught.value.errno == errno.EINVAL
            assert file.tell() == 4

    @pytest.mark.parametrize("buffering", [0, -1])
    def test_not_a_position(self, full: Place, buffering: int) -> None:
        with full.open("rb", buffering) as file:
            with pytest.raises(TypeError):
                file.seek("1")
            with pytest.raises((ValueError, OSError)):
                file.seek(0, 77)


class TestWriting:
    @pytest.mark.parametrize("buffering", [0, -1, 7])
    @pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, lambda data: array.array("B", data)])
    def test_anything_with_bytes(self, place: Place, buffering: int, kind: Any) -> None:
        with place.open("wb", buffering) as file:
            assert file.write(kind(b"hello")) == 5
            assert file.write(kind(b"")) == 0
            assert file.tell() == 5
        assert place.get() == b"hello"

    def test_items_of_more_than_a_byte_count_as_bytes(self, place: Place) -> None:
        with place.open("wb", 0) as file:
            assert file.write(array.array("I", [1, 2])) == 8
        assert len(place.get()) == 8

    def test_the_buffer_may_change_after_write(self, place: Place) -> None:
        data = bytearray(b"before" * 20_000)
        with place.open("wb", 0) as file:
            file.write(data)
            data[:] = b"\0" * len(data)
        assert place.get() == b"before" * 20_000

    @pytest.mark.parametrize("buffering", [0, -1])
    def test_over_and_beyond(self, full: Place, buffering: int) -> None:
        with full.open("r+b", buffering) as file:
            file.seek(6)
            file.write(b"LINE")
            file.seek(len(BINARY) + 100_000)
            file.write(b"end")
            file.seek(0)
            assert file.read(11) == b"first LINE\n"
        assert full.get() == b"first LINE" + BINARY[10:] + bytes(100_000) + b"end"

    @pytest.mark.parametrize("buffering", [0, -1])
    def test_append_writes_at_the_end_wherever_it_stands(self, full: Place, buffering: int) -> None:
        with full.open("a+b", buffering) as file:
            assert file.tell() == len(BINARY)
            file.seek(0)
            assert file.read(5) == b"first"
            file.seek(3)
            file.write(b"tail")
            file.flush()
            assert file.tell() == len(BINARY) + 4
        assert full.get() == BINARY + b"tail"

    def test_w_plus_starts_empty(self, full: Place) -> None:
        with full.open("w+b") as file:
            assert file.read() == b""
            file.write(b"new")
            file.seek(0)
            assert file.read() == b"new"
        assert full.get() == b"new"

    @pytest.mark.parametrize("buffering", [0, -1])
    def test_truncate(self, full: Place, buffering: int) -> None:
        with full.open("r+b", buffering) as file:
            file.seek(20)
            assert file.truncate() == 20
            assert file.truncate(10) == 10
            assert file.tell() == 20
            assert file.truncate(15) == 15
            file.seek(0)
            assert file.read() == BINARY[:10] + bytes(5)
            with pytest.raises(OSError):
                file.truncate(-1)
        assert full.get() == BINARY[:10] + bytes(5)

    def test_writelines(self, place: Place) -> None:
        with place.open("wb") as file:
            file.writelines(iter([b"a", bytearray(b"b"), memoryview(b"c")]))
        assert place.get() == b"abc"

    def test_flush_makes_it_readable(self, place: Place) -> None:
        with place.open("wb") as file:
            file.write(b"flushed")
            file.flush()
            assert place.get() == b"flushed"
            file.write(b" more")
        assert place.get() == b"flushed more"

    def test_reads_see_own_writes(self, full: Place) -> None:
        with full.open("r+b", 0) as file:
            file.write(b"FIRST")
            file.seek(0)
            assert file.read(10) == b"FIRST line"


class TestText:
    def test_round_trip_in_utf_8(self, place: Place) -> None:
        with place.open("w") as file:
            assert file.write(LINES[1]) == len(LINES[1])
            file.writelines(LINES[2:])
        assert place.get() == "".join(LINES[1:]).encode()
        with place.open("r", encoding="utf-8") as file:
            assert list(file) == LINES[1:]

    @pytest.mark.parametrize("newline", [None, "", "\n", "\r", "\r\n"])
    def test_newlines(self, place: Place, newline: str | None) -> None:
        place.put(b"a\nb\r\nc\rd")
        with place.open("r", newline=newline) as file:
            expected = io.TextIOWrapper(io.BytesIO(b"a\nb\r\nc\rd"), newline=newline)
            assert list(file) == list(expected)
        with place.open("w", newline=newline) as file:
            file.write("x\ny")
        memory = io.BytesIO()
        wrapper = io.TextIOWrapper(memory, newline=newline, write_through=True)
        wrapper.write("x\ny")
        assert place.get() == memory.getvalue()

    def test_errors(self, place: Place) -> None:
        place.put(b"caf\xe9")
        with place.open("r", encoding="utf-8") as file, pytest.raises(UnicodeDecodeError):
            file.read()
        with place.open("r", encoding="utf-8", errors="replace") as file:
            assert file.read() == "caf\N{REPLACEMENT CHARACTER}"
        with place.open("w", encoding="ascii", errors="ignore") as file:
            file.write("café")
        assert place.get() == b"caf"

    def test_tell_and_seek(self, place: Place) -> None:
        place.put("".join(LINES).encode())
        with place.open("r", encoding="utf-8") as file:
            file.readline()
            second = file.tell()
            rest = file.read()
            file.seek(second)
            assert file.read() == rest
            with pytest.raises(io.UnsupportedOperation):
                file.seek(1, io.SEEK_CUR)

    def test_line_buffering(self, place: Place) -> None:
        with place.open("w", 1) as file:
            assert file.line_buffering
            file.write("one line\n")
            assert place.get() == b"one line\n"

    def test_reconfigure(self, place: Place) -> None:
        place.put("äö".encode("latin-1"))
        with place.open("r", encoding="utf-8") as file:
            file.reconfigure(encoding="latin-1")
            assert file.read() == "äö"


class TestLibraries:
    def test_csv(self, place: Place) -> None:
        rows = [["a", "b"], ["1", 'quoted "x"\n']]
        with place.open("w", newline="") as file:
            csv.writer(file).writerows(rows)
        with place.open("r", newline="") as file:
            assert list(csv.reader(file)) == rows

    def test_json(self, place: Place) -> None:
        with place.open("w") as file:
            json.dump({"ä": [1, 2]}, file)
        with place.open("rb") as file:
            assert json.load(file) == {"ä": [1, 2]}

    def test_zip(self, place: Place) -> None:
        with place.open("w+b") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("inner.bin", BINARY)
        with place.open("rb") as file, zipfile.ZipFile(file) as archive:
            assert archive.testzip() is None
            assert archive.read("inner.bin") == BINARY


class TestOursOnly:
    """Where a shared file must differ from a local one, or says more."""

    @pytest.fixture
    def ours(self, shared: lucidlink.Filesystem) -> lucidlink.Filesystem:
        shared.write_file("/ours", BINARY)
        return shared

    @pytest.mark.parametrize("buffering", [0, -1])
    def test_there_is_no_file_number(self, ours: lucidlink.Filesystem, buffering: int) -> None:
        with ours.open("/ours", "rb", buffering) as file, pytest.raises(io.UnsupportedOperation):
            file.fileno()

    def test_an_exception_in_the_block_publishes_nothing(self, ours: lucidlink.Filesystem) -> None:
        for mode, buffering in [("wb", -1), ("wb", 0), ("r+b", -1), ("ab", -1), ("w", -1)]:
            with pytest.raises(KeyError):
                file: Any = ours.open("/ours", mode, buffering)
                with file:
                    file.write("half" if mode == "w" else b"half")
                    raise KeyError
            assert file.closed
            assert ours.read_file("/ours") == BINARY

    def test_a_dropped_stream_publishes_nothing(self, ours: lucidlink.Filesystem) -> None:
        file = ours.open("/ours", "wb", 0)
        file.write(b"half")
        with pytest.warns(ResourceWarning):
            del file
        assert ours.read_file("/ours") == BINARY

    def test_writing_is_seen_at_close_only(self, ours: lucidlink.Filesystem) -> None:
        with ours.open("/ours", "wb") as file:
            file.write(b"x" * 1_000_000)
            assert ours.read_file("/ours") == BINARY
        assert ours.read_file("/ours") == b"x" * 1_000_000
