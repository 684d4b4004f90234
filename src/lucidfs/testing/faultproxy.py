"""A proxy between a client and an HTTP server that passes everything on, until a test tells it to do harm.

Understands as much of HTTP/1.1 as it must: requests and answers with a Content-Length or in chunks, connections that
stay open, and an upgrade (to WebSocket), after which bytes go through as they come. The Host header stays as the client
sent it, so that signatures hold.
"""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import NamedTuple
from urllib.parse import urlsplit

_HEAD_BYTES_MAX = 256 * 1024
_PIECE = 64 * 1024
_BLACK_HOLE_S = 60.0


class Exchange(NamedTuple):
    """One request that came through."""

    method: str
    path: str  # without the query
    status: int  # 0: it was not answered


@dataclass
class Rule:
    """Harm to some requests.

    Args:
        method, path: patterns of the requests that it is about (full match; the path is without its query).
        times: how often it strikes.
        deed: one of `pass` (no harm: uses up a strike), `reset` (before the request is passed on), `lose` (the server
            does it, the answer is lost), `cut` (the connection ends after `count` bytes of the body, in the way that
            `orderly` says), `status` (answered with `count` in the server's place), `shift` (a range is read `count`
            bytes further on and passed off as the one asked for), `garble` (the byte `count` of the body is another
            one), `hang` (no answer until the proxy stops).
        headers, body: for `status`.
    """

    deed: str
    method: str = ".*"
    path: str = ".*"
    times: int = 1
    count: int = 0
    orderly: bool = False
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class FaultProxy:
    """A proxy on a free port. As a context manager it stops at the end.

    Args:
        upstream: `http://host:port` of the server.
        latency_s: added to each request.

    Attributes:
        url: where it listens.
        exchanges: what came through, in order of the answers.
        rules: harm to do; the first that fits and has strikes left counts.
    """

    def __init__(self, upstream: str, latency_s: float = 0.0) -> None:
        parts = urlsplit(upstream)
        self._upstream = (parts.hostname or "", parts.port or 80)
        self.latency_s = latency_s
        self.rules: list[Rule] = []
        self.exchanges: list[Exchange] = []
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._sockets: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._start(self._accept)

    def harm(self, deed: str, **more: object) -> None:
        """Add a rule; arguments as for `Rule`."""
        with self._lock:
            self.rules.append(Rule(deed, **more))  # type: ignore[arg-type]

    def requests(self, method: str = ".*", path: str = ".*") -> int:
        """How many answered requests fit the patterns."""
        with self._lock:
            return sum(
                bool(re.fullmatch(method, each.method) and re.fullmatch(path, each.path)) for each in self.exchanges
            )

    def stop(self) -> None:
        """End every connection and thread. Once more: nothing happens."""
        self._over.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for each in self._sockets:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)

    def __enter__(self) -> FaultProxy:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # --- connections --------------------------------------------------------------------------------------------------

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, name="fault proxy", daemon=True)
        self._threads = [each for each in self._threads if each.is_alive()] + [thread]
        thread.start()

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        server: socket.socket | None = None
        with contextlib.suppress(OSError, _Ended), contextlib.closing(client):
            self._know(client)
            server = socket.create_connection(self._upstream)
            self._know(server)
            with contextlib.closing(server):
                for each in (client, server):
                    each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                from_client, from_server = _Reader(client), _Reader(server)
                while self._exchange(from_client, from_server):
                    pass
        with self._lock:
            self._sockets -= {client} | ({server} if server else set())

    def _know(self, each: socket.socket) -> None:
        with self._lock:
            self._sockets.add(each)

    def _exchange(self, client: _Reader, server: _Reader) -> bool:
        """One request and its answer; False when the connection is over."""
        head = client.head()
        method, target, _ = head.first.split(" ", 2)
        path = urlsplit(target).path
        rule = self._rule(method, path)
        deed = rule.deed if rule is not None else ""
        if self.latency_s:
            time.sleep(self.latency_s)
        if deed == "reset":
            self._told(method, path, 0)
            _reset(client.socket)
            return False
        if deed == "hang":
            self._over.wait(_BLACK_HOLE_S)
            return False
        if rule is not None and deed == "status":
            client.drop_body(head)
            self._told(method, path, rule.count)
            more = "".join(f"{name}: {value}\r\n" for name, value in rule.headers.items())
            client.socket.sendall(
                f"HTTP/1.1 {rule.count} Harm\r\nContent-Length: {len(rule.body)}\r\n{more}\r\n".encode() + rule.body
            )
            return True
        asked = head.raw
        if rule is not None and deed == "shift":
            asked = _shifted(head.raw, rule.count)
        server.socket.sendall(asked)
        client.pass_body(head, server.socket)
        answer = server.head()
        while answer.status == 100:
            client.socket.sendall(answer.raw)
            client.pass_body(head, server.socket)
            answer = server.head()
        self._told(method, path, 0 if deed == "lose" else answer.status)
        if deed == "lose":
            server.drop_body(answer)
            _reset(client.socket)
            return False
        raw = answer.raw if deed != "shift" else _unshifted(answer.raw, head.raw)
        client.socket.sendall(raw)
        if answer.status == 101:
            self._start(_pump, client, server.socket)
            _pump(server, client.socket)
            return False
        if method == "HEAD":
            return True
        if rule is not None and deed in ("cut", "garble"):
            return _harmed(rule, server, answer, client.socket)
        return server.pass_body(answer, client.socket) and "close" not in answer.get("connection")

    def _rule(self, method: str, path: str) -> Rule | None:
        with self._lock:
            for rule in self.rules:
                if rule.times > 0 and re.fullmatch(rule.method, method) and re.fullmatch(rule.path, path):
                    rule.times -= 1
                    return rule
        return None

    def _told(self, method: str, path: str, status: int) -> None:
        with self._lock:
            self.exchanges.append(Exchange(method, path, status))


class _Ended(Exception):
    """The other side closed the connection."""


class _Head:
    """First line and headers, as they came."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.first, *lines = raw.decode("latin-1").rstrip("\r\n").split("\r\n")
        self._headers = {name.strip().lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)}

    def get(self, name: str) -> str:
        return self._headers.get(name, "").lower()

    @property
    def status(self) -> int:
        return int(self.first.split(" ")[1])


class _Reader:
    """What comes out of one socket."""

    def __init__(self, source: socket.socket) -> None:
        self.socket = source
        self._buffer = b""

    def head(self) -> _Head:
        while b"\r\n\r\n" not in self._buffer:
            if len(self._buffer) > _HEAD_BYTES_MAX:
                raise _Ended
            self._more()
        raw, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        return _Head(raw + b"\r\n\r\n")

    def pass_body(self, head: _Head, target: socket.socket) -> bool:
        """Pass a body on; False when it ended with the connection."""
        for piece in self.body(head):
            target.sendall(piece)
        return self._whole

    def drop_body(self, head: _Head) -> None:
        for _ in self.body(head):
            pass

    def body(self, head: _Head) -> Iterator[bytes]:
        """The body in pieces as they are sent, chunk marks included."""
        self._whole = True
        if "chunked" in head.get("transfer-encoding"):
            yield from self._chunks()
            return
        length = head.get("content-length")
        answer = head.first.startswith("HTTP/")
        if not length and answer and head.status not in (100, 101, 204, 304):
            self._whole = False
            while True:
                yield self._take(_PIECE)
        left = int(length or 0)
        while left:
            piece = self._take(min(left, _PIECE))
            left -= len(piece)
            yield piece

    def rest(self) -> bytes:
        """What was read and not taken."""
        found, self._buffer = self._buffer, b""
        return found

    def _chunks(self) -> Iterator[bytes]:
        while True:
            while b"\r\n" not in self._buffer:
                self._more()
            line, _, self._buffer = self._buffer.partition(b"\r\n")
            yield line + b"\r\n"
            left = int(line.split(b";")[0], 16) + 2
            last = left == 2
            while left:
                piece = self._take(min(left, _PIECE))
                left -= len(piece)
                yield piece
            if last:
                return

    def _take(self, size: int) -> bytes:
        if not self._buffer:
            self._more()
        piece, self._buffer = self._buffer[:size], self._buffer[size:]
        return piece

    def _more(self) -> None:
        piece = self.socket.recv(_PIECE)
        if not piece:
            raise _Ended
        self._buffer += piece


def _pump(source: _Reader, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        target.sendall(source.rest())
        while piece := source.socket.recv(_PIECE):
            target.sendall(piece)
        target.shutdown(socket.SHUT_RDWR)


def _harmed(rule: Rule, server: _Reader, answer: _Head, client: socket.socket) -> bool:
    """Pass a body on with harm; False: the connection is over."""
    at = 0
    for piece in server.body(answer):
        if rule.deed == "garble" and at <= rule.count < at + len(piece):
            place = rule.count - at
            piece = piece[:place] + bytes((piece[place] ^ 0x55,)) + piece[place + 1 :]
        if rule.deed == "cut" and at + len(piece) >= rule.count:
            client.sendall(piece[: rule.count - at])
            if not rule.orderly:
                _reset(client)
            return False
        client.sendall(piece)
        at += len(piece)
    return True


def _reset(each: socket.socket) -> None:
    """End a connection by RST: what was sent and not read is lost too."""
    each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    each.close()


def _shifted(head: bytes, count: int) -> bytes:
    def other(match: re.Match[bytes]) -> bytes:
        return b"%s%d-%d" % (match[1], int(match[2]) + count, int(match[3]) + count)

    return re.sub(rb"(?i)(range: bytes=)(\d+)-(\d+)", other, head)


def _unshifted(answer: bytes, request: bytes) -> bytes:
    """The answer to another range, as if it was the one asked for."""
    asked = re.search(rb"(?i)range: bytes=(\d+-\d+)", request)
    assert asked is not None, "only ranges are shifted"
    return re.sub(rb"(?i)(content-range: bytes )\d+-\d+", lambda match: match[1] + asked[1], answer)
