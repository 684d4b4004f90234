"""Small files out of packs: in order many come with one request, elsewhere nothing comes that was not asked for."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

import pytest

from lucidfs.engine.bodies import Bodies
from lucidfs.engine.packs import Packs
from lucidfs.errors import Code, Fault
from lucidfs.limits import KIB, MIB

T = TypeVar("T")
FILE = 100 * KIB
SIZE = 80 * FILE
NOISE = random.Random(1).randbytes(SIZE + 1000)


class Store:
    """Objects of SIZE bytes by number, as `Bodies` gives them; counts requests."""

    def __init__(self) -> None:
        self.bodies: dict[int, bytes] = {}
        self.asked: list[tuple[int, int, int]] = []
        self.told = True  # whether sizes are known
        self.fail: Callable[[int, int, int], None] = lambda object, offset, length: None

    def body(self, object: int) -> bytes:
        return self.bodies.get(object) or NOISE[object : object + SIZE]

    async def size(self, object: int) -> int:
        await asyncio.sleep(0)
        return SIZE if self.told else 0

    async def get(self, object: int, offset: int, length: int, then: Callable[[bytes], T]) -> T:
        self.asked.append((object, offset, length))
        await asyncio.sleep(0.001)
        self.fail(object, offset, length)
        return then(self.body(object)[offset : offset + length])

    @property
    def bytes_asked(self) -> int:
        return sum(length for _, _, length in self.asked)


def run(test: Callable[[Packs, Store], Awaitable[Any]], bytes_max: int = 16 * MIB) -> Store:
    store = Store()

    async def main() -> None:
        packs = Packs(cast(Bodies, store), bytes_max)
        await test(packs, store)
        held = sum(len(window.task.result()) for track in packs._tracks.values() for window in track.windows.values())
        assert held == packs._bytes <= max(bytes_max, 2 * MIB + FILE)

    asyncio.run(main())
    return store


async def check(packs: Packs, store: Store, object: int, number: int) -> None:
    offset = number * FILE
    assert await packs.get(object, offset, FILE) == store.body(object)[offset : offset + FILE]


def test_files_in_order_come_with_few_requests() -> None:
    async def test(packs: Packs, store: Store) -> None:
        for object in (1, 2, 3):
            for number in range(80):
                await check(packs, store, object, number)

    store = run(test)
    assert store.bytes_asked < 1.05 * 3 * SIZE and len(store.asked) < 25


def test_files_of_several_threads_come_with_few_requests() -> None:
    async def test(packs: Packs, store: Store) -> None:
        numbers = iter(range(80))

        async def work() -> None:
            for number in numbers:
                await check(packs, store, 1, number)

        await asyncio.gather(*(work() for _ in range(16)))

    store = run(test)
    assert store.bytes_asked < 1.5 * SIZE and len(store.asked) < 20


def test_files_from_anywhere_cost_little_more_than_themselves() -> None:
    async def test(packs: Packs, store: Store) -> None:
        places = [(object, number) for object in range(1, 11) for number in range(0, 80, 8)]
        random.Random(1).shuffle(places)
        for object, number in places:
            await check(packs, store, object, number)

    store = run(test)
    assert store.bytes_asked < 3 * 100 * FILE


def test_an_object_of_unknown_size_is_read_exactly() -> None:
    async def test(packs: Packs, store: Store) -> None:
        store.told = False
        for number in range(10):
            await check(packs, store, 1, number)

    assert [length for _, _, length in run(test).asked] == [FILE] * 10


def test_a_window_that_fails_does_not_cost_the_file() -> None:
    async def test(packs: Packs, store: Store) -> None:
        def fail(object: int, offset: int, length: int) -> None:
            if offset + length > 10 * FILE:
                raise Fault(Code.CORRUPT, "an object in the store is shorter than it was")

        store.fail = fail
        for number in range(10):
            await check(packs, store, 1, number)
        with pytest.raises(Fault, match="shorter"):
            await packs.get(1, 10 * FILE, FILE)
        store.fail = lambda object, offset, length: None
        await check(packs, store, 1, 10)

    run(test)


def test_memory_is_bounded() -> None:
    async def test(packs: Packs, store: Store) -> None:
        for object in range(1, 200):
            for number in range(0, 80, 20):
                await check(packs, store, object, number)

    run(test, bytes_max=1 * MIB)


def test_what_is_damaged_is_fetched_anew() -> None:
    async def test(packs: Packs, store: Store) -> None:
        right = store.body(1)
        store.bodies[1] = bytes(SIZE)
        await check(packs, store, 1, 0)
        packs.forget(1)
        packs.forget(2)
        store.bodies[1] = right
        await check(packs, store, 1, 0)

    run(test)
