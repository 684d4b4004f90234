"""Content over a hub in this process: what a handle promises its program, and the programs of other clients."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lucidfs.errors import Code, Fault
from lucidfs.limits import FRAME_BYTES, KIB, MIB, SMALL_BYTES_MAX
from lucidfs.types import LockMode
from lucidfs.wire.messages import Commit, Create
from tests.contents import SMALL_CACHES, Client, Hubs, in_process, read_all, read_at

Test = Callable[[Hubs], Awaitable[None]]
SIZES = [0, 1, 100, FRAME_BYTES - 1, FRAME_BYTES, FRAME_BYTES + 1, SMALL_BYTES_MAX, SMALL_BYTES_MAX + 1, 5 * MIB + 3]


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


@pytest.mark.parametrize("size", SIZES)
def test_what_was_written_is_read_by_others(tmp_path: Path, size: int) -> None:
    async def test(hubs: Hubs) -> None:
        data = os.urandom(size)
        mine, yours = await hubs.client(), await hubs.client("reader")
        await mine.files.write_file("/a", data)
        assert await yours.files.read_file("/a") == data
        assert await mine.files.read_file("/a") == data
        await mine.files.write_file("/a", b"short")
        assert await yours.files.read_file("/a") == b"short"
        entry = await yours.engine.tree.entry("/a")
        assert (entry.size, entry.revision) == (5, 2)

    run(tmp_path, test)


def test_compressible_content_travels_small(tmp_path: Path) -> None:
    async def test(hubs: Hubs) -> None:
        client = await hubs.client()
        data = b"all work and no play " * 100_000
        await client.files.write_file("/a", data)
        assert client.store.statistics().puts == 0
        assert await (await hubs.client()).files.read_file("/a") == data

    run(tmp_path, test)


def test_nothing_is_seen_before_the_close(tmp_path: Path) -> None:
    async def test(hubs: Hubs) -> None:
        mine, yours = await hubs.client(), await hubs.client()
        handle = await mine.files.open("/new", write=True, create=True, truncate=True)
        handle.write_nowait(0, b"hello")
        assert await read_all(handle) == b"hello"
        await refused(yours.files.open("/new"), Code.NOT_FOUND)
        await handle.flush()
        assert await yours.files.read_file("/new") == b"hello"
        handle.write_nowait(5, b" world")
        assert await yours.files.read_file("/new") == b"hello"
        await handle.close()
        assert await yours.files.read_file("/new") == b"hello world"

    run(tmp_path, test)


@pytest.mark.parametrize("size", [10, 6 * MIB])
def test_an_aborted_handle_publishes_nothing(tmp_path: Path, size: int) -> None:
    async def test(hubs: Hubs) -> None:
        client = await hubs.client()
        await client.files.write_file("/old", b"old")
        for path in ("/old", "/new"):
            handle = await client.files.open(path, write=True, create=True, truncate=True)
            await handle.write(0, bytes(size))
            await handle.abort()
        assert await client.files.read_file("/old") == b"old"
        await refused(client.files.open("/new"), Code.NOT_FOUND)

    run(tmp_path, test)


@pytest.mark.parametrize("size", [100, 5 * MIB])
def test_a_reader_keeps_the_revision_that_it_opened(tmp_path: Path, size: int) -> None:
    async def test(hubs: Hubs) -> None:
        mine, yours = await hubs.client(), await hubs.client(settings=SMALL_CACHES)
        old, new = os.urandom(size), os.urandom(size // 2)
        await mine.files.write_file("/a", old)
        reader = await yours.files.open("/a")
        await mine.files.write_file("/a", new)
        assert await read_all(reader) == old
        await reader.refresh()
        assert await read_all(reader) == new
        await mine.engine.tree.delete("/a")
        assert await read_all(reader) == new
        await refused(reader.refresh(), Code.NOT_FOUND)
        await reader.close()

    run(tmp_path, test)


@pytest.mark.parametrize("base", [0, 10, 3 * FRAME_BYTES, 5 * MIB])
def test_sparse_files_take_no_time_and_no_space(tmp_path: Path, base: int) -> None:
    async def test(hubs: Hubs) -> None:
        client = await hubs.client()
        data = os.urandom(base)
        await client.files.write_file("/s", data)
        await client.files.truncate("/s", 10**15)
        handle = await (await hubs.client()).files.open("/s", write=True)
        assert handle.size == 10**15
        assert await read_at(handle, 0, base) == data
        assert await read_at(handle, 10**14, 1000) == bytes(1000)
        assert await read_at(handle, 10**15 - 10, 1000) == bytes(10)
        handle.write_nowait(10**14 + 5, b"island")
        await handle.close()
        handle = await client.files.open("/s")
        assert await read_at(handle, 10**14, 20) == b"\0\0\0\0\0island" + bytes(9)
        assert handle.size == 10**15
        await client.files.truncate("/s", base // 2)
        await client.files.truncate("/s", base)
        assert await client.files.read_file("/s") == data[: base // 2] + bytes(base - base // 2)
        statistics = await client.engine.statistics()
        assert statistics.storage_bytes <= base + MIB

    run(tmp_path, test)


def test_random_patches_truncates_and_flushes_agree_with_a_plain_buffer(tmp_path: Path) -> None:
    async def test(hubs: Hubs) -> None:
        dice = random.Random(5)
        client, other = await hubs.client(), await hubs.client(settings=SMALL_CACHES)
        model = bytearray(os.urandom(5 * MIB + 77))
        await client.files.write_file("/a", bytes(model))
        handle = await client.files.open("/a", write=True)
        for step in range(300):
            at = dice.randrange(len(model) + 1000)
            roll = dice.random()
            if roll < 0.7:
                data = dice.randbytes(dice.choice([1, 100, 4096, FRAME_BYTES, 300 * KIB]))
                handle.write_nowait(at, data)
                model.extend(bytes(max(0, at - len(model))))
                model[at : at + len(data)] = data
            elif roll < 0.75:
                await handle.truncate(at)
                model.extend(bytes(max(0, at - len(model))))
                del model[at:]
            elif roll < 0.95:
                length = dice.choice([10, 5000, 200 * KIB])
                assert await read_at(handle, at, length) == bytes(model[at : at + length]), step
            else:
                await handle.flush()
                assert await other.files.read_file("/a") == bytes(model), step
            assert handle.size == len(model)
        await handle.close()
        assert await other.files.read_file("/a") == bytes(model)
        assert await client.files.read_file("/a") == bytes(model)

    run(tmp_path, test)


def test_patches_to_a_large_file_travel_inside_the_commit(tmp_path: Path) -> None:
    async def test(hubs: Hubs) -> None:
        client = await hubs.client(settings=SMALL_CACHES)
        data = bytearray(os.urandom(5 * MIB))
        await client.files.write_file("/a", bytes(data))
        puts = client.store.statistics().puts
        handle = await client.files.open("/a", write=True)
        handle.write_nowait(MIB + 5, b"patch")
        await handle.close()
        data[MIB + 5 : MIB + 10] = b"patch"
        assert client.store.statistics().puts == puts
        assert await client.files.read_file("/a") == bytes(data)

    run(tmp_path, test)


@pytest.mark.parametrize("size", [3000, 2 * FRAME_BYTES, 8 * MIB])
def test_disjoint_ranges_of_concurrent_writers_are_merged_also_inside_one_frame(tmp_path: Path, size: int) -> None:
    async def test(hubs: Hubs) -> None:
        base = os.urandom(size)
        clients = [await hubs.client() for _ in range(4)]
        await clients[0].files.write_file("/a", base)
        handles = [await client.files.open("/a", write=True) for client in clients]
        expected = bytearray(base)
        for turn in range(40):
            at = turn * size // 41
            patch = bytes([turn + 1]) * (size // 100 + 1)
            handles[turn % 4].write_nowait(at, patch)
            expected[at : at + len(patch)] = patch
        await asyncio.gather(*(handle.close() for handle in handles))
        merged = await (await hubs.client()).files.read_file("/a")
        assert len(merged) == size
        assert merged == bytes(expected)

    run(tmp_path, test)


def test_where_ranges_overlap_the_later_close_wins_and_a_truncate_stays_a_cut(tmp_path: Path) -> None:
    async def test(hubs: Hubs) -> None:
        first, second = await hubs.client(), await hubs.client()
        await first.files.write_file("/a", b"0" * 1000)
        one, two = await first.files.open("/a", write=True), await second.files.open("/a", write=True)
        one.write_nowait(0, b"1" * 20)
        two.write_nowait(10, b"2" * 20)
        await one.close()
        await two.close()
        assert await first.files.read_file("/a") == b"1" * 10 + b"2" * 20 + b"0" * 970
        one, two = await first.files.open("/a", write=True), await second.files.open("/a", write=True)
        one.write_nowait(0, b"3" * 5)
        await two.truncate(3)
        await one.close()
        await two.close()
        assert await first.files.read_file("/a") == b"333"

    run(tmp_path, test)


@pytest.mark.parametrize(("lines", "width"), [(25, 40), (6, 200_000)])
def test_eight_appenders_lose_no_line(tmp_path: Path, lines: int, width: int) -> None:
    async def append(hubs: Hubs, number: int, shared: Client) -> None:
        client = await hubs.client() if number % 2 else shared
        for line in range(lines):
            handle = await client.files.open("/log", write=True, create=True, append=True)
            text = f"{number}:{line} ".encode().ljust(width - 1, b".") + b"\n"
            await handle.write(None, text)
            await handle.close()

    async def test(hubs: Hubs) -> None:
        first = await hubs.client()
        await asyncio.gather(*(append(hubs, number, first) for number in range(8)))
        log = (await first.files.read_file("/log")).splitlines()
        assert all(len(line) == width - 1 for line in log)
        heads = [line.split(b" ")[0] for line in log]
        assert sorted(heads) == sorted(f"{number}:{line}".encode() for number in range(8) for line in range(lines))
        for number in range(8):
            mine = [head for head in heads if head.startswith(f"{number}:".encode())]
            assert mine == [f"{number}:{line}".encode() for line in range(lines)], "in order"

    run(tmp_path, test)


def test_a_long_append_is_not_overtaken_for_ever(tmp_path: Path) -> None:
    async def test(hubs: Hubs) -> None:
        long, short = await hubs.client(), await hubs.client()
        await long.files.write_file("/log", b"")
        handle = await long.files.open("/log", write=True, append=True)
        await handle.write(None, b"L" * (9 * MIB))
        done = False

        async def overtake() -> int:
            count = 0
            while not done:
                other = await short.files.open("/log", write=True, append=True)
                other.write_nowait(None, b"s")
                await other.close()
                count += 1
            return count

        task = asyncio.create_task(overtake())
        await handle.close()
        done = True
        count = await task
        content = await short.files.read_file("/log")
        assert content.count(b"s") == count
        assert b"L" * (9 * MIB) in content
        assert len(content) == 9 * MIB + count

    run(tmp_path, test)


def test_exclusive_creation(tmp_path: Path) -> None:
    async def test(hubs: Hubs) -> None:
        mine, yours = await hubs.client(), await hubs.client()
        handle = await mine.files.open("/x", write=True, create=True, exclusive=True)
        await refused(yours.files.open("/x", write=True, create=True, exclusive=True), Code.EXISTS)
        await refused(yours.files.open("/x"), Code.NOT_FOUND)
        handle.write_nowait(0, b"mine")
        await handle.close()
        assert await yours.files.read_file("/x") == b"mine"
        await refused(mine.files.open("/x", write=True, create=True, exclusive=True), Code.EXISTS)
        handle = await mine.files.open("/y", write=True, create=True, exclusive=True)
        await handle.abort()
        handle = await yours.files.open("/y", write=True, create=True, exclusive=True)
        await handle.close()
        assert await mine.files.read_file("/y") == b""
        handle = await mine.files.create("/z")
        assert await yours.files.read_file("/z") == b""
        await handle.close()
        await refused(yours.files.create("/z"), Code.EXISTS)

    run(tmp_path, test)


def test_a_file_deleted_meanwhile(tmp_path: Path) -> None:
    async def test(hubs: Hubs) -> None:
        mine, yours = await hubs.client(), await hubs.client()
        await mine.files.write_file("/a", b"old")
        await mine.files.write_file("/b", b"old")
        whole = await mine.files.open("/a", write=True, truncate=True)
        patch = await mine.files.open("/b", write=True)
        whole.write_nowait(0, b"anew")
        patch.write_nowait(0, b"X")
        await yours.engine.tree.delete("/a")
        await yours.engine.tree.delete("/b")
        await whole.close()
        assert await yours.files.read_file("/a") == b"anew"
        await refused(patch.close(), Code.NOT_FOUND)
        assert patch.closed

    run(tmp_path, test)


def test_two_make_one_file_and_the_later_close_wins(tmp_path: Path) -> None:
    async def test(hubs: Hubs) -> None:
        mine, yours = await hubs.client(), await hubs.client()
        handles = [await client.files.open("/n", write=True, create=True, truncate=True) for client in (mine, yours)]
        handles[0].write_nowait(0, b"first")
        handles[1].write_nowait(0, b"second")
        await handles[0].close()
        await handles[1].close()
        assert await mine.files.read_file("/n") == b"second"
        appenders = [await client.files.open("/log", write=True, create=True, append=True) for client in (mine, yours)]
        for handle in appenders:
            handle.write_nowait(None, b"line\n")
            await handle.close()
        assert await mine.files.read_file("/log") == b"line\nline\n"

    run(tmp_path, test)


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    async def test(hubs: Hubs) -> None:
        client = await hubs.client()
        await client.engine.tree.make_folders("/folder")
        await client.files.write_file("/file", b"x")
        for write in (False, True):
            await refused(client.files.open("/folder", write=write), Code.IS_A_FOLDER)
            await refused(client.files.open("/", write=write, create=write), Code.IS_A_FOLDER)
            await refused(client.files.open("/file/below", write=write, create=write), Code.NOT_A_FOLDER)
            await refused(client.files.open("/gone/below", write=write, create=write), Code.NOT_FOUND)
        await refused(client.files.open("/missing", write=True), Code.NOT_FOUND)
        handle = await client.files.open("/file")
        with pytest.raises(Fault) as caught:
            handle.write_nowait(0, b"x")
        assert caught.value.code is Code.DENIED
        await handle.close()
        reader = await hubs.client("reader")
        handle = await reader.files.open("/file", write=True)
        handle.write_nowait(0, b"y")
        await refused(handle.close(), Code.DENIED)

    run(tmp_path, test)


@pytest.mark.parametrize("size", [0, 1000, 5 * MIB])
def test_a_copy_shares_the_frames(tmp_path: Path, size: int) -> None:
    async def test(hubs: Hubs) -> None:
        client = await hubs.client()
        data = os.urandom(size)
        await client.files.write_file("/a", data)
        before = client.store.statistics()
        stored = (await client.engine.statistics()).storage_bytes
        await client.files.copy("/a", "/b")
        await client.files.write_file("/c", b"other")
        await client.files.copy("/a", "/c")
        await client.files.copy("/a", "/a")
        assert client.store.statistics() == before
        assert (await client.engine.statistics()).storage_bytes <= stored + 3 * SMALL_BYTES_MAX
        await client.engine.tree.delete("/a")
        reader = await hubs.client()
        assert await reader.files.read_file("/b") == data
        assert await reader.files.read_file("/c") == data
        handle = await client.files.open("/b", write=True)
        handle.write_nowait(size, b"tail")
        await handle.close()
        assert await reader.files.read_file("/b") == data + b"tail"
        assert await reader.files.read_file("/c") == data

    run(tmp_path, test)


def test_locked_opens(tmp_path: Path) -> None:
    async def test(hubs: Hubs) -> None:
        mine, yours = await hubs.client(), await hubs.client()
        handle = await mine.files.open("/db", write=True, create=True, lock=LockMode.EXCLUSIVE)
        await refused(yours.files.open("/db", lock_timeout_s=0.0), Code.LOCKED)
        await refused(yours.files.open("/db", lock=LockMode.SHARED, lock_timeout_s=0.0), Code.LOCKED)
        waiting = asyncio.create_task(yours.files.open("/db", lock=LockMode.SHARED))
        handle.write_nowait(0, b"result")
        await handle.close()
        reader = await waiting
        assert await read_all(reader) == b"result", "what was waited for is seen"
        await refused(mine.files.open("/db", write=True, lock_timeout_s=0.0), Code.LOCKED)
        await reader.close()
        again = await mine.files.open("/db", write=True)
        again.write_nowait(0, b"R")
        await again.close()
        assert await yours.files.read_file("/db") == b"Result"

    run(tmp_path, test)


def test_writes_during_a_flush_are_kept_for_the_next(tmp_path: Path) -> None:
    async def test(hubs: Hubs) -> None:
        client = await hubs.client()
        for append in (False, True):
            path = f"/f{append}"
            handle = await client.files.open(path, write=True, create=True, append=append)
            expected = b""
            for turn in range(20):
                flush = asyncio.create_task(handle.flush())
                for _ in range(turn % 4):
                    await asyncio.sleep(0)
                text = f"{turn};".encode()
                handle.write_nowait(None if append else len(expected), text)
                expected += text
                assert await read_all(handle) == expected
                await flush
                assert await read_all(handle) == expected
            await handle.close()
            assert await client.files.read_file(path) == expected

    run(tmp_path, test)


async def _chunks(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // MIB):
        yield os.urandom(MIB)


def test_memory_of_writers_is_bounded(tmp_path: Path) -> None:
    async def test(hubs: Hubs) -> None:
        client = await hubs.client(settings=replace(SMALL_CACHES, upload_bytes=8 * MIB))
        handle = await client.files.open("/a", write=True, create=True)
        offset = 0
        async for chunk in _chunks(48 * MIB):
            if handle.write_nowait(offset, chunk):
                await handle.drain()
            offset += len(chunk)
        assert 8 * MIB <= client.files.uploads.bytes_most <= 12 * MIB
        await handle.close()
        assert client.files.uploads.bytes_under_way == 0
        assert client.files.pending() == (0, 0)

    run(tmp_path, test)


def test_a_reader_goes_on_in_another_client(tmp_path: Path) -> None:
    async def test(hubs: Hubs) -> None:
        parent, child = await hubs.client(), await hubs.client()
        data = os.urandom(3 * MIB)
        await parent.files.write_file("/a", data)
        handle = await parent.files.open("/a")
        await parent.files.write_file("/a", b"newer")
        again = child.files.reopen(handle)
        assert again.id != handle.id
        assert await read_all(again) == data
        await again.refresh()
        assert await read_all(again) == b"newer"
        await again.close()

    run(tmp_path, test)


@pytest.mark.parametrize("collide", [False, True])
def test_many_patches_need_little_memory_and_still_merge_by_the_byte(
    tmp_path: Path, collide: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lucidfs.engine.handle.PATCHES_MAX", 8)

    async def test(hubs: Hubs) -> None:
        dice = random.Random(11)
        mine, yours = await hubs.client(settings=SMALL_CACHES), await hubs.client()
        expected = bytearray(os.urandom(6 * MIB))
        await yours.files.write_file("/a", bytes(expected))
        handle = await mine.files.open("/a", write=True)
        most = 0
        own = bytearray(len(expected))
        for _ in range(300):
            at = dice.randrange(len(expected) - 5000)
            data = dice.randbytes(dice.choice([1, 50, 5000]))
            if handle.write_nowait(at, data):
                await handle.drain()
            expected[at : at + len(data)] = data
            own[at : at + len(data)] = b"\1" * len(data)
            most = max(most, len(handle.patches))
            assert await read_at(handle, at, 6000) == bytes(expected[at : at + 6000])
        assert most <= 12
        if collide:
            other = await yours.files.open("/a", write=True)
            for _ in range(60):
                at = dice.randrange(len(expected) - 100)
                data = dice.randbytes(100)
                other.write_nowait(at, data)
                for place in range(at, at + 100):
                    if not own[place]:
                        expected[place] = data[place - at]
            await other.close()
        await handle.close()
        assert await yours.files.read_file("/a") == bytes(expected)

    run(tmp_path, test)


@pytest.mark.parametrize("mode", ["append", "append new", "patch", "exclusive"])
def test_a_flush_whose_answer_was_lost_may_be_repeated(
    tmp_path: Path, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(hubs: Hubs) -> None:
        client = await hubs.client()
        append, new = mode.startswith("append"), mode in ("append new", "exclusive")
        if not new:
            await client.files.write_file("/a", b"0123456789")
        handle = await client.files.open("/a", write=True, create=True, append=append, exclusive=mode == "exclusive")
        expected = b"" if new else b"0123456789"
        call = client.engine.session.call

        async def lose(body: Any, **options: Any) -> Any:
            reply = await call(body, **options)
            if isinstance(body, Commit | Create):
                monkeypatch.undo()
                raise Fault(Code.UNAVAILABLE, "no answer")
            return reply

        monkeypatch.setattr(client.engine.session, "call", lose)
        handle.write_nowait(None, b"first\n")
        await refused(handle.flush(), Code.UNAVAILABLE)
        handle.write_nowait(None, b"second\n")
        await handle.close()
        assert await client.files.read_file("/a") == expected + b"first\nsecond\n"

    run(tmp_path, test)
