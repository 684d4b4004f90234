"""Rooms for large reads: as large as asked for, used again only when nobody looks, and bounded."""

from __future__ import annotations

import gc

import pytest

from lucidfs.engine.cache.rooms import ROOM_BYTES_LEAST, Rooms
from lucidfs.limits import MIB


@pytest.mark.parametrize("size", [0, 1, ROOM_BYTES_LEAST - 1, ROOM_BYTES_LEAST, 3 * MIB + 1, 8 * MIB])
def test_rooms_have_the_size(size: int) -> None:
    room = Rooms().take(size)
    assert len(room) == size
    room[:] = b"x" * size
    assert bytes(room) == b"x" * size


def test_memory_is_used_again_only_when_the_last_view_is_gone() -> None:
    rooms = Rooms()
    room = rooms.take(MIB)
    room[:5] = b"first"
    part = room[:5]
    room.release()
    other = rooms.take(MIB)
    other[:5] = b"other"
    assert bytes(part) == b"first"
    part.release()
    del part, room
    gc.collect()
    assert bytes(rooms.take(MIB)[:5]) == b"first"  # the same memory, not cleaned


def test_what_is_kept_is_bounded() -> None:
    rooms = Rooms(idle_bytes_max=2 * MIB)
    taken = [rooms.take(MIB) for _ in range(5)]
    for room in taken:
        room.release()
    taken.clear()
    gc.collect()
    assert sum(size * len(kept) for size, kept in rooms._idle.items()) == 2 * MIB
