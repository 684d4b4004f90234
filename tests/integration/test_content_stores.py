"""Content when the store lies, fails, or is far away: real sockets, faults under the retries, caches on disk."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from lucidfs.engine.settings import EngineSettings
from lucidfs.errors import Code, Fault
from lucidfs.limits import FRAME_BYTES, KIB, MIB
from lucidfs.objects.base import ObjectName, ObjectStat, ObjectStore
from lucidfs.types import FilespaceId
from tests.contents import SMALL_CACHES, Client, Hubs, in_process, read_all, read_at, real_sockets

Test = Callable[[Hubs], Awaitable[None]]


def run(folder: Path, test: Test, place: Callable[[Path], AbstractAsyncContextManager[Hubs]] = in_process) -> None:
    async def main() -> None:
        async with place(folder) as hubs:
            await test(hubs)

    asyncio.run(main())


async def refused(work: Awaitable[Any], code: Code) -> Fault:
    with pytest.raises(Fault) as caught:
        await work
    assert caught.value.code is code, caught.value
    return caught.value


class Faulty:
    """A store that is told how to misbehave: `spoil` sees every body that is fetched, `fail` every call."""

    def __init__(self, store: ObjectStore) -> None:
        self.store = store
        self.gets: list[tuple[int, int, int]] = []
        self.puts = 0
        self.spoil: Callable[[ObjectName, int, bytes], bytes] = lambda name, offset, body: body
        self.fail: Callable[[str], None] = lambda method: None

    def put(self, name: ObjectName, data: bytes | bytearray | memoryview | list[bytes]) -> None:
        self.puts += 1
        self.fail("put")
        self.store.put(name, data)

    def get(self, name: ObjectName, offset: int, length: int) -> bytes:
        self.gets.append((name.object, offset, length))
        self.fail("get")
        return self.spoil(name, offset, self.store.get(name, offset, length))

    def delete(self, name: ObjectName) -> None:
        self.store.delete(name)

    def list(self, filespace: FilespaceId) -> Iterator[ObjectStat]:
        return self.store.list(filespace)

    def close(self) -> None:
        self.store.close()


class Hook:
    """Puts a `Faulty` under a client's retries and keeps it."""

    store: Faulty

    def __call__(self, store: ObjectStore) -> ObjectStore:
        self.store = Faulty(store)
        return self.store


def test_streaming_through_real_sockets(tmp_path: Path) -> None:
    async def test(hubs: Hubs) -> None:
        mine, yours = await hubs.client(), await hubs.client("reader")
        chunks = [os.urandom(128 * KIB) for _ in range(8)]
        total = 50 * MIB + 12_345
        handle = await mine.files.open("/stream", write=True, create=True, truncate=True)
        offset = 0
        while offset < total:
            piece = chunks[offset // (128 * KIB) % 8][: total - offset]
            if handle.write_nowait(offset, piece):
                await handle.drain()
            offset += len(piece)
        assert mine.store.statistics().puts > 0 or mine.files.uploads.bytes_under_way > 0, "it uploads while it writes"
        await handle.close()
        reader = await yours.files.open("/stream")
        assert reader.size == total
        view = memoryview(bytearray(128 * KIB))
        offset = 0
        while count := reader.read_cached(offset, view) or await reader.read(offset, view):
            assert view[:count] == memoryview(chunks[offset // (128 * KIB) % 8])[:count]
            offset += count
        assert offset == total
        counters = yours.store.statistics()
        assert counters.gets < 60, "neighbours come in one request"
        for at in (0, 1, 3 * MIB + 5, total - 10):
            whole = chunks[at // (128 * KIB) % 8] + chunks[(at // (128 * KIB) + 1) % 8]
            expected = whole[at % (128 * KIB) :][: min(100, total - at)]
            assert await read_at(reader, at, 100) == expected
        await reader.close()

    run(tmp_path, test, real_sockets)


def test_concurrent_clients_on_real_sockets(tmp_path: Path) -> None:
    async def append(hubs: Hubs, number: int) -> None:
        client = await hubs.client()
        for line in range(10):
            handle = await client.files.open("/log", write=True, create=True, append=True)
            handle.write_nowait(None, f"{number}:{line}\n".encode())
            await handle.close()

    async def test(hubs: Hubs) -> None:
        await asyncio.gather(*(append(hubs, number) for number in range(8)))
        client = await hubs.client()
        lines = (await client.files.read_file("/log")).decode().splitlines()
        assert sorted(lines) == sorted(f"{number}:{line}" for number in range(8) for line in range(10))
        data = os.urandom(6 * MIB)
        await client.files.write_file("/big", data)
        handles = [await (await hubs.client()).files.open("/big", write=True) for _ in range(4)]
        expected = bytearray(data)
        for turn in range(16):
            at = turn * 300 * KIB + 7
            patch = os.urandom(5000 * (1 + turn % 3 * 20))
            handles[turn % 4].write_nowait(at, patch)
            expected[at : at + len(patch)] = patch
        await asyncio.gather(*(handle.close() for handle in handles))
        assert await client.files.read_file("/big") == bytes(expected)

    run(tmp_path, test, real_sockets)


def test_reading_in_order_asks_once_per_byte_and_reading_at_random_asks_for_little(tmp_path: Path) -> None:
    async def test(hubs: Hubs) -> None:
        hook = Hook()
        size = 20 * MIB
        writer, reader = await hubs.client(), await hubs.client(below=hook)
        data = os.urandom(size)
        await writer.files.write_file("/a", data)
        handle = await reader.files.open("/a")
        for at in (9 * MIB, 100, 15 * MIB + 77):
            assert await read_at(handle, at, 4096) == data[at : at + 4096]
        assert len(hook.store.gets) == 3
        assert all(length <= 2 * (FRAME_BYTES + 100) for _, _, length in hook.store.gets)
        hook.store.gets.clear()
        handle = await reader.files.open("/a")
        assert await read_all(handle) == data
        asked = sorted(hook.store.gets)
        for before, after in pairwise(asked):
            assert before[0] != after[0] or before[1] + before[2] <= after[1], "no byte is fetched twice"
        await asyncio.gather(*(read_all(handle) for _ in range(5)))
        assert sorted(hook.store.gets) == asked, "everything is in memory now"

    run(tmp_path, test)


def test_one_fetch_however_many_ask(tmp_path: Path) -> None:
    async def test(hubs: Hubs) -> None:
        hook = Hook()
        data = os.urandom(5 * MIB)
        await (await hubs.client()).files.write_file("/a", data)
        reader = await hubs.client(below=hook)
        handles = [await reader.files.open("/a") for _ in range(6)]
        parts = await asyncio.gather(*(read_at(handle, 2 * MIB, 300) for handle in handles))
        assert parts == [data[2 * MIB : 2 * MIB + 300]] * 6
        assert len(hook.store.gets) == 1

    run(tmp_path, test)


@pytest.mark.parametrize("kind", ["flipped", "zeroed", "swapped", "short", "gone"])
def test_damaged_objects_are_refused_naming_file_and_offset(tmp_path: Path, kind: str) -> None:
    async def test(hubs: Hubs) -> None:
        hook = Hook()
        data = os.urandom(5 * MIB)
        await (await hubs.client()).files.write_file("/dir.bin", data)
        reader = await hubs.client(below=hook, settings=EngineSettings(cache_folder=tmp_path / "cache"))
        sealed = FRAME_BYTES + 32

        def spoil(name: ObjectName, offset: int, body: bytes) -> bytes:
            if kind == "flipped":
                return body[:100] + bytes([body[100] ^ 1]) + body[101:]
            if kind == "zeroed":
                return bytes(len(body))
            if kind == "swapped":
                return hook.store.store.get(name, offset + sealed, len(body))
            if kind == "short":
                raise EOFError("it ends early")
            raise FileNotFoundError("no such object")

        hook.store.spoil = spoil
        handle = await reader.files.open("/dir.bin")
        fault = await refused(read_at(handle, 2 * MIB + 5, 10), Code.CORRUPT)
        assert "/dir.bin" in fault.message
        assert str(2 * MIB) in fault.message
        hook.store.spoil = lambda name, offset, body: body
        assert await read_at(handle, 2 * MIB + 5, 10) == data[2 * MIB + 5 : 2 * MIB + 15], "nothing bad was kept"

    run(tmp_path, test)


def test_a_damaged_frame_is_no_trouble_of_those_who_ask_for_another(tmp_path: Path) -> None:
    """Though they wait for one request: the one that asked for all is refused, and names the damage."""

    async def test(hubs: Hubs) -> None:
        hook, entered, go = Hook(), threading.Event(), threading.Event()
        data = os.urandom(MIB)
        await (await hubs.client()).files.write_file("/a", data)
        reader = await hubs.client(below=hook)

        def spoil(name: ObjectName, offset: int, body: bytes) -> bytes:
            entered.set()
            assert go.wait(30)
            return body[:-100] + bytes([body[-100] ^ 1]) + body[-99:] if len(body) > MIB // 2 else body

        hook.store.spoil = spoil
        handle = await reader.files.open("/a")
        whole = asyncio.create_task(reader.files.read_file("/a"))
        await asyncio.to_thread(entered.wait, 30)
        others = [asyncio.create_task(read_at(handle, 3 * FRAME_BYTES, 10)) for _ in range(2)]
        await asyncio.sleep(0)
        go.set()
        fault = await refused(whole, Code.CORRUPT)
        assert f"offset {MIB - FRAME_BYTES}:" in fault.message
        assert await asyncio.gather(*others) == [data[3 * FRAME_BYTES : 3 * FRAME_BYTES + 10]] * 2

    run(tmp_path, test)


def test_a_store_that_fails_in_passing_is_not_noticed(tmp_path: Path) -> None:
    async def test(hubs: Hubs) -> None:
        hook = Hook()
        client = await hubs.client(below=hook, settings=SMALL_CACHES)
        calls = 0

        def fail(method: str) -> None:
            nonlocal calls
            calls += 1
            if calls % 2:
                raise ConnectionResetError("the store hung up")

        hook.store.fail = fail
        data = os.urandom(9 * MIB)
        await client.files.write_file("/a", data)
        assert await client.files.read_file("/a") == data
        assert calls > 5

    run(tmp_path, test)


def test_a_store_that_fails_for_good_is_reported_and_a_flush_may_be_repeated(tmp_path: Path) -> None:
    async def test(hubs: Hubs) -> None:
        hook = Hook()
        client = await hubs.client(below=hook, deadline_s=0.05)
        await client.files.write_file("/a", b"old")

        def fail(method: str) -> None:
            raise ConnectionRefusedError("the store is gone")

        hook.store.fail = fail
        handle = await client.files.open("/a", write=True, truncate=True)
        data = os.urandom(9 * MIB)
        await handle.write(0, data)
        await refused(handle.flush(), Code.UNAVAILABLE)
        assert await client.files.read_file("/a") == b"old"
        assert await read_all(handle) == data, "the changes are still there"
        hook.store.fail = lambda method: None
        await handle.flush()
        assert await (await hubs.client()).files.read_file("/a") == data
        hook.store.fail = fail
        await handle.write(0, data)
        await refused(handle.close(), Code.UNAVAILABLE)
        assert handle.closed
        assert client.files.uploads.bytes_under_way == 0
        hook.store.fail = lambda method: None
        assert await client.files.read_file("/a") == data

    run(tmp_path, test)


def test_a_permanent_refusal_of_the_store_is_not_retried(tmp_path: Path) -> None:
    async def test(hubs: Hubs) -> None:
        hook = Hook()
        client = await hubs.client(below=hook)

        def fail(method: str) -> None:
            raise Fault(Code.NO_SPACE, "the store is full")

        hook.store.fail = fail
        await refused(client.files.write_file("/a", os.urandom(MIB)), Code.NO_SPACE)
        assert hook.store.puts == 1
        await refused(client.files.open("/a"), Code.NOT_FOUND)

    run(tmp_path, test)


def test_a_sync_waits_for_the_flushes_that_began_before_it(tmp_path: Path) -> None:
    async def test(hubs: Hubs) -> None:
        hook, slow = Hook(), threading.Event()
        client = await hubs.client(below=hook)

        def wait(method: str) -> None:
            slow.wait(20)

        hook.store.fail = wait
        handle = await client.files.open("/a", write=True, create=True)
        await handle.write(0, os.urandom(5 * MIB))
        flush = asyncio.create_task(handle.flush())
        while not client.files.pending().files:
            await asyncio.sleep(0)
        sync = asyncio.create_task(client.files.sync())
        await asyncio.wait({sync}, timeout=0.1)
        assert not sync.done(), "what was flushed before is not in the store yet"
        slow.set()
        await sync
        assert flush.done() or client.files.pending().files == 0
        await flush
        assert client.files.pending() == (0, 0)
        await handle.close()

    run(tmp_path, test)


def test_a_file_that_the_disk_cache_could_not_hold_leaves_it_to_others(tmp_path: Path) -> None:
    """Only its head and what jumps read of it is kept: the whole would push out all else and then its own beginning."""

    async def test(hubs: Hubs) -> None:
        settings = EngineSettings(cache_folder=tmp_path / "cache", disk_cache_bytes=48 * MIB, memory_cache_bytes=MIB)
        hook = Hook()
        reader = await hubs.client(settings=settings, below=hook)
        for path, size in (("/short", 4 * MIB), ("/long", 32 * MIB)):
            handle = await reader.files.open(path, write=True, create=True, truncate=True)
            await handle.write(0, os.urandom(size))
            await handle.close()
        await _read_through(reader, "/short")
        await _read_through(reader, "/long")
        hook.store.gets.clear()
        await _read_through(reader, "/short")
        handle = await reader.files.open("/long")
        await read_at(handle, 100, 100)
        assert hook.store.gets == [], "the short one and the head of the long one are on disk"
        await read_at(handle, 30 * MIB, 100)
        assert hook.store.gets, "the rest of the long one is not"
        hook.store.gets.clear()
        await read_at(handle, 30 * MIB + 200, 100)
        assert hook.store.gets == [], "what a jump read is"
        await handle.close()

    run(tmp_path, test)


async def _read_through(client: Client, path: str) -> None:
    handle = await client.files.open(path)
    view, offset = memoryview(bytearray(MIB)), 0
    while count := await handle.read(offset, view):
        offset += count
    await handle.close()


def test_the_disk_cache_is_bounded_and_survives_a_restart(tmp_path: Path) -> None:
    async def test(hubs: Hubs) -> None:
        folder = tmp_path / "cache"
        data = os.urandom(6 * MIB)
        await (await hubs.client()).files.write_file("/a", data)
        settings = EngineSettings(cache_folder=folder, disk_cache_bytes=16 * MIB, memory_cache_bytes=0)
        first = await hubs.client(settings=settings)
        assert await first.files.read_file("/a") == data
        await first.close()
        hook = Hook()
        second = await hubs.client(settings=settings, below=hook)
        assert await second.files.read_file("/a") == data
        assert hook.store.gets == [], "all of it came from disk"
        for path in folder.iterdir():
            octets = bytearray(path.read_bytes())
            octets[len(octets) // 2] ^= 1
            path.write_bytes(octets)
        assert await second.files.read_file("/a") == data
        assert hook.store.gets, "what was damaged on disk was fetched again"
        assert not any(data[at : at + 32] in octets for at in range(0, 6 * MIB, MIB)), "only sealed bytes"
        for number in range(6):
            more = os.urandom(5 * MIB)
            await second.files.write_file(f"/b{number}", more)
            assert await second.files.read_file(f"/b{number}") == more
            assert sum(path.stat().st_size for path in folder.iterdir()) <= 16 * MIB

    run(tmp_path, test)


def test_reading_through_a_file_that_memory_cannot_hold_leaves_what_others_use(tmp_path: Path) -> None:
    async def test(hubs: Hubs) -> None:
        writer = await hubs.client()
        data = os.urandom(12 * MIB)
        await writer.files.write_file("/large", data)
        await writer.files.write_file("/often", data[:MIB])
        hook = Hook()
        client = await hubs.client(below=hook, settings=EngineSettings(memory_cache_bytes=8 * MIB))
        assert await client.files.read_file("/often") == data[:MIB]
        large = await client.files.open("/large")
        for chunk in (64 * KIB, 200_000, MIB):
            parts = bytearray()
            while octets := await read_at(large, len(parts), chunk):
                parts += octets
            assert parts == data
        before = len(hook.store.gets)
        assert await client.files.read_file("/often") == data[:MIB]
        assert len(hook.store.gets) == before, "it stayed in memory"

    run(tmp_path, test)


def test_a_store_whose_urls_have_ended_is_asked_with_fresh_ones(tmp_path: Path) -> None:
    async def test(hubs: Hubs) -> None:
        hook = Hook()
        client = await hubs.client(below=hook, settings=SMALL_CACHES)
        refusals = 1

        def fail(method: str) -> None:
            nonlocal refusals
            if refusals:
                refusals -= 1
                raise Fault(Code.DENIED, "the signature has ended")

        hook.store.fail = fail
        data = os.urandom(MIB)
        await client.files.write_file("/a", data)
        refusals = 1
        assert await client.files.read_file("/a") == data
        refusals = 100
        await refused(client.files.read_file("/a"), Code.DENIED)

    run(tmp_path, test, real_sockets)
