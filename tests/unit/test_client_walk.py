"""What a hub that lies can do to a walk or a listing: nothing but be found out."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any, cast

import pytest

from lucidfs.crypto.keys import FilespaceKeys
from lucidfs.engine.calls import Gate
from lucidfs.engine.node import Node, open_entry
from lucidfs.engine.session import Session
from lucidfs.engine.tree import Tree
from lucidfs.errors import Code, Fault
from lucidfs.ids import Ids
from lucidfs.limits import PATH_DEPTH_MAX, REQUESTS_IN_FLIGHT_MAX
from lucidfs.types import Kind, NodeId
from lucidfs.wire import messages
from lucidfs.wire.messages import Entry, Listing, Message, Walked

KEYS = FilespaceKeys(b"k" * 32, os.urandom)
ROOT = Node(NodeId(1), NodeId(0), Kind.FOLDER, "")
ROOT_ENTRY = Entry(1, 0, Kind.FOLDER, b"", version=7)


def entry(node: int, parent: int, name: str, kind: Kind = Kind.FOLDER, target: str = "") -> Entry:
    sealed_target = KEYS.seal_target(target, node) if target else b""
    return Entry(node, parent, kind, KEYS.seal_name(name, parent, node, kind), target=sealed_target)


class Liar:
    """A session whose hub answers each request as the test says."""

    def __init__(self, *replies: Message | Callable[[Message], Message]) -> None:
        self.replies = list(replies)
        self.asked: list[Message] = []

    async def call(self, body: Message, **_: Any) -> Any:
        self.asked.append(body)
        reply = self.replies.pop(0)
        return reply(body) if callable(reply) else reply


def tree_of(*replies: Message | Callable[[Message], Message]) -> Tree:
    return Tree(cast(Session, Liar(*replies)), KEYS, Ids(os.urandom), ROOT)


A, B = entry(2, 1, "a"), entry(3, 2, "b")

LIES = {
    "another name": [entry(2, 1, "x"), B],
    "another folder": [A, entry(3, 9, "b")],
    "a name from another place": [A, Entry(3, 2, Kind.FOLDER, entry(3, 9, "b").sealed_name)],
    "another kind": [A, Entry(3, 2, Kind.FILE, B.sealed_name)],
    "another node": [A, Entry(4, 2, Kind.FOLDER, B.sealed_name)],
    "an unsealed name": [A, Entry(3, 2, Kind.FOLDER, b"b")],
    "too many entries": [A, B, entry(4, 3, "c")],
    "something inside of a file": [entry(2, 1, "a", Kind.FILE), B],
    "something inside of a link": [entry(2, 1, "a", Kind.LINK, "x"), B],
    "another root": [Entry(9, 0, Kind.FOLDER, b"")],
    "a negative size": [A, Entry(3, 2, Kind.FOLDER, B.sealed_name, size=-1)],
    "a negative parent": [Entry(2, -1, Kind.FOLDER, A.sealed_name)],
    "a link that does not open": [A, Entry(3, 2, Kind.LINK, entry(3, 2, "b", Kind.LINK).sealed_name, target=b"x")],
}


@pytest.mark.parametrize("lie", LIES)
def test_a_walk_that_lies_is_corrupt(lie: str) -> None:
    with pytest.raises(Fault) as caught:
        asyncio.run(tree_of(Walked(LIES[lie])).walk("/a/b"))
    assert caught.value.code is Code.CORRUPT


def test_true_walks_pass() -> None:
    assert asyncio.run(tree_of(Walked([A, B])).walk("/a/b")).found() == open_entry(KEYS, B)
    # "The start" told or not, when nothing of the path exists.
    for entries in ([], [ROOT_ENTRY]):
        walk = asyncio.run(tree_of(Walked(entries)).walk("/a"))
        assert walk.node is None and walk.missing == ("a",) and walk.place().id == 1


def test_a_path_deeper_than_the_limit_through_links_is_refused() -> None:
    deep = "/".join("d" * 1 for _ in range(PATH_DEPTH_MAX))
    link = entry(2, 1, "a", Kind.LINK, deep)
    with pytest.raises(Fault) as caught:
        asyncio.run(tree_of(Walked([link])).walk("/a/b"))
    assert caught.value.code is Code.NAME_TOO_LONG


def listed(*entries: Entry, end: bytes = b"", more: bool = False, version: int = 7) -> Listing:
    return Listing(list(entries), end, more, version)


def test_a_listing_with_one_name_twice_is_corrupt() -> None:
    lie = Walked([ROOT_ENTRY], listing=listed(A, entry(5, 1, "a")))
    with pytest.raises(Fault) as caught:
        asyncio.run(tree_of(lie).list("/"))
    assert caught.value.code is Code.CORRUPT


def test_a_listing_that_goes_round_is_corrupt() -> None:
    lie = Walked([ROOT_ENTRY], listing=listed(A, end=b"b", more=True))
    with pytest.raises(Fault) as caught:
        asyncio.run(tree_of(lie, listed(A, end=b"b", more=True)).list("/"))
    assert caught.value.code is Code.CORRUPT


def test_a_folder_that_never_rests_is_listed_as_it_goes_by() -> None:
    versions = iter(range(100))

    def page(body: Message) -> Message:
        first = isinstance(body, messages.ListFolder) and not body.after
        shown = A if first else entry(5, 1, "b")
        return listed(shown, end=b"1" if first else b"2", more=first, version=next(versions))

    walked = Walked([ROOT_ENTRY], listing=listed(A, end=b"1", more=True, version=500))
    nodes = asyncio.run(tree_of(walked, *[page] * 100).list("/"))
    assert [node.name for node in nodes] == ["a", "b"]


def test_a_hub_that_always_calls_it_a_race_is_not_asked_for_ever() -> None:
    def stale(body: Message) -> Message:
        if isinstance(body, messages.Walk):
            return Walked([])
        raise Fault(Code.STALE, "again")

    with pytest.raises(Fault) as caught:
        asyncio.run(tree_of(*[stale] * 1000).make_folders("/a"))
    assert caught.value.code is Code.STALE


def test_the_gate_is_fair_and_survives_who_leaves_the_line() -> None:
    async def run() -> None:
        gate = Gate()
        inside = 0
        while gate.enter_nowait(False):
            inside += 1
        assert inside < REQUESTS_IN_FLIGHT_MAX
        order: list[int] = []

        async def enter(number: int) -> None:
            await gate.enter(False)
            order.append(number)

        tasks = [asyncio.create_task(enter(number)) for number in range(4)]
        await asyncio.sleep(0)
        tasks[1].cancel()
        gate.leave(False)
        tasks[0].cancel()  # its turn had come: it passes it on
        await asyncio.wait({tasks[0], tasks[1]})
        gate.leave(False)
        await asyncio.wait({tasks[2], tasks[3]})
        assert order == [2, 3]
        assert not gate.enter_nowait(False)

    asyncio.run(run())
