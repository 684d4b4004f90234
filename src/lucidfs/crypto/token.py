"""A service account's token: the one secret that a person keeps."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass, field

SECRET_BYTES = 32
KEY_ID_BYTES = 8

_PREFIX = "sa_live"
_SHAPE = re.compile(rf"{_PREFIX}:([0-9a-f]{{16}}):([A-Za-z0-9_-]{{43}})")


@dataclass(frozen=True)
class Token:
    """`sa_live:<key id>:<secret>`, taken apart. Printing it shows the key id only.

    Args:
        key_id: 16 lowercase hex digits; known to the hub.
        secret: 32 random bytes; never leaves the client.
    """

    key_id: str
    secret: bytes = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Token:
        """The token that `text` spells. Raises ValueError, which does not repeat the text, when it is malformed."""
        match = _SHAPE.fullmatch(text)
        if match is None:
            raise ValueError(f"not a service account token (expected {_PREFIX}:<key id>:<secret>)")
        secret = base64.urlsafe_b64decode(match[2] + "=")
        if _encode(secret) != match[2]:  # 43 digits hold 258 bits: the two spare ones must be zero
            raise ValueError("the service account token's secret is malformed")
        return cls(match[1], secret)

    @classmethod
    def generate(cls, random: Callable[[int], bytes]) -> Token:
        """A fresh token from a source of random bytes."""
        return cls(random(KEY_ID_BYTES).hex(), random(SECRET_BYTES))

    def text(self) -> str:
        """The token as its owner keeps it, secret included."""
        return f"{_PREFIX}:{self.key_id}:{_encode(self.secret)}"

    def __str__(self) -> str:
        return f"{_PREFIX}:{self.key_id}:…"


def _encode(secret: bytes) -> str:
    return base64.urlsafe_b64encode(secret).decode().rstrip("=")
