"""A proxy between an HTTP client and one server that passes everything on, counts it, and breaks what a test asks for.

    with FaultProxy(server.endpoint) as proxy:
        rule = proxy.add(Answer(503, {"Retry-After": "1"}), method="PUT", path="^/bucket/", times=2)
        ...  # a client that talks to proxy.url
        assert rule.hits == 2

Bytes go through unchanged in both directions: streams, chunks, 100-continue, kept connections, WebSockets. The Host
header stays too, so URLs must be signed for the proxy's address, which S3 servers with path style accept.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from typing import NamedTuple
from urllib.parse import urlsplit

from lucidfs.testing.faultrelay import Relay
from lucidfs.testing.httpfaults import Fault
from lucidfs.testing.httpwire import Head, Wire

_CONNECT_S = 10.0
_WAIT_S = 10.0


class Seen(NamedTuple):
    """A request that came through; `status` is what the client was sent, 0 if nothing."""

    method: str
    path: str
    status: int


class Rule:
    """When to do what; made by `FaultProxy.add`.

    Attributes:
        hits: how many requests it was applied to.
    """

    def __init__(self, fault: Fault, method: str, path: str, times: int | None, skip: int) -> None:
        self.hits = 0
        self._fault, self._method, self._path = fault, method, re.compile(path)
        self._left, self._skip = times, skip
        self._changed = threading.Condition()

    def wait(self, hits: int = 1, timeout_s: float = _WAIT_S) -> None:
        """Return once it was applied so many times.

        Raises:
            TimeoutError: it was not within `timeout_s` seconds.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self.hits >= hits, timeout_s):
                raise TimeoutError(f"{self._fault} was applied {self.hits} times, not {hits}")

    def take(self, method: str, target: str) -> Fault | None:
        """The fault, if it is for this request; counts it."""
        with self._changed:
            if self._left == 0 or self._method not in ("", method) or not self._path.search(target):
                return None
            if self._skip:
                self._skip -= 1
                return None
            self._left = None if self._left is None else self._left - 1
            self.hits += 1
            self._changed.notify_all()
            return self._fault


class FaultProxy:
    """Listens on a free port of loopback until `close()` or the end of its context. All methods from any thread.

    Args:
        upstream: URL of the server, "http://host:port".

    Attributes:
        url: the proxy's own, "http://127.0.0.1:PORT".
        latency_s: seconds that every request waits before it is forwarded or broken; set it at any time.
        connections: how many clients' connections were accepted.
        bytes_in: bytes from clients that were passed on or read, with heads.
        bytes_out: bytes to clients, with heads.
    """

    def __init__(self, upstream: str) -> None:
        parts = urlsplit(upstream)
        self._upstream = (parts.hostname or "", parts.port or 80)
        self.latency_s = 0.0
        self.connections = self.bytes_in = self.bytes_out = 0
        self._seen: list[Seen] = []
        self._rules: list[Rule] = []
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._wires: set[Wire] = set()
        self._threads: set[threading.Thread] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._accepting = threading.Thread(target=self._accept, name="fault proxy")
        self._accepting.start()

    def __enter__(self) -> FaultProxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def requests(self) -> list[Seen]:
        """All requests so far, in the order of their answers; paths without the query."""
        with self._lock:
            return list(self._seen)

    def add(self, fault: Fault, *, method: str = "", path: str = "", times: int | None = None, skip: int = 0) -> Rule:
        """Break requests from now on. The first rule that fits a request is applied.

        Args:
            fault: see `lucidfs.testing.httpfaults`.
            method: for example "PUT"; empty for any.
            path: a regular expression, searched in path and query as they travel; empty for any.
            times: after so many requests the rule is spent; None for never.
            skip: requests that fit and pass unharmed before the first is broken.
        """
        rule = Rule(fault, method, path, times, skip)
        with self._lock:
            self._rules.append(rule)
        return rule

    def clear(self) -> None:
        """Forget all rules and the latency. Requests that are being broken stay so."""
        with self._lock:
            self._rules.clear()
        self.latency_s = 0.0

    def reset_connections(self) -> None:
        """End all connections of this moment, with whatever is on its way in them."""
        with self._lock:
            for wire in self._wires:
                wire.shut()

    def close(self) -> None:
        """End everything. Once more: nothing happens."""
        self._closing.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join()
        self.reset_connections()
        for thread in list(self._threads):
            thread.join()

    # --- for the connections -------------------------------------------------------------------------------------

    def upstream(self) -> Wire:
        """A new connection to the server."""
        return self._kept(socket.create_connection(self._upstream, _CONNECT_S))

    def arrived(self, head: Head) -> Fault | None:
        """Note a request, let it wait, and say what to do to it."""
        self.count(len(head.raw), 0)
        method, target = head.first[0], head.first[1]
        self._closing.wait(self.latency_s)
        with self._lock:
            taken = (rule.take(method, target) for rule in self._rules)
            return next((fault for fault in taken if fault is not None), None)

    def answered(self, head: Head, status: int) -> None:
        """Note what the client is sent."""
        with self._lock:
            self._seen.append(Seen(head.first[0], head.first[1].partition("?")[0], status))

    def count(self, received: int, sent: int) -> None:
        """Add to the counters, in bytes."""
        with self._lock:
            self.bytes_in += received
            self.bytes_out += sent

    def drop(self, *wires: Wire | None) -> None:
        """Close them."""
        with self._lock:
            for wire in filter(None, wires):
                self._wires.discard(wire)
                wire.socket.close()

    def _kept(self, connection: socket.socket) -> Wire:
        connection.settimeout(None)
        wire = Wire(connection)
        with self._lock:
            self._wires.add(wire)
        if self._closing.is_set():  # looked at after it was added, so that close() or we see it
            wire.shut()
        return wire

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(self._kept(connection),), name="fault proxy client")
            self._threads = {one for one in self._threads if one.is_alive()} | {thread}
            thread.start()

    def _serve(self, client: Wire) -> None:
        connection = Relay(self, client)
        try:
            with contextlib.suppress(OSError, ValueError):  # ended, or no HTTP
                while connection.one():
                    pass
        finally:
            connection.close()
