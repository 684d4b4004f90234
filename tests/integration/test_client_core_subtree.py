"""Everything below a folder: whole in pages of any size, right while others change it, wary of a hub that lies."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from lucidfs.crypto.keys import FilespaceKeys
from lucidfs.engine import subtree
from lucidfs.engine.engine import Engine
from lucidfs.engine.node import Node
from lucidfs.engine.session import Session
from lucidfs.engine.subtree import everything_below
from lucidfs.engine.tree import Tree
from lucidfs.errors import Code, Fault
from lucidfs.hub.operations import reading
from lucidfs.ids import Ids
from lucidfs.limits import PATH_DEPTH_MAX
from lucidfs.types import Kind, NodeId
from lucidfs.wire.messages import Entry, FolderListing, Listing, Listings, ListTree, Message
from tests.engines import local_hub

KEYS = FilespaceKeys(b"k" * 32, os.urandom)
TOP = Node(NodeId(1), NodeId(0), Kind.FOLDER, "")


async def below(engine: Engine, path: str = "/", depth: int | None = None) -> dict[str, Kind]:
    found = await everything_below(engine.session, engine.tree, await engine.tree.entry(path), depth)
    return {path: node.kind for path, node in found.items()}


async def grow(engine: Engine, rnd: random.Random) -> dict[str, Kind]:
    """A random tree, with deep chains, empty folders, links and one large folder."""
    kinds: dict[str, Kind] = {}
    folders = [""]
    for number in range(60):
        path = f"{rnd.choice(folders[-5:] if rnd.random() < 0.5 else folders)}/d{number}"
        await engine.tree.make_folders(path)
        folders.append(path)
        kinds[path[1:]] = Kind.FOLDER
    for number in range(150):
        path = f"{rnd.choice(folders) if number % 3 else folders[1]}/f{number}"
        await engine.files.write_file(path, b"x")
        kinds[path[1:]] = Kind.FILE
    await engine.tree.make_link("..", "/link")
    kinds["link"] = Kind.LINK
    return kinds


@pytest.mark.parametrize(("page", "folders"), [(4096, 1024), (7, 5), (1, 1)])
def test_all_of_it_is_found_in_pages_of_any_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: int, folders: int
) -> None:
    monkeypatch.setattr(reading, "LISTING_PAGE", page)
    for module in (reading, subtree):
        monkeypatch.setattr(module, "TREE_FOLDERS_MAX", folders)

    async def run() -> None:
        async with local_hub(tmp_path) as hub:
            engine = await hub.link()
            kinds = await grow(engine, random.Random(page))
            assert await below(engine) == kinds
            for depth in (0, 1, 2, 5):
                assert await below(engine, depth=depth) == {
                    path: kind for path, kind in kinds.items() if path.count("/") < depth
                }
            folder = max((path for path in kinds if kinds[path] is Kind.FOLDER), key=lambda path: path.count("/"))
            top = folder.split("/")[0]
            assert await below(engine, f"/{top}") == {
                path[len(top) + 1 :]: kind for path, kind in kinds.items() if path.startswith(f"{top}/")
            }

    asyncio.run(run())


def test_what_rests_is_found_once_while_others_move_and_delete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LISTING_PAGE", 5)

    async def run() -> None:
        async with local_hub(tmp_path) as hub:
            mine, yours = await hub.link("writer"), await hub.link("other")
            rests = await grow(mine, random.Random(1))
            for name in ("a/x/y", "b"):
                await mine.tree.make_folders(f"/moving/{name}")
            ending = asyncio.Event()

            async def disturb() -> None:
                tree = yours.tree
                while not ending.is_set():
                    await tree.move("/moving/a/x", "/moving/b/x")
                    await tree.make_folders("/moving/gone/soon")
                    await tree.move("/moving/b/x", "/moving/a/x")
                    await tree.delete_folder("/moving/gone", recursive=True)

            busy = asyncio.create_task(disturb())
            for _ in range(20):
                found = await below(mine)
                assert {path: kind for path, kind in found.items() if not path.startswith("moving")} == rests
            ending.set()
            await busy

    asyncio.run(run())


# --- a hub that lies


def entry(node: int, parent: int, name: str, kind: Kind = Kind.FOLDER) -> Entry:
    return Entry(node, parent, kind, KEYS.seal_name(name, parent, node, kind))


def told(*listings: tuple[int, list[Entry]]) -> Listings:
    return Listings([FolderListing(folder, Listing(entries)) for folder, entries in listings])


LIES: dict[str, Callable[[ListTree], Message]] = {
    "nothing": lambda asked: told(),
    "another folder": lambda asked: told((7, [])),
    "one folder more": lambda asked: told((1, []), (2, [])),
    "one folder twice": lambda asked: told((1, []), (1, [])),
    "an order of its own": lambda asked: told((1, [entry(2, 1, "a"), entry(3, 1, "b")]), (3, []), (2, [])),
    "deeper than asked": lambda asked: told((1, [entry(2, 1, "a")]), (2, [entry(3, 2, "b")]), (3, [])),
    "an entry of another folder": lambda asked: told((1, [entry(2, 1, "a")]), (2, [entry(3, 1, "b")])),
    "one name twice": lambda asked: told((1, [entry(2, 1, "a"), entry(3, 1, "a")])),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_tree_that_lies_is_corrupt(lie: str) -> None:
    class Liar:
        async def call(self, body: ListTree, **_: Any) -> Message:
            return LIES[lie](body)

    session = cast(Session, Liar())
    tree = Tree(session, KEYS, Ids(os.urandom), TOP)
    with pytest.raises(Fault) as caught:
        asyncio.run(everything_below(session, tree, TOP, 2))
    assert caught.value.code is Code.CORRUPT


def test_a_tree_that_goes_round_has_an_end() -> None:
    """Old entries of folders that once stood in each other are genuine: a hub may play them for ever."""

    class Round:
        async def call(self, body: ListTree, **_: Any) -> Message:
            (node,) = body.folders
            return told((node, [entry(2, node, "d")]))

    session = cast(Session, Round())
    found = asyncio.run(everything_below(session, Tree(session, KEYS, Ids(os.urandom), TOP), TOP))
    assert len(found) == PATH_DEPTH_MAX
