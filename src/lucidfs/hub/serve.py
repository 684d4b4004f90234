"""A hub as a process: opens its data folder, listens, and ends in order when it is told to."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

from aiohttp import web

from lucidfs.clock import SystemClock
from lucidfs.errors import Code, Fault
from lucidfs.hub.bootstrap import DATABASE_FILE, OBJECTS_FOLDER, is_bootstrapped
from lucidfs.hub.database.sqlite import SqliteDatabase
from lucidfs.hub.hold import Hold
from lucidfs.hub.hub import Hub
from lucidfs.hub.secrets import load_secrets
from lucidfs.hub.settings import HubSettings
from lucidfs.hub.web import Knocks, application
from lucidfs.limits import HTTP_IDLE_S, UNFINISHED_S
from lucidfs.objects.local import LocalStore

log = logging.getLogger(__name__)


async def serve(
    data: Path, host: str, port: int, *, on_ready: Callable[[str], None], settings: HubSettings | None = None
) -> None:
    """Serve until SIGTERM or SIGINT; then refuse new work, finish what runs, tell the clients, and return.

    Args:
        data: a folder that `bootstrap` made.
        host: address to listen on.
        port: 0 picks a free one.
        on_ready: called with the URL once the hub serves.
        settings: see `HubSettings`.

    Raises:
        Fault: NOT_FOUND when the folder has no hub; UNAVAILABLE when another process serves it.
        OSError: the address cannot be listened on.
    """
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    try:
        async with running(data, host, port, settings=settings) as (_, url):
            on_ready(url)
            await told.wait()
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


@contextlib.asynccontextmanager
async def running(
    data: Path, host: str, port: int, *, settings: HubSettings | None = None
) -> AsyncIterator[tuple[Hub, str]]:
    """A hub and its URL while the context lasts; arguments and errors as for `serve`."""
    if not is_bootstrapped(data):
        raise Fault(Code.NOT_FOUND, f"{data} has no hub: `lucid hub start` makes one")
    database = SqliteDatabase(data / DATABASE_FILE)
    try:
        store = LocalStore(data / OBJECTS_FOLDER)
        if unfinished := store.remove_unfinished(SystemClock().now_ns() - int(UNFINISHED_S * 1e9)):
            log.info("%d unfinished uploads were removed", unfinished)
        settings = replace(settings or HubSettings(), objects_mark=str(store.mark(os.urandom)))
        hub = Hub(
            database,
            store,
            clock=SystemClock(),
            random=os.urandom,
            settings=settings,
            hold=Hold(data),
            secrets=load_secrets(data, os.urandom),
        )
        server: asyncio.Server | None = None
        knocks = Knocks(hub.settings.handshake_s)
        runner = web.AppRunner(
            application(hub, knocks),
            access_log=None,
            shutdown_timeout=hub.settings.shutdown_s,
            keepalive_timeout=HTTP_IDLE_S,
        )
        await hub.start()
        try:
            await runner.setup()
            server = await _listen(runner, knocks, host, port)
            yield hub, _url(host, server)
        finally:
            await hub.stop()
            if server is not None:
                server.close()
            await runner.cleanup()
            store.close()
    finally:
        database.close()


async def _listen(runner: web.AppRunner, knocks: Knocks, host: str, port: int) -> asyncio.Server:
    serve = runner.server
    assert serve is not None, "the runner is set up"
    return await asyncio.get_running_loop().create_server(lambda: knocks.expect(serve()), host, port, backlog=1024)


def _url(host: str, server: asyncio.Server) -> str:
    """The address as a client on this machine may use it."""
    port = server.sockets[0].getsockname()[1]
    shown = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{shown}:{port}"
