"""Locks through the SDK: on open and on byte ranges, between handles and between clients, seen and limited."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable
from typing import Any

import pytest

import lucidlink
from tests.sdk import World, refused


def test_lock_on_open_is_held_until_close(fs: lucidlink.Filesystem, second: lucidlink.Filespace, home: str) -> None:
    path = f"{home}/file"
    fs.write_file(path, b"content")
    other = second.fs
    with fs.open(path, "r+b", lock_type="exclusive") as stream:
        held = fs.list_locks(path)
        assert [(lock.lock_type, lock.offset, lock.length, lock.waiting) for lock in held] == [
            ("exclusive", 0, 0, False)
        ]
        assert held[0].handle_id == stream.handle_id
        assert held[0].account == "writer"
        assert held[0].since > 0
        assert other.list_locks(path) == held
        for call in (
            lambda: other.open(path, "rb", lock_type="shared", lock_timeout=0),
            lambda: other.open(path, "r+b", lock_type="exclusive", lock_timeout=0.05),
            lambda: other.open(path, "rb", lock_timeout=0),
            lambda: other.open(path, "r+b", lock_timeout=0),
            lambda: other.open(path, "w", lock_timeout=0),
        ):
            refused(TimeoutError, errno.ETIMEDOUT, path, call)
        assert fs.read_file(path) == b"content"
    assert fs.list_locks(path) == []
    other.open(path, "r+b", lock_timeout=0).close()


def test_shared_locks_share(fs: lucidlink.Filesystem, second: lucidlink.Filespace, home: str) -> None:
    path = f"{home}/file"
    fs.write_file(path, b"content")
    with fs.open(path, lock_type="shared") as one, second.fs.open(path, lock_type="shared") as two:
        assert one.read() == two.read() == b"content"
        assert [lock.lock_type for lock in fs.list_locks(path)] == ["shared", "shared"]
        refused(TimeoutError, errno.ETIMEDOUT, path, lambda: second.fs.open(path, "r+b", lock_timeout=0))


def test_locking_a_missing_file_makes_it(fs: lucidlink.Filesystem, second: lucidlink.Filespace, home: str) -> None:
    path = f"{home}/new"
    with fs.open(path, "wb", lock_type="exclusive") as stream:
        assert second.fs.get_entry(path).size == 0
        stream.write(b"content")
    assert second.fs.read_file(path) == b"content"


def test_waiting_open_sees_what_the_holder_wrote(
    fs: lucidlink.Filesystem, second: lucidlink.Filespace, home: str
) -> None:
    path = f"{home}/counter"
    fs.write_file(path, b"0")

    def add(own: lucidlink.Filesystem) -> None:
        for _ in range(10):
            with own.open(path, "r+b", lock_type="exclusive") as stream:
                value = int(stream.read())
                stream.seek(0)
                stream.write(b"%d" % (value + 1))

    threads = [threading.Thread(target=add, args=(own,)) for own in (fs, second.fs, fs, second.fs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert fs.read_file(path) == b"40"


def test_byte_ranges_by_handle_id(fs: lucidlink.Filesystem, home: str) -> None:
    path = f"{home}/file"
    first = fs.create(path)
    refused(FileExistsError, errno.EEXIST, path, lambda: fs.create(path))
    assert fs.lock_byte_range(first, 0, 10)
    with fs.open(path, "r+b") as stream:
        second = stream.handle_id
        assert not fs.lock_byte_range(second, 5, 10, blocking=False)
        assert not fs.lock_byte_range(stream, 0, 1, "shared", blocking=False)
        assert fs.lock_byte_range(stream, 10, 10, "write", blocking=False)
        refused(
            TimeoutError, errno.ETIMEDOUT, path, lambda: fs.lock_byte_range(stream, 0, 1, "read", lock_timeout=0.05)
        )
        fs.unlock_byte_range(first, 0, 5)
        assert fs.lock_byte_range(stream, 0, 5, "read", blocking=False)
        assert [(lock.handle_id == first, lock.offset, lock.length) for lock in fs.list_locks(path)] == [
            (False, 0, 5),
            (True, 5, 5),
            (False, 10, 10),
        ]
        fs.unlock_all_byte_ranges(stream)
        assert len(fs.list_locks(path)) == 1
    fs.unlock_all_byte_ranges(first)
    fs.unlock_all_byte_ranges(first)
    assert fs.list_locks(path) == []
    assert fs.lock_byte_range(first, 0, 0)
    fs.close(first)
    assert fs.list_locks(path) == []


def test_handles_that_are_none(fs: lucidlink.Filesystem, home: str) -> None:
    number = fs.create(f"{home}/file")
    fs.close(number)
    calls: list[Callable[[Any], object]] = [
        fs.close,
        fs.unlock_all_byte_ranges,
        lambda handle: fs.lock_byte_range(handle, 0, 1),
        lambda handle: fs.unlock_byte_range(handle, 0, 1),
    ]
    for call in calls:
        with pytest.raises(OSError) as raised:
            call(number)
        assert raised.value.errno == errno.EBADF
        with pytest.raises((TypeError, AttributeError)):
            call("handle")


def test_bad_ranges(fs: lucidlink.Filesystem, home: str) -> None:
    path = f"{home}/file"
    number = fs.create(path)
    for offset, length in ((-1, 1), (0, -1), (2**63, 1)):
        with pytest.raises(OSError) as raised:
            fs.lock_byte_range(number, offset, length)
        assert (raised.value.errno, raised.value.filename) == (errno.EINVAL, path)
    wrong: list[dict[str, Any]] = [{"lock_type": "both"}, {"lock_timeout": -1}]
    for options in wrong:
        with pytest.raises(ValueError):
            fs.lock_byte_range(number, 0, 1, **options)
    fs.close(number)


def test_new_file_can_be_locked_once_it_is_there(fs: lucidlink.Filesystem, home: str) -> None:
    path = f"{home}/file"
    with fs.open(path, "w") as stream:
        refused(FileNotFoundError, errno.ENOENT, path, lambda: fs.lock_byte_range(stream, 0, 1))
        stream.flush()
        assert fs.lock_byte_range(stream, 0, 1)


@pytest.mark.parametrize("mode", ["r", "rb", "r+b"])
def test_locked_stream_reads_the_newest(
    fs: lucidlink.Filesystem, second: lucidlink.Filespace, home: str, mode: str
) -> None:
    path = f"{home}/file"
    fs.write_file(path, b"old")
    with fs.open(path, mode) as stream:
        assert stream.read() in ("old", b"old")
        second.fs.write_file(path, b"new")
        stream.seek(0)
        assert stream.read() in ("old", b"old")
        stream.seek(0)
        assert fs.lock_byte_range(stream, 0, 0, "shared")
        assert stream.read() in ("new", b"new")


def test_range_locks_of_a_dead_client_end(shared: World, fs: lucidlink.Filesystem, home: str) -> None:
    path = f"{home}/file"
    fs.write_file(path, b"content")
    with shared.linked("second") as gone:
        stream = gone.fs.open(path, "r+b", lock_type="exclusive")
        assert len(fs.list_locks(path)) == 1
    assert fs.list_locks(path) == []
    stream.close()


def test_dropped_stream_gives_its_locks_back(fs: lucidlink.Filesystem, home: str) -> None:
    path = f"{home}/file"
    fs.write_file(path, b"content")
    stream = fs.open(path, "r+b", lock_type="exclusive")
    with pytest.warns(ResourceWarning):
        del stream
    with fs.open(path, "r+b", lock_type="exclusive"):  # waits until the drop has reached the hub
        pass
