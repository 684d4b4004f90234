"""The fsspec driver: what is there, and everything below."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lucidlink.fsspec import LucidLinkFileSystem
from tests.sdk import World

FS = LucidLinkFileSystem


def test_info_tells_what_there_is(driver: FS, home: str) -> None:
    driver.pipe_file(f"{home}/file", b"12345")
    info = driver.info(f"lucidlink://{home}/file")
    assert (info["name"], info["size"], info["type"], info["islink"]) == (f"{home}/file", 5, "file", False)
    assert abs(driver.modified(f"{home}/file").timestamp() - info["mtime"]) < 1e-3
    assert driver.created(f"{home}/file") <= driver.modified(f"{home}/file")
    assert driver.ls(f"{home}/file") == [info]
    assert driver.sizes([f"{home}/file"]) == [5]
    assert driver.info(home)["type"] == "directory"


def test_a_key_changes_exactly_with_the_content(driver: FS, home: str) -> None:
    path = f"{home}/file"
    driver.pipe_file(path, b"one")
    before = driver.ukey(path), driver.checksum(path)
    driver.mv(path, f"{home}/moved")
    assert (driver.ukey(f"{home}/moved"), driver.checksum(f"{home}/moved")) == before
    driver.pipe_file(f"{home}/moved", b"two")
    assert driver.ukey(f"{home}/moved") != before[0]
    assert driver.checksum(f"{home}/moved") != before[1]


def test_links_are_shown_and_followed(driver: FS, home: str) -> None:
    sdk, inner = driver._place(home)
    driver.pipe_file(f"{home}/file", b"12345")
    sdk.create_symlink("file", f"{inner}/link")
    sdk.create_symlink("nowhere", f"{inner}/dangling")
    listed = {info["name"].rpartition("/")[2]: info for info in driver.ls(home)}
    assert (listed["link"]["type"], listed["link"]["islink"], listed["link"]["destination"]) == ("link", True, "file")
    info = driver.info(f"{home}/link")
    assert (info["type"], info["size"], info["islink"]) == ("file", 5, True)
    assert driver.cat_file(f"{home}/link") == b"12345"
    assert not driver.exists(f"{home}/dangling")


def test_find_walk_glob_and_du_agree(driver: FS, home: str) -> None:
    files = {f"{home}/d{a}/e{b}/f{c}.txt": b"x" * (a + b + c) for a in range(4) for b in range(3) for c in range(5)}
    driver.pipe(files)
    driver.mkdir(f"{home}/empty")
    assert driver.find(home) == sorted(files)
    assert driver.find(home, maxdepth=1) == []
    with_folders = driver.find(home, withdirs=True, detail=True)
    assert len(with_folders) == 1 + len(files) + 4 + 12 + 1
    assert with_folders[f"{home}/empty"]["type"] == "directory"
    assert driver.du(home) == sum(map(len, files.values()))
    assert driver.glob(f"{home}/d1/*/f2.*") == [f"{home}/d1/e{b}/f2.txt" for b in range(3)]
    assert len(driver.glob(f"{home}/**/f3.txt")) == 12
    walked = {top: (sorted(dirs), sorted(names)) for top, dirs, names in driver.walk(home)}
    assert walked[home] == (["d0", "d1", "d2", "d3", "empty"], [])
    assert walked[f"{home}/d2/e1"] == ([], [f"f{c}.txt" for c in range(5)])
    pruned = []
    for top, dirs, _ in driver.walk(home):
        pruned.append(top)
        dirs[:] = [name for name in dirs if name in ("d1", "e1")]
    assert pruned == [home, f"{home}/d1", f"{home}/d1/e1"]
    bottom = [top for top, _, _ in driver.walk(home, topdown=False)]
    assert bottom[-1] == home
    assert list(driver.walk(f"{home}/nothing")) == []
    with pytest.raises(FileNotFoundError):
        list(driver.walk(f"{home}/nothing", on_error="raise"))
    assert driver.find(f"{home}/d0/e0/f1.txt") == [f"{home}/d0/e0/f1.txt"]
    assert driver.find(f"{home}/nothing") == []


def test_a_listing_is_never_stale(driver: FS, shared: World, home: str) -> None:
    other = FS(token=shared.tokens["second"], hub=shared.hub.url)
    for number in range(20):
        other.pipe_file(f"{home}/{number}", b"x" * number)
        assert len(driver.ls(home)) == number + 1
        assert driver.size(f"{home}/{number}") == number
    other.close()


def test_round_trips_are_few(driver: FS, home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a tree: one for each page. Of new files: one each, with two for each folder that is missing."""
    sdk, _ = driver._place(home)
    live = sdk._link.live
    assert live is not None
    asked: list[Any] = []
    call = live.engine.session.call

    async def counted(body: Any, **options: Any) -> Any:
        asked.append(body)
        return await call(body, **options)

    monkeypatch.setattr(live.engine.session, "call", counted)
    driver.pipe({f"{home}/t/{number % 20}/{number}": b"x" for number in range(200)})
    assert len(asked) < 200 + 20 * 5, "the folders' makers meet in the folder above"
    driver.pipe_file(f"{home}/deep" + "/d" * 100 + "/file", b"x")
    works: dict[str, Callable[[], Any]] = {
        "find": lambda: driver.find(home),
        "walk": lambda: list(driver.walk(home)),
        "glob": lambda: driver.glob(f"{home}/**/1*"),
        "du": lambda: driver.du(home),
    }
    for name, work in works.items():
        asked.clear()
        work()
        assert len(asked) <= 4, (name, asked)
