"""A checked content map: which sealed frame fills which place of a file at one revision."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import TypeAlias

from lucidfs.limits import FRAME_BYTES
from lucidfs.namespace.extents import split
from lucidfs.wire.messages import Extent

Plain: TypeAlias = bytes | bytearray | memoryview  # the plaintext of a frame; never changed once it is handed on
FrameKey = tuple[int, int, int]  # (origin, origin frame, generation): what was sealed once and never changes


class ContentMap:
    """What a file contains at one revision. Immutable; made only from maps whose MAC was checked or made here.

    Args:
        node: the file.
        revision: of the content, 0 when nothing was ever published.
        size: bytes of the file.
        extents: sorted, not overlapping.
        small: sealed bytes of the extents whose object is 0.
        generation: of the commit that made it, 0 when nothing was ever published.
    """

    __slots__ = ("_firsts", "_last", "extents", "generation", "node", "revision", "size", "small")

    def __init__(
        self,
        node: int,
        revision: int,
        size: int,
        extents: Sequence[Extent] = (),
        small: bytes = b"",
        generation: int = 0,
    ) -> None:
        self.node = node
        self.generation = generation
        self.revision = revision
        self.size = size
        self.extents = list(extents)
        self.small = small
        self._firsts = [extent.first for extent in self.extents]
        self._last: Extent | None = None  # where the search ended last: sequential reads find it at once

    @property
    def frames(self) -> list[Extent]:
        """What fills the whole file, in order."""
        return self.extents

    @property
    def in_objects(self) -> bool:
        """Whether any frame stands in an object of the store."""
        return any(extent.object for extent in self.extents)

    def find(self, frame: int) -> Extent | None:
        """The extent that fills this frame; None for a hole."""
        last = self._last
        if last is not None and last.first <= frame < last.first + last.count:
            return last
        place = bisect_right(self._firsts, frame) - 1
        if place < 0:
            return None
        extent = self.extents[place]
        if frame >= extent.first + extent.count:
            return None
        self._last = extent
        return extent

    def key(self, frame: int) -> FrameKey | None:
        """Identity of the sealed frame at this place; None for a hole."""
        extent = self.find(frame)
        if extent is None:
            return None
        return extent.origin, extent.origin_first + frame - extent.first, extent.generation

    def parts(self, first: int, end: int) -> list[Extent]:
        """What fills the frames [first, end), as far as they are no holes, in order."""
        parts: list[Extent] = []
        place = max(0, bisect_right(self._firsts, first) - 1)
        for extent in self.extents[place : bisect_right(self._firsts, end - 1)]:
            low, high = max(first, extent.first), min(end, extent.first + extent.count)
            if low < high:
                parts.append(split(extent, low, high))
        return parts


def keys_of(extent: Extent) -> list[FrameKey]:
    """Identities of its frames, in order."""
    origin, generation, start = extent.origin, extent.generation, extent.origin_first
    return [(origin, index, generation) for index in range(start, start + extent.count)]


def frames_of(offset: int, length: int) -> range:
    """Indexes of the frames that the bytes [offset, offset + length) touch."""
    return range(offset // FRAME_BYTES, -(-(offset + length) // FRAME_BYTES))


def frame_count(size: int) -> int:
    """Frames that a file of `size` bytes can have."""
    return -(-size // FRAME_BYTES)
