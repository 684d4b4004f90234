"""Blindness on the way: what a client plants is in no frame and no body that passes between it and the hub."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urlsplit

import pytest

from lucidfs.engine import nearby
from lucidfs.testing.hubs import HubThread
from tests.integration.test_canary import needles, plant
from tests.world import World


class Tap:
    """A listener that passes every byte on to a hub, and keeps a copy.

    WebSocket frames of a client are masked with a key that travels with them, so they are unmasked before a search.
    """

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.streams: list[bytearray] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._sockets: list[socket.socket] = []
        self._threads[0].start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(self._target)
                self._sockets += [near, far]
                for source, sink in ((near, far), (far, near)):
                    self.streams.append(bytearray())
                    thread = threading.Thread(target=self._pass, args=(source, sink, self.streams[-1]))
                    self._threads.append(thread)
                    thread.start()

    @staticmethod
    def _pass(source: socket.socket, sink: socket.socket, copy: bytearray) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                copy += data
                sink.sendall(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        for end in (self._listener, *self._sockets):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        for thread in self._threads:
            thread.join()


def unmasked(stream: bytes) -> bytes:
    """The payloads of the WebSocket frames that follow an HTTP upgrade; any other stream as it is."""
    head, _, rest = stream.partition(b"\r\n\r\n")
    if b"upgrade: websocket" not in head.lower():
        return stream
    found = bytearray(head)
    while len(rest) >= 2:
        length, at = rest[1] & 127, 2
        for mark, width in ((126, 2), (127, 8)):
            if length == mark:
                length, at = int.from_bytes(rest[2 : 2 + width], "big"), 2 + width
                break
        mask = rest[at : at + 4] if rest[1] & 128 else b""
        at += len(mask)
        payload = rest[at : at + length]
        if mask:
            key = (mask * (len(payload) // 4 + 1))[: len(payload)]
            payload = (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(len(payload), "big")
        found += payload
        rest = rest[at + length :]
    return bytes(found)


@pytest.fixture
def tap(world: World) -> Iterator[Tap]:
    url = urlsplit(world.url)
    assert url.hostname
    assert url.port
    found = Tap((url.hostname, url.port))
    yield found
    found.close()


@pytest.mark.folder
def test_nothing_planted_travels(world: World, tap: Tap, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nearby, "open_folder", lambda told: None)  # bodies travel too
    assert isinstance(world.hub, HubThread)
    tapped = World.__new__(World)
    tapped.token, tapped.name = world.token, world.name
    tapped.hub = type("Tapped", (), {"url": f"http://127.0.0.1:{tap.port}"})()
    plant(tapped)
    streams = [unmasked(bytes(stream)) for stream in tap.streams]
    for seen in (world.name.encode(), b"PUT /objects/", b"GET /objects/"):
        assert any(seen in stream for stream in streams), "what may be read is found, so it was looked at"
    secret = world.token.rpartition(":")[2]
    pattern = re.compile(b"|".join(map(re.escape, needles(secret))), re.IGNORECASE)
    assert not [match for stream in streams if (match := pattern.search(stream))]
