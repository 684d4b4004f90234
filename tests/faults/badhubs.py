"""Addresses where no hub is, or one that one cannot talk to: raw sockets that misbehave, each in its own way."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lucidfs.errors import Code
from lucidfs.wire import codec
from lucidfs.wire.messages import Failure, Hello, Request

WEBSOCKET_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455
BINARY, TEXT = 2, 1

Serve = Callable[[socket.socket], None]


@contextmanager
def listening(serve: Serve, backlog: int = 16) -> Iterator[str]:
    """A server on a free port that hands each connection to `serve`, in a thread; its URL."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=backlog)
    taken: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def run(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            serve(connection)

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            taken.append(connection)
            threads.append(threading.Thread(target=run, args=(connection,)))
            threads[-1].start()

    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join()
        for connection in taken:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()
        for connection in taken:
            connection.close()


@contextmanager
def refusing() -> Iterator[str]:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    yield f"http://127.0.0.1:{port}"


@contextmanager
def swallowing() -> Iterator[str]:
    """A full backlog: the packets that would open a connection are dropped, as by a firewall."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, contextlib.ExitStack() as fillers:
        for _ in range(4):
            filler = fillers.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


# --- what a connection meets ------------------------------------------------------------------------------------


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def hang_up(connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_RDWR)


def silent(connection: socket.socket) -> None:
    while connection.recv(65536):
        continue


def noise(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(os.urandom(1000))
    connection.shutdown(socket.SHUT_RDWR)


def endless_noise(connection: socket.socket) -> None:
    while True:
        connection.sendall(os.urandom(65536))


def greeting(connection: socket.socket) -> None:
    connection.sendall(b"SSH-2.0-OpenSSH_9.6\r\n")
    silent(connection)


def web_page(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 22\r\n\r\n<html>Welcome!</html>\n"
    )
    silent(connection)


def endless_page(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
    while True:
        connection.sendall(b" " * 65536)


def elsewhere(connection: socket.socket) -> None:
    """A redirect to itself."""
    while head := connection.recv(65536):
        where = head.partition(b" ")[2].partition(b" ")[0] or b"/"
        connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: " + where + b"\r\nContent-Length: 0\r\n\r\n")


def _websocket(connection: socket.socket) -> None:
    head = b""
    while b"\r\n\r\n" not in head:
        head += connection.recv(65536)
    lines = [line.split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line]
    key = {name.lower(): value for name, value in lines}.get(b"sec-websocket-key", b"")
    accept = base64.b64encode(hashlib.sha1(key + WEBSOCKET_GUID).digest())
    connection.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )


def frame(kind: int, payload: bytes, told: int | None = None) -> bytes:
    """One WebSocket frame, unmasked; `told` is a length that is not true."""
    length = len(payload) if told is None else told
    head = struct.pack(">BB", 0x80 | kind, length) if length < 126 else struct.pack(">BBQ", 0x80 | kind, 127, length)
    return head + payload


def speaking(*frames: bytes) -> Serve:
    """A WebSocket that says this, whatever it is asked, and then nothing more."""

    def serve(connection: socket.socket) -> None:
        _websocket(connection)
        connection.recv(65536)
        for frame in frames:
            connection.sendall(frame)
        silent(connection)

    return serve


def another_version() -> Serve:
    """A hub that speaks version 2 only. It answers what it is asked: the first request has the id 1."""
    assert Request(1, 0, 0, Hello(2, "", b"", 0)).id == 1
    return speaking(frame(BINARY, codec.encode(Failure(1, Code.VERSION, "this hub speaks version 2"))))


ADDRESSES: dict[str, Callable[[], contextlib.AbstractContextManager[str]]] = {
    "refuses": refusing,
    "resets": lambda: listening(reset),
    "hangs up": lambda: listening(hang_up),
    "drops packets": swallowing,
    "is silent": lambda: listening(silent),
    "noise": lambda: listening(noise),
    "endless noise": lambda: listening(endless_noise),
    "another protocol": lambda: listening(greeting),
    "a web page": lambda: listening(web_page),
    "an endless page": lambda: listening(endless_page),
    "a redirect": lambda: listening(elsewhere),
    "silent socket": lambda: listening(speaking()),
    "garbage in frames": lambda: listening(speaking(frame(BINARY, os.urandom(100)))),
    "text": lambda: listening(speaking(frame(TEXT, b"hello"))),
    "a huge frame": lambda: listening(speaking(frame(BINARY, bytes(100), told=2**60))),
    "an answer to nothing": lambda: listening(speaking(frame(BINARY, codec.encode(Failure(77, 99, "what?"))))),
    "another version": lambda: listening(another_version()),
}
