"""A hub on the test's own loop, and a client that speaks the wire by hand: every frame is the test's own decision."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from lucidfs import identity
from lucidfs.clock import Clock, SystemClock
from lucidfs.errors import Code, Fault
from lucidfs.hub.database.base import AccountRow, FilespaceRow, GrantRow, NodeRow, WorkspaceRow
from lucidfs.hub.database.sqlite import SqliteDatabase
from lucidfs.hub.hub import Hub
from lucidfs.hub.settings import HubSettings
from lucidfs.objects.memory import MemoryStore
from lucidfs.types import Kind, Role
from lucidfs.wire import codec
from lucidfs.wire import messages as m
from lucidfs.wire.inprocess import InProcessTransport
from lucidfs.wire.transport import Connection, Transport

T = TypeVar("T")

WORKSPACE, FILESPACE, ROOT, OTHER_FILESPACE = 1, 3, 4, 5
ADMIN_SEED, READER_SEED, REVOKED_SEED = (bytes([number]) * 32 for number in (1, 2, 3))
ADMIN, READER, REVOKED = 11, 12, 13  # accounts; the reader may only read, and only the first filespace
KEYS = {ADMIN: ("00000000000000aa", ADMIN_SEED), READER: ("00000000000000bb", READER_SEED)}
KEYS[REVOKED] = ("00000000000000cc", REVOKED_SEED)


def name(number: int) -> bytes:
    """A name token."""
    return b"name%012d" % number


def fill(database: SqliteDatabase) -> None:
    """A workspace with two filespaces and three accounts."""
    tx = database.begin()
    tx.insert_workspace(WorkspaceRow(WORKSPACE, "demo", 1))
    for account, (key_id, seed) in KEYS.items():
        public = identity.public_key(seed)
        revoked = 9 if account == REVOKED else 0
        tx.insert_account(
            AccountRow(account, WORKSPACE, f"account{account}", key_id, public, bytes(32), account == ADMIN, 1, revoked)
        )
    for filespace, root in ((FILESPACE, ROOT), (OTHER_FILESPACE, ROOT + 1000)):
        tx.insert_filespace(FilespaceRow(filespace, WORKSPACE, f"space{filespace}", root, 1))
        tx.insert_node(NodeRow(root, filespace, 0, b"", int(Kind.FOLDER), b""))
        tx.put_grant(GrantRow(filespace, ADMIN, int(Role.ADMIN), b"sealed key"))
    tx.put_grant(GrantRow(FILESPACE, READER, int(Role.READ), b"sealed key"))
    database.commit()


class Rig:
    """One hub at a time over one database, with clients on the same loop.

    Args:
        folder: where the database goes.
        settings: of the hub.
        clock: of the hub.
    """

    def __init__(self, folder: Path, settings: HubSettings | None = None, clock: Clock | None = None) -> None:
        self.path = folder / "hub.sqlite"
        self.settings = settings or HubSettings()
        self.clock = clock or SystemClock()
        self.store = MemoryStore()
        self.hub: Hub | None = None
        self.clients: list[RawClient] = []
        fresh = not self.path.exists()
        self.database = SqliteDatabase(self.path, durable=False)
        if fresh:
            fill(self.database)

    async def start(self) -> Hub:
        """A hub, serving."""
        hub = Hub(self.database, self.store, clock=self.clock, random=os.urandom, settings=self.settings)
        await hub.start()
        self.hub = hub
        return hub

    async def crash(self) -> Hub:
        """Lose everything that is in memory and not committed, and start again."""
        assert self.hub is not None
        self.hub.crash()
        self.hub = None
        while self.database._writing is not None:  # a commit in the hub's thread comes to its end either way
            await asyncio.sleep(0)
        self.database.close()
        self.database = SqliteDatabase(self.path, durable=False)
        return await self.start()

    async def stop(self) -> None:
        """End everything."""
        for client in self.clients:
            client.close()
        if self.hub is not None:
            await self.hub.stop()
            self.hub = None
        self.database.close()

    def transport(self, peer: str = "in-process") -> Transport:
        """To the hub of the moment."""
        return InProcessTransport(lambda: self.hub, peer)

    async def connect(self, peer: str = "in-process") -> RawClient:
        """A connection without a handshake."""
        client = RawClient()
        self.clients.append(client)
        await client.connect(self.transport(peer))
        return client

    async def login(self, account: int = ADMIN, filespace: int = FILESPACE, **hello: Any) -> RawClient:
        """A connection with a session."""
        client = await self.connect()
        await client.login(account, filespace, **hello)
        return client


def run(folder: Path, scenario: Callable[[Rig], Awaitable[T]], settings: HubSettings | None = None) -> T:
    """Run a scenario against a fresh hub."""

    async def main() -> T:
        rig = Rig(folder, settings)
        await rig.start()
        try:
            return await scenario(rig)
        finally:
            await rig.stop()

    return asyncio.run(main())


class RawClient:
    """One connection of a client without any cleverness: no resending, no acknowledging but as told."""

    welcome: m.Welcome

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.pushes: list[m.Message] = []
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.acked = 0
        self._ids = 0
        self._seq = 0
        self._answers: dict[int, asyncio.Future[m.Message]] = {}
        self._connection: Connection | None = None

    # --- Receiver ---------------------------------------------------------------------------------------------

    def frame_received(self, frame: bytes) -> None:
        message = codec.decode_server_frame(frame)
        if isinstance(message, m.Push):
            self.pushes.append(message.body)
            return
        answer = self._answers.pop(message.id, None)
        if answer is None or answer.done():
            return
        if isinstance(message, m.Failure):
            answer.set_exception(Fault(Code(message.code), message.message))
        else:
            answer.set_result(message.body)

    def connection_lost(self, reason: str) -> None:
        if not self.lost.done():
            self.lost.set_result(reason)
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(Fault(Code.UNAVAILABLE, reason))
                answer.exception()  # whoever waits sees it; nobody has to
        self._answers.clear()

    # --- speaking ---------------------------------------------------------------------------------------------

    async def connect(self, transport: Transport) -> None:
        self._connection = await transport.connect(self)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close("the test closes it")

    async def leave(self) -> None:
        """Close, and wait until nothing of the connection is left."""
        self.close()
        await self.lost

    def send_frame(self, frame: bytes) -> None:
        assert self._connection is not None
        self.sent.append(frame)
        self._connection.send(frame)

    def ask(self, body: Any, *, seq: int = 0) -> asyncio.Future[Any]:
        """Send a request; the future has the reply's body, or raises its Fault."""
        self._ids += 1
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._answers[self._ids] = answer
        self.send_frame(codec.encode(m.Request(self._ids, seq, self.acked, body)))
        return answer

    def next_seq(self) -> int:
        self._seq += 1
        return self._seq

    def change(self, body: Any) -> asyncio.Future[Any]:
        """Send a change with the next number."""
        return self.ask(body, seq=self.next_seq())

    async def call(self, body: Any) -> Any:
        """Ask, and wait for the reply."""
        return await (self.change(body) if m.REQUESTS[type(body)].change else self.ask(body))

    async def settled(self) -> None:
        """Wait until the hub has taken in everything that was sent so far."""
        await self.ask(m.Heartbeat())

    async def hello(
        self,
        account: int = ADMIN,
        filespace: int = FILESPACE,
        *,
        resume: int = 0,
        unacked: list[int] | None = None,
        version: int = m.PROTOCOL_VERSION,
        seed: bytes | None = None,
        key_id: str | None = None,
    ) -> m.Login:
        """The first half of a handshake; returns the answer to the challenge."""
        known_id, known_seed = KEYS[account]
        nonce = os.urandom(32)
        greeting = m.Hello(version, key_id or known_id, nonce, filespace, resume, unacked or [], "raw")
        challenge = await self.ask(greeting)
        transcript = identity.login_transcript(version, greeting.key_id, nonce, challenge.nonce, filespace, resume)
        return m.Login(identity.sign(seed or known_seed, transcript))

    async def login(self, account: int = ADMIN, filespace: int = FILESPACE, **hello: Any) -> m.Welcome:
        """The whole handshake."""
        self.welcome = await self.ask(await self.hello(account, filespace, **hello))
        return self.welcome

    # --- what tests do often ----------------------------------------------------------------------------------

    async def create(self, number: int) -> m.Entry:
        """An empty file in the root, with id 100 + number."""
        created = await self.call(new_file(number))
        assert isinstance(created, m.Created)
        return created.entry

    async def names(self) -> list[int]:
        """Ids of everything in the root."""
        listing = await self.call(m.ListFolder(ROOT))
        assert isinstance(listing, m.Listing)
        return [entry.id for entry in listing.entries]


def new_file(number: int) -> m.Create:
    return m.Create(ROOT, m.NewNode(100 + number, Kind.FILE, name(number), b"sealed name"))


@contextmanager
def refused(code: Code) -> Iterator[list[str]]:
    """The block must raise this Fault; its message is in the list afterwards."""
    words: list[str] = []
    try:
        yield words
    except Fault as fault:
        assert fault.code is code, fault
        words.append(fault.message)
    else:
        raise AssertionError(f"{code.name} expected")
