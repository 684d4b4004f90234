"""A hub that lies: what was changed, swapped, cut or moved in what it keeps, a client refuses, and names the file."""

from __future__ import annotations

import errno
import os
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from lucidfs.testing.hubs import HubThread, new_data
from lucidlink import Filesystem
from tests.world import World, data_files

LARGE = 1_000_000


class Template(NamedTuple):
    """A hub's data with some files, to be copied and tampered with."""

    data: Path
    token: str
    filespace: str
    ids: dict[str, int]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    data, token = new_data(tmp_path_factory.mktemp("template"))
    hub = HubThread(data)
    try:
        world = World(hub, token)
        with world.client() as client:
            fs = client.fs
            fs.create_dir("/folder")
            for name in ("small", "other-small"):
                fs.write_file(f"/{name}", os.urandom(100))
            for name in ("large", "other-large"):
                fs.write_file(f"/{name}", os.urandom(LARGE))
            fs.create_symlink("small", "/link")
            fs.create_symlink("large", "/other-link")
            ids = {entry.name: entry.file_id for entry in fs.read_dir("/")}
        return Template(data, token, world.name, ids)
    finally:
        hub.stop()


def objects(data: Path) -> list[Path]:
    """The two objects of the two large files."""
    found = data_files(data / "objects")
    assert len(found) == 2
    return found


def flip(data: Path) -> None:
    for path in objects(data):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)


def cut(data: Path) -> None:
    for path in objects(data):
        os.truncate(path, path.stat().st_size - 1)


def remove(data: Path) -> None:
    for path in objects(data):
        path.unlink()


def swap_objects(data: Path) -> None:
    one, two = objects(data)
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)


def swap(one: str, two: str, *columns: str) -> Callable[[sqlite3.Connection, dict[str, int]], None]:
    """Exchange columns of two nodes."""

    def run(database: sqlite3.Connection, ids: dict[str, int]) -> None:
        names = ", ".join(columns)
        row = {name: database.execute(f"SELECT {names} FROM node WHERE id = ?", [ids[name]]).fetchone() for name in ids}
        places = ", ".join(f"{column} = ?" for column in columns)
        if "token" in columns:  # unique in the folder
            database.execute("UPDATE node SET token = x'00' WHERE id = ?", [ids[two]])
        database.execute(f"UPDATE node SET {places} WHERE id = ?", [*row[two], ids[one]])
        database.execute(f"UPDATE node SET {places} WHERE id = ?", [*row[one], ids[two]])

    return run


def change(statement: str) -> Callable[[sqlite3.Connection, dict[str, int]], None]:
    """Run SQL in which `:name` is the id of the file of that name."""

    def run(database: sqlite3.Connection, ids: dict[str, int]) -> None:
        known = {name.replace("-", "_"): number for name, number in ids.items()}
        assert database.execute(statement, known).rowcount

    return run


def read(path: str) -> Callable[[Filesystem], object]:
    return lambda fs: fs.read_file(path)


CONTENT = ("size", "revision", "generation", "mac", "map_bytes", "small_bytes", "content")

IN_THE_STORE = [flip, cut, remove, swap_objects]
IN_THE_DATABASE = {
    "content of another file": (swap("small", "other-small", "content"), read("/small"), "/small"),
    "all about the content of another file": (swap("small", "other-small", *CONTENT), read("/small"), "/small"),
    "shorter": (change("UPDATE node SET size = size - 1 WHERE id = :small"), read("/small"), "/small"),
    "longer": (change("UPDATE node SET size = size + 70000 WHERE id = :large"), read("/large"), "/large"),
    "other generation": (change("UPDATE node SET generation = 7 WHERE id = :small"), read("/small"), "/small"),
    "no content": (change("UPDATE node SET content = NULL, small_bytes = 0, map_bytes = 0 WHERE id = :small"),
                   read("/small"), "/small"),
    "shifted": (change("UPDATE extent SET start = start + 1 WHERE node = :large"), read("/large"), "/large"),
    "dropped frames": (change("DELETE FROM extent WHERE node = :large"), read("/large"), "/large"),
    "moved frames": (change("UPDATE extent SET first = first + 1 WHERE node = :large"), read("/large"), "/large"),
    "frames of another file": (change("UPDATE extent SET origin = :other_large WHERE node = :large"),
                               read("/large"), "/large"),
    "bytes of another object": (
        change("UPDATE extent SET object = (SELECT object FROM extent WHERE node = :other_large) WHERE node = :large"),
        read("/large"), "/large"),
    "name of another": (swap("small", "other-small", "sealed_name"), read("/small"), "/small"),
    "place of another": (swap("small", "other-small", "token"), read("/small"), "/small"),
    "another folder": (change("UPDATE node SET parent = :folder WHERE id = :small"),
                       lambda fs: fs.read_dir("/folder"), "/folder"),
    "another kind": (change("UPDATE node SET kind = 2 WHERE id = :small"), lambda fs: fs.read_dir("/"), "/"),
    "target of another": (swap("link", "other-link", "target"), lambda fs: fs.read_symlink("/link"), "/link"),
}  # fmt: skip


@pytest.fixture
def tampered(template: Template, tmp_path: Path) -> Iterator[Callable[[Callable[[Path], None]], Filesystem]]:
    """Starts a hub on a tampered copy, and a client of it."""
    ends: list[Callable[[], object]] = []

    def start(tamper: Callable[[Path], None]) -> Filesystem:
        data = tmp_path / "hub"
        shutil.copytree(template.data, data)
        tamper(data)
        hub = HubThread(data)
        ends.append(hub.stop)
        world = World.__new__(World)
        world.hub, world.token, world.name = hub, template.token, template.filespace
        client = world.client()
        ends.append(client.close)
        return client.fs

    yield start
    for end in reversed(ends):
        end()


def refused(call: Callable[[Filesystem], object], fs: Filesystem, path: str) -> None:
    """Assert that a call is refused as corrupt, naming the path."""
    with pytest.raises(OSError) as caught:
        call(fs)
    assert caught.value.errno == errno.EIO
    assert caught.value.filename == path


@pytest.mark.folder
@pytest.mark.parametrize("tamper", IN_THE_STORE, ids=lambda tamper: tamper.__name__)
def test_objects(tampered: Callable[[Callable[[Path], None]], Filesystem], tamper: Callable[[Path], None]) -> None:
    fs = tampered(tamper)
    refused(read("/large"), fs, "/large")
    with fs.open("/large", "rb", buffering=0) as stream, pytest.raises(OSError) as caught:
        while stream.read(100_000):
            continue
    assert (caught.value.errno, caught.value.filename) == (errno.EIO, "/large")
    assert re.search(r"offset \d+|byte \d+", str(caught.value)), caught.value
    assert len(fs.read_file("/small")) == 100


@pytest.mark.parametrize("name", IN_THE_DATABASE)
def test_database(tampered: Callable[[Callable[[Path], None]], Filesystem], template: Template, name: str) -> None:
    tamper, call, path = IN_THE_DATABASE[name]

    def run(data: Path) -> None:
        (file,) = [path for path in data_files(data) if path.read_bytes()[:15] == b"SQLite format 3"]
        with closing(sqlite3.connect(file)) as database:
            tamper(database, template.ids)
            database.commit()

    refused(call, tampered(run), path)
