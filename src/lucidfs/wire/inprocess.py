"""A wire without a network: the same frames, handed over by the loop in order. For tests, simulation and embedding."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from lucidfs.errors import Code, Fault
from lucidfs.wire.transport import Connection, Receiver


class Acceptor(Protocol):
    """The side that is connected to: a hub."""

    def accept(self, connection: Connection) -> Receiver: ...


class InProcessTransport:
    """Connects to a hub that runs on the same loop.

    Args:
        hub: the hub of this moment, or None while there is none (a restart).
        peer: the address that the hub sees.
    """

    def __init__(self, hub: Callable[[], Acceptor | None], peer: str = "in-process") -> None:
        self._hub = hub
        self._peer = peer

    async def connect(self, receiver: Receiver) -> Connection:
        """A connection whose other end is the hub's. Raises Fault(UNAVAILABLE) while there is no hub."""
        hub = self._hub()
        if hub is None:
            raise Fault(Code.UNAVAILABLE, "no hub is running in this process")
        loop = asyncio.get_running_loop()
        client_side, hub_side = _End(loop, "hub"), _End(loop, self._peer)
        client_side.other, hub_side.other = hub_side, client_side
        client_side.receiver = receiver
        hub_side.receiver = hub.accept(hub_side)
        return client_side


class _End:
    """One side. What is sent here arrives at the other end's receiver in a later turn of the loop."""

    other: _End
    receiver: Receiver

    def __init__(self, loop: asyncio.AbstractEventLoop, peer: str) -> None:
        self._loop = loop
        self._peer = peer
        self._closed = False

    @property
    def peer(self) -> str:
        return self._peer

    def send(self, frame: bytes) -> None:
        if not self._closed:
            self._loop.call_soon(self.other.deliver, frame)

    def close(self, reason: str = "") -> None:
        if not self._closed:
            self._closed = True
            self._loop.call_soon(self._tell, reason or "closed here")  # later: `accept` may close, too
            self._loop.call_soon(self.other.lose, reason or "closed by the other side")

    def deliver(self, frame: bytes) -> None:
        if not self._closed:
            self.receiver.frame_received(frame)

    def lose(self, reason: str) -> None:
        if not self._closed:
            self._closed = True
            self._tell(reason)

    def _tell(self, reason: str) -> None:
        self.receiver.connection_lost(reason)
