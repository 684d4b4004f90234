"""The tree as two clients of one hub see it: operations, links, races, long listings."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest

from lucidfs.engine.tree import Tree
from lucidfs.errors import Code, Fault
from lucidfs.limits import LINK_HOPS_MAX, LISTING_PAGE
from lucidfs.types import Kind
from lucidfs.wire import messages
from tests.engines import local_hub


async def refused(work: Awaitable[Any], code: Code) -> Fault:
    with pytest.raises(Fault) as caught:
        await work
    assert caught.value.code is code, caught.value
    return caught.value


async def make_file(tree: Tree, path: str) -> int:
    walk = await tree.walk(path)
    assert walk.node is None
    return (await tree.create_file(walk.place(), walk.name)).id


async def names(tree: Tree, path: str) -> list[str]:
    return [node.name for node in await tree.list(path)]


def test_what_one_client_does_the_other_sees(tmp_path: Path) -> None:
    async def run() -> None:
        async with local_hub(tmp_path) as hub:
            mine, yours = (await hub.link("writer")).tree, (await hub.link("other")).tree
            made = await mine.make_folders("/projects/2024/räume")
            assert (made.name, made.kind) == ("räume", Kind.FOLDER)
            assert await names(yours, "projects") == ["2024"]
            file = await make_file(yours, "/projects/2024/z.txt")
            await make_file(yours, "/projects/2024/a.txt")
            assert await names(mine, "/projects/./2024/") == ["a.txt", "räume", "z.txt"]
            found = await mine.entry("/projects/2024/z.txt")
            assert (found.id, found.kind, found.size, found.name) == (file, Kind.FILE, 0, "z.txt")
            moved = await mine.move("/projects/2024/z.txt", "/y.txt")
            assert (moved.id, moved.name, moved.parent) == (file, "y.txt", mine.root.id)
            await refused(yours.entry("/projects/2024/z.txt"), Code.NOT_FOUND)
            await yours.delete("/y.txt")
            await refused(mine.entry("/y.txt"), Code.NOT_FOUND)
            statistics = await mine.statistics()
            assert (statistics.files, statistics.folders) == (1, 3)

    asyncio.run(run())


def test_walks_tell_where_they_ended(tmp_path: Path) -> None:
    async def run() -> None:
        async with local_hub(tmp_path) as hub:
            tree = (await hub.link()).tree
            folder = await tree.make_folders("/a/b")
            await make_file(tree, "/a/f")
            root = await tree.walk("/")
            assert root.node == tree.root and root.folder is None and root.names == ()
            found = await tree.walk("/a/b")
            assert found.node == folder and found.parent is not None and found.parent.name == "a"
            missing = await tree.walk("/a/b/c")
            assert (missing.node, missing.missing, missing.name) == (None, ("c",), "c")
            assert missing.place().id == folder.id
            top = await tree.walk("/c")
            assert top.node is None and top.place().id == tree.root.id
            deep = await tree.walk("/a/x/y")
            assert (deep.parent, deep.missing) == (None, ("x", "y")) and deep.folder is not None
            await refused(tree.walk("/a/f/x"), Code.NOT_A_FOLDER)
            await refused(tree.walk("/../x"), Code.INVALID)
            await refused(tree.walk("/a/" + "x" * 256), Code.NAME_TOO_LONG)

    asyncio.run(run())


def test_every_refusal(tmp_path: Path) -> None:
    async def run() -> None:
        async with local_hub(tmp_path) as hub:
            tree = (await hub.link()).tree
            await tree.make_folders("/d/e")
            await make_file(tree, "/f")
            await make_file(tree, "/g")
            await refused(tree.make_folders("/d"), Code.EXISTS)
            await refused(tree.make_folders("/"), Code.EXISTS)
            await refused(tree.make_folders("/f"), Code.EXISTS)
            await refused(tree.make_folders("/f/x"), Code.NOT_A_FOLDER)
            await refused(tree.make_link("x", "/f"), Code.EXISTS)
            await refused(tree.make_link("x", "/no/where"), Code.NOT_FOUND)
            await refused(tree.delete("/d"), Code.IS_A_FOLDER)
            await refused(tree.delete("/no"), Code.NOT_FOUND)
            await refused(tree.delete("/"), Code.IS_A_FOLDER)
            await refused(tree.delete("/f", node=12345), Code.NOT_FOUND)
            await refused(tree.delete_folder("/d"), Code.NOT_EMPTY)
            await refused(tree.delete_folder("/f"), Code.NOT_A_FOLDER)
            await refused(tree.delete_folder("/"), Code.INVALID)
            await refused(tree.list("/f"), Code.NOT_A_FOLDER)
            await refused(tree.list("/no"), Code.NOT_FOUND)
            await refused(tree.move("/f", "/g"), Code.EXISTS)
            await refused(tree.move("/f", "/f"), Code.EXISTS)
            await refused(tree.move("/no", "/x"), Code.NOT_FOUND)
            await refused(tree.move("/f", "/no/x"), Code.NOT_FOUND)
            await refused(tree.move("/d", "/d/e/d"), Code.INVALID)
            await refused(tree.move("/", "/x"), Code.INVALID)
            await refused(tree.move("/d", "/f", replace=True), Code.EXISTS)
            await refused(tree.read_link("/f"), Code.INVALID)
            assert (await tree.move("/f", "/f", replace=True)).name == "f"
            moved = await tree.move("/f", "/g", replace=True)
            assert await names(tree, "/") == ["d", "g"] and moved.name == "g"
            await tree.delete_folder("/d", recursive=True)
            assert await names(tree, "/") == ["g"]

    asyncio.run(run())


def test_a_reader_may_not_change_anything(tmp_path: Path) -> None:
    async def run() -> None:
        async with local_hub(tmp_path) as hub:
            await (await hub.link()).tree.make_folders("/d")
            tree = (await hub.link("reader")).tree
            assert await names(tree, "/") == ["d"]
            await refused(tree.make_folders("/e"), Code.DENIED)
            await refused(tree.delete_folder("/d"), Code.DENIED)

    asyncio.run(run())


def test_links_lead_on(tmp_path: Path) -> None:
    async def run() -> None:
        async with local_hub(tmp_path) as hub:
            tree = (await hub.link()).tree
            await tree.make_folders("/a/b/c")
            file = await make_file(tree, "/a/b/c/f")
            await tree.make_link("b/c", "/a/short")
            await tree.make_link("/a/short", "/absolute")
            await tree.make_link("../a/short/f", "/a/up")
            await tree.make_link("missing", "/a/dangling")
            await refused(tree.make_folders("/a/dangling/x"), Code.NOT_FOUND)  # not made where the link leads
            for path in ("/a/short/f", "/absolute/f", "/a/up", "/absolute/../../../a/up"):
                assert (await tree.walk(path.replace("/absolute/../../../", "/"))).found().id == file
            walk = await tree.walk("/absolute/f")
            assert walk.names == ("a", "b", "c", "f")
            assert (await tree.entry("/a/up")).kind is Kind.LINK
            assert await tree.read_link("/a/up") == "../a/short/f"
            assert await names(tree, "/absolute") == ["f"]
            dangling = await tree.walk("/a/dangling")
            assert dangling.node is None and dangling.names == ("a", "missing")
            assert (await tree.make_folders("/absolute/x/y")).name == "y"
            assert await names(tree, "/a/b/c") == ["f", "x"]
            await tree.move("/absolute/f", "/a/short/g")  # both through links
            assert await names(tree, "/a/b/c") == ["g", "x"]
            await tree.delete("/absolute/g")
            await tree.delete_folder("/absolute/x", recursive=True)
            await tree.delete("/absolute")  # the link, not what it points to
            assert await names(tree, "/a/b") == ["c"]
            await refused(tree.delete_folder("/a/short"), Code.NOT_A_FOLDER)

    asyncio.run(run())


def test_loops_and_links_out_of_the_root_end(tmp_path: Path) -> None:
    async def run() -> None:
        async with local_hub(tmp_path) as hub:
            tree = (await hub.link()).tree
            await tree.make_link("two", "/one")
            await tree.make_link("one", "/two")
            await tree.make_link("../../etc", "/out")
            await refused(tree.walk("/one"), Code.LOOP)
            await refused(tree.walk("/one/x"), Code.LOOP)
            await refused(tree.delete("/one/x"), Code.LOOP)
            await refused(tree.walk("/out/passwd"), Code.INVALID)
            assert (await tree.entry("/one")).is_link
            await make_file(tree, "/end")
            last = "end"
            for i in range(LINK_HOPS_MAX):
                await tree.make_link(last, f"/l{i}")
                last = f"l{i}"
            assert (await tree.walk(last)).found().name == "end"
            await tree.make_link(last, "/one-more")
            await refused(tree.walk("/one-more"), Code.LOOP)

    asyncio.run(run())


def test_a_linked_folder_is_a_root(tmp_path: Path) -> None:
    async def run() -> None:
        async with local_hub(tmp_path) as hub:
            whole = (await hub.link()).tree
            await whole.make_folders("/team/data")
            await make_file(whole, "/team/data/f")
            await make_file(whole, "/secret")
            part = (await hub.link("other", "/team")).tree
            assert await names(part, "/") == ["data"]
            await part.make_link("/data/f", "/absolute")  # the root of those who link the folder
            assert (await part.walk("/absolute")).found().name == "f"
            await part.make_link("../secret", "/out")
            await refused(part.walk("/out"), Code.INVALID)
            await whole.move("/team", "/moved")
            assert await names(part, "/") == ["absolute", "data", "out"]
            await refused(hub.link("other", "/secret"), Code.NOT_A_FOLDER)
            await refused(hub.link("other", "/team"), Code.NOT_FOUND)

    asyncio.run(run())


def test_one_of_two_creators_wins(tmp_path: Path) -> None:
    async def run() -> None:
        async with local_hub(tmp_path) as hub:
            trees = [(await hub.link(account)).tree for account in ("writer", "other")]
            for i in range(20):
                outcomes = await asyncio.gather(*(make_file(tree, f"/f{i}") for tree in trees), return_exceptions=True)
                faults = [each.code for each in outcomes if isinstance(each, Fault)]
                assert faults == [Code.EXISTS]
                made = await asyncio.gather(*(tree.make_folders(f"/d{i}/x") for tree in trees), return_exceptions=True)
                assert [each.code for each in made if isinstance(each, Fault)] == [Code.EXISTS]
                # Folders on the way are shared, whoever made them.
                await asyncio.gather(*(tree.make_folders(f"/e{i}/{j}/x") for j, tree in enumerate(trees)))
                assert await names(trees[0], f"/e{i}") == ["0", "1"]

    asyncio.run(run())


def test_moves_and_deletes_race_to_one_outcome(tmp_path: Path) -> None:
    async def run() -> None:
        async with local_hub(tmp_path) as hub:
            mine, yours = [(await hub.link(account)).tree for account in ("writer", "other")]
            for i in range(20):
                await make_file(mine, f"/f{i}")
                outcomes = await asyncio.gather(
                    mine.move(f"/f{i}", f"/a{i}"), yours.move(f"/f{i}", f"/b{i}"), return_exceptions=True
                )
                assert sum(isinstance(each, Fault) for each in outcomes) == 1
                assert len(await names(mine, "/")) == i + 1

    asyncio.run(run())


def test_a_long_listing_is_whole_and_sorted(tmp_path: Path) -> None:
    async def run() -> None:
        async with local_hub(tmp_path) as hub:
            engine = await hub.link()
            tree, count = engine.tree, 10_000
            assert count > 2 * LISTING_PAGE
            folder = await tree.make_folders("/many")
            for first in range(0, count, 500):
                await asyncio.gather(*(tree.create_file(folder, f"n{i:05}") for i in range(first, first + 500)))
            nodes = await tree.list("/many")
            assert [node.name for node in nodes] == [f"n{i:05}" for i in range(count)]
            assert len({node.id for node in nodes}) == count

            # Entries that come while it is read: the listing starts again, and is of one moment.
            calls = engine.session.call
            late = iter(range(2))

            async def between(body: messages.Message, **how: Any) -> Any:
                if isinstance(body, messages.ListFolder) and (i := next(late, None)) is not None:
                    await calls(messages.Create(folder.id, tree._new_node(folder.id, f"late{i}", Kind.FILE)))
                return await calls(body, **how)

            engine.session.call = between  # type: ignore[method-assign]
            assert len(await tree.list("/many")) == count + 2

    asyncio.run(run())


def test_a_taken_id_is_not_the_programs_trouble(tmp_path: Path) -> None:
    async def run() -> None:
        async with local_hub(tmp_path) as hub:
            tree = (await hub.link()).tree
            first = await tree.make_folders("/a")
            numbers = iter([first.id])
            take = tree._ids.take
            tree._ids.take = lambda count=1: next(numbers, None) or take(count)  # type: ignore[method-assign]
            assert (await tree.make_folders("/b")).id != first.id

    asyncio.run(run())
