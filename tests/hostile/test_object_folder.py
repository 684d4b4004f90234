"""Somebody put other things into the object folder: nothing outside is read or changed, nothing hangs, all is told."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from lucidfs.engine import nearby
from lucidfs.limits import MIB
from lucidfs.objects.base import ObjectName
from lucidfs.objects.local import LocalStore
from lucidfs.types import FilespaceId, ObjectId, id_value
from tests.world import World

SECRET = b"what stands outside of the folder " * 100_000


def _link(path: Path) -> None:
    outside = path.parents[4] / "outside"
    outside.write_bytes(SECRET)
    path.symlink_to(outside)


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _folder(path: Path) -> None:
    path.mkdir()


def _socket(path: Path) -> None:
    here = os.getcwd()
    os.chdir(path.parent)  # names of sockets are short
    try:
        with socket.socket(socket.AF_UNIX) as unix:
            unix.bind(path.name)
    finally:
        os.chdir(here)


def _sparse(path: Path) -> None:
    path.touch()
    os.truncate(path, 100 * MIB)


def _short(path: Path) -> None:
    path.write_bytes(b"short")


def _of_others(path: Path) -> None:
    path.write_bytes(os.urandom(5 * MIB))


def _state(path: Path) -> tuple[int, ...]:
    known = path.lstat()
    return known.st_ino, known.st_mode, known.st_size, known.st_mtime_ns


KINDS = [_link, _pipe, _folder, _socket, _sparse, _short, _of_others]


def _objects(world: World) -> list[Path]:
    return [path for path in (world.hub.data / "objects").rglob("*") if path.is_file() and path.stat().st_size > MIB]


@pytest.mark.parametrize("near", [True, False], ids=["opened directly", "through the gateway"])
@pytest.mark.parametrize("put", KINDS, ids=lambda put: put.__name__[1:])
def test_what_takes_the_place_of_an_object(
    world: World, monkeypatch: pytest.MonkeyPatch, put: Callable[[Path], None], near: bool
) -> None:
    if not near:
        monkeypatch.setattr(nearby, "open_folder", lambda told: None)
    with world.client() as client:
        client.fs.write_file("/file", os.urandom(9 * MIB))
    for path in _objects(world):
        path.unlink()
        put(path)
    with world.client() as client:
        with pytest.raises(OSError, match="/file is damaged at offset") as refused:
            client.fs.read_file("/file")
        assert refused.value.errno == errno.EIO
        client.fs.write_file("/file", b"written anew")
        assert client.fs.read_file("/file") == b"written anew"


@pytest.mark.parametrize("put", KINDS, ids=lambda put: put.__name__[1:])
def test_a_put_where_something_stands_already(tmp_path: Path, put: Callable[[Path], None]) -> None:
    store = LocalStore(tmp_path / "hub" / "objects")
    name = ObjectName(FilespaceId(1), ObjectId(2))
    store.put(name, b"ours")
    (path,) = (path for path in (tmp_path / "hub").rglob("*") if path.is_file())
    path.unlink()
    put(path)
    before = _state(path)
    with pytest.raises(FileExistsError):
        store.put(name, b"ours")
    assert _state(path) == before
    assert id_value(path.name) == 2
    found = [one.name for one in store.list(FilespaceId(1))]
    assert found == ([name] if path.is_file() and not path.is_symlink() else []), "only plain files are objects"
    assert (path in store.strangers()) == (not found)
    outside = tmp_path / "outside"
    if outside.exists():
        assert outside.read_bytes() == SECRET
