"""Every call on files and folders against a real hub, and every error with its errno and filename."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import PurePosixPath
from typing import Any

import pytest

import lucidlink
from tests.sdk import World, refused


def test_whole_files(fs: lucidlink.Filesystem, home: str) -> None:
    path = PurePosixPath(home) / "file"
    for data in (b"", b"hello", bytearray(b"again"), memoryview(b"-view-")[1:5], b"x" * 300_000):
        fs.write_file(path, data)
        assert fs.read_file(path) == bytes(data)
        assert fs.get_entry(path).size == len(data)
    for wrong in ("text", 5, None, ["list"]):
        with pytest.raises(TypeError):
            fs.write_file(path, wrong)  # type: ignore[arg-type]


def test_entries(fs: lucidlink.Filesystem, home: str) -> None:
    fs.write_file(f"{home}/b-file", b"12345")
    fs.create_dir(f"{home}/c-dir")
    fs.create_symlink("b-file", f"{home}/a-link")
    entries = fs.read_dir(home)
    assert [(entry.name, entry.type, entry.size) for entry in entries if not entry.is_link()] == [
        ("b-file", "file", 5),
        ("c-dir", "dir", 0),
    ]
    assert fs.list_dir(home) == ["a-link", "b-file", "c-dir"]
    assert entries[0].is_link()
    entry = fs.get_entry(f"{home}/b-file")
    assert entry == entries[1]
    assert entry.file_id > 0
    assert entry.file_id_external == 0
    now = datetime.now(timezone.utc).timestamp()
    assert abs(entry.mtime - now) < 600
    assert entry.ctime <= entry.mtime
    assert fs.get_entry("/").is_dir()
    assert fs.get_entry("/").name == "/"
    fs.move(f"{home}/b-file", f"{home}/moved")
    assert fs.get_entry(f"{home}/moved").file_id == entry.file_id


def test_exists(fs: lucidlink.Filesystem, home: str) -> None:
    fs.write_file(f"{home}/file", b"")
    fs.create_dir(f"{home}/dir")
    fs.create_symlink("file", f"{home}/to-file")
    fs.create_symlink("dir", f"{home}/to-dir")
    fs.create_symlink("nothing", f"{home}/broken")
    fs.create_symlink("loop", f"{home}/loop")
    files = {
        name for name in ("file", "dir", "to-file", "to-dir", "broken", "loop") if fs.file_exists(f"{home}/{name}")
    }
    dirs = {name for name in ("file", "dir", "to-file", "to-dir", "broken", "loop") if fs.dir_exists(f"{home}/{name}")}
    assert files == {"file", "to-file"}
    assert dirs == {"dir", "to-dir"}
    for path in ("missing", "file/below", "x" * 256, "nul\0", "../../.."):
        assert not fs.file_exists(f"{home}/{path}")
        assert not fs.dir_exists(f"{home}/{path}")
    assert fs.dir_exists("/")


def test_folders(fs: lucidlink.Filesystem, home: str) -> None:
    fs.create_dir(f"{home}/a/b/c")
    refused(FileExistsError, errno.EEXIST, f"{home}/a/b", lambda: fs.create_dir(f"{home}/a/b"))
    refused(OSError, errno.ENOTEMPTY, f"{home}/a", lambda: fs.delete_dir(f"{home}/a"))
    fs.delete_dir(f"{home}/a/b/c")
    fs.delete_dir(f"{home}/a", recursive=True)
    assert fs.list_dir(home) == []
    refused(FileNotFoundError, errno.ENOENT, f"{home}/a", lambda: fs.delete_dir(f"{home}/a"))


def test_move(fs: lucidlink.Filesystem, home: str) -> None:
    fs.write_file(f"{home}/a", b"a")
    fs.write_file(f"{home}/b", b"b")
    fs.create_dir(f"{home}/dir/sub")
    error = refused(FileExistsError, errno.EEXIST, f"{home}/a", lambda: fs.move(f"{home}/a", f"{home}/b"))
    assert error.filename2 == f"{home}/b"
    error = refused(OSError, errno.EINVAL, f"{home}/dir", lambda: fs.move(f"{home}/dir", f"{home}/dir/sub/dir"))
    assert error.filename2 == f"{home}/dir/sub/dir"
    refused(FileNotFoundError, errno.ENOENT, f"{home}/c", lambda: fs.move(f"{home}/c", f"{home}/d"))
    fs.move(f"{home}/a", f"{home}/dir/sub/a")
    fs.move(f"{home}/dir", f"{home}/new")
    assert fs.read_file(f"{home}/new/sub/a") == b"a"


def test_truncate(fs: lucidlink.Filesystem, home: str) -> None:
    path = f"{home}/file"
    fs.write_file(path, b"0123456789")
    fs.truncate(path, 4)
    assert fs.read_file(path) == b"0123"
    fs.truncate(path, 6)
    assert fs.read_file(path) == b"0123\0\0"
    fs.truncate(path, 10**15)
    assert fs.get_entry(path).size == 10**15
    with fs.open(path) as stream:
        stream.seek(10**14)
        assert stream.read(5) == bytes(5)
    fs.truncate(path, 0)
    assert fs.read_file(path) == b""
    refused(OSError, errno.EINVAL, path, lambda: fs.truncate(path, -1))
    refused(FileNotFoundError, errno.ENOENT, f"{home}/no", lambda: fs.truncate(f"{home}/no", 1))
    refused(IsADirectoryError, errno.EISDIR, home, lambda: fs.truncate(home, 1))
    with pytest.raises(TypeError):
        fs.truncate(path, 1.5)  # type: ignore[arg-type]


def test_symlinks(fs: lucidlink.Filesystem, home: str) -> None:
    fs.write_file(f"{home}/file", b"content")
    fs.create_symlink("file", f"{home}/link")
    assert fs.read_symlink(f"{home}/link") == "file"
    assert fs.read_file(f"{home}/link") == b"content"
    with fs.open(f"{home}/link", "a") as stream:
        stream.write("+")
    assert fs.read_file(f"{home}/file") == b"content+"
    refused(FileExistsError, errno.EEXIST, f"{home}/link", lambda: fs.create_symlink("file", f"{home}/link"))
    refused(OSError, errno.EINVAL, f"{home}/file", lambda: fs.read_symlink(f"{home}/file"))
    refused(FileNotFoundError, errno.ENOENT, f"{home}/no", lambda: fs.read_symlink(f"{home}/no"))
    fs.create_symlink("loop", f"{home}/loop")
    refused(OSError, errno.ELOOP, f"{home}/loop", lambda: fs.read_file(f"{home}/loop"))
    fs.delete(f"{home}/link")
    assert fs.file_exists(f"{home}/file")


def test_statistics(fs: lucidlink.Filesystem, home: str) -> None:
    before, size_before = fs.get_statistics(), fs.get_size()
    fs.write_file(f"{home}/file", os.urandom(1000))
    fs.create_dir(f"{home}/dir")
    fs.create_symlink("file", f"{home}/link")
    after, size_after = fs.get_statistics(), fs.get_size()
    assert after.file_count - before.file_count == 1
    assert after.directory_count - before.directory_count == 1
    assert after.symlink_count - before.symlink_count == 1
    assert after.data_size - before.data_size == size_after.data - size_before.data == 1000
    assert size_after.storage - size_before.storage >= 1000
    assert size_after.entries > size_before.entries
    assert after.storage_size == size_after.storage
    assert (after.external_files_count, after.external_files_size) == (0, 0)


ERRORS: list[tuple[str, type[OSError], int, str, Callable[[Any, str], object]]] = [
    ("missing", FileNotFoundError, errno.ENOENT, "no", lambda fs, path: fs.open(path)),
    ("missing parent", FileNotFoundError, errno.ENOENT, "no/file", lambda fs, path: fs.open(path, "w")),
    ("missing r+", FileNotFoundError, errno.ENOENT, "no", lambda fs, path: fs.open(path, "r+b")),
    ("missing read", FileNotFoundError, errno.ENOENT, "no", lambda fs, path: fs.read_file(path)),
    ("missing list", FileNotFoundError, errno.ENOENT, "no", lambda fs, path: fs.read_dir(path)),
    ("missing names", FileNotFoundError, errno.ENOENT, "no", lambda fs, path: fs.list_dir(path)),
    ("missing entry", FileNotFoundError, errno.ENOENT, "no", lambda fs, path: fs.get_entry(path)),
    ("missing delete", FileNotFoundError, errno.ENOENT, "no", lambda fs, path: fs.delete(path)),
    ("missing locks", FileNotFoundError, errno.ENOENT, "no", lambda fs, path: fs.list_locks(path)),
    ("missing legacy", FileNotFoundError, errno.ENOENT, "no", lambda fs, path: fs.open_legacy(path)),
    ("missing create", FileNotFoundError, errno.ENOENT, "no/file", lambda fs, path: fs.create(path)),
    ("missing link", FileNotFoundError, errno.ENOENT, "no/file", lambda fs, path: fs.create_symlink("a", path)),
    ("file as dir", NotADirectoryError, errno.ENOTDIR, "file", lambda fs, path: fs.read_dir(path)),
    ("file in path", NotADirectoryError, errno.ENOTDIR, "file/x", lambda fs, path: fs.open(path)),
    ("file in path w", NotADirectoryError, errno.ENOTDIR, "file/x", lambda fs, path: fs.write_file(path, b"")),
    ("file in mkdir", NotADirectoryError, errno.ENOTDIR, "file/x", lambda fs, path: fs.create_dir(path)),
    ("file as rmdir", NotADirectoryError, errno.ENOTDIR, "file", lambda fs, path: fs.delete_dir(path)),
    ("dir open", IsADirectoryError, errno.EISDIR, "dir", lambda fs, path: fs.open(path)),
    ("dir open w", IsADirectoryError, errno.EISDIR, "dir", lambda fs, path: fs.open(path, "w")),
    ("dir read", IsADirectoryError, errno.EISDIR, "dir", lambda fs, path: fs.read_file(path)),
    ("dir write", IsADirectoryError, errno.EISDIR, "dir", lambda fs, path: fs.write_file(path, b"")),
    ("dir delete", IsADirectoryError, errno.EISDIR, "dir", lambda fs, path: fs.delete(path)),
    ("taken x", FileExistsError, errno.EEXIST, "file", lambda fs, path: fs.open(path, "x")),
    ("taken create", FileExistsError, errno.EEXIST, "file", lambda fs, path: fs.create(path)),
    ("taken mkdir", FileExistsError, errno.EEXIST, "file", lambda fs, path: fs.create_dir(path)),
    ("long", OSError, errno.ENAMETOOLONG, "x" * 256, lambda fs, path: fs.write_file(path, b"")),
    ("long utf-8", OSError, errno.ENAMETOOLONG, "ü" * 128, lambda fs, path: fs.open(path, "w")),
    ("above", OSError, errno.EINVAL, "../../..", lambda fs, path: fs.read_dir(path)),
    ("nul", OSError, errno.EINVAL, "a\0b", lambda fs, path: fs.open(path, "w")),
    ("surrogate", OSError, errno.EINVAL, "\udc80", lambda fs, path: fs.write_file(path, b"")),
]


@pytest.mark.parametrize(("kind", "number", "name", "call"), [case[1:] for case in ERRORS], ids=[c[0] for c in ERRORS])
def test_errors(
    fs: lucidlink.Filesystem, kind: type[OSError], number: int, name: str, call: Callable[[Any, str], object]
) -> None:
    if not fs.dir_exists("/errors"):
        fs.create_dir("/errors/dir")
        fs.write_file("/errors/file", b"content")
    refused(kind, number, f"/errors/{name}", lambda: call(fs, f"/errors/{name}"))


@pytest.mark.parametrize("path", [b"/bytes", 5, None])
def test_paths_are_text(fs: lucidlink.Filesystem, path: Any) -> None:
    for call in (fs.open, fs.read_file, fs.read_dir, fs.create_dir, fs.delete, fs.file_exists):
        with pytest.raises(TypeError):
            call(path)


def test_readers_may_not_write(shared: World, fs: lucidlink.Filesystem, home: str) -> None:
    path = f"{home}/file"
    fs.write_file(path, b"content")
    with shared.linked("reader") as filespace:
        reader = filespace.fs
        assert reader.read_file(path) == b"content"
        calls: list[Callable[[], object]] = [
            lambda: reader.write_file(path, b""),
            lambda: reader.delete(path),
            lambda: reader.truncate(path, 0),
            lambda: reader.create_symlink("a", path + "2"),
            lambda: reader.create_dir(path + "3"),
            lambda: reader.move(path, path + "4"),
            lambda: reader.create(path + "5"),
            lambda: reader.open(path, "r+b", lock_type="exclusive"),
        ]
        for call in calls:
            with pytest.raises(PermissionError) as raised:
                call()
            assert raised.value.errno == errno.EACCES
            assert raised.value.filename.startswith(path)
        with reader.open(path, "rb", lock_type="shared") as stream:
            assert stream.read() == b"content"
    assert fs.read_file(path) == b"content"
