"""A hub as a process: killed while it commits, stopped in order, started again on the same data."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from lucidfs.clock import SystemClock
from lucidfs.crypto.account import AccountKeys
from lucidfs.crypto.token import Token
from lucidfs.engine.administration import Administration
from lucidfs.engine.session import Session
from lucidfs.errors import Code
from lucidfs.hub.bootstrap import DATABASE_FILE
from lucidfs.testing.hubs import ProcessHub, new_data
from lucidfs.types import Kind, LockMode, id_value
from lucidfs.wire import messages as m
from lucidfs.wire.websocket import WebSocketTransport
from tests.hub_rig import name, refused

CHANGES = 400
KILLS = 3


class Place:
    """A hub process with one filespace."""

    def __init__(self, folder: Path) -> None:
        data, token = new_data(folder)
        self.hub = ProcessHub(data)
        self.keys = AccountKeys(Token.parse(token))
        administration = Administration(self.hub.url, Token.parse(token), os.urandom)
        self.filespace = id_value(administration.create_filespace("data").id)
        administration.close()

    async def session(self) -> Session:
        session = Session(
            WebSocketTransport(self.hub.url), self.keys, self.filespace, clock=SystemClock(), random=os.urandom
        )
        await session.open()
        return session


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    found = Place(tmp_path)
    yield found
    found.hub.stop()


def create(root: int, number: int) -> m.Create:
    return m.Create(root, m.NewNode(1000 + number, Kind.FILE, name(number), b"sealed"))


async def everything(session: Session, root: int) -> list[int]:
    """Ids of all entries of the root, page by page."""
    ids: list[int] = []
    after = b""
    while True:
        page = await session.call(m.ListFolder(root, after))
        ids += [entry.id for entry in page.entries]
        if not page.more:
            return ids
        after = page.tokens_end


def test_kill_minus_nine_loses_nothing_acknowledged_and_applies_nothing_twice(place: Place) -> None:
    """Creates and moves run on while the hub is killed several times; each happens exactly once.

    A create that was applied twice would be EXISTS or ID_TAKEN; one that was lost would be missing at the end.
    """

    async def scenario() -> None:
        session = await place.session()
        assert session.welcome is not None
        root = session.welcome.root
        done = 0

        async def change(number: int) -> None:
            nonlocal done
            created = await session.call(create(root, number))
            assert created.entry.id == 1000 + number
            done += 1

        running = [asyncio.ensure_future(change(number)) for number in range(CHANGES)]
        for kill in range(1, KILLS + 1):
            while done < kill * CHANGES // (KILLS + 2):
                await asyncio.sleep(0.001)
            await asyncio.to_thread(place.hub.restart)
        await asyncio.gather(*running)
        assert sorted(await everything(session, root)) == [1000 + number for number in range(CHANGES)]
        statistics = await session.call(m.GetStatistics())
        assert statistics.files == CHANGES
        await session.close()

    asyncio.run(scenario())


def test_locks_and_sessions_survive_a_kill(place: Place) -> None:
    async def scenario() -> None:
        holder, other = await place.session(), await place.session()
        assert holder.welcome is not None
        root = holder.welcome.root
        await holder.call(create(root, 1))
        await holder.call(m.Lock(9, 1001, 1, LockMode.EXCLUSIVE))
        await asyncio.to_thread(place.hub.restart)
        with refused(Code.LOCKED):
            await other.call(m.Lock(10, 1001, 1, LockMode.SHARED))
        assert (holder.epoch, other.epoch) == (1, 1)
        await holder.call(m.Delete(m.Path(root, [name(1)]), wait=m.Wait(0, [9])))
        await holder.close()
        await other.close()

    asyncio.run(scenario())


def test_sigterm_finishes_and_the_next_process_goes_on(place: Place) -> None:
    async def scenario() -> None:
        session = await place.session()
        assert session.welcome is not None
        root = session.welcome.root
        running = [asyncio.ensure_future(session.call(create(root, number))) for number in range(50)]
        await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        assert await asyncio.to_thread(place.hub.stop) == 0
        await asyncio.to_thread(place.hub.start)
        await asyncio.gather(*running)
        assert len(await everything(session, root)) == 50
        assert session.epoch == 1
        await session.close()

    asyncio.run(scenario())
    place.hub.stop()
    database = sqlite3.connect(place.hub.data / DATABASE_FILE)
    try:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    finally:
        database.close()


def test_two_hubs_do_not_share_a_folder(place: Place) -> None:
    with pytest.raises(RuntimeError, match="before it was ready"):
        ProcessHub(place.hub.data)
