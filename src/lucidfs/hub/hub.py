"""The hub: one database, one store, and the sessions, locks and lines that live in memory between them.

Everything here runs on one asyncio loop. Changes go through the committer; reads take a snapshot each. Nothing is
kept that a restart could not make again from the database.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from typing import Generic, TypeVar

from lucidfs.clock import Clock
from lucidfs.errors import Code, Fault
from lucidfs.hub import granting
from lucidfs.hub.admission import Admission
from lucidfs.hub.committer import Committer
from lucidfs.hub.connection import HubConnection
from lucidfs.hub.database.base import AccountRow, Database, SessionRow, Tx
from lucidfs.hub.deleter import Deleter
from lucidfs.hub.hold import Hold
from lucidfs.hub.locks import LockTable
from lucidfs.hub.login import OpenSession
from lucidfs.hub.metrics import Metrics
from lucidfs.hub.mover import Mover
from lucidfs.hub.operations.live import Live, Progress
from lucidfs.hub.operations.scene import Caller
from lucidfs.hub.packer import Packer
from lucidfs.hub.reaper import Reaper
from lucidfs.hub.secrets import Secrets
from lucidfs.hub.sessions import Session, Sessions
from lucidfs.hub.settings import HubSettings
from lucidfs.hub.stores import Stores, looking_into
from lucidfs.hub.sweeper import Sweeper, Uploads
from lucidfs.limits import MOVE_WORKERS
from lucidfs.objects.base import ObjectStore
from lucidfs.wire.messages import Expired, Goodbye, Grant, Hello, Welcome
from lucidfs.wire.transport import Connection, Receiver

log = logging.getLogger(__name__)
T = TypeVar("T")

_SIGNING_KEY = "gateway-key"  # in the database's settings
_SIGNING_KEY_BYTES = 32


class Hub:
    """One running hub.

    Args:
        database: opened; closed by whoever opened it.
        store: where objects are of filespaces that have no bucket of their own; closed by whoever opened it.
        clock: tells the time.
        random: source of random bytes.
        settings: see `HubSettings`.
        hold: keeps objects from being deleted while a backup runs; None: nobody else can reach them.
        secrets: seals the keys of S3 buckets; None: this hub keeps none, and has no data stores.
        cleaning: where cleaners wait for stores; None: in a thread of their own.
    """

    def __init__(
        self,
        database: Database,
        store: ObjectStore,
        *,
        clock: Clock,
        random: Callable[[int], bytes],
        settings: HubSettings | None = None,
        hold: Hold | None = None,
        secrets: Secrets | None = None,
        cleaning: Executor | None = None,
    ) -> None:
        self.database = database
        self.clock = clock
        self.random = random
        self.secrets = secrets
        self.settings = settings or HubSettings()
        private = self.settings.allow_private_endpoints
        self.store = Stores(store, looking_into(database), secrets, clock=clock, random=random, private=private)
        self.metrics = Metrics()
        self.table = LockTable(self.fresh_id)
        self.sessions = Sessions(clock, self.settings.session_limit_s)
        self._admission = Admission(clock, self.settings.failed_logins_max)
        self._writer = None if self.settings.inline_commit else ThreadPoolExecutor(1, "lucid commit")
        self.committer = Committer(database, self.table, self._writer, self.metrics.group)
        self.signing_key = b""
        self._connections: set[HubConnection] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._cleaners: list[asyncio.Task[None]] = []
        self._hold = hold
        self.started_ns = 0
        self.uploads = Uploads()  # as the sweeper found them last
        self._cleaning = cleaning or ThreadPoolExecutor(1, "lucid cleaner")
        # No threads before the first move; a simulation has neither.
        self._moving = None if self.settings.inline_commit else ThreadPoolExecutor(MOVE_WORKERS, "lucid mover")
        self._moves: Mapping[int, Progress] = {}
        self._stopping = True  # until `start`
        self._watch()

    # --- life ---------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Take over what the database holds, and begin to serve."""
        with self.database.read() as tx:
            unusable = self.sessions.load(tx)
            self.signing_key = tx.setting(_SIGNING_KEY) or b""
            live = {session.id for session in self.sessions}
            self.table.load(row for row in tx.locks() if row.session in live)
        if unusable:
            await self.change(partial(_end_rows, unusable, self.clock.now_ns()))
        if not self.signing_key:
            self.signing_key = self.random(_SIGNING_KEY_BYTES)
            await self.change(lambda tx: tx.put_setting(_SIGNING_KEY, self.signing_key))
        self._stopping = False
        self._sweep_later()
        self.started_ns = self.clock.now_ns()
        self._start_cleaners()

    async def stop(self) -> None:
        """Orderly end: refuse new work, finish and answer what runs, tell every session, close connections.

        Sessions, locks and replies stay in the database, so clients can go on with the next hub.
        """
        if self._stopping:
            return
        self._end_background()
        for connection in list(self._connections):
            connection.push(Goodbye("the hub is shutting down"))
        away = Fault(Code.SHUTTING_DOWN, "the hub is shutting down")
        for session in self.sessions:
            for change in list(session.running.values()):
                change.drop(away)
        for connection in list(self._connections):
            for read in list(connection.parked):
                read.drop(away)
        try:
            await asyncio.wait_for(self.committer.drain(), self.settings.shutdown_s)
        except asyncio.TimeoutError:
            log.warning("running changes did not finish within %g s", self.settings.shutdown_s)
        for connection in list(self._connections):
            connection.close("the hub is shutting down")
        self.store.close()  # before the threads: it ends their pauses between attempts
        for threads in (self._writer, self._cleaning, self._moving):
            if threads is not None:
                threads.shutdown(wait=True)

    def crash(self) -> None:
        """End without any courtesy, as a power cut would: for simulation. The database is the caller's to close."""
        self._end_background()
        self.committer.crash()
        for connection in list(self._connections):
            connection.close("crash")

    def _end_background(self) -> None:
        self._stopping = True
        if self._timer is not None:
            self._timer.cancel()
        for cleaner in self._cleaners:
            cleaner.cancel()

    def _start_cleaners(self) -> None:
        deleter = Deleter(self.store, self._cleaning, self._hold)
        reaper = Reaper(self, deleter, clock=self.clock, observe=self.metrics.reaped)
        sweeper = Sweeper(
            self,
            self.database,
            self.store,
            deleter,
            clock=self.clock,
            observe=self._swept,
            grace_s=self.settings.upload_grace_s,
            every_s=self.settings.sweep_every_s,
        )
        packer = Packer(
            self,
            self.database,
            self.store,
            deleter,
            clock=self.clock,
            fresh_id=self.fresh_id,
            observe=self.metrics.packed,
            after_s=self.settings.pack_after_s,
            every_s=self.settings.pack_every_s,
            gain_bytes=self.settings.pack_gain_bytes,
        )
        runs = [reaper.run, sweeper.run, packer.run]
        if self._moving is not None:
            mover = Mover(
                self,
                self.database,
                self.store,
                self._moving,
                self._hold,
                clock=self.clock,
                settle_s=self.settings.move_settle_s,
                grace_s=self.settings.move_grace_s,
            )
            self._moves = mover.progress
            runs.append(mover.run)
        self._cleaners = [asyncio.create_task(run(), name="lucid cleaner") for run in runs]

    def _swept(self, uploads: Uploads) -> None:
        self.uploads = uploads
        self.metrics.swept(uploads.swept, uploads.swept_bytes)

    def check_open(self) -> None:
        """Raises Fault(SHUTTING_DOWN) unless the hub takes new work."""
        if self._stopping:
            raise Fault(Code.SHUTTING_DOWN, "the hub is shutting down")

    @property
    def serving(self) -> bool:
        """Whether it takes new work."""
        return not self._stopping

    # --- connections --------------------------------------------------------------------------------------------

    def accept(self, connection: Connection, base_url: str = "", local: bool = False) -> Receiver:
        """Take a new connection.

        Args:
            connection: the wire, open.
            base_url: the address by which the client reached the hub; signed URLs begin with it.
            local: the client is on this machine, as far as can be seen from here.
        """
        objects_mark = self.settings.objects_mark if local else ""
        ours = HubConnection(self, connection, self.settings.public_url or base_url, objects_mark)
        if not self._admission.enter(connection.peer):
            ours.close("too many connections from this address")
            return ours
        self._connections.add(ours)
        return ours

    def connection_ended(self, connection: HubConnection, address: str) -> None:
        """Called by a connection that was lost."""
        if connection in self._connections:
            self._connections.remove(connection)
            self._admission.exit(address)

    def check_logins(self, address: str) -> None:
        """Raises Fault(TOO_MANY) while too many logins of this address have failed."""
        self._admission.check_login(address)

    def login_failed(self, address: str) -> None:
        """Count a failed login."""
        self._admission.login_failed(address)

    # --- sessions -----------------------------------------------------------------------------------------------

    def resumable(self, hello: Hello, account: int) -> Session | None:
        """The live session that a client may go on with."""
        session = self.sessions.find(hello.resume)
        if session is None or session.ended or not hello.resume:
            return None
        if (session.caller.account, session.caller.filespace) != (account, hello.filespace):
            return None
        return session

    def open_session(
        self,
        hello: Hello,
        account: AccountRow,
        done: Callable[[Welcome, Caller], None],
        refused: Callable[[Fault], None],
    ) -> None:
        """Make a session in the next group."""
        job = OpenSession(hello, account, self.fresh_id(), self.settings, self.clock.now_ns(), done, refused)
        self.committer.submit(job)

    def end_session(self, session: Session, reason: str, told: Callable[[], None] = lambda: None) -> None:
        """End a session now: nothing of it is applied any more. Its locks are free when that is on disk.

        Args:
            session: which.
            reason: for its client.
            told: called when it is on disk.
        """
        if session.ended:
            return
        session.ended = reason
        self.committer.submit(_EndSession(self, session, told), urgent=True)

    def end_sessions(self, account: int, filespace: int, reason: str) -> None:
        """End an account's sessions in a filespace (0: all of them) at once, and tell them."""
        for session in self.sessions.of(account, filespace):
            self._expel(session, reason)

    def _expel(self, session: Session, reason: str) -> None:
        self.end_session(session, reason)
        if session.connection is not None:
            session.connection.push(Expired(reason))
            session.connection.close(reason)

    def _sweep(self) -> None:
        for session in self.sessions.silent():
            self.metrics.expired()
            self._expel(session, "nothing was heard of the client for the session's time limit")
        self._sweep_later()

    def _sweep_later(self) -> None:
        pause_s = self.settings.session_limit_s / 8
        self._timer = asyncio.get_running_loop().call_later(pause_s, self._sweep)

    # --- for the management API and the gateway -------------------------------------------------------------------

    async def change(self, apply: Callable[[Tx], T]) -> T:
        """Run a change in the next group; returns when it is durable. Raises what `apply` raised as Fault."""
        result: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self.committer.submit(_Errand(apply, result))
        return await result

    def grants(self, filespace: int, objects: list[int], put: bool, base_url: str) -> list[Grant]:
        """Signed URLs that let their bearer PUT or GET these objects; see `hub.granting`."""
        return granting.grants(
            self.database,
            self.store,
            filespace,
            objects,
            put=put,
            signing_key=self.signing_key,
            base_url=base_url,
            now_ns=self.clock.now_ns(),
        )

    def store_changed(self, filespace: int) -> None:
        """Close the connections of a filespace's clients; their sessions go on, and are told anew where objects are."""
        for session in self.sessions:
            if session.caller.filespace == filespace and session.connection is not None:
                session.connection.close("the filespace's objects move to another store")

    @property
    def live(self) -> Live:
        """What goes on at this moment, for the management API."""
        present = {each.id: (each.caller, each.connection is not None) for each in self.sessions}
        return Live(self.started_ns, present, self.table.listing, self.committer.waiting, self.uploads, self._moves)

    def fresh_id(self) -> int:
        """A random number for a session, a pack, or half a lock."""
        return int.from_bytes(self.random(8), "big") >> 1 or 1

    def _watch(self) -> None:
        gauge = self.metrics.gauge
        gauge("lucid_sessions", "Live sessions", lambda: len(self.sessions))
        gauge("lucid_connections", "Open connections", lambda: len(self._connections))
        gauge("lucid_locks_held", "Locks held", lambda: self.table.held_count)
        gauge("lucid_locks_waiting", "Requests in line for locks", lambda: self.table.waiting_count)
        gauge("lucid_changes_waiting", "Changes in the queue", lambda: self.committer.waiting)
        gauge("lucid_uploads", "Objects that no commit uses, at the last sweep", lambda: self.uploads.objects)
        gauge("lucid_uploads_bytes", "Their bytes", lambda: self.uploads.bytes)
        gauge("lucid_uploads_leftover", "Those of clients that are gone", lambda: self.uploads.leftover)
        gauge("lucid_uploads_stuck", "Those of clients that are here, older than a day", lambda: self.uploads.stuck)
        gauge("lucid_uploads_oldest_seconds", "When the oldest was put", lambda: self.uploads.oldest_ns / 1e9)


class _EndSession:
    """The job that makes the end of a session durable and its locks free."""

    def __init__(self, hub: Hub, session: Session, told: Callable[[], None]) -> None:
        self._hub = hub
        self._session = session
        self._told = told

    def run(self, tx: Tx) -> None:
        tx.end_session(self._session.id, self._hub.clock.now_ns())
        for waiter in self._hub.table.end_session(self._session.id):
            assert waiter.on_ready is not None
            waiter.on_ready()  # runs again, and finds that its session is over

    def settle(self, fault: Fault | None) -> None:
        if fault is not None:
            log.error("the end of a session could not be stored: %s", fault)
        self._hub.sessions.remove(self._session)
        self._told()


class _Errand(Generic[T]):
    """A change of the hub itself, or of its management API."""

    def __init__(self, apply: Callable[[Tx], T], result: asyncio.Future[T]) -> None:
        self._apply = apply
        self._result = result
        self._value: T | None = None

    def run(self, tx: Tx) -> None:
        self._value = self._apply(tx)

    def settle(self, fault: Fault | None) -> None:
        if self._result.done():  # whoever asked has gone away
            return
        if fault is not None:
            self._result.set_exception(fault)
        else:
            self._result.set_result(self._value)  # type: ignore[arg-type]


def _end_rows(rows: list[SessionRow], now_ns: int, tx: Tx) -> None:
    for row in rows:
        tx.end_session(row.id, now_ns)
