"""Packing: what moves and what stays, that nobody can tell, and that a crash at any step loses nothing."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from lucidfs.hub import packer as packer_module
from lucidfs.hub.database.base import FilespaceRow, Tx
from lucidfs.hub.deleter import Deleter
from lucidfs.hub.packer import Packed, Packer
from lucidfs.hub.reaper import Reaper
from lucidfs.hub.sweeper import Sweeper
from lucidfs.limits import KIB, PACK_AFTER_S, PACK_SMALL_BYTES
from lucidfs.namespace.tree import root_of
from lucidfs.objects.base import ObjectName
from lucidfs.objects.memory import MemoryStore
from lucidfs.types import FilespaceId, ObjectId
from lucidfs.wire import messages as m
from tests.stage import FILESPACE, FRAME, MAC, ROOT, SEALED, Stage, path, small

T = TypeVar("T")
HOUR = 3600 * 10**9
AFTER = int(PACK_AFTER_S * 1e9)


class Crash(Exception):
    """The power goes."""


class World:
    """A stage, a store, a clock that a test sets, and a packer whose steps can be made to crash or to race."""

    def __init__(self, folder: Path) -> None:
        self.stage = Stage(folder)
        self.store = MemoryStore(self)
        self.time_ns = self.stage.now_ns
        self.before_change: Callable[[], None] = lambda: None
        self.deleter = Deleter(self.store, None)
        self.packer = self.new_packer()
        self.bytes: dict[int, bytes] = {}  # node -> what its frames are, one after the other

    def new_packer(self, gain_bytes: int = 1) -> Packer:
        return Packer(
            self,
            self.stage.database,
            self.store,
            self.deleter,
            clock=self,
            fresh_id=lambda: int.from_bytes(os.urandom(7), "big"),
            gain_bytes=gain_bytes,
        )

    def now_ns(self) -> int:
        return self.time_ns

    def monotonic_s(self) -> float:
        return self.time_ns / 1e9

    async def change(self, apply: Callable[[Tx], T]) -> T:
        self.before_change()
        result = apply(self.stage.database.begin())
        self.stage.database.commit()
        return result

    def cool(self) -> None:
        """Everything so far was written long enough ago."""
        self.time_ns = self.stage.now_ns + AFTER + 1

    def round(self) -> Packed:
        return asyncio.run(self.packer.round())

    # --- making

    def small(self, name: str, size: int = 10 * KIB) -> int:
        data = os.urandom(size)
        node = self.stage.file(name, content=small(data))
        self.bytes[node] = data
        return node

    def held(self, name: str, size: int = 10 * KIB) -> int:
        """A file of a frame in the store and one in an object that the commit brought along."""
        content, tail = self.stage.big(1), os.urandom(size)
        head = os.urandom(SEALED)
        self.put(content.objects[0].id, head)
        object = self.stage.id()
        extent = m.Extent(1, 1, 7, 1, 1, object, 0, [size])
        objects = [*content.objects, m.NewObject(object, size, tail)]
        whole = m.NewContent(2 * FRAME, 1, MAC, [*content.extents, extent], b"", objects)
        node = self.stage.file(name, content=whole)
        self.bytes[node] = head + tail
        return node

    def sparse(self, name: str, count: int = 10, kept: tuple[int, ...] = (3, 4, 8)) -> int:
        """A file of which only some frames of its object are left."""
        content, body = self.stage.big(count), os.urandom(count * SEALED)
        self.put(content.objects[0].id, body)
        node = self.stage.file(name, content=content)
        clear = [(at, at + 1) for at in range(count) if at not in kept]
        self.stage.do(m.Commit(node, 1, m.NewContent(count * FRAME, 2, MAC), False, clear))
        self.bytes[node] = b"".join(body[at * SEALED : (at + 1) * SEALED] for at in kept)
        return node

    def put(self, object: int, body: bytes) -> None:
        self.store.put(name_of(object), body)

    # --- looking

    def content(self, node: int) -> bytes:
        """The frames of a file, wherever they stand."""
        found = self.stage.look(m.ReadContent(node)).content
        return b"".join(self.frames(extent, found.small) for extent in found.extents)

    def frames(self, extent: m.Extent, inside: bytes) -> bytes:
        end = extent.offset + sum(extent.lengths)
        if not extent.object:
            return inside[extent.offset : end]
        with self.stage.database.read() as tx:
            data = tx.object_data(extent.object)
        return (data or self.store.contents[name_of(extent.object)])[extent.offset : end]

    def objects(self, node: int) -> set[int]:
        return {extent.object for extent in self.stage.extents(node)}

    def check(self) -> None:
        for node, data in self.bytes.items():
            assert self.content(node) == data, node

    def uploads(self) -> int:
        """Objects that no commit names; after a week without clients they are gone."""
        week = self.time_ns
        self.time_ns += 8 * 24 * HOUR
        sweeper = Sweeper(self, self.stage.database, self.store, self.deleter, clock=self)
        swept = asyncio.run(sweeper.round())
        self.time_ns = week
        assert swept.objects == 0
        return swept.swept


def name_of(object: int) -> ObjectName:
    return ObjectName(FilespaceId(FILESPACE), ObjectId(object))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Ends with a look at every file and every invariant."""
    world = World(tmp_path)
    yield world
    world.before_change = lambda: None
    world.check()
    world.stage.close()


# --- what moves ---------------------------------------------------------------------------------------------------


def test_small_contents_that_cooled_go_into_one_object(world: World) -> None:
    nodes = [world.small(name) for name in "abc"]
    rows = [world.stage.row(node) for node in nodes]
    statistics = world.stage.look(m.GetStatistics())
    assert world.round() == Packed()
    world.cool()
    assert world.round() == Packed(1, 30 * KIB)
    (pack,) = world.objects(nodes[0])
    assert all(world.objects(node) == {pack} for node in nodes)
    for before, node in zip(rows, nodes, strict=True):
        assert before is not None and world.stage.row(node) == before._replace(small_bytes=0)
    assert world.stage.look(m.GetStatistics()) == statistics
    assert world.round() == Packed()


def test_files_stand_in_the_order_in_which_they_were_written(world: World) -> None:
    nodes = [world.small(f"f{number}", 5000) for number in range(6)]
    data = os.urandom(6000)
    world.stage.do(m.Commit(nodes[2], 1, small(data, generation=2)))
    world.bytes[nodes[2]] = data
    world.cool()
    world.round()
    places = [world.stage.extents(node)[0].offset for node in [*nodes[:2], *nodes[3:], nodes[2]]]
    assert places == [0, 5000, 10_000, 15_000, 20_000, 25_000]


def test_short_contents_stay_in_their_rows(world: World) -> None:
    node, longer = world.small("a", PACK_SMALL_BYTES - 1), world.small("b", PACK_SMALL_BYTES)
    world.cool()
    assert world.round().packs == 1
    assert world.objects(node) == {0} and world.objects(longer) != {0}


def test_what_was_written_lately_stays(world: World) -> None:
    old = world.small("a")
    world.cool()
    world.stage.now_ns = world.time_ns
    young = world.small("b")
    assert world.round() == Packed(1, 10 * KIB)
    assert world.objects(young) == {0} and world.objects(old) != {0}


def test_a_pack_waits_until_it_is_worth_it(world: World) -> None:
    world.packer = world.new_packer(25 * KIB)
    world.small("a")
    world.small("b")
    world.cool()
    assert world.round() == Packed() and not world.store.contents
    world.stage.now_ns -= HOUR
    world.small("c")
    assert world.round() == Packed(1, 30 * KIB)


def test_held_objects_leave_the_database(world: World) -> None:
    node = world.held("a")
    before = world.objects(node)
    world.cool()
    assert world.round() == Packed(1, 10 * KIB)
    assert len(world.objects(node) & before) == 1
    world.time_ns += 2 * HOUR
    reaper = Reaper(world, world.deleter, clock=world)
    assert asyncio.run(reaper.round()).objects == 1
    with world.stage.database.read() as tx:
        assert tx.held_objects(FILESPACE, 0, 9) == []


def test_half_dead_objects_are_packed_anew(world: World) -> None:
    node, other = world.sparse("a"), world.sparse("b", kept=(0, 1, 2, 3, 4))
    before, stays = world.objects(node), world.objects(other)
    used = world.stage.look(m.GetStatistics()).storage_bytes
    world.cool()
    assert world.round() == Packed(1, 3 * SEALED)
    assert not world.objects(node) & before and world.objects(other) == stays  # of that half is left
    assert world.stage.look(m.GetStatistics()).storage_bytes == used - 7 * SEALED
    world.time_ns += 2 * HOUR
    asyncio.run(Reaper(world, world.deleter, clock=world).round())
    assert {stat.name.object for stat in world.store.list(FilespaceId(FILESPACE))} == world.objects(node) | stays


def test_what_files_share_is_packed_once(world: World) -> None:
    node = world.sparse("a", 12, (3, 4, 5, 8))
    extents = [extent for extent in world.stage.extents(node) if extent.first < 8]
    part = m.Extent(0, 1, 7, 4, 1, extents[0].object, 4 * SEALED, [SEALED])
    copy = world.stage.file("copy", content=m.NewContent(FRAME, 1, MAC, [part]))
    world.bytes[copy] = world.bytes[node][SEALED : 2 * SEALED]
    world.cool()
    assert world.round() == Packed(1, 5 * SEALED)
    (pack,) = world.objects(node)
    assert world.objects(copy) == {pack}
    assert len(world.store.contents[name_of(pack)]) == 4 * SEALED


def test_objects_of_files_that_are_written_stay(world: World) -> None:
    node = world.sparse("a")
    before = world.objects(node)
    world.cool()
    world.stage.now_ns = world.time_ns
    (extent, *_) = world.stage.extents(node)
    copy = m.Extent(0, 1, extent.origin, extent.origin_first, extent.generation, extent.object, extent.offset, [SEALED])
    world.stage.file("copy", content=m.NewContent(FRAME, 1, MAC, [copy]))
    assert world.round() == Packed() and world.objects(node) == before


def test_everything_may_go_into_one_pack(world: World) -> None:
    nodes = [world.small("a"), world.held("b"), world.sparse("c")]
    world.cool()
    assert world.round() == Packed(1, 20 * KIB + 3 * SEALED)
    assert len(set.intersection(*(world.objects(node) for node in nodes))) == 1


def test_as_many_packs_and_transactions_as_it_takes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lucidfs.hub.packs.PACK_BYTES", 30 * KIB)
    monkeypatch.setattr(packer_module, "REAP_BATCH", 2)
    for number in range(10):
        world.small(f"f{number}")
    world.cool()
    assert world.round() == Packed(4, 100 * KIB)


# --- races --------------------------------------------------------------------------------------------------------


def test_what_changes_while_it_is_copied_keeps_its_change(world: World) -> None:
    kept, written, deleted, moved = (world.small(name) for name in "abcd")
    world.cool()

    def meanwhile() -> None:
        world.before_change = lambda: None
        data = os.urandom(9000)
        world.stage.do(m.Commit(written, 1, small(data, generation=2)))
        world.bytes[written] = data
        world.stage.do(m.Delete(path("c")))
        del world.bytes[deleted]

    world.before_change = meanwhile
    assert world.round() == Packed(1, 20 * KIB)
    assert world.objects(kept) == world.objects(moved) != {0} == world.objects(written)


def test_a_pack_that_nothing_uses_is_deleted(world: World) -> None:
    world.small("a")
    world.cool()

    def meanwhile() -> None:
        world.stage.do(m.Delete(path("a")))
        world.bytes.clear()

    world.before_change = meanwhile
    assert world.round() == Packed() and not world.store.contents


def test_extents_that_are_no_longer_there_are_left_out(world: World) -> None:
    node = world.sparse("a", kept=(3, 5, 8))
    world.cool()

    def meanwhile() -> None:
        world.before_change = lambda: None
        world.stage.do(m.Commit(node, 2, m.NewContent(10 * FRAME, 3, MAC), False, [(5, 6)]))
        world.bytes[node] = world.bytes[node][:SEALED] + world.bytes[node][2 * SEALED :]

    world.before_change = meanwhile
    assert world.round() == Packed(1, 2 * SEALED)


# --- trouble ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("changes", [0, 1, 2])
def test_a_crash_leaves_every_file_in_one_place(world: World, monkeypatch: pytest.MonkeyPatch, changes: int) -> None:
    monkeypatch.setattr(packer_module, "REAP_BATCH", 2)
    for name in "abcdef":
        world.small(name)
    world.cool()
    left = [changes]

    def crash() -> None:
        if not left[0]:
            raise Crash
        left[0] -= 1

    world.before_change = crash
    with pytest.raises(Crash):
        world.round()
    world.before_change = lambda: None
    world.check()
    assert world.uploads() == (changes == 0)
    world.packer = world.new_packer()
    while world.round() != Packed():
        world.check()
    assert all(world.objects(node) != {0} for node in world.bytes)


@pytest.mark.logs("takes no packs: the store is full")
def test_a_store_that_fails_loses_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    node = world.small("a")
    world.cool()

    def fail(name: ObjectName, data: bytes) -> None:
        raise OSError("the store is full")

    with monkeypatch.context() as patch:
        patch.setattr(world.store, "put", fail)
        assert world.round() == Packed()
    assert world.objects(node) == {0}
    assert world.round().packs == 1


@pytest.mark.logs("came back with other bytes")
def test_a_store_that_keeps_something_else_is_found_out(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    node = world.small("a")
    world.cool()
    put = world.store.put
    monkeypatch.setattr(world.store, "put", lambda name, data: put(name, bytes(len(data))))
    assert world.round() == Packed()
    assert world.objects(node) == {0}


@pytest.mark.logs("cannot be packed anew")
def test_an_object_that_cannot_be_read_stays_as_it_is(world: World) -> None:
    damaged, node = world.sparse("a"), world.small("b")
    (object,) = world.objects(damaged)
    lost = world.store.contents.pop(name_of(object))
    world.cool()
    assert world.round() == Packed(1, 10 * KIB)
    assert world.objects(damaged) == {object} and world.objects(node) != {0}
    assert world.round() == Packed()
    world.store.contents[name_of(object)] = lost


def test_a_filespace_that_goes_meanwhile_takes_its_pack_along(world: World) -> None:
    world.small("a")
    world.cool()

    def meanwhile() -> None:
        world.before_change = lambda: None
        world.stage.database.begin().delete_filespace(FILESPACE, world.time_ns)
        world.stage.database.commit()
        world.bytes.clear()

    world.before_change = meanwhile
    assert world.round() == Packed() and not world.store.contents
    tx = world.stage.database.begin()  # for the check at the end
    tx.insert_filespace(FilespaceRow(FILESPACE, 1, "data", ROOT, 1))
    tx.insert_node(root_of(FILESPACE, ROOT, 1))
    world.stage.database.commit()
