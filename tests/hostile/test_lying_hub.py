"""A hub that lies about one file: other bytes, other positions, other revisions, parts of other files, nothing at all.

Its database and objects are changed by hand between two runs. Every lie is refused with EIO that names the file and
the offset of the frame (or the file alone, when the map of the whole content is no longer what a client sealed), while
frames that were left alone are still read. Nothing can be laid over what was tampered with either.
`tests/integration/test_tampering.py` has the lies about names, kinds, targets and whole contents.
"""

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

from lucidfs.hub.bootstrap import DATABASE_FILE
from lucidfs.limits import FRAME_BYTES, FRAME_OVERHEAD_BYTES
from lucidfs.testing.hubs import HubThread, new_data
from lucidlink import Filesystem
from tests.world import World, data_files

FRAMES = 16
SEALED = FRAME_BYTES + FRAME_OVERHEAD_BYTES  # of incompressible content
PATCHED = 3  # the frame that the second revision replaced


class Template(NamedTuple):
    """A hub's data, to be copied and tampered with: `/file` in its second revision, and `/other`."""

    data: Path
    first_revision: Path  # the database as it was then
    token: str
    filespace: str
    file: int
    other: int
    content: bytes


class Lies(NamedTuple):
    """A copy of the data, and how to change it."""

    data: Path
    template: Template

    def sql(self, *statements: str) -> None:
        """Statements that may say `:file`, `:other` and `old.<table>` for the database at the first revision."""
        with closing(sqlite3.connect(self.data / DATABASE_FILE)) as database:
            database.execute("ATTACH DATABASE ? AS old", [str(self.template.first_revision)])
            for statement in statements:
                known = {"file": self.template.file, "other": self.template.other, "patched": PATCHED}
                changed = database.execute(statement, known).rowcount
                assert changed, statement
            database.commit()

    def object_of(self, node: int) -> Path:
        """The object in the store that holds a file's first frame."""
        with closing(sqlite3.connect(self.data / DATABASE_FILE)) as database:
            (number,) = database.execute("SELECT object FROM extent WHERE node = ? AND first = 0", [node]).fetchone()
        (found,) = [path for path in data_files(self.data / "objects") if path.name == f"{number:016x}"]
        return found

    def edit(self, change: Callable[[bytearray], None], node: int = 0) -> None:
        """Change the bytes of a file's object."""
        path = self.object_of(node or self.template.file)
        content = bytearray(path.read_bytes())
        change(content)
        path.write_bytes(content)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    data, token = new_data(tmp_path_factory.mktemp("lies"))
    first_revision = data.parent / "first-revision.sqlite"
    hub = HubThread(data)
    try:
        world = World(hub, token)
        with world.client() as client:
            fs = client.fs
            content = bytearray(os.urandom(FRAMES * FRAME_BYTES))
            fs.write_file("/file", content)
            fs.write_file("/other", os.urandom(FRAMES * FRAME_BYTES))
            ids = {entry.name: entry.file_id for entry in fs.read_dir("/")}
        hub.stop()
        shutil.copy(data / DATABASE_FILE, first_revision)
        hub = world.hub = HubThread(data)
        with world.client() as client:
            patch = os.urandom(FRAME_BYTES)
            with client.fs.open("/file", "r+b") as stream:
                stream.seek(PATCHED * FRAME_BYTES)
                stream.write(patch)
        content[PATCHED * FRAME_BYTES : (PATCHED + 1) * FRAME_BYTES] = patch
        return Template(data, first_revision, token, world.name, ids["file"], ids["other"], bytes(content))
    finally:
        hub.stop()


@pytest.fixture
def lying(template: Template, tmp_path: Path) -> Iterator[Callable[[Callable[[Lies], None]], Filesystem]]:
    """Starts a hub on a copy that was tampered with, and a client of it."""
    ends: list[Callable[[], object]] = []

    def start(tamper: Callable[[Lies], None]) -> Filesystem:
        data = tmp_path / "hub"
        shutil.copytree(template.data, data)
        tamper(Lies(data, template))
        world = World.__new__(World)
        world.hub, world.token, world.name = HubThread(data), template.token, template.filespace
        ends.append(world.hub.stop)
        client = world.client()
        ends.append(client.close)
        return client.fs

    yield start
    for end in reversed(ends):
        end()


def flip(frame: int, place: int) -> Callable[[Lies], None]:
    """One bit of one sealed frame."""

    def change(content: bytearray) -> None:
        content[frame * SEALED + place] ^= 0x10

    return lambda lies: lies.edit(change)


def exchange(one: int, two: int) -> Callable[[Lies], None]:
    """Two frames of one file."""

    def change(content: bytearray) -> None:
        first, second = (slice(frame * SEALED, (frame + 1) * SEALED) for frame in (one, two))
        content[first], content[second] = content[second], content[first]

    return lambda lies: lies.edit(change)


def graft_bytes(lies: Lies) -> None:
    """Frame 5 of another file, sealed by the same key holder at the same index, in the place of frame 5."""
    theirs = lies.object_of(lies.template.other).read_bytes()[5 * SEALED : 6 * SEALED]

    def change(content: bytearray) -> None:
        content[5 * SEALED : 6 * SEALED] = theirs

    lies.edit(change)


def cut(lies: Lies) -> None:
    os.truncate(lies.object_of(lies.template.file), 10 * SEALED + 100)


def missing(lies: Lies) -> None:
    lies.object_of(lies.template.file).unlink()


def old_bytes(lies: Lies) -> None:
    """The patched frame's place points at what stood there before."""
    lies.sql(
        "UPDATE object SET live = 0, dead_since_ns = 1 "
        "WHERE id = (SELECT object FROM extent WHERE node = :file AND first = :patched)",
        "UPDATE object SET live = live + 65568 WHERE id = (SELECT object FROM extent WHERE node = :file AND first = 0)",
        "UPDATE extent SET object = (SELECT object FROM old.extent WHERE node = :file AND first = 0), "
        "start = :patched * 65568 WHERE node = :file AND first = :patched",
    )


ONE_FRAME = {
    "a bit of the ciphertext": (flip(7, 5000), 7),
    "a bit of the tag": (flip(7, SEALED - 1), 7),
    "a bit of the nonce": (flip(7, 5), 7),
    "a bit of the algorithm": (flip(7, 1), 7),
    "a bit of the version": (flip(7, 0), 7),
    "a bit of the last frame": (flip(FRAMES - 1, 77), FRAMES - 1),
    "two frames exchanged": (exchange(8, 9), 8),
    "a frame of another file": (graft_bytes, 5),
    "a frame of an older revision": (old_bytes, PATCHED),
    "an object that was cut": (cut, 10),
}
WHOLE_MAP = {
    "old extents under the new MAC": [
        "DELETE FROM extent WHERE node = :file",
        "INSERT INTO extent SELECT * FROM old.extent WHERE node = :file",
    ],
    "new extents under the old MAC": [
        "UPDATE node SET (mac, generation) = (SELECT mac, generation FROM old.node WHERE id = :file) WHERE id = :file"
    ],
    "the patch left out": ["DELETE FROM extent WHERE node = :file AND first = :patched"],
    "the patch made longer": ["UPDATE extent SET generation = generation + 1 WHERE node = :file AND first = :patched"],
    "an extent of another file": [
        "DELETE FROM extent WHERE node = :file",
        "INSERT INTO extent SELECT :file, first, count, origin, origin_first, generation, object, start, lengths "
        "FROM extent WHERE node = :other",
    ],
    "all of another file": [
        "UPDATE node SET (size, mac, generation) = (SELECT size, mac, generation FROM node WHERE id = :other) "
        "WHERE id = :file",
        "DELETE FROM extent WHERE node = :file",
        "INSERT INTO extent SELECT :file, first, count, origin, origin_first, generation, object, start, lengths "
        "FROM extent WHERE node = :other",
    ],
    "a size that cuts": ["UPDATE node SET size = size - 1 WHERE id = :file"],
    "a size that adds": ["UPDATE node SET size = size + 1 WHERE id = :file"],
    "no content at all": [
        "DELETE FROM extent WHERE node = :file",
        "UPDATE node SET size = 0, map_bytes = 0, revision = 0, generation = 0, mac = x'' WHERE id = :file",
    ],
}


def refused(call: Callable[[], object], offset: int | None = None) -> None:
    """Assert EIO that names the file, and the offset where one is given."""
    with pytest.raises(OSError) as caught:
        call()
    assert (caught.value.errno, caught.value.filename) == (errno.EIO, "/file"), caught.value
    if offset is not None:
        found = re.search(r"offset (\d+)", str(caught.value))
        assert found is not None, caught.value
        assert int(found[1]) == offset, caught.value


def read_frame(fs: Filesystem, frame: int) -> bytes:
    with fs.open("/file", "rb", buffering=0) as stream:
        stream.seek(frame * FRAME_BYTES)
        found: bytes = stream.read(FRAME_BYTES)
        return found


@pytest.mark.parametrize("lie", ONE_FRAME)
def test_one_frame(lying: Callable[[Callable[[Lies], None]], Filesystem], template: Template, lie: str) -> None:
    tamper, frame = ONE_FRAME[lie]
    fs = lying(tamper)
    refused(lambda: read_frame(fs, frame), frame * FRAME_BYTES)
    refused(lambda: fs.read_file("/file"))
    assert read_frame(fs, 0) == template.content[:FRAME_BYTES]
    assert len(fs.read_file("/other")) == FRAMES * FRAME_BYTES

    def patch() -> None:
        with fs.open("/file", "r+b", buffering=0) as stream:
            stream.seek(frame * FRAME_BYTES + 10)
            stream.write(b"over what is damaged")

    refused(patch)
    with fs.open("/file", "r+b") as stream:  # what does not touch it may be written
        stream.write(b"over what is whole")
    assert read_frame(fs, 0)[:18] == b"over what is whole"
    fs.write_file("/file", b"whole and new")
    assert fs.read_file("/file") == b"whole and new"


def test_an_object_that_is_missing(lying: Callable[[Callable[[Lies], None]], Filesystem], template: Template) -> None:
    fs = lying(missing)
    for frame in (0, 7, FRAMES - 1):
        refused(lambda frame=frame: read_frame(fs, frame), frame * FRAME_BYTES)  # type: ignore[misc]
    place = PATCHED * FRAME_BYTES
    assert read_frame(fs, PATCHED) == template.content[place : place + FRAME_BYTES]


@pytest.mark.parametrize("lie", WHOLE_MAP)
def test_the_whole_map(lying: Callable[[Callable[[Lies], None]], Filesystem], lie: str) -> None:
    fs = lying(lambda lies: lies.sql(*WHOLE_MAP[lie]))
    refused(lambda: fs.read_file("/file"))
    refused(lambda: fs.open("/file", "rb"))
    refused(lambda: fs.truncate("/file", 5))

    def append() -> None:
        with fs.open("/file", "ab") as stream:
            stream.write(b"more")

    refused(append)


def test_the_known_limit_a_whole_old_revision_is_not_noticed(
    lying: Callable[[Callable[[Lies], None]], Filesystem], template: Template
) -> None:
    columns = "size, revision, generation, mac, map_bytes"
    fs = lying(
        lambda lies: lies.sql(
            f"UPDATE node SET ({columns}) = (SELECT {columns} FROM old.node WHERE id = :file) WHERE id = :file",
            *WHOLE_MAP["old extents under the new MAC"],
        )
    )
    content = fs.read_file("/file")
    assert content != template.content, "docs/SECURITY.md names this limit: remove it there when this fails"
    assert content[: PATCHED * FRAME_BYTES] == template.content[: PATCHED * FRAME_BYTES]
