"""A hub's data with one filespace and accounts in it, and engines that link it: for tests below the SDK."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from lucidfs.clock import SystemClock
from lucidfs.crypto.account import AccountKeys, filespace_id, new_filespace_key, seal_filespace_key
from lucidfs.crypto.token import Token
from lucidfs.engine.engine import Engine
from lucidfs.engine.settings import EngineSettings
from lucidfs.hub.bootstrap import DATABASE_FILE, bootstrap
from lucidfs.hub.database.base import AccountRow, FilespaceRow, GrantRow, NodeRow
from lucidfs.hub.database.sqlite import SqliteDatabase
from lucidfs.hub.hub import Hub
from lucidfs.hub.settings import HubSettings
from lucidfs.ids import Ids
from lucidfs.objects.base import ObjectStore
from lucidfs.objects.memory import MemoryStore
from lucidfs.types import Kind, Role
from lucidfs.wire.inprocess import InProcessTransport
from lucidfs.wire.transport import Transport

ROLES = {"reader": Role.READ, "writer": Role.WRITE, "other": Role.WRITE}
CLOCK = SystemClock()


class Prepared(NamedTuple):
    """A data folder in which no hub has run yet."""

    data: Path
    filespace: int
    tokens: Mapping[str, Token]  # by account name; "stranger" has no role in the filespace

    def keys(self, account: str = "writer") -> AccountKeys:
        return AccountKeys(self.tokens[account])

    async def link(
        self,
        transport: Transport,
        account: str = "writer",
        root_path: str = "/",
        settings: EngineSettings | None = None,
        store: ObjectStore | None = None,
    ) -> Engine:
        return await Engine.link(
            transport,
            self.keys(account),
            self.filespace,
            root_path,
            settings or EngineSettings(workers=1),
            clock=CLOCK,
            random=os.urandom,
            store=store,
        )


def prepare(folder: Path) -> Prepared:
    """Make the data of a hub below `folder`."""
    data = folder / "hub"
    tokens = {name: Token.generate(os.urandom) for name in ("admin", "stranger", *ROLES)}
    admin = AccountKeys(tokens["admin"])
    bootstrap(
        data,
        "demo",
        "admin",
        admin.key_id,
        admin.login_public,
        admin.sealing_public,
        clock=CLOCK,
        random=os.urandom,
    )
    key = new_filespace_key(os.urandom)
    filespace, ids, now_ns = filespace_id(key), Ids(os.urandom), CLOCK.now_ns()
    database = SqliteDatabase(data / DATABASE_FILE)
    try:
        tx = database.begin()
        workspace, root = tx.workspaces()[0].id, ids.take()
        tx.insert_filespace(FilespaceRow(filespace, workspace, "files", root, now_ns))
        tx.insert_node(NodeRow(root, filespace, 0, b"", int(Kind.FOLDER), b"", mtime_ns=now_ns, ctime_ns=now_ns))
        for name in ("stranger", *ROLES):
            keys, account = AccountKeys(tokens[name]), ids.take()
            tx.insert_account(
                AccountRow(account, workspace, name, keys.key_id, keys.login_public, keys.sealing_public, False, now_ns)
            )
            if name in ROLES:
                sealed = seal_filespace_key(key, filespace, keys.sealing_public, os.urandom)
                tx.put_grant(GrantRow(filespace, account, int(ROLES[name]), sealed))
        database.commit()
    finally:
        database.close()
    return Prepared(data, filespace, tokens)


class LocalHub:
    """A hub on the loop of the test, which may stop, crash and start again on the same data."""

    def __init__(self, prepared: Prepared, settings: HubSettings) -> None:
        self.prepared = prepared
        self.settings = settings
        self.hub: Hub | None = None
        self.transport = InProcessTransport(lambda: self.hub)
        self._database: SqliteDatabase | None = None
        self._store = MemoryStore()
        self._engines: list[Engine] = []

    async def start(self) -> Hub:
        assert self._database is None
        self._database = SqliteDatabase(self.prepared.data / DATABASE_FILE)
        hub = Hub(self._database, self._store, clock=CLOCK, random=os.urandom, settings=self.settings)
        await hub.start()
        self.hub = hub
        return hub

    async def stop(self) -> None:
        hub, self.hub = self.hub, None
        if hub is not None:
            await hub.stop()
        self._close()

    def crash(self) -> None:
        hub, self.hub = self.hub, None
        if hub is not None:
            hub.crash()
        self._close()

    def _close(self) -> None:
        database, self._database = self._database, None
        if database is not None:
            database.rollback()
            database.close()

    async def link(self, account: str = "writer", root_path: str = "/") -> Engine:
        engine = await self.prepared.link(self.transport, account, root_path, store=self._store)
        self._engines.append(engine)
        return engine

    async def end(self) -> None:
        for engine in self._engines:
            await engine.close(sync=False)
        await self.stop()


@asynccontextmanager
async def local_hub(
    folder: Path, settings: HubSettings | None = None, prepared: Prepared | None = None
) -> AsyncIterator[LocalHub]:
    """A hub in this process for the time of the context; closes the engines that it linked."""
    hub = LocalHub(prepared or prepare(folder), settings or HubSettings(inline_commit=True))
    await hub.start()
    try:
        yield hub
    finally:
        await hub.end()
