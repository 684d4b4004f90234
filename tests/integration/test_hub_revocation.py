"""What an administrator takes away is gone at once: sessions, locks, logins, in the session's own words."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from lucidfs.clock import SystemClock
from lucidfs.crypto.account import AccountKeys
from lucidfs.crypto.token import Token
from lucidfs.engine.administration import Administration
from lucidfs.engine.session import Session
from lucidfs.errors import Code
from lucidfs.testing.hubs import HubThread, new_hub
from lucidfs.types import Kind, LockMode, Role, id_value
from lucidfs.wire import messages as m
from lucidfs.wire.websocket import WebSocketTransport
from tests.hub_rig import name, refused


class Place(NamedTuple):
    hub: HubThread
    administration: Administration
    admin: Token
    filespace: int

    async def session(self, token: Token) -> Session:
        session = Session(
            WebSocketTransport(self.hub.url),
            AccountKeys(token),
            self.filespace,
            clock=SystemClock(),
            random=os.urandom,
        )
        await session.open()
        return session


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    hub, text = new_hub(tmp_path)
    token = Token.parse(text)
    administration = Administration(hub.url, token, os.urandom)
    filespace = id_value(administration.create_filespace("data").id)
    yield Place(hub, administration, token, filespace)
    administration.close()
    hub.stop()


def revoke(place: Place) -> Code:
    place.administration.revoke("worker")
    return Code.UNAUTHENTICATED


def rotate(place: Place) -> Code:
    place.administration.rotate("worker")
    return Code.UNAUTHENTICATED


def delete(place: Place) -> Code:
    place.administration.delete_filespace("data")
    return Code.NOT_FOUND


@pytest.mark.parametrize("take_away", [revoke, rotate, delete])
def test_a_linked_client_is_out_at_once(place: Place, take_away: Callable[[Place], Code]) -> None:
    worker = place.administration.create_account("worker", {"data": Role.WRITE}).token

    async def scenario() -> None:
        session, other = await place.session(worker), await place.session(place.admin)
        assert session.welcome is not None
        root = session.welcome.root
        await session.call(m.Create(root, m.NewNode(101, Kind.FILE, name(1), b"sealed")))
        await session.call(m.Lock(9, 101, 1, LockMode.EXCLUSIVE))
        waiting = asyncio.ensure_future(other.call(m.Lock(10, 101, 1, LockMode.EXCLUSIVE, wait_ms=60_000)))
        code = await asyncio.to_thread(take_away, place)
        with refused(code):
            await session.call(m.GetStatistics())
        with refused(code):
            await place.session(worker)
        if take_away is delete:
            waiting.cancel()
        else:
            assert await waiting == m.Locked(10)
        await asyncio.gather(session.close(), other.close())

    asyncio.run(scenario())
