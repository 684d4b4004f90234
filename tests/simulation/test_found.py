"""Bugs that the simulation found, each without its luck."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from lucidfs.engine.publish import Publisher, Target
from lucidfs.errors import Code, Fault
from tests.contents import in_process


def test_a_file_that_somebody_made_and_deleted_while_it_is_appended_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found beside seed 1023: the appender met the other's file, looked for it, and it was gone again."""

    async def scenario() -> None:
        async with in_process(tmp_path) as hubs:
            ours, other = await hubs.client(), await hubs.client("other")
            find_place = Publisher._find_place

            async def late(self: Publisher, target: Target) -> None:
                await other.engine.tree.delete("/log")
                monkeypatch.undo()
                await find_place(self, target)

            handle = await ours.files.open("/log", write=True, create=True, append=True)
            await handle.write(None, b"ours")
            await other.files.write_file("/log", b"theirs")
            monkeypatch.setattr(Publisher, "_find_place", late)
            await handle.close()
            assert await other.files.read_file("/log") == b"ours"

    asyncio.run(scenario())


def test_a_writer_waits_for_a_name_that_another_client_has_reserved(tmp_path: Path) -> None:
    """Seed 1023, too: the writer asked 64 times at once and gave up, while the name was free and reserved."""

    async def scenario() -> None:
        async with in_process(tmp_path) as hubs:
            ours, other = await hubs.client(), await hubs.client("other")
            exclusive = await other.files.open("/new", write=True, create=True, exclusive=True)
            writing = asyncio.ensure_future(ours.files.write_file("/new", b"ours"))
            await asyncio.wait({writing}, timeout=0.5)
            assert not writing.done()
            await exclusive.write(0, b"theirs")
            await exclusive.close()
            await writing
            assert await other.files.read_file("/new") == b"ours"

    asyncio.run(scenario())


def test_a_writer_that_may_not_wait_is_told_that_the_name_is_reserved(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with in_process(tmp_path) as hubs:
            ours, other = await hubs.client(), await hubs.client("other")
            await other.files.open("/new", write=True, create=True, exclusive=True)
            handle = await ours.files.open("/new", write=True, create=True, truncate=True, lock_timeout_s=0)
            with pytest.raises(Fault) as caught:
                await handle.close()
            assert caught.value.code is Code.LOCKED

    asyncio.run(scenario())
