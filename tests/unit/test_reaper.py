"""The reaper deletes what is due, in an order that a crash at any step leaves safe."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pytest

from lucidfs.errors import Code, Fault
from lucidfs.hub import reaper as reaper_module
from lucidfs.hub.database.base import CONDEMNED, SPENT, ObjectRow, SessionRow, Tx
from lucidfs.hub.deleter import Deleter
from lucidfs.hub.reaper import Reaped, Reaper, condemn
from lucidfs.limits import DEAD_OBJECT_GRACE_S, REPLIES_KEPT_S, SPENT_KEPT_S
from lucidfs.objects.base import ObjectName
from lucidfs.objects.memory import MemoryStore
from lucidfs.types import FilespaceId, ObjectId
from lucidfs.wire import messages as m
from tests.stage import FILESPACE, ROOT, SEALED, Stage, path

T = TypeVar("T")


class World:
    """A stage, a store, a clock that a test sets, and a writer that commits each change."""

    def __init__(self, folder: Path) -> None:
        self.stage = Stage(folder)
        self.store: MemoryStore = MemoryStore()
        self.time_ns = 1_000
        self.reaper = Reaper(self, Deleter(self.store, None), clock=self)

    def now_ns(self) -> int:
        return self.time_ns

    def monotonic_s(self) -> float:
        return self.time_ns / 1e9

    async def change(self, apply: Callable[[Tx], T]) -> T:
        result = apply(self.stage.database.begin())
        self.stage.database.commit()
        return result

    def file(self, name: str) -> int:
        """A file with one object in the store; the object's id."""
        content = self.stage.big(1)
        object = content.objects[0].id
        self.store.put(self.name(object), b"x" * SEALED)
        self.stage.file(name, content=content)
        return object

    def name(self, object: int) -> ObjectName:
        return ObjectName(FilespaceId(FILESPACE), ObjectId(object))

    def stored(self) -> set[int]:
        return {stat.name.object for stat in self.store.list(FilespaceId(FILESPACE))}

    def round(self) -> Reaped:
        return asyncio.run(self.reaper.round())


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.stage.close()


def after_grace(world: World) -> None:
    world.time_ns = world.stage.now_ns + int(DEAD_OBJECT_GRACE_S * 1e9) + 1


def test_dead_objects_go_after_their_grace(world: World) -> None:
    dead, live = world.file("f"), world.file("g")
    world.stage.do(m.Delete(path("f")))
    world.time_ns = world.stage.now_ns + int(DEAD_OBJECT_GRACE_S * 1e9)
    assert world.round() == Reaped()
    after_grace(world)
    assert world.round() == Reaped(objects=1, bytes=SEALED)
    assert world.stored() == {live} and world.stage.live(dead) == SPENT


def test_objects_in_the_database_go_too(world: World) -> None:
    object = world.stage.id()
    content = m.NewContent(0, 1, b"m" * 16, objects=[m.NewObject(object, 3, b"abc")])
    world.stage.file("f", content=content)
    after_grace(world)
    assert world.round().objects == 1
    assert world.stage.live(object) is None


def test_many_objects_go_in_batches(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reaper_module, "REAP_BATCH", 2)
    for name in "abcde":
        world.file(name)
        world.stage.do(m.Delete(path(name)))
    after_grace(world)
    assert world.round().objects == 5 and world.stored() == set()


@pytest.mark.logs("did not delete: no route")
def test_what_the_store_does_not_delete_stays_condemned(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    object = world.file("f")
    world.stage.do(m.Delete(path("f")))
    after_grace(world)

    def fail(name: ObjectName) -> None:
        raise OSError("no route to the store")

    with monkeypatch.context() as patch:
        patch.setattr(world.store, "delete", fail)
        assert world.round() == Reaped(failed=1)
    assert world.stage.live(object) == CONDEMNED
    assert world.round().objects == 1 and world.stored() == set()


def test_a_condemned_object_is_not_used_again(world: World) -> None:
    content = world.stage.big(1)
    world.stage.file("f", content=content)
    world.stage.do(m.Delete(path("f")))
    condemned = condemn(2**62, world.stage.database.begin())
    world.stage.database.commit()  # and here the hub crashes
    assert [row.id for row in condemned] == [content.objects[0].id]
    with pytest.raises(Fault, match="STALE"):
        world.stage.do(m.Create(ROOT, world.stage.new("g"), m.NewContent(65_536, 1, b"m" * 16, content.extents)))


def test_the_number_of_a_deleted_object_stays_spent(world: World) -> None:
    content = world.stage.big(1)
    object = content.objects[0].id
    world.stage.file("f", content=content)
    world.stage.do(m.Delete(path("f")))
    after_grace(world)
    assert world.round().objects == 1
    with pytest.raises(Fault, match="given up"):  # the client never heard that its commit had been applied
        world.stage.file("f", content=content)
    assert world.round() == Reaped()
    world.time_ns += int(SPENT_KEPT_S * 1e9) + 1
    assert world.round() == Reaped()
    assert world.stage.live(object) is None


def test_replies_of_sessions_long_ended_go(world: World) -> None:
    tx = world.stage.database.begin()
    for session, ended_ns in ((1, 0), (2, 5), (3, 50)):
        tx.insert_session(SessionRow(session, 2, FILESPACE, 1, ended_ns))
        tx.put_reply(session, 1, b"r")
    world.stage.database.commit()
    world.time_ns = int(REPLIES_KEPT_S * 1e9) + 6
    assert world.round() == Reaped(sessions=1)
    with world.stage.database.read() as reading:
        assert [reading.reply(session, 1) for session in (1, 2, 3)] == [b"r", None, b"r"]


def test_rounds_go_on_after_one_that_failed(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rounds: list[Reaped] = []
    answers: list[Exception | None] = [OSError("disk"), None]

    async def change(apply: Callable[[Tx], T]) -> T:
        answer = answers.pop(0) if answers else None
        if answer:
            raise answer
        return await World.change(world, apply)

    async def main() -> None:
        with ThreadPoolExecutor(1) as executor:
            done = asyncio.Event()

            def observe(reaped: Reaped) -> None:
                rounds.append(reaped)
                done.set()

            reaper = Reaper(world, Deleter(world.store, executor), clock=world, observe=observe)
            running = asyncio.create_task(reaper.run())
            await done.wait()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    monkeypatch.setattr(reaper_module, "REAP_EVERY_S", 0)
    monkeypatch.setattr(world, "change", change)
    asyncio.run(main())
    assert rounds[0] == Reaped() and "a round of the reaper failed" in caplog.text


def test_a_store_that_is_away_keeps_no_other_filespace_waiting(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(reaper_module, "REAP_BATCH", 2)
    away, near = FilespaceId(98), FilespaceId(99)
    tx = world.stage.database.begin()
    for number in range(1, 9):
        filespace = away if number < 6 else near
        tx.insert_object(ObjectRow(number, filespace, 1, 0, number), b"")
        world.store.put(ObjectName(filespace, ObjectId(number)), b"x")
    world.stage.database.commit()
    asked: list[int] = []
    delete = world.store.delete

    def fail(name: ObjectName) -> None:
        asked.append(name.object)
        if name.filespace == away:
            raise Fault(Code.UNAVAILABLE, "no answer")
        delete(name)

    after_grace(world)
    with monkeypatch.context() as patch:
        patch.setattr(world.store, "delete", fail)
        for _ in range(2):
            reaped = world.round()
            assert reaped.objects + reaped.failed and asked[0] == 1 and len(asked) <= 4
            asked.clear()
    assert [record.getMessage().count("no answer") for record in caplog.records if record.levelname == "WARNING"] == [1]
    assert {name.filespace for name in world.store.contents} == {away}
    assert world.round().objects == 5 and not world.store.contents
