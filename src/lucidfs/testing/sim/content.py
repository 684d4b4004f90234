"""Bytes that tell who wrote them and where they belong: any piece that is lost, moved, doubled or mixed is noticed."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Hashable

Parse = Callable[[bytes], Hashable]

_HEAD_BYTES = 26  # "<" number ":" size ">"
_BLOCK_BYTES = 1024


class Half(Exception):
    """Bytes that nobody wrote like this."""


@functools.lru_cache(maxsize=64)
def make(number: int, size: int) -> bytes:
    """A piece of `size` bytes (at least _HEAD_BYTES) with this number; every block of it is unlike all others."""
    rng = random.Random(number)
    body = rng.randbytes(_BLOCK_BYTES - 8)  # does not compress on its own
    blocks = (b"%08x" % at + body for at in range(-(-size // _BLOCK_BYTES)))
    return (b"<%016x:%08x" % (number, size) + b"".join(blocks))[: size - 1] + b">"


def parse(data: bytes) -> list[int] | None:
    """Numbers of the pieces that `data` consists of; None when it is anything but whole pieces."""
    numbers = []
    at = 0
    while at < len(data):
        head = data[at : at + _HEAD_BYTES]
        try:
            number, size = int(head[1:17], 16), int(head[18:26], 16)
        except ValueError:
            return None
        if size < _HEAD_BYTES or data[at : at + size] != make(number, size):
            return None
        numbers.append(number)
        at += size
    return numbers


def one(data: bytes) -> int:
    """The number of the one piece that `data` is. Raises Half."""
    numbers = parse(data)
    if numbers is None or len(numbers) != 1:
        raise Half
    return numbers[0]


def entries(data: bytes) -> tuple[int, ...]:
    """The numbers of the pieces that `data` consists of. Raises Half."""
    numbers = parse(data)
    if numbers is None:
        raise Half
    return tuple(numbers)


def slots(data: bytes, slot_bytes: int) -> tuple[int, ...]:
    """Numbers of the pieces in slots of one size; 0 for a slot of zeros. Raises Half."""
    parts = [data[at : at + slot_bytes] for at in range(0, len(data), slot_bytes)]
    if len(data) % slot_bytes:
        raise Half
    return tuple(0 if part == bytes(slot_bytes) else one(part) for part in parts)
