"""The client of one linked filespace: session, tree, locks and files put together, taken apart in the same order.

Everything runs on one loop's thread; `Bridge` brings calls of other threads there. Nothing is global: an engine can be
made again, in a forked child for instance, from (hub, token, filespace, root path, settings).
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

from lucidfs.clock import Clock
from lucidfs.crypto.account import AccountKeys
from lucidfs.crypto.keys import FilespaceKeys
from lucidfs.engine.connect import Connect
from lucidfs.engine.external import Externals, Locations
from lucidfs.engine.files import Files, Pending
from lucidfs.engine.grants import Grants
from lucidfs.engine.locks import Locks
from lucidfs.engine.nearby import Nearest
from lucidfs.engine.node import Node
from lucidfs.engine.session import Session
from lucidfs.engine.settings import EngineSettings
from lucidfs.engine.tree import Tree
from lucidfs.engine.walk import Walker
from lucidfs.engine.workers import InlineWorkers, Runner, Workers
from lucidfs.errors import Code, Fault
from lucidfs.ids import Ids
from lucidfs.namespace.names import split_path
from lucidfs.objects.base import ObjectStore
from lucidfs.objects.external import ExternalStore
from lucidfs.objects.signed import SignedStore
from lucidfs.objects.wrappers import wrap_store
from lucidfs.types import Access, Kind, NodeId
from lucidfs.wire.messages import FilespaceInfo, Statistics, Wait, Welcome
from lucidfs.wire.transport import Transport


class Engine:
    """One linked filespace. Made by `link`, ended by `close`.

    Attributes:
        info: the filespace (id, name, role), as the hub told it when it was linked.
        session, tree, locks, files, connect: the parts, for all that one does with them.
    """

    def __init__(
        self,
        info: FilespaceInfo,
        session: Session,
        tree: Tree,
        locks: Locks,
        files: Files,
        connect: Connect,
        bodies: _BodyWork,
    ) -> None:
        self.info = info
        self.session = session
        self.tree = tree
        self.locks = locks
        self.files = files
        self.connect = connect
        self._bodies = bodies
        self._closed = False

    @classmethod
    async def link(
        cls,
        transport: Transport,
        keys: AccountKeys,
        filespace: int,
        root_path: str,
        settings: EngineSettings,
        *,
        clock: Clock,
        random: Callable[[int], bytes],
        store: ObjectStore | None = None,
        workers: Runner | None = None,
        sleep: Callable[[float], object] | None = None,
    ) -> Engine:
        """Log in to a filespace and put its client together. See `Account.link`.

        Args:
            workers: run the body work; None: made as the settings say. For a simulation, as is:
            sleep: waits that many seconds between two attempts at the store, in a worker; None: the thread waits.
        """
        session = Session(transport, keys, filespace, clock=clock, random=random, software=settings.software)
        welcome = await session.open()
        try:
            assert welcome.filespace is not None, "the handshake checked it"
            filespace_keys = FilespaceKeys(keys.open_filespace_key(welcome.sealed_key, filespace), random)
            root = await _linked_root(session, filespace_keys, welcome, root_path)
            ids = Ids(random)
            tree, locks = Tree(session, filespace_keys, ids, root), Locks(session, ids)
            bodies = _BodyWork(session, settings, clock, random, store, workers, sleep)
            files = Files(
                session,
                tree,
                locks,
                filespace_keys,
                ids,
                bodies.store,
                settings,
                clock,
                random,
                bodies.workers,
                bodies.grants,
                externals=Externals(bodies.locations, bodies.external_store, filespace, bodies.workers),
            )
            connect = Connect(session, tree, filespace_keys, ids, clock, random, bodies.workers)
        except BaseException:
            await session.close()
            raise
        return cls(welcome.filespace, session, tree, locks, files, connect, bodies)

    async def statistics(self) -> Statistics:
        """Counters of the whole filespace, also when only a folder of it is linked."""
        return await self.tree.statistics()

    def pending(self) -> Pending:
        """What was closed or flushed and is not durable yet."""
        return self.files.pending()

    async def sync(self) -> None:
        """Return when everything that was closed or flushed before is durable. Raises what prevented it."""
        await self.files.sync()

    async def close(self, sync: bool = True) -> None:
        """End the client. Repeat: no-op.

        Args:
            sync: first bring what was closed or flushed to the hub and the store; else it may be lost.

        Raises:
            Fault: what the sync raised; the client is closed all the same.
        """
        if self._closed:
            return
        self._closed = True
        try:
            if sync:
                await self.files.sync()
        finally:
            await self.locks.close()
            await self.session.close()  # ends locks and reservations at the hub; with a hub that is away nobody waits
            await self._end_files()
            await self._bodies.close()
            self.connect.close()

    async def _end_files(self) -> None:
        while True:
            try:
                await self.files.close()
            except Fault:  # a handle could not tell the hub that it ended; it has ended, and so the next try goes on
                continue
            return


class _BodyWork:
    """What moves bodies: the store with its retries, the grants that open it, the threads that do the work.

    Args:
        store: where objects are; None: wherever the hub's signed URLs lead.
        workers, sleep: see `Engine.link`.
    """

    def __init__(
        self,
        session: Session,
        settings: EngineSettings,
        clock: Clock,
        random: Callable[[int], bytes],
        store: ObjectStore | None,
        workers: Runner | None,
        sleep: Callable[[float], object] | None,
    ) -> None:
        self.grants = Grants(session, clock) if store is None else None
        bare = store if self.grants is None else Nearest(session, self.grants, SignedStore(self.grants.url_for))
        assert bare is not None
        self._ending = threading.Event()  # ends the pauses between attempts of worker threads
        self.store = wrap_store(bare, clock=clock, random=random, sleep=sleep or self._ending.wait)
        self.locations = Locations(session, clock)
        self.external_store = wrap_store(
            ExternalStore(self.locations.source_of), clock=clock, random=random, sleep=sleep or self._ending.wait
        )
        self._threads = workers is None and settings.workers > 0
        self.workers = workers or (Workers(settings.workers) if settings.workers else InlineWorkers())
        self._own_store = store is None

    async def close(self) -> None:
        self._ending.set()
        if self._threads:  # a transfer under way is waited for, and not on the loop
            await asyncio.get_running_loop().run_in_executor(None, self.workers.close)
        else:
            self.workers.close()
        self.external_store.close()
        if self._own_store:
            self.store.close()


async def _linked_root(session: Session, keys: FilespaceKeys, welcome: Welcome, root_path: str) -> Node:
    """The folder at `root_path`. Raises Fault: NOT_FOUND, NOT_A_FOLDER."""
    top = Node(NodeId(welcome.root), NodeId(0), Kind.FOLDER, "")
    walk = await Walker(session, keys, top).walk(split_path(root_path), True, False, False, Access.NONE, Wait())
    root = walk.found()
    if not root.is_folder:
        raise Fault(Code.NOT_A_FOLDER, "only a folder can be linked as a root")
    return root
