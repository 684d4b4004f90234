"""The bytes of one frame that a program wrote: runs that do not touch, as compact as what was written."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from lucidfs.limits import FRAME_BYTES


class Pieces:
    """Runs of own bytes inside one frame, sorted, never overlapping or touching."""

    __slots__ = ("parts", "starts")

    def __init__(self) -> None:
        self.starts: list[int] = []
        self.parts: list[bytearray] = []

    @property
    def full(self) -> bool:
        """Whether every byte of a whole frame is here."""
        return len(self.parts) == 1 and len(self.parts[0]) == FRAME_BYTES

    @property
    def end(self) -> int:
        """Offset after the last own byte."""
        return self.starts[-1] + len(self.parts[-1]) if self.parts else 0

    def write(self, at: int, data: bytes | bytearray | memoryview) -> None:
        """Put bytes at offset `at` of the frame, over what was there."""
        end = at + len(data)
        if self.parts:
            start, last = self.starts[-1], self.parts[-1]
            if at == start + len(last):  # a stream goes on
                last += data
                return
            if start <= at and end <= start + len(last):
                last[at - start : end - start] = data
                return
        self._weave(at, end, data)

    def _weave(self, at: int, end: int, data: bytes | bytearray | memoryview) -> None:
        """The general case: one part out of the new bytes and all parts that they overlap or touch."""
        low = bisect_right(self.starts, at) - 1
        if low < 0 or self.starts[low] + len(self.parts[low]) < at:
            low += 1
        high = bisect_right(self.starts, end)
        if low == high:
            self.starts.insert(low, at)
            self.parts.insert(low, bytearray(data))
            return
        start = min(at, self.starts[low])
        stop = max(end, self.starts[high - 1] + len(self.parts[high - 1]))
        woven = bytearray(stop - start)
        for index in range(low, high):
            offset = self.starts[index] - start
            woven[offset : offset + len(self.parts[index])] = self.parts[index]
        woven[at - start : end - start] = data
        self.starts[low:high] = [start]
        self.parts[low:high] = [woven]

    def trim(self, end: int) -> None:
        """Forget the bytes from offset `end` on."""
        keep = bisect_left(self.starts, end)
        del self.starts[keep:], self.parts[keep:]
        if self.parts and self.end > end:
            del self.parts[-1][end - self.starts[-1] :]

    def ranges(self) -> list[tuple[int, int]]:
        """Own bytes as [start, end) offsets in the frame."""
        return [(start, start + len(part)) for start, part in zip(self.starts, self.parts, strict=True)]

    def covers(self, low: int, high: int) -> bool:
        """Whether all bytes of [low, high) are own."""
        at = bisect_right(self.starts, low) - 1
        return at >= 0 and self.starts[at] + len(self.parts[at]) >= high

    def copy_into(self, out: memoryview, low: int) -> None:
        """Lay the own bytes over `out`, which shows the frame from offset `low` on."""
        high = low + len(out)
        for start, part in zip(self.starts, self.parts, strict=True):
            first, last = max(start, low), min(start + len(part), high)
            if first < last:
                out[first - low : last - low] = memoryview(part)[first - start : last - start]

    def copy(self) -> Pieces:
        """Pieces that do not change with these."""
        twin = Pieces()
        twin.starts = self.starts.copy()
        twin.parts = [bytearray(part) for part in self.parts]
        return twin

    def take(self) -> bytearray:
        """The bytes of a full frame; these pieces must not be used afterwards."""
        assert self.full, "only a whole frame can be taken"
        return self.parts[0]
