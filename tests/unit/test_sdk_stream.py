"""Streams over a fake engine: what Python promises of raw, buffered and text files, and what publishes."""

from __future__ import annotations

import builtins
import errno
import gc
import io
import os
import pickle
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lucidfs.errors import Code
from lucidlink._buffered import LucidBufferedReader
from tests.sdk import fake_buffered, fake_stream, fake_text, refusal

Make = Callable[[str, "bytes | None"], Any]
MAKERS: dict[str, Make] = {
    "raw": lambda mode, content: fake_stream(mode + "b", content),
    "buffered": lambda mode, content: fake_buffered(mode + "b", content),
    "text": lambda mode, content: fake_text(mode, content),
}
each = pytest.mark.parametrize("kind", MAKERS)


def of(kind: str, text: str) -> Any:
    return text if kind == "text" else text.encode()


# --- what publishes --------------------------------------------------------------------------------------------------


@each
def test_nothing_is_published_before_flush(kind: str) -> None:
    stream, handle = MAKERS[kind]("w", None)
    stream.write(of(kind, "one"))
    assert handle.published is None
    stream.flush()
    assert handle.published == b"one"
    stream.write(of(kind, "two"))
    assert handle.published == b"one"
    stream.close()
    assert handle.published == b"onetwo"
    assert handle.ended == "closed"


@each
def test_close_publishes_once(kind: str) -> None:
    stream, handle = MAKERS[kind]("w", None)
    stream.write(of(kind, "all"))
    stream.close()
    stream.close()
    assert (handle.published, handle.publications) == (b"all", 1)


@each
def test_with_block_publishes_at_its_end(kind: str) -> None:
    stream, handle = MAKERS[kind]("w", None)
    with stream as entered:
        assert entered is stream
        stream.write(of(kind, "all"))
    assert handle.published == b"all"


@each
@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt, GeneratorExit])
def test_exception_in_with_block_publishes_nothing(kind: str, error: type[BaseException]) -> None:
    stream, handle = MAKERS[kind]("w", b"old")
    with pytest.raises(error), stream:
        stream.write(of(kind, "new"))
        raise error
    assert (handle.published, handle.ended) == (b"old", "aborted")
    assert stream.closed


@each
def test_exception_keeps_what_was_flushed(kind: str) -> None:
    stream, handle = MAKERS[kind]("w", b"old")
    with pytest.raises(KeyError), stream:
        stream.write(of(kind, "new"))
        stream.flush()
        stream.write(of(kind, "lost"))
        raise KeyError
    assert handle.published == b"new"


@each
def test_dropped_stream_publishes_nothing_and_warns(kind: str) -> None:
    stream, handle = MAKERS[kind]("w", b"old")
    stream.write(of(kind, "new"))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del stream
        gc.collect()
    assert [warning.category for warning in caught] == [ResourceWarning]
    assert (handle.published, handle.ended) == (b"old", "aborted")


@each
def test_dropped_closed_stream_is_silent(kind: str) -> None:
    stream, _ = MAKERS[kind]("w", None)
    stream.close()
    del stream
    gc.collect()


@each
def test_abort(kind: str) -> None:
    stream, handle = MAKERS[kind]("w", b"old")
    stream.write(of(kind, "new"))
    stream.abort()
    stream.abort()
    stream.close()
    assert (handle.published, handle.ended, stream.closed) == (b"old", "aborted", True)


def test_telling_and_seeking_text_publishes_nothing() -> None:
    stream, handle = fake_text("w+", None)
    stream.write("some text")
    assert stream.tell() == 9
    stream.seek(0)
    assert stream.read() == "some text"
    stream.truncate(4)
    stream.reconfigure(line_buffering=True)
    assert stream.line_buffering
    assert handle.published is None
    stream.close()
    assert handle.published == b"some"


def test_seeking_a_buffer_publishes_nothing() -> None:
    stream, handle = fake_buffered("w+b", None)
    stream.write(b"some bytes")
    stream.seek(2)
    assert stream.read(2) == b"me"
    assert stream.tell() == 4
    assert handle.published is None
    stream.close()


def test_line_buffered_text_publishes_each_line() -> None:
    stream, handle = fake_text("w", None, line_buffering=True)
    stream.write("half")
    assert handle.published is None
    stream.write(" done\n")
    assert handle.published == b"half done\n"
    stream.close()


@each
def test_failed_write_is_not_half_published(kind: str) -> None:
    stream, handle = MAKERS[kind]("w", b"old")
    stream.write(of(kind, "a" * 5000))
    handle.fails = refusal(Code.NO_SPACE)
    with pytest.raises(OSError) as raised:
        for _ in range(3):
            stream.write(of(kind, "b" * 5000))
            stream.flush()
    assert (raised.value.errno, raised.value.filename) == (errno.ENOSPC, "/file")
    handle.fails = None
    if handle.publications == 0:
        stream.abort()
        assert handle.published == b"old"


def test_closing_after_a_failed_write_raises_and_publishes_nothing() -> None:
    stream, handle = fake_stream("wb", b"old")
    stream.write(b"one")
    handle.fails = refusal(Code.NO_SPACE)
    with pytest.raises(OSError):
        stream.write(b"two")
    handle.fails = None
    with pytest.raises(OSError) as raised:
        stream.close()
    assert (raised.value.errno, raised.value.filename) == (errno.ENOSPC, "/file")
    assert (stream.closed, handle.published, handle.ended) == (True, b"old", "aborted")


def test_buffer_that_cannot_be_emptied_is_not_published_by_close() -> None:
    stream, handle = fake_buffered("wb", b"old")
    stream.write(b"x" * 1000)
    handle.fails = refusal(Code.NO_SPACE)
    stream.write(b"y" * 10)
    with pytest.raises(OSError) as raised:
        stream.close()
    assert raised.value.errno == errno.ENOSPC
    assert (stream.closed, handle.published) == (True, b"old")


@each
def test_refused_publication_closes_and_raises(kind: str) -> None:
    stream, handle = MAKERS[kind]("w", b"old")
    stream.write(of(kind, "new"))
    handle.fails = refusal(Code.DENIED)
    with pytest.raises(PermissionError) as raised:
        stream.close()
    assert (raised.value.errno, raised.value.filename) == (errno.EACCES, "/file")
    assert (stream.closed, handle.ended) == (True, "aborted")


# --- after unlink ----------------------------------------------------------------------------------------------------


@each
def test_use_after_unlink(kind: str) -> None:
    import lucidlink

    stream, _ = MAKERS[kind]("r", b"content")
    raw = stream if kind == "raw" else stream._stream
    raw._link.closed, raw._link.live = True, None
    with pytest.raises(lucidlink.FilespaceError, match="/file"):
        stream.read()
    stream.close()


def test_what_is_lost_by_unlink_is_said() -> None:
    import lucidlink

    stream, _ = fake_stream("wb", b"old")
    stream.write(b"new")
    stream._link.closed, stream._link.live = True, None
    with pytest.raises(lucidlink.FilespaceError, match="lost"):
        stream.close()
    assert stream.closed


# --- what Python promises --------------------------------------------------------------------------------------------

MODES = [
    "rb",
    "r+b",
    "rb+",
    "wb",
    "w+b",
    "xb",
    "x+b",
    "ab",
    "a+b",
    "r",
    "rt",
    "r+",
    "w",
    "w+",
    "a",
    "a+",
    "x",
    "tr",
    "+tr",
]


@pytest.mark.parametrize("mode", MODES)
def test_mode_and_name_as_the_builtin(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "file"
    if "x" not in mode:
        path.write_bytes(b"some")
    expected: Any
    with open(path, mode) as expected:
        stream: Any = (fake_buffered if "b" in mode else fake_text)(mode, b"some")[0]
        with stream:
            assert stream.mode == expected.mode
            assert stream.name == "/file"
            assert stream.readable() == expected.readable()
            assert stream.writable() == expected.writable()
            assert stream.seekable()
            assert not stream.isatty()
            assert stream.tell() == expected.tell() or "x" in mode
            if "b" not in mode:
                assert stream.buffer.mode == expected.buffer.mode
                assert stream.encoding == "utf-8"


@pytest.mark.parametrize(
    "mode", ["", "z", "rr", "rw", "ra", "wa", "rx", "b", "t", "+", "br+w", "rbt", "r++", "U", "rU", "w-", " r", "R"]
)
def test_illegal_modes_as_the_builtin(tmp_path: Path, mode: str) -> None:
    from lucidlink._modes import parse_mode

    if "U" not in mode or sys.version_info >= (3, 11):  # which 3.10 still took, and warned of
        with pytest.raises(ValueError):
            builtins.open(tmp_path / "file", mode)  # noqa: SIM115
    with pytest.raises(ValueError):
        parse_mode(mode)


@each
def test_use_after_close(kind: str) -> None:
    stream, _ = MAKERS[kind]("r+", b"content")
    stream.close()
    calls: list[Callable[[], object]] = [
        stream.read,
        stream.readline,
        stream.readlines,
        stream.readable,
        stream.writable,
        stream.seekable,
        stream.isatty,
        stream.fileno,
        stream.tell,
        stream.flush,
        stream.truncate,
        lambda: stream.seek(0),
        lambda: stream.write(of(kind, "x")),
        lambda: next(stream),
        stream.__enter__,
    ]
    for call in calls:
        with pytest.raises(ValueError):
            call()


@each
def test_fileno_is_unsupported(kind: str) -> None:
    stream, _ = MAKERS[kind]("r", b"content")
    with stream, pytest.raises(io.UnsupportedOperation):
        stream.fileno()


@each
def test_reading_what_is_open_for_writing(kind: str) -> None:
    stream, _ = MAKERS[kind]("w", b"")
    with stream:
        for call in (stream.read, stream.readline):
            with pytest.raises(io.UnsupportedOperation):
                call()


@each
def test_writing_what_is_open_for_reading(kind: str) -> None:
    stream, _ = MAKERS[kind]("r", b"")
    with stream:
        with pytest.raises(io.UnsupportedOperation):
            stream.write(of(kind, "x"))
        with pytest.raises(io.UnsupportedOperation):
            stream.truncate(0)


@each
@pytest.mark.parametrize("cold", [False, True])
def test_reading(kind: str, cold: bool) -> None:
    stream, handle = MAKERS[kind]("r", b"first\nsecond\nthird")
    handle.cold = cold
    with stream:
        assert stream.readline() == of(kind, "first\n")
        assert list(stream) == [of(kind, "second\n"), of(kind, "third")]
        assert stream.read() == of(kind, "")
        assert stream.seek(0) == 0
        assert stream.read(3) == of(kind, "fir")
        assert stream.read(None if kind == "raw" else -1) == of(kind, "st\nsecond\nthird")
        assert stream.read(0) == of(kind, "")


def test_raw_reading_into_buffers() -> None:
    stream, _ = fake_stream("rb", b"0123456789")
    with stream:
        target = bytearray(4)
        assert stream.readinto(target) == 4
        assert target == b"0123"
        assert stream.readinto(bytearray()) == 0
        assert stream.read(2**40) == b"456789"
        assert stream.readinto(target) == 0
        with pytest.raises(TypeError):
            stream.readinto(b"constant")
        import array

        stream.seek(0)
        numbers = array.array("H", [0, 0])
        assert stream.readinto(numbers) == 4
        assert numbers.tobytes() == b"0123"


def test_raw_positions() -> None:
    stream, _ = fake_stream("r+b", b"0123456789")
    with stream:
        assert stream.seek(4) == 4
        assert stream.seek(2, os.SEEK_CUR) == 6
        assert stream.seek(-1, os.SEEK_END) == 9
        assert stream.read() == b"9"
        for offset, whence in [(-1, 0), (-99, 1), (-99, 2), (0, 7)]:
            with pytest.raises(OSError) as raised:
                stream.seek(offset, whence)
            assert (raised.value.errno, raised.value.filename) == (errno.EINVAL, "/file")
        with pytest.raises(TypeError):
            stream.seek(1.5)  # type: ignore[arg-type]
        assert stream.seek(20) == 20
        assert stream.read() == b""
        assert stream.write(b"x") == 1
        stream.seek(9)
        assert stream.read() == b"9" + bytes(10) + b"x"


def test_truncate() -> None:
    stream, handle = fake_stream("r+b", b"0123456789")
    with stream:
        stream.seek(6)
        assert stream.truncate() == 6
        assert stream.tell() == 6
        assert stream.truncate(8) == 8
        assert stream.tell() == 6
        with pytest.raises(OSError) as raised:
            stream.truncate(-1)
        assert raised.value.errno == errno.EINVAL
    assert handle.published == b"012345\0\0"


def test_append_writes_at_the_end_wherever_the_position_is() -> None:
    stream, handle = fake_stream("a+b", b"one")
    with stream:
        assert stream.tell() == 3
        stream.seek(0)
        stream.write(b"two")
        assert stream.tell() == 6
        stream.seek(0)
        assert stream.read() == b"onetwo"
    assert handle.published == b"onetwo"


def test_writes_of_every_bytes_like() -> None:
    import array

    stream, handle = fake_stream("wb", None)
    with stream:
        for data in (b"a", bytearray(b"b"), memoryview(b"c"), array.array("B", [100]), memoryview(b"--e--")[2:3]):
            assert stream.write(data) == 1
        assert stream.write(b"") == 0
        stream.writelines([b"f", b"g"])
        with pytest.raises(TypeError):
            stream.write("text")  # type: ignore[arg-type]
    assert handle.published == b"abcdefg"


def test_long_writes_go_in_pieces() -> None:
    stream, handle = fake_stream("wb", None)
    data = os.urandom(9 * 1024 * 1024)
    with stream:
        assert stream.write(data) == len(data)
    assert handle.published == data


def test_standard_wrappers_take_a_raw_stream() -> None:
    raw, handle = fake_stream("wb", None)
    with io.TextIOWrapper(io.BufferedWriter(raw), "utf-16") as text:
        text.write("grüße")
    assert handle.published == "grüße".encode("utf-16")
    raw, _ = fake_stream("rb", b"one\ntwo\n")
    with io.BufferedReader(raw) as reader:
        assert list(reader) == [b"one\n", b"two\n"]


def test_text_options() -> None:
    stream, handle = fake_text("w", None, newline="\r\n", encoding="latin-1", errors="replace")
    with stream:
        stream.write("ä\n€\n")
    assert handle.published == b"\xe4\r\n?\r\n"
    stream, _ = fake_text("r", b"a\r\nb\rc\n")
    with stream:
        assert stream.readlines() == ["a\n", "b\n", "c\n"]
        assert stream.newlines == ("\r", "\n", "\r\n")
    stream, _ = fake_text("r", b"\xff")
    with stream, pytest.raises(UnicodeDecodeError):
        stream.read()


def test_text_iterates_and_tells_as_python_does() -> None:
    stream, _ = fake_text("r", b"one\ntwo\n")
    with stream:
        assert next(stream) == "one\n"
        with pytest.raises(OSError):
            stream.tell()
        assert list(stream) == ["two\n"]
        assert stream.tell() == 8


@pytest.mark.parametrize("kind", ["buffered", "text"])
def test_detach(kind: str) -> None:
    stream, handle = MAKERS[kind]("w", b"old")
    stream.write(of(kind, "new"))
    below = stream.detach()
    with pytest.raises(ValueError):
        stream.write(of(kind, "more"))
    with pytest.raises(ValueError):
        stream.refresh()
    del stream
    assert handle.published == b"old"
    below.close()
    assert handle.published == b"new"


def test_refresh_reads_anew_what_is_buffered() -> None:
    stream, handle = fake_buffered("rb", b"old content")
    with stream:
        assert stream.read(4) == b"old "
        handle.published = b"new CONTENT"
        assert stream.read(1) == b"c"
        stream.refresh()
        assert stream.read() == b"ONTENT"
    text, handle = fake_text("r", b"old content")
    with text:
        assert text.read(4) == "old "
        handle.published = b"new CONTENT"
        text.refresh()
        assert text.read() == "CONTENT"


@each
def test_streams_do_not_pickle(kind: str) -> None:
    stream, _ = MAKERS[kind]("r", b"")
    with stream, pytest.raises(TypeError):
        pickle.dumps(stream)


@each
def test_repr_names_the_file(kind: str) -> None:
    stream, _ = MAKERS[kind]("r", b"")
    with stream:
        assert "/file" in repr(stream)


def test_read_buffer_reads_as_read_does() -> None:
    """Arrow reads by it; large ones come in memory that is used again."""
    data = bytes(range(256)) * 8192
    stream, _ = fake_buffered("rb", data)
    assert isinstance(stream, LucidBufferedReader)
    assert bytes(stream.read_buffer(10)) == data[:10]
    large = stream.read_buffer(1_000_000)
    assert large.readonly
    assert bytes(large) == data[10:1_000_010]
    again = stream.read_buffer(-1)
    assert bytes(large) == data[10:1_000_010]
    assert bytes(again) == data[1_000_010:]
    assert bytes(stream.read_buffer(5)) == b""
    stream.close()
