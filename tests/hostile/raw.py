"""A client with no manners: blocking sockets, WebSocket frames made by hand, and any bytes inside them."""

from __future__ import annotations

import itertools
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from lucidfs import identity
from lucidfs.crypto.account import AccountKeys
from lucidfs.crypto.token import Token
from lucidfs.errors import Code
from lucidfs.hub.bootstrap import DATABASE_FILE
from lucidfs.hub.database.sqlite import SqliteDatabase
from lucidfs.hub.settings import HubSettings
from lucidfs.testing.fsck import problems
from lucidfs.testing.hubs import HubThread
from lucidfs.wire import codec
from lucidfs.wire import messages as m
from tests.hub_rig import ADMIN, FILESPACE, KEYS, fill

BINARY, CLOSE, PING = 2, 8, 9
PATIENCE_S = 30.0  # a hub that says nothing for so long hangs; nothing here waits so long when all is well


class Closed(Exception):
    """The hub ended the connection."""


class Refused(Exception):
    """The hub answered with a failure."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message


class Wire:
    """One WebSocket. Everything that is sent is the test's own decision.

    Args:
        url: of the hub.
    """

    welcome: m.Welcome

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._socket = socket.create_connection((parts.hostname or "", parts.port or 80), timeout=PATIENCE_S)
        self._received = b""
        self._ids = itertools.count(1)
        self._seqs = itertools.count(1)
        self.send_raw(
            f"GET /wire/v1 HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        while b"\r\n\r\n" not in self._received:
            self._fill()
        head, _, self._received = self._received.partition(b"\r\n\r\n")
        assert b" 101 " in head.partition(b"\r\n")[0]

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Drop it without a word."""
        self._socket.close()

    # --- bytes ----------------------------------------------------------------------------------------------------

    def send_raw(self, data: bytes) -> None:
        """Bytes as they are."""
        try:
            self._socket.sendall(data)
        except OSError:
            raise Closed from None

    def send(self, payload: bytes, opcode: int = BINARY, *, final: bool = True) -> None:
        """One WebSocket frame, masked with zeros."""
        self.send_raw(head(len(payload), opcode, final=final) + payload)

    def _fill(self) -> None:
        try:
            data = self._socket.recv(1 << 18)
        except TimeoutError:
            raise
        except OSError:
            data = b""
        if not data:
            raise Closed
        self._received += data

    def _take(self, count: int) -> bytes:
        while len(self._received) < count:
            self._fill()
        taken, self._received = self._received[:count], self._received[count:]
        return taken

    def frame(self) -> tuple[int, bytes]:
        """The next frame of the hub: opcode and payload. Raises Closed."""
        first, length = self._take(2)
        if length == 126:
            (length,) = struct.unpack("!H", self._take(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", self._take(8))
        payload = self._take(length)
        if first & 15 == CLOSE:
            raise Closed(payload[2:].decode(errors="replace"))
        return first & 15, payload

    def message(self) -> m.Message:
        """The next message of the hub. Raises Closed."""
        while True:
            opcode, payload = self.frame()
            if opcode == BINARY:
                return codec.decode_server_frame(payload)

    def until_closed(self) -> list[m.Message]:
        """Everything that the hub still says, until it ends the connection."""
        said = []
        try:
            while True:
                said.append(self.message())
        except Closed:
            return said

    # --- requests -------------------------------------------------------------------------------------------------

    def begin(self, body: m.Message, *, seq: int | None = None) -> int:
        """Send a request without waiting; its id."""
        number = next(self._ids)
        if seq is None:
            seq = next(self._seqs) if m.REQUESTS[type(body)].change else 0
        self.send(msgspec.msgpack.encode([number, seq, 0, body]))
        return number

    def ask(self, body: m.Message, *, seq: int | None = None) -> Any:
        """Send a request and wait for its reply. Raises Refused, Closed."""
        number = self.begin(body, seq=seq)
        while True:
            answer = self.message()
            if isinstance(answer, m.Failure) and answer.id in (number, 0):
                raise Refused(Code(answer.code), answer.message)
            if isinstance(answer, m.Reply) and answer.id == number:
                return answer.body

    def next_seq(self) -> int:
        return next(self._seqs)

    def log_in(self, key_id: str, seed: bytes, filespace: int, *, signature: bytes | None = None) -> m.Welcome:
        """The handshake, with a login key of one's own choice. Raises Refused, Closed."""
        nonce = os.urandom(32)
        challenge = self.ask(m.Hello(m.PROTOCOL_VERSION, key_id, nonce, filespace))
        transcript = identity.login_transcript(m.PROTOCOL_VERSION, key_id, nonce, challenge.nonce, filespace, 0)
        self.welcome = self.ask(m.Login(signature if signature is not None else identity.sign(seed, transcript)))
        return self.welcome

    def log_in_with(self, token: str, filespace: int) -> m.Welcome:
        """The handshake with a token."""
        keys = AccountKeys(Token.parse(token))
        nonce = os.urandom(32)
        challenge = self.ask(m.Hello(m.PROTOCOL_VERSION, keys.key_id, nonce, filespace))
        transcript = identity.login_transcript(m.PROTOCOL_VERSION, keys.key_id, nonce, challenge.nonce, filespace, 0)
        self.welcome = self.ask(m.Login(keys.sign(transcript)))
        return self.welcome


def head(length: int, opcode: int, *, final: bool = True) -> bytes:
    """The head of a client's frame."""
    first = (0x80 if final else 0) | opcode
    if length < 126:
        return bytes((first, 0x80 | length)) + bytes(4)
    if length < 65_536:
        return bytes((first, 0x80 | 126)) + struct.pack("!H", length) + bytes(4)
    return bytes((first, 0x80 | 127)) + struct.pack("!Q", length) + bytes(4)


@contextmanager
def serving(folder: Path, settings: HubSettings | None = None) -> Iterator[HubThread]:
    """A hub on real sockets, with the accounts and filespaces of `tests.hub_rig`; sound in the end."""
    folder.mkdir(exist_ok=True)
    database = SqliteDatabase(folder / DATABASE_FILE)
    fill(database)
    database.close()
    hub = HubThread(folder, settings=settings)
    try:
        yield hub
    finally:
        hub.stop()
    database = SqliteDatabase(folder / DATABASE_FILE)
    try:
        with database.read() as tx:
            assert not problems(tx, FILESPACE)
    finally:
        database.close()


def logged_in(hub: HubThread, account: int = ADMIN, filespace: int = FILESPACE) -> Wire:
    """A connection of one of `tests.hub_rig`'s accounts."""
    wire = Wire(hub.url)
    wire.log_in(*KEYS[account], filespace)
    return wire
