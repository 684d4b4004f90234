"""Numbers that are used once: made by the client, so that naming a thing costs no round trip and needs no trust."""

from __future__ import annotations

import threading
from collections.abc import Callable

_COUNTER_BITS = 23  # 8 million ids under one random prefix keep an index local; 40 random bits keep prefixes apart


class Ids:
    """Unique positive numbers below 2**63: a random 40-bit prefix, then a counter. Thread-safe.

    Two clients collide with probability n²/2**41 for n prefixes in one filespace; the hub refuses a taken id
    (`Code.ID_TAKEN`), and the client then calls `renew`.

    Args:
        random: source of random bytes, `os.urandom` outside simulation.
    """

    def __init__(self, random: Callable[[int], bytes]) -> None:
        self._random = random
        self._lock = threading.Lock()
        self._next = self._end = 0

    def take(self, count: int = 1) -> int:
        """The first of `count` consecutive fresh numbers."""
        with self._lock:
            if self._next + count > self._end:
                self._begin()
            first = self._next
            self._next += count
            return first

    def renew(self) -> None:
        """Leave the current prefix, after the hub said that one of its numbers is taken."""
        with self._lock:
            self._begin()

    def _begin(self) -> None:
        prefix = int.from_bytes(self._random(5), "big")
        self._next = (prefix << _COUNTER_BITS) + 1
        self._end = (prefix + 1) << _COUNTER_BITS
