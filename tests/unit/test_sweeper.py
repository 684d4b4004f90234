"""Uploads without a commit: seen, kept while a client can still want them, swept afterwards, and never lost unseen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from lucidfs.errors import Fault
from lucidfs.hub.database.base import CONDEMNED, SPENT, SessionRow, Tx
from lucidfs.hub.deleter import Deleter
from lucidfs.hub.hold import Hold
from lucidfs.hub.reaper import Reaper
from lucidfs.hub.sweeper import Sweeper, Uploads
from lucidfs.limits import DEAD_OBJECT_GRACE_S, UPLOAD_GRACE_S, UPLOAD_STUCK_S
from lucidfs.objects.base import ObjectName
from lucidfs.objects.memory import MemoryStore
from lucidfs.types import FilespaceId, ObjectId
from lucidfs.wire import messages as m
from tests.stage import FILESPACE, SEALED, Stage

T = TypeVar("T")
HOUR, DAY = 3600 * 10**9, 86_400 * 10**9
GRACE = int(UPLOAD_GRACE_S * 1e9)
START = 1_000 * DAY


class Crash(Exception):
    """The power goes."""


class World:
    """A stage, a store with a clock that a test sets, and a sweeper whose changes can be made to crash."""

    def __init__(self, folder: Path) -> None:
        self.stage = Stage(folder)
        self.time_ns = self.stage.now_ns = START
        self.store = MemoryStore(self)
        self.hold = Hold(folder)
        self.changes_left = 1000
        deleter = Deleter(self.store, None, self.hold)
        self.sweeper = Sweeper(self, self.stage.database, self.store, deleter, clock=self)
        self.reaper = Reaper(self, deleter, clock=self)

    def now_ns(self) -> int:
        return self.time_ns

    def monotonic_s(self) -> float:
        return self.time_ns / 1e9

    async def change(self, apply: Callable[[Tx], T]) -> T:
        if not self.changes_left:
            raise Crash
        self.changes_left -= 1
        result = apply(self.stage.database.begin())
        self.stage.database.commit()
        return result

    def upload(self) -> m.NewContent:
        """Put an object that a content is to be made of."""
        content = self.stage.big(1)
        self.store.put(name(content), b"x" * SEALED)
        return content

    def session(self, number: int, came_ns: int) -> None:
        self.stage.database.begin().insert_session(SessionRow(number, 2, FILESPACE, came_ns))
        self.stage.database.commit()

    def round(self) -> Uploads:
        return asyncio.run(self.sweeper.round())

    def stored(self) -> set[int]:
        return {stat.name.object for stat in self.store.list(FilespaceId(FILESPACE))}


def name(content: m.NewContent) -> ObjectName:
    return ObjectName(FilespaceId(FILESPACE), ObjectId(content.objects[0].id))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.stage.database.close()


def test_uploads_are_counted_and_kept_for_their_grace(world: World) -> None:
    world.stage.file("committed", content=world.upload())
    world.upload()
    world.time_ns += GRACE
    assert world.round() == Uploads(world.time_ns, 1, SEALED, 1, SEALED, 0, START)
    assert len(world.stored()) == 2


def test_leftovers_go_after_their_grace_and_nothing_else(world: World) -> None:
    kept = world.upload()
    world.stage.file("committed", content=kept)
    left = world.upload()
    world.time_ns += GRACE + 1
    young = world.upload()
    assert world.round() == Uploads(world.time_ns, 1, SEALED, 1, SEALED, 0, world.time_ns, 1, SEALED)
    assert world.stored() == {name(kept).object, name(young).object}
    assert world.stage.live(name(left).object) == SPENT


def test_a_client_that_is_here_may_commit_however_late(world: World) -> None:
    world.session(7, START - HOUR)
    content = world.upload()
    world.time_ns += 10 * GRACE
    found = world.round()
    assert (found.objects, found.leftover, found.stuck, found.swept) == (1, 0, 1, 0)
    world.stage.file("late", content=content)
    assert world.round().objects == 0


def test_stuck_is_what_is_older_than_a_day(world: World) -> None:
    world.session(7, START - HOUR)
    world.upload()
    world.time_ns += int(UPLOAD_STUCK_S * 1e9)
    assert world.round().stuck == 0
    world.time_ns += 1
    assert world.round().stuck == 1


def test_a_client_that_came_later_protects_nothing(world: World) -> None:
    content = world.upload()
    world.time_ns += 2 * HOUR
    world.session(7, world.time_ns)
    world.time_ns += GRACE
    assert world.round().swept == 1
    with pytest.raises(Fault, match="given up"):
        world.stage.file("too late", content=content)


def test_a_commit_between_the_listing_and_the_tombstone_wins(world: World) -> None:
    content = world.upload()
    world.time_ns += GRACE + 1
    change = world.change

    async def commit_first(apply: Callable[[Tx], T]) -> T:
        if world.stage.live(name(content).object) is None:
            world.stage.file("just in time", content=content)
        return await change(apply)

    world.change = commit_first  # type: ignore[method-assign]
    assert world.round().swept == 0
    assert world.stored() == {name(content).object}


@pytest.mark.parametrize("changes", [0, 1])
def test_a_crash_at_each_step_is_safe(world: World, changes: int) -> None:
    content = world.upload()
    world.time_ns += GRACE + 1
    world.changes_left = changes
    with pytest.raises(Crash):
        world.round()
    if changes:  # condemned, deleted, not noted
        assert world.stage.live(name(content).object) == CONDEMNED
        with pytest.raises(Fault, match="given up"):
            world.stage.file("too late", content=content)
    world.changes_left = 1000
    world.time_ns += int(DEAD_OBJECT_GRACE_S * 1e9) + 1
    asyncio.run(world.reaper.round())
    world.round()
    assert world.stored() == set()
    assert world.stage.live(name(content).object) == SPENT


def test_what_is_put_again_after_it_was_given_up_goes_at_once(world: World) -> None:
    content = world.upload()
    world.time_ns += GRACE + 1
    assert world.round().swept == 1
    world.store.put(name(content), b"x" * SEALED)  # a request that was long under way
    assert world.round().swept == 1
    assert world.stored() == set()


def test_nothing_is_deleted_while_somebody_holds_all_objects(world: World) -> None:
    content = world.upload()
    world.time_ns += GRACE + 1
    with world.hold.keeping(), world.hold.keeping():
        found = world.round()
        assert (found.swept, found.objects) == (0, 1)
        assert world.stored() == {name(content).object}
    assert world.stage.live(name(content).object) == CONDEMNED  # the reaper goes on with it
    world.time_ns += int(DEAD_OBJECT_GRACE_S * 1e9) + 1
    assert asyncio.run(world.reaper.round()).objects == 1
    assert world.stored() == set()


def test_a_store_that_tells_no_time_keeps_everything(world: World) -> None:
    world.store._clock = None
    world.upload()
    world.time_ns += 10 * GRACE
    found = world.round()
    assert (found.objects, found.swept, found.oldest_ns) == (1, 0, 0)


def test_uploads_of_a_filespace_that_is_gone(world: World) -> None:
    world.stage.file("f", content=world.upload())
    left = world.upload()
    world.stage.database.begin().delete_filespace(FILESPACE, world.time_ns)
    world.stage.database.commit()
    world.time_ns += GRACE + 1
    asyncio.run(world.reaper.round())
    assert world.round().swept == 1
    assert world.stored() == set()
    assert world.stage.live(name(left).object) == SPENT
