"""A disk that is full: the hub's database, the object folder, a client's cache."""

from __future__ import annotations

import errno
import itertools
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import lucidlink
from lucidfs.hub.bootstrap import OBJECTS_FOLDER
from lucidfs.testing.hubs import new_data
from tests.faults.field import check_rows
from tests.faults.hub import FaultHub
from tests.faults.tmpfs import KIB, fill, relieve, small_disk
from tests.world import World

MIB = KIB * KIB
SESSION_LIMIT_S = 10.0


@contextmanager
def served(data: Path, token: str) -> Iterator[World]:
    """A hub on a folder; its rows are checked at the end."""
    hub = FaultHub(data, SESSION_LIMIT_S)
    try:
        yield World(hub, token)
        assert hub.alive
        assert hub.stop() == 0
    finally:
        hub.kill()
    check_rows(data)


def write_until_full(fs: lucidlink.Filesystem, folder: str, size: int) -> dict[str, bytes]:
    """What was acknowledged before the disk was full. The refusal is ENOSPC and names the file."""
    written: dict[str, bytes] = {}
    fs.create_dir(folder)
    for number in itertools.count():
        path = f"{folder}/{number}"
        data = os.urandom(size)
        try:
            fs.write_file(path, data)
        except OSError as error:
            assert (error.errno, error.filename) == (errno.ENOSPC, path), repr(error)
            assert "space" in str(error)
            return written
        written[path] = data
    raise AssertionError


def all_there(fs: lucidlink.Filesystem, folder: str, written: dict[str, bytes]) -> None:
    """Exactly the files that were acknowledged, whole."""
    assert sorted(fs.list_dir(folder)) == sorted(path.rpartition("/")[2] for path in written)
    for path, data in written.items():
        assert fs.read_file(path) == data


@pytest.mark.logs("lucidfs")
def test_a_full_disk_under_the_database(tmp_path: Path) -> None:
    data, token = new_data(tmp_path / "made")
    with small_disk(tmp_path / "disk", 8 * MIB) as disk:
        (tmp_path / "objects").mkdir()
        moved = disk / "hub"
        data.rename(tmp_path / "aside")
        _copy(tmp_path / "aside", moved)
        with served(moved, token) as world, world.client() as client:
            fs = client.fs
            fs.write_file("/held", b"before")
            fs.write_file("/locked", b"")
            holder = fs.open("/held", "r+b", lock_type="exclusive")
            written = write_until_full(fs, "/small", 100 * KIB)
            assert len(written) > 10
            fill(disk)
            written |= _use_up_the_log(fs, "/small", 50 * KIB)
            _refused_while_full(fs, world)
            all_there(fs, "/small", written)  # readers go on
            holder.write(b"changed")
            _crash_while_full(world, fs, written)
            relieve(disk)
            (disk / "hub" / "spare").unlink()
            assert isinstance(world.hub, FaultHub)
            if not world.hub.alive:
                world.hub.start()
            _works_again(fs, "/small", written)
            holder.close()
            assert fs.read_file("/held") == b"changed"
            with world.client() as other:
                all_there(other.fs, "/small", written)
                _wait_free(other.fs, ["/held", "/locked"])


def _use_up_the_log(fs: lucidlink.Filesystem, folder: str, size: int) -> dict[str, bytes]:
    """What still fits on a full disk: after a checkpoint the database's log begins anew inside of its own file."""
    written: dict[str, bytes] = {}
    for number in itertools.count():
        path, data = f"{folder}/rest-{number}", os.urandom(size)
        try:
            fs.write_file(path, data)
        except OSError as error:
            assert error.errno == errno.ENOSPC, repr(error)
            return written
        written[path] = data
    raise AssertionError


def _wait_free(fs: lucidlink.Filesystem, paths: list[str]) -> None:
    """A lock whose release the hub refused is given back in the background, soon after there is room."""
    end = time.monotonic() + 30
    while any(fs.list_locks(path) for path in paths):
        assert time.monotonic() < end, "a lock stays for ever"
        time.sleep(0.1)


def _refused_while_full(fs: lucidlink.Filesystem, world: World) -> None:
    """Each kind of change, alone and at once: a clear refusal, nobody waits for ever."""

    def lock() -> None:
        fs.open("/locked", "r+b", lock_type="exclusive", lock_timeout=0).close()

    changes: dict[str, Callable[[], None]] = {
        "lock": lock,
        "folder": lambda: fs.create_dir("/folder"),
        "write": lambda: fs.write_file("/written", os.urandom(50 * KIB)),
        "replace": lambda: fs.write_file("/held2", os.urandom(50 * KIB)),
    }
    outcomes: dict[str, object] = {}

    def attempt(name: str) -> None:
        try:
            changes[name]()
        except OSError as error:
            outcomes[name] = error.errno
        else:
            outcomes[name] = "done"

    for turn in range(3):
        threads = [threading.Thread(target=attempt, args=(name,)) for name in changes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert outcomes.pop("write") == outcomes.pop("replace") == errno.ENOSPC, turn
        # a lock whose release could not be stored is held until something can be
        assert outcomes.pop("lock") in (errno.ENOSPC, errno.ETIMEDOUT, "done")
        assert outcomes.pop("folder") in (errno.ENOSPC, errno.EEXIST, "done")
    assert not fs.file_exists("/written")


def _crash_while_full(world: World, fs: lucidlink.Filesystem, written: dict[str, bytes]) -> None:
    """The hub comes back on a full disk and serves what it has, or says why it does not."""
    assert isinstance(world.hub, FaultHub)
    world.hub.kill()
    try:
        world.hub.start()
    except RuntimeError:
        return
    all_there(fs, "/small", written)


def _works_again(fs: lucidlink.Filesystem, folder: str, written: dict[str, bytes]) -> None:
    path = f"{folder}/after"
    written[path] = os.urandom(200 * KIB)
    fs.write_file(path, written[path])
    gone = next(iter(written))
    fs.delete(gone)
    del written[gone]
    all_there(fs, folder, written)


def _copy(old: Path, new: Path) -> None:
    new.mkdir(mode=0o700)
    for path in old.iterdir():
        if path.is_file():
            (new / path.name).write_bytes(path.read_bytes())
    (new / OBJECTS_FOLDER).symlink_to(old.parent / "objects")
    (new / "spare").write_bytes(bytes(2 * MIB))  # what a relieved disk has in hand


@pytest.mark.folder
@pytest.mark.logs("lucidfs")
def test_a_full_disk_under_the_objects(tmp_path: Path) -> None:
    data, token = new_data(tmp_path)
    with small_disk(data / OBJECTS_FOLDER, 8 * MIB) as disk, served(data, token) as world, world.client() as client:
        fs = client.fs
        fs.write_file("/old", b"before")
        written = write_until_full(fs, "/large", MIB)
        assert len(written) > 3
        fill(disk)
        with pytest.raises(OSError) as raised:
            fs.write_file("/old", os.urandom(MIB))
        assert (raised.value.errno, raised.value.filename) == (errno.ENOSPC, "/old")
        stream = fs.open("/streamed", "wb")
        with pytest.raises(OSError) as raised:
            for _ in range(12):
                stream.write(os.urandom(MIB))
            stream.flush()
        assert raised.value.errno == errno.ENOSPC
        with pytest.raises(OSError):
            stream.close()
        assert fs.read_file("/old") == b"before"
        assert fs.list_dir("/") == ["large", "old"]
        fs.write_file("/small", b"the database has room")
        all_there(fs, "/large", written)
        relieve(disk)
        for path in list(written)[:3]:
            fs.write_file(path, b"room")
            written[path] = b"room"
        _works_again(fs, "/large", written)
        with world.client() as other:
            all_there(other.fs, "/large", written)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    data, token = new_data(tmp_path)
    with served(data, token) as made:
        yield made


@pytest.mark.parametrize("when", ["before the link", "while it reads"])
def test_a_full_disk_under_a_cache(tmp_path: Path, world: World, when: str) -> None:
    files = {f"/{number}": os.urandom(MIB) for number in range(6)}
    with world.client() as writer:
        for path, data in files.items():
            writer.fs.write_file(path, data)
    with small_disk(tmp_path / "cache", 3 * MIB) as disk:
        if when == "before the link":
            fill(disk)
        storage = lucidlink.StorageConfig(lucidlink.StorageMode.PHYSICAL, persist_on_exit=True, root_path=disk)
        for _ in range(2):  # the second finds what the first left
            with lucidlink.Daemon({"hub.url": world.url}, storage) as daemon:
                credentials = lucidlink.ServiceAccountCredentials(world.token)
                with daemon.authenticate(credentials).link_filespace(name=world.name) as filespace:
                    for path, data in files.items():
                        assert filespace.fs.read_file(path) == data
                    filespace.fs.write_file("/more", os.urandom(MIB))
                    for path, data in files.items():
                        assert filespace.fs.read_file(path) == data


@pytest.mark.logs("going on without a disk cache: .*No space left")
def test_no_room_for_a_cache_folder(tmp_path: Path, world: World) -> None:
    with small_disk(tmp_path / "cache", 64 * KIB) as disk:
        _no_more_entries(disk)
        storage = lucidlink.StorageConfig(lucidlink.StorageMode.PHYSICAL, persist_on_exit=True, root_path=disk)
        with lucidlink.Daemon({"hub.url": world.url}, storage) as daemon:
            credentials = lucidlink.ServiceAccountCredentials(world.token)
            with daemon.authenticate(credentials).link_filespace(name=world.name) as filespace:
                filespace.fs.write_file("/file", b"without a cache")
                assert filespace.fs.read_file("/file") == b"without a cache"


def _no_more_entries(disk: Path) -> None:
    for number in itertools.count():
        try:
            (disk / f"entry-{number}").mkdir()
        except OSError:
            return
