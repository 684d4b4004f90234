"""Slots: bytes under a view never change while anybody holds it; memory that nobody holds is used again."""

from __future__ import annotations

import os
import random
import signal
import threading

from lucidfs.engine.cache.memory import MemoryCache
from lucidfs.engine.cache.slots import Slots, charge
from lucidfs.limits import FRAME_BYTES, KIB


def _filled(slots: Slots, length: int, byte: int) -> memoryview:
    room = slots.room(length)
    room[:] = bytes([byte]) * length
    return room


def test_room_has_the_length_that_was_asked_for_and_can_be_written() -> None:
    slots = Slots()
    for length in (1, 4 * KIB, FRAME_BYTES // 2, FRAME_BYTES // 2 + 1, FRAME_BYTES - 1, FRAME_BYTES):
        room = _filled(slots, length, 7)
        assert (len(room), room.readonly, room.format, bytes(room)) == (length, False, "B", b"\7" * length)


def test_a_slot_is_used_again_only_when_every_view_of_it_is_gone() -> None:
    slots = Slots()
    first = _filled(slots, FRAME_BYTES, 1)
    part = memoryview(first)[100:200]
    del first
    others = [_filled(slots, FRAME_BYTES, 2) for _ in range(600)]  # more than two chunks hold
    assert bytes(part) == b"\1" * 100
    del part, others
    before = len(slots._free)
    again = [_filled(slots, FRAME_BYTES, 3) for _ in range(600)]
    assert len(slots._free) == before - 600, "nothing more was mapped"
    assert all(bytes(one) == b"\3" * FRAME_BYTES for one in again)


def test_frames_in_a_cache_of_two_threads_keep_their_bytes_while_others_come_and_go() -> None:
    slots, cache = Slots(), MemoryCache(40 * FRAME_BYTES)
    wrong: list[int] = []

    def work(seed: int) -> None:
        choice = random.Random(seed)
        for _ in range(3000):
            number = choice.randrange(100)
            plain = cache.get((1, number, 1))
            if plain is None:
                plain = _filled(slots, FRAME_BYTES, number)
                cache.put((1, number, 1), plain)
            if bytes(plain[-50:]) != bytes([number]) * 50 or plain[0] != number:
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert cache.bytes_held <= 40 * FRAME_BYTES


def test_a_forked_child_has_a_copy() -> None:
    slots = Slots()
    ours = _filled(slots, FRAME_BYTES, 1)
    child = os.fork()
    if not child:
        ours[:] = bytes([2]) * FRAME_BYTES
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert bytes(ours) == b"\1" * FRAME_BYTES


def test_a_frame_is_charged_with_the_memory_that_it_occupies() -> None:
    slots = Slots()
    assert charge(slots.room(FRAME_BYTES - 1)) == FRAME_BYTES
    assert charge(slots.room(100)) == 100
    assert charge(bytes(50_000)) == 50_000
