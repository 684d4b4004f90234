"""Plaintext frames by identity: immutable, so never stale; the least recently used leave first.

Any thread may call; one lock guards the order and the count.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

from lucidfs.engine.content import FrameKey

_ENTRY_BYTES = 256  # key, list node and object header of one frame, so that many tiny frames are bounded too


class MemoryCache:
    """Frames that were opened or sealed lately.

    Args:
        bytes_max: bound of all frames together; 0 keeps nothing.
    """

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        self._bytes = 0
        self._frames: OrderedDict[FrameKey, bytes | bytearray] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def bytes_held(self) -> int:
        """Bytes that the cache answers for at this moment."""
        return self._bytes

    def get(self, key: FrameKey) -> bytes | bytearray | None:
        """The frame's plaintext, which the caller must not change; None if it is not held."""
        with self._lock:
            plain = self._frames.get(key)
            if plain is not None:
                self._frames.move_to_end(key)
            return plain

    def put(self, key: FrameKey, plain: bytes | bytearray) -> None:
        """Hold a frame; the caller must not change it afterwards."""
        cost = len(plain) + _ENTRY_BYTES
        if cost > self.bytes_max:
            return
        with self._lock:
            before = self._frames.pop(key, None)
            if before is not None:
                self._bytes -= len(before) + _ENTRY_BYTES
            self._frames[key] = plain
            self._bytes += cost
            while self._bytes > self.bytes_max:
                _, oldest = self._frames.popitem(last=False)
                self._bytes -= len(oldest) + _ENTRY_BYTES

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._frames.clear()
            self._bytes = 0
