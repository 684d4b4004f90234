"""Memory for what is read or sealed at once: large buffers that are used again when nobody looks at them any more.

A fresh buffer of some MiB costs a page fault for each 4 KiB of it, which takes longer than to fill it (on a virtual
machine 0.4 s of the 0.7 s in which 500 MB are read from memory). Python's own reference counts tell when one is free,
as in `slots`.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
from collections import deque
from functools import lru_cache
from typing import Any

from lucidfs.engine.cache.slots import private_memory
from lucidfs.limits import MIB

ROOM_BYTES_LEAST = MIB // 4  # smaller ones come from Python's own memory, which is warm
_IDLE_BYTES_MAX = 512 * MIB  # kept for the next read of the process; the system may take it back (MADV_FREE)


class Rooms:
    """A supply of buffers for one process. Any thread.

    Args:
        idle_bytes_max: free buffers of at most so many bytes together are kept.
    """

    def __init__(self, idle_bytes_max: int = _IDLE_BYTES_MAX) -> None:
        self._idle_bytes_max = idle_bytes_max
        self._idle: dict[int, deque[Any]] = {}  # size -> mappings; no lock, which a forked child might find held

    def take(self, size: int) -> memoryview:
        """Writable memory of `size` bytes; its content is anything.

        Raises:
            MemoryError: there is none left.
        """
        if size < ROOM_BYTES_LEAST:
            return memoryview(bytearray(size))
        whole = 1 << (size - 1).bit_length()
        try:
            memory = self._idle.setdefault(whole, deque()).pop()
        except IndexError:
            try:
                memory = private_memory(whole)
            except OSError as error:
                raise MemoryError(f"no memory for {size} bytes") from error
        room = _kind(whole).from_buffer(memory)
        room._memory, room._rooms = memory, self
        return memoryview(room).cast("B")[:size]

    def give(self, memory: Any, size: int) -> None:
        """Nobody looks at this memory any more."""
        idle_bytes = sum(each * len(kept) for each, kept in list(self._idle.items()))
        if idle_bytes + size <= self._idle_bytes_max:
            if hasattr(mmap, "MADV_FREE"):
                with contextlib.suppress(OSError):
                    memory.madvise(mmap.MADV_FREE)
            self._idle[size].append(memory)


class _Room:
    """Bytes of a mapping; views of it keep it alive."""

    _memory: Any
    _rooms: Rooms

    def __del__(self) -> None:
        self._rooms.give(self._memory, ctypes.sizeof(self))  # type: ignore[arg-type]


@lru_cache(64)
def _kind(size: int) -> Any:
    return type("_RoomOfSize", (_Room, ctypes.c_ubyte * size), {})
