"""A hub's address that refuses, resets, swallows, talks nonsense or another version: a clear error, and soon."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import os
import socket
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

import lucidlink
from lucidfs.crypto.token import Token
from lucidfs.engine.administration import Administration
from lucidfs.engine.session import OPEN_DEADLINE_S, Session
from lucidfs.errors import Code, Fault
from lucidfs.limits import CONNECT_TIMEOUT_S
from lucidfs.testing.hubs import new_hub
from lucidfs.wire import rest
from lucidfs.wire.websocket import WebSocketTransport
from tests.faults import badhubs
from tests.faults.badhubs import ADDRESSES, Serve
from tests.faults.field import ROUNDS
from tests.world import Client, World

SLACK_S = 15.0  # two cores, a thread for each address


def at_every_address(ask: Callable[[str], object]) -> dict[str, tuple[BaseException | None, float, str]]:
    """Ask all of them at once: what each raised, after how many seconds, and its URL."""
    outcomes: dict[str, tuple[BaseException | None, float, str]] = {}

    def run(name: str, url: str) -> None:
        began = time.monotonic()
        error: BaseException | None = None
        try:
            ask(url)
        except BaseException as raised:  # noqa: BLE001 - whatever it is, the test looks at it
            error = raised
        outcomes[name] = (error, time.monotonic() - began, url)

    with ExitStack() as addresses:
        urls = {name: addresses.enter_context(make()) for name, make in ADDRESSES.items()}
        threads = [threading.Thread(target=run, args=each) for each in urls.items()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return outcomes


def test_logging_in() -> None:
    credentials = lucidlink.ServiceAccountCredentials(Token.generate(os.urandom).text())

    def ask(url: str) -> None:
        with lucidlink.create_daemon({"hub.url": url}) as daemon:
            daemon.authenticate(credentials)

    for name, (error, seconds, url) in at_every_address(ask).items():
        assert isinstance(error, OSError), f"{name}: {error!r}"
        assert error.strerror is not None
        assert error.filename == url, name
        assert seconds < OPEN_DEADLINE_S + SLACK_S, name
        if name == "another version":
            assert (error.errno, error.strerror) == (errno.EPROTONOSUPPORT, "this hub speaks version 2")
        elif name == "an answer to nothing":
            assert "hub" in error.strerror
        else:
            assert isinstance(error, ConnectionError), f"{name}: {error!r}"
            assert "hub" in error.strerror, f"{name}: {error!r}"


def test_administering(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "CALL_DEADLINE_S", 3.0)  # a minute is right for people, not for a test

    def ask(url: str) -> None:
        Administration(url, Token.generate(os.urandom), os.urandom).workspace()

    for name, (error, seconds, url) in at_every_address(ask).items():
        assert isinstance(error, Fault), f"{name}: {error!r}"
        assert error.code is Code.UNAVAILABLE, f"{name}: {error!r}"
        assert url in str(error)
        assert seconds < CONNECT_TIMEOUT_S + SLACK_S, name


def test_asking_whether_a_hub_is_there() -> None:
    for name, (error, seconds, url) in at_every_address(rest.check_hub).items():
        if name in ("a web page", "an endless page"):
            assert error is None, "any server that says 200 counts as healthy"
            continue
        assert isinstance(error, Fault), f"{name}: {error!r}"
        assert error.code is Code.UNAVAILABLE, f"{name}: {error!r}"
        assert url in str(error)
        assert seconds < CONNECT_TIMEOUT_S + SLACK_S, name


# --- an address that turns bad under a linked client --------------------------------------------------------------


class Relay:
    """Hands connections to a hub, or to something else."""

    def __init__(self, url: str) -> None:
        self._hub = ("127.0.0.1", int(url.rpartition(":")[2]))
        self.bad: Serve | None = None
        self._pairs: list[socket.socket] = []

    def serve(self, connection: socket.socket) -> None:
        if self.bad is not None:
            self.bad(connection)
            return
        with socket.create_connection(self._hub) as hub:
            self._pairs += [connection, hub]
            back = threading.Thread(target=pump, args=(hub, connection))
            back.start()
            pump(connection, hub)
            back.join()

    def turn(self, bad: Serve | None) -> None:
        """From now on serve this; what is connected is cut."""
        self.bad = bad
        pairs, self._pairs = self._pairs, []
        for each in pairs:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


def pump(source: socket.socket, target: socket.socket) -> None:
    """Bytes from one to the other until either ends; then both do."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for each in (source, target):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


TURNS: dict[str, Serve] = {
    "resets": badhubs.reset,
    "silent": badhubs.silent,
    "noise": badhubs.noise,
    "web page": badhubs.web_page,
    "garbage": badhubs.speaking(badhubs.frame(badhubs.BINARY, b"garbage")),
}
USUAL = ("resets", "silent")  # the others take part when many rounds are asked for


@pytest.fixture(scope="module")
def hub_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    hub, token = new_hub(tmp_path_factory.mktemp("hub"))
    try:
        yield World(hub, token)
    finally:
        hub.stop()


@pytest.mark.parametrize("kind", TURNS if ROUNDS >= 50 else USUAL)
def test_a_linked_client(hub_world: World, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """Calls wait for a hub that is away, fail when it stays away, and work when it is back."""
    relay = Relay(hub_world.url)
    defaults = Session.call.__kwdefaults__
    assert defaults is not None
    with badhubs.listening(relay.serve) as url:
        with Client(url, hub_world.token, hub_world.name, "/", lucidlink.SyncMode.SYNC_ALL) as client:
            fs, path = client.fs, f"/{kind}"
            fs.write_file(path, b"before")
            stream = fs.open(path, "r+b")
            stream.write(b"BE")
            relay.turn(TURNS[kind])
            back = threading.Timer(1.0, relay.turn, (None,))
            back.start()
            fs.write_file(path + "-waited", b"for a second")  # the default deadline is a minute
            back.join()
            monkeypatch.setitem(defaults, "deadline_s", 1.0)
            relay.turn(TURNS[kind])
            for call in (lambda: fs.write_file(path, b"lost"), lambda: fs.read_file(path), stream.flush):
                with pytest.raises(ConnectionError) as raised:
                    call()
                assert raised.value.filename == path
                assert "hub" in str(raised.value)
            relay.turn(None)
            monkeypatch.undo()
            stream.close()
            assert fs.read_file(path) in (b"BEfore", b"BEst")
            assert fs.read_file(path + "-waited") == b"for a second"


class Nobody:
    """Receives from a connection that never comes to be."""

    def frame_received(self, frame: bytes) -> None:
        raise AssertionError("nothing was said")

    def connection_lost(self, reason: str) -> None:
        raise AssertionError("nothing was there to lose")


def test_an_interrupted_handshake_leaves_no_socket_open() -> None:
    reached = threading.Event()

    def serve(connection: socket.socket) -> None:
        reached.set()
        badhubs.silent(connection)

    async def main(url: str) -> None:
        opening = asyncio.create_task(WebSocketTransport(url).connect(Nobody()))
        while not reached.is_set():
            await asyncio.sleep(0.01)
        opening.cancel()
        await asyncio.wait({opening})

    with warnings.catch_warnings(record=True) as seen, badhubs.listening(serve) as url:
        warnings.simplefilter("always")
        asyncio.run(main(url))
        gc.collect()
    assert [str(warning.message) for warning in seen] == []
