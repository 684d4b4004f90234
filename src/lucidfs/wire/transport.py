"""The `Transport` waist: ordered, whole frames between one client and one hub. No meaning, no retries, no keys.

Implementations: WebSocket (client side here, server side in `hub`), in-process (tests, simulation). A frame arrives
whole or not at all; order is kept; frames sent before a loss may or may not have arrived.
"""

from __future__ import annotations

from typing import Protocol


class Receiver(Protocol):
    """What a side implements to be told. Both methods run on the loop and must not block."""

    def frame_received(self, frame: bytes) -> None: ...

    def connection_lost(self, reason: str) -> None:
        """Called once, whoever closed; nothing is received afterwards."""
        ...


class Connection(Protocol):
    """One side of an open connection."""

    @property
    def peer(self) -> str:
        """Address of the other side, for limits and logs."""
        ...

    def send(self, frame: bytes) -> None:
        """Queue a frame. Never blocks; after a loss it does nothing."""
        ...

    def close(self, reason: str = "") -> None:
        """End the connection; `connection_lost` follows on both sides."""
        ...


class Transport(Protocol):
    """Makes connections to one hub."""

    async def connect(self, receiver: Receiver) -> Connection:
        """Open a connection. Raises `Fault(UNAVAILABLE)` when the hub cannot be reached (passing)."""
        ...
