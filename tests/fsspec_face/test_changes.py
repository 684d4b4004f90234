"""The fsspec driver: moves, copies, removing, whole trees there and back."""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path
from typing import Any

import pytest
from fsspec.callbacks import Callback
from fsspec.generic import rsync

from lucidfs.limits import MIB
from lucidlink.fsspec import LucidLinkFileSystem
from tests.sdk import World

FS = LucidLinkFileSystem


# --- changes


def test_moves_are_native(driver: FS, home: str) -> None:
    driver.pipe({f"{home}/a/{number}": b"%d" % number for number in range(5)})
    node = driver.info(f"{home}/a/1")["ino"]
    driver.mv(f"lucidlink://{home}/a/1", f"lucidlink://{home}/b")
    assert driver.info(f"{home}/b")["ino"] == node
    driver.mv(f"{home}/a", f"{home}/moved")
    assert driver.find(f"{home}/moved") == [f"{home}/moved/{n}" for n in (0, 2, 3, 4)]
    driver.mv(f"{home}/b", f"{home}/moved")
    assert driver.cat_file(f"{home}/moved/b") == b"1"
    driver.mv(f"{home}/moved/b", f"{home}/moved/2")
    assert driver.cat_file(f"{home}/moved/2") == b"1", "a file takes the place of another, as with every driver"
    driver.mv(f"{home}/moved/2", f"{home}/new/folder/2")
    assert driver.cat_file(f"{home}/new/folder/2") == b"1"
    with pytest.raises(ValueError, match="different filespaces"):
        driver.mv(f"{home}/new/folder/2", "demo/other/2")
    with pytest.raises(FileNotFoundError):
        driver.mv(f"{home}/nothing", f"{home}/x")


def test_copies_in_one_filespace_move_no_bytes(driver: FS, home: str) -> None:
    data = os.urandom(9 * MIB)
    driver.pipe_file(f"{home}/a/file", data)
    sdk, _ = driver._place(home)
    before = sdk.get_size().storage
    driver.cp(f"{home}/a", f"{home}/b", recursive=True)
    assert driver.cat_file(f"{home}/b/file") == data
    assert sdk.get_size().storage == before
    driver.cp(f"{home}/a/file", "demo/other/file")
    assert driver.cat_file("demo/other/file") == data
    driver.rm("demo/other/file")


def test_removing(driver: FS, home: str) -> None:
    driver.pipe({f"{home}/a/b/{number}": b"" for number in range(5)})
    with pytest.raises(OSError) as refused:
        driver.rmdir(f"{home}/a")
    assert refused.value.errno == errno.ENOTEMPTY
    with pytest.raises(IsADirectoryError):
        driver.rm(f"{home}/a")
    with pytest.raises(FileNotFoundError) as missing:
        driver.rm([f"{home}/a/b/0", f"{home}/a/nothing", f"{home}/a/b/1"])
    assert missing.value.filename == f"{home}/a/nothing"
    driver.pipe_file(f"{home}/x/y/z", b"")
    driver.rm([f"{home}/x", f"{home}/x/y/z"], recursive=True)
    driver.pipe_file(f"{home}/x/y/z", b"")
    driver.rm(f"{home}/x", recursive=True, maxdepth=2)
    assert not driver.exists(f"{home}/x")
    driver.rm(f"{home}/a/b/[23]")
    assert driver.find(f"{home}/a") == [f"{home}/a/b/4"]
    driver.rm(f"{home}/a", recursive=True)
    assert not driver.exists(f"{home}/a")
    with pytest.raises(FileNotFoundError):
        driver.rm(f"{home}/a")
    driver.makedirs(f"{home}/x/y", exist_ok=True)
    driver.makedirs(f"{home}/x/y", exist_ok=True)
    with pytest.raises(FileExistsError):
        driver.makedirs(f"{home}/x/y")
    with pytest.raises(FileNotFoundError):
        driver.mkdir(f"{home}/no/parent", create_parents=False)
    driver.rmdir(f"{home}/x/y")
    driver.touch(f"{home}/x/new", truncate=False)
    assert driver.size(f"{home}/x/new") == 0


# --- to and from this machine


def _files(top: Path) -> dict[str, bytes]:
    return {str(path.relative_to(top)): path.read_bytes() for path in top.rglob("*") if path.is_file()}


class Progress(Callback):
    """Counts."""

    def __init__(self) -> None:
        super().__init__()
        self.children: list[Callback] = []

    def branched(self, path_1: Any, path_2: Any, **kwargs: Any) -> Callback:
        child = Callback()
        self.children.append(child)
        return child


def test_whole_trees_there_and_back_with_progress(driver: FS, home: str, tmp_path: Path) -> None:
    data = {f"d{n % 7}/file{n}": os.urandom(n * 997) for n in range(120)} | {"big": os.urandom(5 * MIB)}
    for name, body in data.items():
        (tmp_path / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tree" / name).write_bytes(body)
    (tmp_path / "tree" / "empty").mkdir()
    up, down = Progress(), Progress()
    driver.put(str(tmp_path / "tree"), f"{home}/tree", recursive=True, callback=up)
    assert driver.isdir(f"{home}/tree/empty")
    driver.get(f"{home}/tree", str(tmp_path / "back"), recursive=True, callback=down)
    assert {
        str(p.relative_to(tmp_path / "back")): p.read_bytes() for p in (tmp_path / "back").rglob("*") if p.is_file()
    } == data
    assert (tmp_path / "back" / "empty").is_dir()
    total = sum(map(len, data.values()))
    assert sum(child.value for child in up.children) == sum(child.value for child in down.children) == total
    assert (up.size, up.value) == (121, 121)
    buffer = io.BytesIO()
    driver.get_file(f"{home}/tree/big", buffer)
    assert buffer.getvalue() == data["big"]


def test_rsync_both_ways(driver: FS, shared: World, home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUCIDLINK_TOKEN", shared.tokens["admin"])
    monkeypatch.setenv("LUCIDLINK_HUB", shared.hub.url)
    data = {f"d{n % 3}/file{n}": os.urandom(n * 1000) for n in range(30)}
    for name, body in data.items():
        (tmp_path / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tree" / name).write_bytes(body)
    rsync(f"file://{tmp_path}/tree", f"lucidlink://{home}/tree")
    assert driver.cat(f"{home}/tree", recursive=True) == {f"{home}/tree/{name}": body for name, body in data.items()}
    rsync(f"lucidlink://{home}/tree", f"file://{tmp_path}/back")
    for used in list(FS._cache.values()):  # fsspec keeps one instance for each thread
        used.close()
    assert {
        str(p.relative_to(tmp_path / "back")): p.read_bytes() for p in (tmp_path / "back").rglob("*") if p.is_file()
    } == data
