"""How a `FaultProxy` passes on the requests of one connection, one after the other, each with its fault."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterator
from http import HTTPStatus
from typing import Protocol

from lucidfs.testing.httpfaults import (
    Answer,
    BlackHole,
    Cut,
    DropReply,
    Fault,
    Garble,
    Reset,
    ResetAfter,
    StallAfter,
    WrongRange,
)
from lucidfs.testing.httpwire import BODILESS, Head, Wire


class Desk(Protocol):
    """What a relay reports to: the proxy."""

    def upstream(self) -> Wire: ...
    def arrived(self, head: Head) -> Fault | None: ...
    def answered(self, head: Head, status: int) -> None: ...
    def count(self, received: int, sent: int) -> None: ...
    def drop(self, *wires: Wire | None) -> None: ...


class Relay:
    """The connection of one client, and the one to the server that goes with it.

    Args:
        proxy: notes what comes, and says what to break.
        client: taken over.
    """

    def __init__(self, proxy: Desk, client: Wire) -> None:
        self._proxy, self._client = proxy, client
        self._server: Wire | None = None

    def close(self) -> None:
        """Close both."""
        self._proxy.drop(self._client, self._server)

    def one(self) -> bool:
        """Handle a request; whether another may follow.

        Raises:
            OSError, ValueError: a connection ended, or what came is no HTTP.
        """
        head = self._client.head() if self._client.wait(self._server) else None
        if head is None:
            return False
        fault = self._proxy.arrived(head)
        if isinstance(fault, Answer):
            return self._answer(head, fault)
        if isinstance(fault, (Reset, BlackHole)):
            self._proxy.answered(head, 0)
            return self._end(fault)
        return self._forward(head, fault)

    def _answer(self, head: Head, answer: Answer) -> bool:
        last = head.last or "expect" in head.fields  # the body that waits for a word will not come
        if "expect" not in head.fields:
            for piece in self._client.body(head):
                self._proxy.count(len(piece), 0)
        reason = HTTPStatus(answer.status).phrase
        fields = {
            **answer.headers,
            "Content-Length": str(len(answer.body)),
            **({"Connection": "close"} if last else {}),
        }
        lines = [f"HTTP/1.1 {answer.status} {reason}", *(f"{name}: {value}" for name, value in fields.items())]
        self._proxy.answered(head, answer.status)
        self._reply("\r\n".join(lines).encode() + b"\r\n\r\n" + (b"" if head.first[0] == "HEAD" else answer.body))
        return not last

    def _forward(self, head: Head, fault: Fault | None) -> bool:
        self._server = server = self._server or self._proxy.upstream()
        asked = head.fields.get("range", "")
        moved = _moved(asked, fault.shift) if isinstance(fault, WrongRange) else ""
        server.send((head.replaced("Range", moved) if moved else head).raw)
        sending = threading.Thread(target=self._pump, args=(self._client.body(head), server), name="fault proxy body")
        if head.chunked or head.length:
            sending.start()  # beside the answer, which may come before all was sent
        try:
            reply = self._final(server)
            if reply is None:
                return False
            if isinstance(fault, WrongRange) and moved and not fault.honest and reply.status == 206:
                total = reply.fields["content-range"].rpartition("/")[2]
                reply = reply.replaced("Content-Range", f"bytes {asked.partition('=')[2]}/{total}")
            bodiless = head.first[0] == "HEAD" or reply.status in BODILESS
            body = iter(()) if bodiless else server.body(reply, until_end=True)
            if isinstance(fault, DropReply):
                for _ in body:
                    pass
                self._proxy.answered(head, 0)
            else:
                self._proxy.answered(head, reply.status)
                self._reply(reply.raw)
                if reply.status == 101:
                    return self._tunnel(server)
                if self._pass(body, fault):
                    fault = None
        except BaseException:
            self._client.shut()  # wakes up who sends
            server.shut()
            raise
        finally:
            if sending.ident:
                sending.join()
        if isinstance(fault, (DropReply, Cut)):
            return self._end(fault)
        endless = not bodiless and not reply.chunked and reply.length is None
        return not (head.last or reply.last or endless)

    def _final(self, server: Wire) -> Head | None:
        """The answer's head, after those that only announce it; None if the server went instead."""
        while True:
            reply = server.head()
            if reply is None or reply.status == 101 or reply.status >= 200:
                return reply
            self._reply(reply.raw)

    def _pass(self, body: Iterator[bytes], fault: Fault | None) -> bool:
        """Send the answer's body with its fault; False if it was cut."""
        sent = 0
        for piece in body:
            if isinstance(fault, Cut) and sent + len(piece) > fault.after:
                self._reply(piece[: fault.after - sent])
                return False
            if isinstance(fault, Garble) and sent <= fault.at < sent + len(piece):
                at = fault.at - sent
                piece = piece[:at] + bytes([piece[at] ^ 0xFF]) + piece[at + 1 :]
            self._reply(piece)
            sent += len(piece)
        return True

    def _end(self, fault: Fault) -> bool:
        """End the connection in the way of the fault."""
        if isinstance(fault, (Reset, ResetAfter, DropReply)):
            self._client.reset()
        elif isinstance(fault, (BlackHole, StallAfter)):
            self._client.swallow()
        return False

    def _tunnel(self, server: Wire) -> bool:
        """Pass bytes both ways until both sides are done: after an upgrade this is no HTTP any more."""
        sending = threading.Thread(target=self._pump, args=(iter(self._client.some, b""), server, True))
        sending.start()
        with contextlib.suppress(OSError):
            for piece in iter(server.some, b""):
                self._reply(piece)
        self._client.shut()
        sending.join()
        return False

    def _pump(self, pieces: Iterator[bytes], server: Wire, to_the_end: bool = False) -> None:
        """Pass on what the client sends."""
        try:
            for piece in pieces:
                self._proxy.count(len(piece), 0)
                server.send(piece)
        except (OSError, ValueError):
            to_the_end = True  # one of them went: the server sees it as it would without us
        if to_the_end:
            server.shut()

    def _reply(self, data: bytes) -> None:
        self._proxy.count(0, len(data))
        self._client.send(data)


def _moved(asked: str, shift: int) -> str:
    """A Range header's value for another place, or nothing if there is none for it."""
    found = re.fullmatch(r"bytes=(\d+)-(\d+)", asked)
    return f"bytes={int(found[1]) + shift}-{int(found[2]) + shift}" if found else ""
