"""Sessions against a real hub in this process: restarts, expiry, locks that are lost, revoked accounts."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest

from lucidfs.crypto.token import Token
from lucidfs.engine.account import login
from lucidfs.engine.engine import Engine
from lucidfs.errors import Code, Fault
from lucidfs.hub.database.base import Tx
from lucidfs.hub.settings import HubSettings
from lucidfs.types import Kind, LockMode, Role
from lucidfs.wire import messages
from lucidfs.wire.inprocess import InProcessTransport
from lucidfs.wire.messages import Wait
from lucidfs.wire.transport import Connection, Receiver
from tests.engines import CLOCK, LocalHub, local_hub, prepare

BRISK = HubSettings(inline_commit=True, session_limit_s=0.4, heartbeat_s=0.1)


async def refused(work: Awaitable[Any], code: Code) -> Fault:
    with pytest.raises(Fault) as caught:
        await work
    assert caught.value.code is code, caught.value
    return caught.value


async def make_file(engine: Engine, path: str) -> int:
    walk = await engine.tree.walk(path)
    return (await engine.tree.create_file(walk.place(), walk.name)).id


class Away:
    """While it lasts, one client cannot reach the hub; others can."""

    def __init__(self, engine: Engine, hub: LocalHub) -> None:
        self._session = engine.session
        self._transport = engine.session._transport
        self._hub = hub

    async def __aenter__(self) -> None:
        self._session._transport = InProcessTransport(lambda: None)
        link = self._session._link
        assert link is not None
        link.close("cut by the test")
        while self._session.connected:
            await asyncio.sleep(0)

    async def __aexit__(self, *_: object) -> None:
        self._session._transport = self._transport


def test_log_in_and_list_filespaces(tmp_path: Path) -> None:
    async def run() -> None:
        async with local_hub(tmp_path) as hub:
            account = await login(hub.transport, hub.prepared.tokens["writer"], clock=CLOCK, random=os.urandom)
            assert (account.name, account.workspace_name) == ("writer", "demo")
            (found,) = await account.filespaces()
            assert (found.id, found.name, found.role) == (hub.prepared.filespace, "files", Role.WRITE)
            stranger = await login(hub.transport, hub.prepared.tokens["stranger"], clock=CLOCK, random=os.urandom)
            assert await stranger.filespaces() == []
            await refused(stranger.link(hub.prepared.filespace), Code.DENIED)
            await refused(stranger.link(12345), Code.NOT_FOUND)

    asyncio.run(run())


def test_wrong_tokens_are_told_nothing(tmp_path: Path) -> None:
    async def run() -> None:
        async with local_hub(tmp_path) as hub:
            good = hub.prepared.tokens["writer"]
            wrong = Token.parse(f"sa_live:{good.key_id}:{Token.generate(os.urandom).text().rsplit(':')[-1]}")
            told = [
                await refused(login(hub.transport, token, clock=CLOCK, random=os.urandom), Code.UNAUTHENTICATED)
                for token in (wrong, Token.generate(os.urandom))
            ]
            assert told[0].message == told[1].message
            for _ in range(hub.settings.failed_logins_max - 2):
                await refused(login(hub.transport, wrong, clock=CLOCK, random=os.urandom), Code.UNAUTHENTICATED)
            await refused(login(hub.transport, good, clock=CLOCK, random=os.urandom), Code.TOO_MANY)

    asyncio.run(run())


def _revoke(tx: Tx, account: int) -> None:
    row = tx.account(account)
    assert row is not None
    tx.update_account(row._replace(revoked_ns=CLOCK.now_ns()))


def test_a_revoked_account_is_out_at_once(tmp_path: Path) -> None:
    async def run() -> None:
        async with local_hub(tmp_path) as hub:
            engine = await hub.link()
            assert hub.hub is not None and engine.session.welcome is not None
            account = engine.session.welcome.account
            await hub.hub.change(lambda tx: _revoke(tx, account))
            hub.hub.end_sessions(account, 0, "the account was revoked")
            await refused(engine.tree.list("/"), Code.UNAUTHENTICATED)
            await refused(engine.tree.list("/"), Code.UNAUTHENTICATED)
            await refused(hub.link(), Code.UNAUTHENTICATED)

    asyncio.run(run())


@pytest.mark.parametrize("orderly", [True, False])
def test_calls_wait_for_a_hub_that_restarts(tmp_path: Path, orderly: bool) -> None:
    async def run() -> None:
        async with local_hub(tmp_path) as hub:
            engine = await hub.link()
            folder = await engine.tree.make_folders("/d")
            making = [asyncio.create_task(engine.tree.create_file(folder, f"f{i}")) for i in range(200)]
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            if orderly:
                await hub.stop()
            else:
                hub.crash()
            making.append(asyncio.create_task(engine.tree.create_file(folder, "meanwhile")))
            await asyncio.sleep(0)
            assert not making[-1].done()
            await hub.start()
            await asyncio.gather(*making)
            assert len(await engine.tree.list("/d")) == 201
            assert engine.session.epoch == 1

    asyncio.run(run())


class Lossy:
    """A transport that loses the connection right after the hub applied some changes, before the replies arrive."""

    def __init__(self, inner: InProcessTransport, every: int) -> None:
        self.inner = inner
        self.every = every
        self.frames = 0
        self.cuts = 0

    async def connect(self, receiver: Receiver) -> Connection:
        connections: list[Connection] = []
        outer = self

        class Half:
            def frame_received(self, frame: bytes) -> None:
                outer.frames += 1
                if outer.frames % outer.every == 0:
                    outer.cuts += 1
                    connections[0].close("lost by the test")
                else:
                    receiver.frame_received(frame)

            def connection_lost(self, reason: str) -> None:
                receiver.connection_lost(reason)

        connections.append(await self.inner.connect(Half()))
        return connections[0]


@pytest.mark.parametrize("crash", [False, True])
def test_changes_happen_once_however_often_they_are_sent(tmp_path: Path, crash: bool) -> None:
    async def run() -> None:
        async with local_hub(tmp_path) as hub:
            lossy = Lossy(hub.transport, every=7)
            hub.transport = lossy  # type: ignore[assignment]
            engine = await hub.link()
            folder = await engine.tree.make_folders("/d")

            async def make(name: str) -> None:
                await engine.tree.create_file(folder, name)  # a repeat that was applied twice would be EXISTS

            making = [asyncio.create_task(make(f"f{i}")) for i in range(30)]
            if crash:
                while lossy.cuts < 2:
                    await asyncio.sleep(0)
                hub.crash()
                await hub.start()
            await asyncio.gather(*making)
            lossy.every = 1_000_000
            assert len(await engine.tree.list("/d")) == 30
            assert lossy.cuts >= 2

    asyncio.run(run())


def test_an_expired_session_goes_on_as_a_new_one(tmp_path: Path) -> None:
    async def run() -> None:
        async with local_hub(tmp_path, BRISK) as hub:
            engine = await hub.link()
            assert hub.hub is not None
            async with Away(engine, hub):
                while len(hub.hub.sessions):
                    await asyncio.sleep(0.02)
                waiting = asyncio.create_task(engine.tree.make_folders("/d"))
                await asyncio.sleep(0)
            assert (await waiting).name == "d"
            assert engine.session.epoch == 2

    asyncio.run(run())


def test_heartbeats_keep_an_idle_session(tmp_path: Path) -> None:
    async def run() -> None:
        async with local_hub(tmp_path, BRISK) as hub:
            engine = await hub.link()
            await asyncio.sleep(3 * BRISK.session_limit_s)
            assert engine.session.epoch == 1 and engine.session.connected
            await engine.tree.list("/")
            assert engine.session.epoch == 1

    asyncio.run(run())


def test_locks_lost_by_expiry_are_fenced(tmp_path: Path) -> None:
    async def run() -> None:
        async with local_hub(tmp_path, BRISK) as hub:
            engine, other = await hub.link(), await hub.link("other")
            file = await make_file(engine, "/f")
            lock = await engine.locks.acquire(file, 7, LockMode.EXCLUSIVE)
            assert engine.locks.held(7) == [lock]
            async with Away(engine, hub):
                theirs = await other.locks.acquire(file, 9, LockMode.EXCLUSIVE)  # waits until the session is expired
                late = asyncio.create_task(
                    engine.session.call(messages.Delete(messages.Path(engine.tree.root.id, []), wait=Wait(0, [lock])))
                )
                move = messages.Delete(
                    messages.Path(engine.tree.root.id, [engine.tree._keys.name_token("f")]), wait=Wait(0, [lock])
                )
                fenced = asyncio.create_task(engine.session.call(move))
                await asyncio.sleep(0)
            await refused(fenced, Code.FENCED)
            with pytest.raises(Fault):
                await late
            with pytest.raises(Fault) as caught:
                engine.locks.held(7)
            assert caught.value.code is Code.FENCED
            await engine.locks.release_all(7)
            assert engine.locks.held(7) == []
            assert [info.lock for info in await engine.locks.holders()] == [theirs]

    asyncio.run(run())


def test_locks_outlive_a_restart_of_the_hub(tmp_path: Path) -> None:
    async def run() -> None:
        async with local_hub(tmp_path) as hub:
            engine, other = await hub.link(), await hub.link("other")
            file = await make_file(engine, "/f")
            lock = await engine.locks.acquire(file, 7, LockMode.EXCLUSIVE)
            hub.crash()
            await hub.start()
            await refused(other.locks.acquire(file, 9, LockMode.SHARED, timeout_s=0), Code.LOCKED)
            assert [info.lock for info in await engine.locks.holders(file)] == [lock]
            assert engine.locks.held(7) == [lock]
            await engine.locks.release(file, 7)
            await other.locks.acquire(file, 9, LockMode.SHARED, timeout_s=0)

    asyncio.run(run())


def test_lock_ranges_are_tracked_as_the_hub_tracks_them(tmp_path: Path) -> None:
    async def run() -> None:
        async with local_hub(tmp_path) as hub:
            engine, other = await hub.link(), await hub.link("other")
            file = await make_file(engine, "/f")
            locks = engine.locks
            whole = await locks.acquire(file, 7, LockMode.SHARED)
            await locks.release(file, 7, 100, 50)
            assert locks.held(7) == [whole]
            middle = await locks.acquire(file, 7, LockMode.EXCLUSIVE, 110, 10)
            await other.locks.acquire(file, 9, LockMode.EXCLUSIVE, 130, 10, timeout_s=0)
            await refused(other.locks.acquire(file, 9, LockMode.EXCLUSIVE, 0, 1, timeout_s=0), Code.LOCKED)
            await refused(other.locks.acquire(file, 9, LockMode.SHARED, 115, 1, timeout_s=0), Code.LOCKED)
            await locks.release(file, 7, 0, 100)
            # What relies on the locks that are held is let through: no id is named that the hub does not know.
            touch = messages.Commit(
                file, 0, messages.NewContent(0, 1, b"m" * 16), touched=[(112, 113)], wait=Wait(0, locks.held(7))
            )
            assert locks.held(7) == [middle]
            await engine.session.call(touch)
            await locks.release_all(7)
            assert len(await locks.holders(file)) == 1
            for bad in ((-1, 0), (0, -1), (2**63 - 1, 5)):
                await refused(locks.acquire(file, 7, LockMode.SHARED, *bad), Code.INVALID)
            await refused(locks.acquire(12345, 7, LockMode.SHARED), Code.NOT_FOUND)
            reader = await hub.link("reader")
            await refused(reader.locks.acquire(file, 1, LockMode.EXCLUSIVE), Code.DENIED)

    asyncio.run(run())


def test_a_lock_that_nobody_waits_for_any_more_is_given_back(tmp_path: Path) -> None:
    async def run() -> None:
        async with local_hub(tmp_path) as hub:
            engine, other = await hub.link(), await hub.link("other")
            file = await make_file(engine, "/f")
            await other.locks.acquire(file, 9, LockMode.EXCLUSIVE)
            waiting = asyncio.create_task(engine.locks.acquire(file, 7, LockMode.EXCLUSIVE))
            while len(await other.locks.holders(file)) < 2:
                await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.wait({waiting})
            await other.locks.release_all(9)
            await other.locks.acquire(file, 9, LockMode.EXCLUSIVE)  # after the cancelled one in line
            assert [info.handle for info in await other.locks.holders(file)] == [9]

    asyncio.run(run())


def test_locks_of_others_stop_plain_use(tmp_path: Path) -> None:
    async def run() -> None:
        async with local_hub(tmp_path) as hub:
            engine, other = await hub.link(), await hub.link("other")
            file = await make_file(engine, "/f")
            await other.locks.acquire(file, 9, LockMode.EXCLUSIVE)
            await refused(engine.tree.delete("/f", wait_ms=0), Code.LOCKED)
            await refused(engine.tree.move("/f", "/g", wait_ms=0), Code.LOCKED)
            deleting = asyncio.create_task(engine.tree.delete("/f"))
            assert hub.hub is not None
            while not hub.hub.table.waiting_count:
                await asyncio.sleep(0)
            await other.locks.release_all(9)
            await deleting
            assert (await engine.tree.walk("/f")).node is None

    asyncio.run(run())


def test_a_hub_of_another_version_is_refused_clearly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        async with local_hub(tmp_path) as hub:
            monkeypatch.setattr("lucidfs.engine.session.PROTOCOL_VERSION", 99)
            assert "99" in (await refused(hub.link(), Code.VERSION)).message

    asyncio.run(run())


def test_closing_twice_and_with_the_hub_away(tmp_path: Path) -> None:
    async def run() -> None:
        prepared = prepare(tmp_path)
        async with local_hub(tmp_path, prepared=prepared) as hub:
            engine = await hub.link()
            folder = await engine.tree.make_folders("/d")
            assert folder.kind is Kind.FOLDER
            hub.crash()
            await engine.close()
            await engine.close()
            await refused(engine.tree.list("/"), Code.UNAVAILABLE)

    asyncio.run(run())
