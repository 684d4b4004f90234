"""Paths and trees that nobody means well with: odd names, great depth, great width, links in circles, absurd sizes."""

from __future__ import annotations

import errno
import os
import sqlite3
import unicodedata
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lucidfs.crypto.account import AccountKeys
from lucidfs.crypto.keys import FilespaceKeys
from lucidfs.crypto.token import Token
from lucidfs.format.content import content_mac
from lucidfs.hub.bootstrap import DATABASE_FILE
from lucidfs.testing.hubs import HubThread, new_data
from lucidfs.types import Kind
from lucidlink import Filesystem
from tests.hostile.raw import Wire
from tests.world import World

PETABYTE = 10**15
DEPTH = 200
WIDTH = 200_000

CALLS: dict[str, Callable[[Filesystem, str], object]] = {
    "open": lambda fs, path: fs.open(path, "wb"),
    "read": lambda fs, path: fs.open(path, "rb"),
    "write_file": lambda fs, path: fs.write_file(path, b"x"),
    "create": lambda fs, path: fs.create(path),
    "create_dir": lambda fs, path: fs.create_dir(path),
    "read_dir": lambda fs, path: fs.read_dir(path),
    "delete": lambda fs, path: fs.delete(path),
    "delete_dir": lambda fs, path: fs.delete_dir(path, recursive=True),
    "move": lambda fs, path: fs.move("/there", path),
    "move away": lambda fs, path: fs.move(path, "/elsewhere"),
    "create_symlink": lambda fs, path: fs.create_symlink("there", path),
    "read_symlink": lambda fs, path: fs.read_symlink(path),
    "truncate": lambda fs, path: fs.truncate(path, 1),
    "get_entry": lambda fs, path: fs.get_entry(path),
}
IMPOSSIBLE = {
    "/a\0b": errno.EINVAL,
    "/\0": errno.EINVAL,
    "/" + "n" * 256: errno.ENAMETOOLONG,
    "/" + "é" * 128: errno.ENAMETOOLONG,
    "/\ud800": errno.EINVAL,
    "/..": errno.EINVAL,
    "/a/../../there": errno.EINVAL,
    "/" + "d/" * 600: errno.EINVAL,
}


@pytest.fixture(autouse=True)
def there(fs: Filesystem) -> None:
    fs.write_file("/there", b"content")


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("path", IMPOSSIBLE, ids=lambda path: ascii(path[:20]))
def test_what_cannot_be_a_path_is_refused_by_every_call(fs: Filesystem, call: str, path: str) -> None:
    before = fs.read_dir("/")
    with pytest.raises(OSError) as caught:
        CALLS[call](fs, path)
    assert caught.value.errno == IMPOSSIBLE[path]
    assert path in (caught.value.filename, caught.value.filename2)
    assert fs.read_dir("/") == before
    assert fs.read_file("/there") == b"content"


@pytest.mark.parametrize(
    "path", ["there", "//there", "/./there", "/x/../there", "/there/.", "///././/there//", "/a/b/../../there"]
)
def test_other_spellings_of_one_path(fs: Filesystem, path: str) -> None:
    assert fs.read_file(path) == b"content"


@pytest.mark.parametrize("call", ["open", "write_file", "create", "create_dir", "delete_dir", "move", "create_symlink"])
@pytest.mark.parametrize("path", ["", "/", ".", "//"])
def test_the_root_stays_what_it_is(fs: Filesystem, call: str, path: str) -> None:
    with pytest.raises(OSError):
        CALLS[call](fs, path)
    assert fs.read_file("/there") == b"content"


def test_the_longest_name_is_one(fs: Filesystem) -> None:
    for name in ("n" * 255, "é" * 127 + "x", "💾" * 63 + "abc"):
        assert len(name.encode()) == 255
        fs.write_file(f"/{name}", b"long")
        assert fs.read_file(f"/{name}") == b"long"
        assert name in [entry.name for entry in fs.read_dir("/")]
        fs.delete(f"/{name}")


names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=60).filter(
    lambda name: name not in (".", "..") and len(name.encode()) <= 255
)


@hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
@given(names)
def test_any_unicode_is_a_name_and_stays_as_it_is(fs: Filesystem, name: str) -> None:
    if not fs.dir_exists("/any"):
        fs.create_dir("/any")
    fs.write_file(f"/any/{name}", name.encode())
    assert [entry.name for entry in fs.read_dir("/any")] == [name]
    assert fs.read_file(f"/any/{name}") == name.encode()
    other = unicodedata.normalize("NFD" if unicodedata.is_normalized("NFC", name) else "NFC", name)
    assert fs.file_exists(f"/any/{other}") is (other == name)
    fs.delete(f"/any/{name}")


# --- depth, width, circles ------------------------------------------------------------------------------------------


def test_a_path_of_great_depth(fs: Filesystem) -> None:
    parts = [f"level-{number}" for number in range(DEPTH)]
    deepest = "/deep/" + "/".join(parts)
    fs.create_dir(deepest)
    fs.write_file(f"{deepest}/file", b"bottom")
    assert fs.read_file(f"{deepest}/file") == b"bottom"
    with pytest.raises(OSError) as caught:
        fs.move("/deep", f"{deepest}/inside-itself")
    assert caught.value.errno == errno.EINVAL
    fs.move("/deep", "/deeper")
    fs.delete_dir("/deeper", recursive=True)
    assert not fs.dir_exists("/deeper")


def test_links_in_circles(fs: Filesystem) -> None:
    fs.create_dir("/circles")
    fs.create_symlink("self", "/circles/self")
    fs.create_symlink("b", "/circles/a")
    fs.create_symlink("a", "/circles/b")
    fs.create_symlink("../circles", "/circles/up")
    fs.create_symlink("/circles/far/x", "/circles/far")
    for number in range(60):
        fs.create_symlink(f"chain-{number + 1}", f"/circles/chain-{number}")
    fs.write_file("/circles/chain-60", b"end")
    for path in ("self", "a", "self/x", "a/x", "far", "chain-0"):
        with pytest.raises(OSError) as caught:
            fs.read_file(f"/circles/{path}")
        assert caught.value.errno == errno.ELOOP, path
    assert fs.read_file("/circles/chain-30") == b"end"
    assert fs.read_file("/circles" + "/up" * 30 + "/chain-60") == b"end"
    with pytest.raises(OSError) as caught:
        fs.read_file("/circles" + "/up" * 50 + "/chain-60")
    assert caught.value.errno == errno.ELOOP
    fs.delete_dir("/circles", recursive=True)
    assert fs.file_exists("/there")


def test_a_link_out_of_the_filespace_leads_nowhere(fs: Filesystem) -> None:
    for number, target in enumerate(["../../etc/passwd", "/../../etc/passwd", "../../../there", "..\0/x"]):
        try:
            fs.create_symlink(target, f"/out-{number}")
        except OSError as error:
            assert error.errno == errno.EINVAL
            continue
        with pytest.raises(OSError):
            fs.read_file(f"/out-{number}")


def test_a_file_of_a_petabyte_costs_nothing(fs: Filesystem) -> None:
    fs.truncate("/there", PETABYTE)
    assert fs.get_entry("/there").size == PETABYTE
    with fs.open("/there", "rb") as stream:
        assert stream.read(7) == b"content"
        assert stream.read(100) == bytes(100)
        for place in (PETABYTE // 2, PETABYTE - 10):
            stream.seek(place)
            assert stream.read(10) == bytes(10)
        assert stream.read(10) == b""
    with fs.open("/there", "r+b") as stream:
        stream.seek(PETABYTE - 4)
        stream.write(b"tail and more")
    assert fs.get_entry("/there").size == PETABYTE + 9
    with pytest.raises((OSError, MemoryError, OverflowError)):
        fs.read_file("/there")
    fs.truncate("/there", PETABYTE)
    with fs.open("/there", "rb") as stream:
        stream.seek(-4, os.SEEK_END)
        assert stream.read() == b"tail"
    for size in (2**62 + 1, 2**63, 2**64, -1):
        with pytest.raises((OSError, ValueError, OverflowError)):
            fs.truncate("/there", size)
    for number in range(3):  # together more than the counters' 63 bits
        fs.write_file(f"/huge-{number}", b"")
        fs.truncate(f"/huge-{number}", 2**62)
    for number in range(3):
        fs.delete(f"/huge-{number}")
    fs.delete("/there")


def test_a_folder_of_many_entries(tmp_path: Path) -> None:
    data, token = new_data(tmp_path)
    hub = HubThread(data)
    try:
        world = World(hub, token)
        with world.client() as client:
            client.fs.create_dir("/wide")
            folder = client.fs.get_entry("/wide").file_id
        with Wire(hub.url) as wire:
            administration = world.administration()
            (row,) = [each for each in administration.filespaces() if each.name == world.name]
            administration.close()
            sealed_key = wire.log_in_with(token, int(row.id, 16)).sealed_key
        keys = FilespaceKeys(
            AccountKeys(Token.parse(token)).open_filespace_key(sealed_key, int(row.id, 16)), os.urandom
        )
        hub.stop()
        fill(data, int(row.id, 16), folder, keys)
        hub = world.hub = HubThread(data)
        with world.client() as client:
            entries = client.fs.read_dir("/wide")
            assert [entry.name for entry in entries] == [f"entry-{number:06}" for number in range(WIDTH)]
            assert client.fs.read_file(f"/wide/entry-{WIDTH // 2:06}") == b""
            with pytest.raises(OSError) as caught:
                client.fs.delete_dir("/wide")
            assert caught.value.errno == errno.ENOTEMPTY
            client.fs.delete_dir("/wide", recursive=True)
            assert not client.fs.read_dir("/")
            assert client.fs.get_statistics().file_count == 0
    finally:
        hub.stop()


def fill(data: Path, filespace: int, folder: int, keys: FilespaceKeys) -> None:
    """Put empty files into a folder, behind the hub's back but as it would."""
    first = 2**40
    rows, total = [], 0
    for number in range(WIDTH):
        name = f"entry-{number:06}"
        sealed = keys.seal_name(name, folder, first + number, Kind.FILE)
        mac = content_mac(keys, first + number, 0, 1, [])
        rows.append((first + number, filespace, folder, keys.name_token(name), int(Kind.FILE), sealed, mac))
        total += 16 + len(sealed)
    with closing(sqlite3.connect(data / DATABASE_FILE)) as database:
        database.executemany("INSERT INTO node VALUES (?, ?, ?, ?, ?, ?, 0, 1, 1, 1, 1, ?, x'', 0, 0, 0, NULL)", rows)
        database.execute(
            "UPDATE counts SET files = files + ?, entries_bytes = entries_bytes + ? WHERE filespace = ?",
            [WIDTH, total, filespace],
        )
        database.commit()
