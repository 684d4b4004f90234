"""Memory for plaintext frames: slots of one frame in huge pages, used again once nobody looks at them any more.

A frame in memory of its own costs 16 page faults, which take longer than to decrypt it (on a virtual machine: 50 µs
against 20 µs for 64 KiB). Huge pages need one fault for 32 frames, and a slot that is used again needs none.

A slot is free when the last view of it is gone, whoever held it: the cache, a fetch under way, a reader that copies.
Python's own reference counts tell (`_Slot.__del__`), so no view ever sees its bytes change. Any thread may take a slot
and drop a view.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
from collections import deque

from lucidfs.limits import FRAME_BYTES, MIB

_CHUNK_BYTES = 16 * MIB  # mapped at once; memory is used page by page as slots are
# Slots do not begin at a page's start, where most buffers of programs nearly do: a copy to 16 bytes further within the
# page runs at a fifth of the speed on processors with fast `rep movsb` (measured: 1.7 against 9 GiB/s on AMD EPYC).
_SLOT_OFFSET = 2048
_PLACES = range(_SLOT_OFFSET, _CHUNK_BYTES - FRAME_BYTES, FRAME_BYTES)
_WORTH_BYTES = FRAME_BYTES // 2  # a shorter frame gets memory of its own: a slot would waste more than half


class _Slot(ctypes.c_ubyte * FRAME_BYTES):  # type: ignore[misc]
    """Bytes of a chunk; views of it keep it alive."""

    _place: tuple[mmap.mmap, int]
    _free: deque[tuple[mmap.mmap, int]]

    def __del__(self) -> None:
        self._free.append(self._place)


class Slots:
    """A supply of slots that grows with what is in use at once and stays that large. Any thread."""

    def __init__(self) -> None:
        self._free: deque[tuple[mmap.mmap, int]] = deque()  # the one that was used last is taken first: it is warm

    def room(self, length: int) -> memoryview:
        """Writable memory for a plaintext of `length` bytes, at most a frame; its content is anything.

        Raises:
            MemoryError: there is none left.
        """
        if length <= _WORTH_BYTES:
            return memoryview(bytearray(length))
        try:
            place = self._free.pop()
        except IndexError:
            place = self._grow()
        slot = _Slot.from_buffer(*place)
        slot._place, slot._free = place, self._free
        return memoryview(slot).cast("B")[:length]

    def _grow(self) -> tuple[mmap.mmap, int]:
        """Map another chunk, keep all but one of its slots for later. Two threads may both do so."""
        try:
            chunk = private_memory(_CHUNK_BYTES)
        except OSError as error:
            raise MemoryError(f"no memory for {_CHUNK_BYTES} bytes of frames") from error
        first, *others = ((chunk, offset) for offset in _PLACES)
        self._free.extend(reversed(others))
        return first


def charge(plain: bytes | bytearray | memoryview) -> int:
    """Bytes of memory that a plaintext occupies."""
    return FRAME_BYTES if isinstance(plain, memoryview) and len(plain) > _WORTH_BYTES else len(plain)


def private_memory(size: int) -> mmap.mmap:
    """Memory that a forked child gets as a copy, in huge pages where the system has them."""
    if not hasattr(mmap, "MAP_PRIVATE"):
        return mmap.mmap(-1, size)
    chunk = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with contextlib.suppress(OSError):  # a kernel without them: small pages do, only slower
            chunk.madvise(mmap.MADV_HUGEPAGE)
    return chunk
