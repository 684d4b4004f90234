"""Plaintext frames by identity: immutable, so never stale; the least recently used leave first.

Any thread may call; one lock guards the order and the count.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence

from lucidfs.engine.cache.slots import charge
from lucidfs.engine.content import FrameKey, Plain

_ENTRY_BYTES = 256  # key, list node and object header of one frame, so that many tiny frames are bounded too


class MemoryCache:
    """Frames that were opened or sealed lately.

    Args:
        bytes_max: bound of all frames together; 0 keeps nothing.
    """

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        self._bytes = 0
        self._frames: OrderedDict[FrameKey, Plain] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def bytes_held(self) -> int:
        """Bytes that the cache answers for at this moment."""
        return self._bytes

    def get(self, key: FrameKey, *, last_use: bool = False) -> Plain | None:
        """The frame's plaintext, which the caller must not change; None if it is not held.

        Args:
            last_use: the caller does not expect to need it again: it leaves now.
        """
        with self._lock:
            plain = self._frames.get(key)
            if plain is not None:
                if last_use:
                    del self._frames[key]
                    self._bytes -= charge(plain) + _ENTRY_BYTES
                else:
                    self._frames.move_to_end(key)
            return plain

    def get_all(self, keys: Sequence[FrameKey]) -> list[Plain | None]:
        """As `get`, for many."""
        with self._lock:
            found = [self._frames.get(key) for key in keys]
            for key, plain in zip(keys, found, strict=True):
                if plain is not None:
                    self._frames.move_to_end(key)
            return found

    def put_all(self, plains: Mapping[FrameKey, Plain]) -> None:
        """As `put`, for many."""
        with self._lock:
            for key, plain in plains.items():
                self._put(key, plain)

    def put(self, key: FrameKey, plain: Plain) -> None:
        """Hold a frame; the caller must not change it afterwards."""
        with self._lock:
            self._put(key, plain)

    def _put(self, key: FrameKey, plain: Plain) -> None:
        cost = charge(plain) + _ENTRY_BYTES
        if cost > self.bytes_max:
            return
        before = self._frames.pop(key, None)
        if before is not None:
            self._bytes -= charge(before) + _ENTRY_BYTES
        self._frames[key] = plain
        self._bytes += cost
        while self._bytes > self.bytes_max:
            _, oldest = self._frames.popitem(last=False)
            self._bytes -= charge(oldest) + _ENTRY_BYTES

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._frames.clear()
            self._bytes = 0
