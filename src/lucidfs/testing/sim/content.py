"""Bytes that tell who wrote them and where they belong: any piece that is lost, moved, doubled or mixed is noticed."""

from __future__ import annotations

import functools
import random

_HEAD_BYTES = 26  # "<" number ":" size ">"
_BLOCK_BYTES = 1024


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


def parse_slots(data: bytes, slot_bytes: int) -> tuple[int, ...] | None:
    """Numbers of the pieces in slots of one size; 0 for a slot of zeros; None when a slot is anything else."""
    if len(data) % slot_bytes:
        return None
    found = []
    for at in range(0, len(data), slot_bytes):
        slot = data[at : at + slot_bytes]
        if slot == bytes(slot_bytes):
            found.append(0)
            continue
        numbers = parse(slot)
        if numbers is None or len(numbers) != 1:
            return None
        found.append(numbers[0])
    return tuple(found)
