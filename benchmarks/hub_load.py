"""The hub alone: lookups and durable creates a second with 1, 8 and 32 in flight.

The client does next to nothing: it sends encoded requests and counts frames, because it shares the cores with the hub.
The ceiling is SQLite with the same rows in groups of the same size, in one process, without a network.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import apsw

from benchmarks.measure import Result, Timed, in_turns, seconds
from benchmarks.stage import NAME, Stage
from lucidfs.clock import SystemClock
from lucidfs.crypto.account import AccountKeys
from lucidfs.crypto.token import Token
from lucidfs.engine.account import login
from lucidfs.engine.link import Link
from lucidfs.types import Access, Kind
from lucidfs.wire import codec
from lucidfs.wire.messages import (
    PROTOCOL_VERSION,
    Create,
    Hello,
    NewNode,
    Request,
    RequestBody,
    Wait,
    Walk,
)
from lucidfs.wire.messages import (
    Path as TokenPath,
)
from lucidfs.wire.transport import Connection
from lucidfs.wire.websocket import WebSocketTransport

IN_FLIGHT = (1, 8, 32)
_SEALED = b"n" * 60  # as long as a sealed name of 30 bytes
_NAMES = itertools.count(1)


class Driver:
    """Sends requests with a given number in flight; a reply is a frame, and is not read."""

    def __init__(self) -> None:
        self._link = Link()
        self._open = False
        self._numbers = itertools.count(10)
        self._changes = itertools.count(1)
        self._left = self._due = 0
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._frames: Iterator[bytes] = iter(())
        self.connection: Connection
        self.last = b""

    @classmethod
    async def connect(cls, stage: Stage) -> tuple[Driver, int]:
        """A driver that is logged in to the filespace, and the number of the root folder."""
        driver = cls()
        transport, token = WebSocketTransport(stage.url), Token.parse(stage.token)
        account = await login(transport, token, clock=SystemClock(), random=os.urandom)
        filespace = next(one.id for one in await account.filespaces() if one.name == NAME)
        keys = AccountKeys(token)
        hello = Hello(PROTOCOL_VERSION, keys.key_id, os.urandom(32), filespace, 0, [], "benchmark")
        welcome = await driver._link.open(_Door(transport, driver), keys, hello, os.urandom)
        driver._open = True
        return driver, welcome.root

    def frame_received(self, frame: bytes) -> None:
        if not self._open:
            self._link.frame_received(frame)
            return
        self.last = frame
        self._left -= 1
        if self._due:
            self._due -= 1
            self.connection.send(next(self._frames))
        elif not self._left:
            self._done.set_result(None)

    def connection_lost(self, reason: str) -> None:
        self._link.connection_lost(reason)

    async def run(self, frames: list[bytes], in_flight: int) -> None:
        """Send all frames and return when all are answered."""
        self._done = asyncio.get_running_loop().create_future()
        self._frames = iter(frames)
        self._left, self._due = len(frames), len(frames) - in_flight
        for _ in range(in_flight):
            self.connection.send(next(self._frames))
        await self._done
        reply = codec.decode_server_frame(self.last)
        assert hasattr(reply, "body"), f"the hub refused: {reply}"

    def frame(self, body: RequestBody, change: bool) -> bytes:
        """A request, encoded; all changes before it count as seen."""
        seq = next(self._changes) if change else 0
        return codec.encode(Request(next(self._numbers), seq, max(0, seq - 1 - IN_FLIGHT[-1]), body))


class _Door:
    """A transport that puts the driver before the handshake's own receiver."""

    def __init__(self, transport: WebSocketTransport, driver: Driver) -> None:
        self._transport = transport
        self._driver = driver

    async def connect(self, receiver: object) -> Connection:
        self._driver.connection = await self._transport.connect(self._driver)
        return self._driver.connection


def run(stage: Stage, count: int, rounds: int) -> Iterator[Result]:
    """Yield the table's lines."""
    with closing(asyncio.new_event_loop()) as loop:
        driver, root = loop.run_until_complete(Driver.connect(stage))
        known = os.urandom(16)
        loop.run_until_complete(driver.run([driver.frame(_create(root, known), True)], 1))
        for in_flight in IN_FLIGHT:
            amount = count if in_flight > 1 else count // 4
            yield from _lookups(loop, driver, TokenPath(root, [known]), in_flight, amount, rounds, stage.folder)
            yield from _creates(loop, driver, root, in_flight, amount, rounds, stage.folder)


def _lookups(
    loop: asyncio.AbstractEventLoop,
    driver: Driver,
    path: TokenPath,
    in_flight: int,
    count: int,
    rounds: int,
    folder: Path,
) -> Iterator[Result]:
    walk = Walk(path, False, False, Access.NONE, Wait())
    bare = Bare(folder / "bare.db")

    def ours() -> float:
        frames = [driver.frame(walk, False) for _ in range(count)]
        return count / seconds(lambda: loop.run_until_complete(driver.run(frames, in_flight)))

    contestants: dict[str, Timed] = {"openlucid hub": ours, "ceiling: bare SQLite": partial(bare.lookups, count)}
    for who, value in in_turns(contestants, rounds).items():
        yield Result(f"lookups, {in_flight} in flight", who, value, "/s", "", "1 round trip" * (who[0] == "o"))
    bare.close()


def _creates(
    loop: asyncio.AbstractEventLoop, driver: Driver, root: int, in_flight: int, count: int, rounds: int, folder: Path
) -> Iterator[Result]:
    bare = Bare(folder / "bare.db")

    def ours() -> float:
        frames = [driver.frame(_create(root, os.urandom(16)), True) for _ in range(count)]
        return count / seconds(lambda: loop.run_until_complete(driver.run(frames, in_flight)))

    contestants: dict[str, Timed] = {
        "openlucid hub": ours,
        "ceiling: bare SQLite": partial(bare.creates, count, in_flight),
    }
    for who, value in in_turns(contestants, rounds).items():
        yield Result(f"creates, {in_flight} in flight", who, value, "/s", "yes", "1 round trip" * (who[0] == "o"))
    bare.close()


def _create(root: int, token: bytes) -> Create:
    number = int.from_bytes(os.urandom(7), "big") + 1
    return Create(root, NewNode(number, Kind.FOLDER, token, _SEALED, b""), None, Wait())


class Bare:
    """SQLite with a node and a stored reply for each create, and nothing around it."""

    def __init__(self, path: Path) -> None:
        self._db = apsw.Connection(str(path))
        for statement in (
            "PRAGMA journal_mode=WAL",
            "PRAGMA synchronous=FULL",
            "CREATE TABLE IF NOT EXISTS node(id INTEGER PRIMARY KEY, parent INT, token BLOB, name BLOB, revision INT)",
            "CREATE UNIQUE INDEX IF NOT EXISTS child ON node(parent, token)",
            "CREATE TABLE IF NOT EXISTS reply(session INT, seq INT, body BLOB, PRIMARY KEY(session,seq)) WITHOUT ROWID",
        ):
            self._db.execute(statement).fetchall()
        self._db.execute("INSERT OR IGNORE INTO node VALUES(1, 1, ?, ?, 1)", (b"known", _SEALED))

    def creates(self, count: int, group: int) -> float:
        """Creates a second, committed in groups."""
        return count / seconds(lambda: self._create(count, group))

    def _create(self, count: int, group: int) -> None:
        execute = self._db.execute
        for first in range(0, count, group):
            execute("BEGIN IMMEDIATE")
            for _ in range(first, min(first + group, count)):
                number = next(_NAMES) + 1
                execute("SELECT id FROM node WHERE parent=1 AND token=?", (number.to_bytes(16, "little"),)).fetchall()
                execute("INSERT OR REPLACE INTO node VALUES(?,1,?,?,1)", (number, os.urandom(16), _SEALED))
                execute("INSERT OR REPLACE INTO reply VALUES(1,?,?)", (number, _SEALED))
            execute("COMMIT")

    def lookups(self, count: int) -> float:
        """Lookups a second, one statement each."""

        def work() -> None:
            for _ in range(count):
                self._db.execute("SELECT * FROM node WHERE parent=1 AND token=?", (b"known",)).fetchall()

        return count / seconds(work)

    def close(self) -> None:
        self._db.close()
