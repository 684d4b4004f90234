"""One connection of a session: frames in and out, and the handshake that begins it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TypeVar

from lucidfs import identity
from lucidfs.crypto.account import AccountKeys
from lucidfs.errors import Code, Fault
from lucidfs.limits import HANDSHAKE_S
from lucidfs.wire import codec
from lucidfs.wire.messages import (
    PROTOCOL_VERSION,
    Challenge,
    Failure,
    Hello,
    Login,
    Message,
    Push,
    Request,
    RequestBody,
    ServerFrame,
    Welcome,
)
from lucidfs.wire.transport import Connection, Transport

_Body = TypeVar("_Body", bound=Message)

_SILENT_BEATS = 2  # looks without an answer to a heartbeat: leaves a quarter of the session limit to come back

# Refusals of a login that the same login would meet again.
FINAL = frozenset(
    {
        Code.UNAUTHENTICATED,
        Code.VERSION,
        Code.DENIED,
        Code.NOT_FOUND,
        Code.BAD_MESSAGE,
        Code.UNKNOWN_MESSAGE,
        Code.INVALID,
        Code.UNSUPPORTED,
    }
)


class Link:
    """Receives for one connection. Frames that come before `start` are kept, so that none falls between.

    `lost` is done with the reason when the connection has ended, whoever ended it.
    """

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.lost: asyncio.Future[str] = loop.create_future()
        self.draining = False  # the hub said goodbye: answers still come, new requests wait for the next link
        self.misunderstood = False  # one side sent what the other does not know
        self.heard = 0  # frames since the handshake
        self._sent = False  # since the last heartbeat was due
        self._connection: Connection | None = None
        self._handler: Callable[[Link, ServerFrame], None] | None = None
        self._early: deque[ServerFrame] = deque()
        self._arrived = asyncio.Event()

    def frame_received(self, frame: bytes) -> None:
        if self.lost.done():
            return
        try:
            message = codec.decode_server_frame(frame)
        except Fault:
            self.misunderstood = True
            self.close("the hub sent what is no message of this protocol")
            return
        if self._handler is not None:
            self.heard += 1
            self._handler(self, message)
        else:
            self._early.append(message)
            self._arrived.set()

    def connection_lost(self, reason: str) -> None:
        if not self.lost.done():
            self.lost.set_result(reason)
        self._connection = None
        self._arrived.set()

    def send(self, frame: bytes) -> None:
        if self._connection is not None:
            self._sent = True
            self._connection.send(frame)

    def close(self, reason: str) -> None:
        """End the connection; nothing is received after this, whatever the transport still holds."""
        connection, self._connection = self._connection, None
        if not self.lost.done():
            self.lost.set_result(reason)
        self._arrived.set()
        if connection is not None:
            connection.close(reason)

    def start(self, handler: Callable[[Link, ServerFrame], None]) -> None:
        """From now on hand every frame to `handler`, beginning with those that came since the handshake."""
        self._handler = handler
        while self._early and not self.lost.done():
            self.heard += 1
            handler(self, self._early.popleft())

    async def watch(self, heartbeat_s: float, beat: Callable[[], None]) -> str:
        """Return the reason when the link is lost; end it when the hub is silent for too long.

        Args:
            heartbeat_s: how often to look.
            beat: called when nothing was sent or heard since the last look, to make both sides heard.
        """
        silent_beats = 0
        while True:
            heard = self.heard
            await asyncio.wait({self.lost}, timeout=heartbeat_s)
            if self.lost.done():
                return self.lost.result()
            silent_beats = 0 if self.heard != heard else silent_beats + 1
            if silent_beats >= _SILENT_BEATS:
                self.close("the hub is silent")
            elif silent_beats or not self._sent:
                beat()
            self._sent = False

    async def open(
        self, transport: Transport, keys: AccountKeys, hello: Hello, random: Callable[[int], bytes]
    ) -> Welcome:
        """Connect and log in. Within HANDSHAKE_S.

        Raises:
            Fault: the hub's refusal; UNAVAILABLE when it cannot be reached, stays silent or talks nonsense.
        """
        try:
            return await asyncio.wait_for(self._open(transport, keys, hello), HANDSHAKE_S)
        except (asyncio.TimeoutError, TimeoutError):
            self.close("no handshake")
            raise Fault(Code.UNAVAILABLE, f"the hub did not log us in within {HANDSHAKE_S:g} s") from None
        except BaseException:
            self.close("handshake failed")
            raise

    async def _open(self, transport: Transport, keys: AccountKeys, hello: Hello) -> Welcome:
        connection = await transport.connect(self)
        if self.lost.done():
            connection.close()
            raise Fault(Code.UNAVAILABLE, f"the hub closed the connection: {self.lost.result()}")
        self._connection = connection
        challenge = await self._exchange(1, hello, Challenge)
        if len(challenge.nonce) != identity.NONCE_BYTES:
            raise Fault(Code.UNAVAILABLE, "the hub's challenge is not one of this protocol")
        transcript = identity.login_transcript(
            PROTOCOL_VERSION, hello.key_id, hello.nonce, challenge.nonce, hello.filespace, hello.resume
        )
        welcome = await self._exchange(2, Login(keys.sign(transcript)), Welcome)
        if hello.filespace and (welcome.filespace is None or welcome.filespace.id != hello.filespace):
            raise Fault(Code.UNAVAILABLE, "the hub opened another filespace than asked for")
        return welcome

    async def _exchange(self, number: int, body: RequestBody, expected: type[_Body]) -> _Body:
        self.send(codec.encode(Request(number, 0, 0, body)))
        while not self._early:
            if self.lost.done():
                raise Fault(Code.UNAVAILABLE, f"the hub closed the connection: {self.lost.result()}")
            self._arrived.clear()
            await self._arrived.wait()
        message = self._early.popleft()
        if isinstance(message, Failure):
            raise failure_fault(message)
        if isinstance(message, Push):
            raise Fault(Code.UNAVAILABLE, f"the hub is not serving: {message.body.reason}")
        if message.id != number or not isinstance(message.body, expected):
            raise Fault(Code.UNAVAILABLE, "the hub answered the handshake with something else")
        return message.body


def failure_fault(failure: Failure) -> Fault:
    """The fault that a refusal of the hub is; a code of a later version counts as INTERNAL."""
    try:
        code = Code(failure.code)
    except ValueError:
        return Fault(Code.INTERNAL, f"the hub refused with an unknown code {failure.code}: {failure.message}")
    return Fault(code, failure.message)
