"""Just enough of HTTP/1.1 to pass messages on byte by byte and to know where each ends."""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
from collections.abc import Iterator

from lucidfs.limits import KIB

HEAD_BYTES_MAX = 256 * KIB
_CHUNK = 256 * KIB
BODILESS = (204, 304)


class BrokenError(ConnectionError):
    """The connection ended in the middle of a message, or what came is no HTTP."""


class Head:
    """The first lines of a message: as they came, and taken apart.

    Args:
        raw: with the empty line at the end.

    Raises:
        BrokenError: this is no HTTP.
    """

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        first, *lines = raw.decode("latin-1").rstrip("\r\n").split("\r\n")
        self.first = first.split(" ", 2)
        if len(self.first) < 2:
            raise BrokenError(f"no HTTP: {first[:100]!r}")
        pairs = (line.partition(":") for line in lines)
        self.fields = {name.strip().lower(): value.strip() for name, _, value in pairs}

    @property
    def status(self) -> int:
        """Of a response."""
        return int(self.first[1])

    @property
    def chunked(self) -> bool:
        """Whether the body is sent in chunks of its own framing."""
        return "chunked" in self.fields.get("transfer-encoding", "").lower()

    @property
    def length(self) -> int | None:
        """Bytes of the body, if it says so and is not chunked."""
        size = self.fields.get("content-length")
        return None if size is None or self.chunked else int(size)

    @property
    def last(self) -> bool:
        """Whether the connection ends after this message."""
        return "close" in self.fields.get("connection", "").lower() or "HTTP/1.0" in self.first

    def replaced(self, name: str, value: str) -> Head:
        """The same with another value in the field `name`, which must be there."""
        lines = self.raw.split(b"\r\n")
        wanted = name.lower().encode()
        changed = [f"{name}: {value}".encode() if line.lower().startswith(wanted + b":") else line for line in lines]
        return Head(b"\r\n".join(changed))


class Wire:
    """A connected socket, read in messages. Takes the socket over."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = connection
        self._buffer = b""

    def head(self) -> Head | None:
        """The head of the next message, or None if the other side is done.

        Raises:
            BrokenError: it ended in the middle, or is too long.
        """
        while True:
            raw, end, rest = self._buffer.partition(b"\r\n\r\n")
            if end:
                self._buffer = rest
                return Head(raw + end)
            more = self.socket.recv(_CHUNK) if len(self._buffer) < HEAD_BYTES_MAX else b""
            if not more and not self._buffer:
                return None
            if not more:
                raise BrokenError("ended in the head of a message")
            self._buffer += more

    def body(self, head: Head, until_end: bool = False) -> Iterator[bytes]:
        """The body that follows `head`, as it travels: with its chunks' framing, if it has one.

        Args:
            head: just read from here.
            until_end: a body without a length lasts to the end of the connection (responses); else there is none.

        Raises:
            BrokenError: it ended early.
        """
        if head.chunked:
            yield from self._chunks()
        elif head.length is not None:
            yield from self._exactly(head.length)
        elif until_end:
            yield from iter(self.some, b"")

    def some(self, most: int = _CHUNK) -> bytes:
        """What is there, at most so many bytes; empty at the end."""
        if not self._buffer:
            return self.socket.recv(most)
        piece, self._buffer = self._buffer[:most], self._buffer[most:]
        return piece

    def send(self, data: bytes) -> None:
        """All of it."""
        self.socket.sendall(data)

    def wait(self, other: Wire | None) -> bool:
        """Wait until something came from here; False if something came from `other` instead, as its end."""
        if self._buffer or other is None:
            return True
        with selectors.DefaultSelector() as selector:
            for wire in (self, other):
                selector.register(wire.socket, selectors.EVENT_READ)
            return any(key.fileobj is self.socket for key, _ in selector.select())

    def swallow(self) -> None:
        """Read and forget until the other side goes."""
        while self.some():
            pass

    def shut(self) -> None:
        """An orderly end, which also wakes up who reads from it."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)

    def reset(self) -> None:
        """End it with an RST: what was not yet delivered is lost."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def _exactly(self, size: int) -> Iterator[bytes]:
        while size:
            piece = self.some(min(size, _CHUNK))
            if not piece:
                raise BrokenError(f"ended {size} bytes before the end of a body")
            size -= len(piece)
            yield piece

    def _chunks(self) -> Iterator[bytes]:
        while True:
            line = self._line()
            yield line
            size = int(line.split(b";")[0], 16)
            if not size:
                break
            yield from self._exactly(size + 2)
        while line != b"\r\n":  # fields may follow, then an empty line
            line = self._line()
            yield line

    def _line(self) -> bytes:
        while True:
            line, end, rest = self._buffer.partition(b"\r\n")
            if end:
                self._buffer = rest
                return line + end
            more = self.socket.recv(_CHUNK)
            if not more or len(self._buffer) > HEAD_BYTES_MAX:
                raise BrokenError("ended in the framing of a body")
            self._buffer += more
