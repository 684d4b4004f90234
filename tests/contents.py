"""Clients that have files, put together by hand so that a test can hold each part: store, caches, limits."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from lucidfs.crypto.keys import FilespaceKeys
from lucidfs.engine.engine import Engine
from lucidfs.engine.files import Files
from lucidfs.engine.grants import Grants
from lucidfs.engine.handle import Handle
from lucidfs.engine.settings import EngineSettings
from lucidfs.engine.workers import Runner, Workers
from lucidfs.hub.hub import Hub
from lucidfs.ids import Ids
from lucidfs.objects.base import ObjectName, ObjectStat, ObjectStore
from lucidfs.objects.signed import SignedStore
from lucidfs.objects.wrappers import Wrapper, wrap_store
from lucidfs.testing.hubs import HubThread
from lucidfs.types import FilespaceId
from lucidfs.wire.transport import Transport
from lucidfs.wire.websocket import WebSocketTransport
from tests.engines import CLOCK, Prepared, local_hub, prepare
from tests.other_store import put_in_bucket


class DirectStore:
    """A hub's objects as its gateway gives them: those that a commit carried stand in its database."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def put(self, name: ObjectName, data: bytes | bytearray | memoryview | list[bytes]) -> None:
        self._hub.store.put(name, data)

    def get(self, name: ObjectName, offset: int, length: int) -> bytes:
        with self._hub.database.read() as tx:
            data = tx.object_data(name.object)
        if data is None:
            return self._hub.store.get(name, offset, length)
        if len(data) < offset + length:
            raise EOFError
        return data[offset : offset + length]

    def delete(self, name: ObjectName) -> None:
        self._hub.store.delete(name)

    def list(self, filespace: FilespaceId) -> Iterator[ObjectStat]:
        return self._hub.store.list(filespace)

    def close(self) -> None:
        pass


SMALL_CACHES = EngineSettings(memory_cache_bytes=0)


class Client:
    """One client's files, and what they stand on."""

    def __init__(
        self, engine: Engine, prepared: Prepared, account: str, store: ObjectStore | None, settings: EngineSettings,
        below: Wrapper, deadline_s: float,
    ) -> None:  # fmt: skip
        session = engine.session
        assert session.welcome is not None
        key = prepared.keys(account).open_filespace_key(session.welcome.sealed_key, prepared.filespace)
        self.engine = engine
        self.keys = FilespaceKeys(key, os.urandom)
        grants = None if store is not None else Grants(session, CLOCK)
        bare = store if store is not None else SignedStore(grants.url_for) if grants is not None else None
        assert bare is not None
        self.store = wrap_store(
            bare, clock=CLOCK, random=os.urandom, sleep=time.sleep, deadline_s=deadline_s, below=below
        )
        self.workers: Runner = Workers(settings.workers)
        self.files = Files(
            session, engine.tree, engine.locks, self.keys, Ids(os.urandom), self.store, settings, CLOCK, os.urandom,
            self.workers, grants, externals=engine.files.externals,
        )  # fmt: skip

    async def close(self) -> None:
        await self.files.close()
        self.workers.close()


class Hubs:
    """A hub and the clients of one test."""

    def __init__(self, prepared: Prepared, transport: Transport | None, url: str, store: ObjectStore | None) -> None:
        self.prepared = prepared
        self.store = store
        self._transport = transport
        self._url = url
        self._clients: list[Client] = []

    async def client(
        self,
        account: str = "writer",
        settings: EngineSettings | None = None,
        *,
        below: Wrapper = lambda store: store,
        deadline_s: float = 5.0,
    ) -> Client:
        """A client of its own session. `below` stands between its retries and the store."""
        transport = self._transport or WebSocketTransport(self._url)
        settings = replace(settings or EngineSettings(), workers=2)
        engine = await self.prepared.link(transport, account, settings=settings)
        client = Client(engine, self.prepared, account, self.store, settings, below, deadline_s)
        self._clients.append(client)
        return client

    async def end(self) -> None:
        for client in self._clients:
            await client.close()
            await client.engine.close(sync=False)
            if self.store is None:
                client.store.close()


@asynccontextmanager
async def in_process(folder: Path) -> AsyncIterator[Hubs]:
    """Hub and store in memory of this process."""
    async with local_hub(folder) as hub:
        assert hub.hub is not None
        hubs = Hubs(hub.prepared, hub.transport, "", DirectStore(hub.hub))
        try:
            yield hubs
        finally:
            await hubs.end()


@asynccontextmanager
async def real_sockets(folder: Path) -> AsyncIterator[Hubs]:
    """A hub with sockets, a gateway and a folder of objects, or a bucket where tests run on one."""
    prepared = prepare(folder)
    put_in_bucket(prepared.data, prepared.filespace)
    hub = await asyncio.get_running_loop().run_in_executor(None, HubThread, prepared.data)
    hubs = Hubs(prepared, None, hub.url, None)
    try:
        yield hubs
    finally:
        await hubs.end()
        await asyncio.get_running_loop().run_in_executor(None, hub.stop)


async def read_all(handle: Handle) -> bytes:
    """Everything that a handle sees."""
    buffer = bytearray(handle.size)
    assert await handle.read(0, memoryview(buffer)) == len(buffer)
    return bytes(buffer)


async def read_at(handle: Handle, offset: int, length: int) -> bytes:
    """Up to `length` bytes from `offset`."""
    buffer = bytearray(length)
    return bytes(buffer[: await handle.read(offset, memoryview(buffer))])
