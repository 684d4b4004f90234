"""What a `FaultProxy` can do to a request. Offsets and counts are of the response's body as it travels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Reset:
    """Reset the connection (RST) before the request is forwarded; the server never hears of it."""


@dataclass(frozen=True)
class DropReply:
    """Let the server do what was asked, and answer in full, then reset the connection without a word of it."""


@dataclass(frozen=True)
class BlackHole:
    """Take the request, forward nothing and never answer. Ends when the client goes or the proxy closes."""


@dataclass(frozen=True)
class Answer:
    """Answer in the server's place, without asking it.

    Args:
        status: for example 503.
        headers: for example {"Retry-After": "1"}; Content-Length is added.
        body: bytes of the answer.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Cut:
    """Let at most `after` bytes of the body through. Content-Length stays; a body that is not longer passes whole."""

    after: int


@dataclass(frozen=True)
class ResetAfter(Cut):
    """Then reset the connection. What the client has not received by then is lost too: it sees at most that much."""


@dataclass(frozen=True)
class Truncate(Cut):
    """Then close it in order, as if this had been all."""


@dataclass(frozen=True)
class StallAfter(Cut):
    """Then send nothing more, and leave the connection open until the client goes or the proxy closes."""


@dataclass(frozen=True)
class Garble:
    """Flip all bits of the byte at offset `at`; a shorter body passes as it is."""

    at: int


@dataclass(frozen=True)
class WrongRange:
    """Answer a ranged GET with 206 and bytes from another place. Requests without `bytes=first-last` pass unchanged.

    The request's Range is changed, so it must not be covered by the signature (in signed URLs it is not).

    Args:
        shift: bytes by which first and last are moved; choose it so that the place exists.
        honest: Content-Range tells the place that the bytes are from; else it claims the place that was asked for.
    """

    shift: int
    honest: bool = False


Fault = Reset | DropReply | BlackHole | Answer | Cut | Garble | WrongRange
