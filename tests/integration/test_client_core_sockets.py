"""The client over real sockets: hubs that are killed, lines that are cut, peers that are no hub."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from lucidfs.clock import SystemClock
from lucidfs.engine.bridge import Bridge
from lucidfs.engine.session import Session
from lucidfs.errors import Code, Fault
from lucidfs.testing.hubs import HubThread, ProcessHub
from lucidfs.types import LockMode
from lucidfs.wire import codec, messages
from lucidfs.wire.websocket import WebSocketTransport
from tests.engines import Prepared, prepare


async def refused(work: Awaitable[Any], code: Code) -> Fault:
    with pytest.raises(Fault) as caught:
        await work
    assert caught.value.code is code, caught.value
    return caught.value


class Proxy:
    """A TCP line to the hub that a test can cut, or let go silent."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = (parts.hostname, parts.port)
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.silent = False
        self.connections = 0
        self.url = ""

    async def __aenter__(self) -> Proxy:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        with contextlib.suppress(OSError):
            there_reader, there_writer = await asyncio.open_connection(*self._target)
            self._writers.add(there_writer)
            await asyncio.gather(self._pump(reader, there_writer), self._pump(there_reader, writer))
            self._writers.discard(there_writer)
        writer.close()
        self._writers.discard(writer)
        self._tasks.discard(task)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                if not self.silent:
                    writer.write(data)
                    await writer.drain()
        writer.close()


@contextlib.contextmanager
def hub_thread(folder: Path) -> Any:
    prepared = prepare(folder)
    hub = HubThread(prepared.data)
    try:
        yield prepared, hub
    finally:
        hub.stop()


def session_to(url: str, prepared: Prepared) -> Session:
    return Session(WebSocketTransport(url), prepared.keys(), prepared.filespace, clock=SystemClock(), random=os.urandom)


def test_two_clients_over_websockets(tmp_path: Path) -> None:
    with hub_thread(tmp_path) as (prepared, hub):

        async def run() -> None:
            mine = await prepared.link(WebSocketTransport(hub.url))
            yours = await prepared.link(WebSocketTransport(hub.url.replace("http", "ws")), "other")
            folder = await mine.tree.make_folders("/a/b")
            assert (await yours.tree.entry("/a/b")).id == folder.id
            await asyncio.gather(*(mine.tree.create_file(folder, f"f{i}") for i in range(300)))
            assert len(await yours.tree.list("/a/b")) == 300
            assert mine.pending().files == 0
            await mine.sync()
            await mine.close()
            await yours.close()

        asyncio.run(run())


def test_lines_that_are_cut_in_the_middle_of_calls(tmp_path: Path) -> None:
    with hub_thread(tmp_path) as (prepared, hub):

        async def run() -> None:
            async with Proxy(hub.url) as proxy:
                engine = await prepared.link(WebSocketTransport(proxy.url))
                folder = await engine.tree.make_folders("/d")
                making = [asyncio.create_task(engine.tree.create_file(folder, f"f{i}")) for i in range(400)]
                for wanted in (20, 120, 250):
                    while sum(task.done() for task in making) < wanted:
                        await asyncio.sleep(0)
                    proxy.cut()
                await asyncio.gather(*making)
                assert len(await engine.tree.list("/d")) == 400
                assert (engine.session.epoch, proxy.connections >= 2) == (1, True)
                await engine.close()

        asyncio.run(run())


def test_a_line_that_goes_silent_is_left(tmp_path: Path) -> None:
    with hub_thread(tmp_path) as (prepared, hub):

        async def run() -> None:
            async with Proxy(hub.url) as proxy:
                engine = await prepared.link(WebSocketTransport(proxy.url))
                await engine.tree.list("/")
                engine.session._heartbeat_s = 0.05  # from the beat after the one that is under way
                proxy.silent = True
                waiting = asyncio.create_task(engine.tree.make_folders("/d"))
                while engine.session.connected:
                    await asyncio.sleep(0.01)
                proxy.silent = False
                await waiting
                assert engine.session.epoch == 1
                await engine.close()

        asyncio.run(run())


def test_a_killed_hub_loses_and_doubles_nothing(tmp_path: Path) -> None:
    prepared = prepare(tmp_path)
    hub = ProcessHub(prepared.data)

    async def run() -> None:
        engine = await prepared.link(WebSocketTransport(hub.url))
        folder = await engine.tree.make_folders("/d")
        lock_file = await engine.tree.create_file(folder, "locked")
        lock = await engine.locks.acquire(lock_file.id, 1, LockMode.EXCLUSIVE)
        making = [asyncio.create_task(engine.tree.create_file(folder, f"f{i}")) for i in range(600)]
        for wanted in (100, 300):
            while sum(task.done() for task in making) < wanted:
                await asyncio.sleep(0)
            acknowledged = {task.result().name for task in making if task.done()}
            await asyncio.get_running_loop().run_in_executor(None, hub.restart)
            assert acknowledged <= {node.name for node in await engine.tree.list("/d")}
        await asyncio.gather(*making)
        assert len(await engine.tree.list("/d")) == 601
        assert engine.session.epoch == 1
        assert [info.lock for info in await engine.locks.holders(lock_file.id)] == [lock]
        await engine.close()

    try:
        asyncio.run(run())
    finally:
        hub.stop()


def test_calls_from_other_threads(tmp_path: Path) -> None:
    with hub_thread(tmp_path) as (prepared, hub):
        bridge = Bridge("test")
        try:
            engine = bridge.run(prepared.link(WebSocketTransport(hub.url)))
            assert bridge.run(engine.tree.list("/")) == []
            bridge.run(engine.tree.make_folders("/d"))
            assert [node.name for node in bridge.run(engine.tree.list("/"))] == ["d"]
            bridge.run(engine.close())
        finally:
            bridge.close()


def test_nobody_listens(tmp_path: Path) -> None:
    prepared = prepare(tmp_path)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"

        async def run() -> None:
            fault = await refused(session_to(url, prepared).open(deadline_s=0.2), Code.UNAVAILABLE)
            assert url in fault.message

        asyncio.run(run())


@contextlib.asynccontextmanager
async def impostor(answer: Callable[[bytes], bytes] | None) -> AsyncIterator[str]:
    """A server that answers the first bytes of each connection with `answer` of them; None: never; b"": hangs up."""
    tasks: set[asyncio.Task[None]] = set()
    writers: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        writers.add(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            request = await reader.readuntil(b"\r\n\r\n")
            said = None if answer is None else answer(request)
            writer.write(said or b"")
            if said != b"":
                await reader.read()
        writer.close()
        writers.discard(writer)
        tasks.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for writer in list(writers):
            writer.transport.abort()
        while tasks:
            await asyncio.wait(set(tasks))


def upgraded(frame: bytes) -> Callable[[bytes], bytes]:
    """Answers with the WebSocket handshake and one binary frame."""

    def answer(request: bytes) -> bytes:
        fields = dict(line.split(b": ", 1) for line in request.split(b"\r\n")[1:] if b": " in line)
        key = next(value for name, value in fields.items() if name.lower() == b"sec-websocket-key")
        accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        return head + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n" + b"\x82" + bytes([len(frame)]) + frame

    return answer


IMPOSTORS = {
    "black hole": (None, Code.UNAVAILABLE),
    "one that hangs up": (lambda _: b"", Code.UNAVAILABLE),
    "a web server": (lambda _: b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", Code.UNAVAILABLE),
    "noise": (lambda _: os.urandom(64) + b"\r\n\r\n", Code.UNAVAILABLE),
    "garbage in frames": (upgraded(b"garbage"), Code.UNAVAILABLE),
    "another version": (
        upgraded(codec.encode(messages.Failure(1, Code.VERSION, "this hub speaks version 7"))),
        Code.VERSION,
    ),
    "a refusal": (upgraded(codec.encode(messages.Failure(1, Code.TOO_MANY, "later"))), Code.TOO_MANY),
}


@pytest.mark.parametrize("kind", IMPOSTORS)
def test_peers_that_are_no_hub_for_us(tmp_path: Path, kind: str) -> None:
    answer, code = IMPOSTORS[kind]
    prepared = prepare(tmp_path)

    async def run() -> None:
        async with impostor(answer) as url:
            await refused(session_to(url, prepared).open(deadline_s=0.3), code)

    asyncio.run(run())


@pytest.mark.parametrize("url", ["", "hub", "ftp://localhost", "http://", "http://u:p@localhost", "http://h:99999"])
def test_what_is_no_hub_url(url: str) -> None:
    with pytest.raises(ValueError):
        WebSocketTransport(url)


def test_unencrypted_only_to_this_machine() -> None:
    for url in ("http://example.org", "ws://10.0.0.1:7117"):
        with pytest.raises(Fault) as caught:
            WebSocketTransport(url)
        assert caught.value.code is Code.DENIED and "allow_plaintext" in caught.value.message
        WebSocketTransport(url, allow_plaintext=True)
    for url in ("http://127.0.0.1:1", "http://localhost", "ws://[::1]:80/prefix", "https://example.org"):
        WebSocketTransport(url)
