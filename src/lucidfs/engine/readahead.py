"""How far to fetch ahead of a reader: twice as far each time that it goes on in order, nothing when it jumps. Pure."""

from __future__ import annotations

from lucidfs.limits import KIB, READ_AHEAD_BYTES_MAX

_FIRST_BYTES = 512 * KIB  # costs little when the reader stops after the first bytes, and fills one worker


class ReadAhead:
    """Watches the reads of one handle."""

    __slots__ = ("_ahead", "_next", "_trigger", "_window")

    def __init__(self) -> None:
        self._next = 0  # where a sequential read would start: reading from the start counts as sequential
        self._window = 0
        self._ahead = 0  # everything before this was asked for
        self._trigger = 0  # reading beyond this moves the window on

    def goes_on(self, offset: int) -> bool:
        """Whether a read at `offset` goes on where the one before ended."""
        return offset == self._next

    def on_read(self, offset: int, length: int, bytes_max: int = READ_AHEAD_BYTES_MAX) -> tuple[int, int] | None:
        """Tell of a read; the bytes [start, end) to fetch ahead now, if any.

        Args:
            offset, length: of the read, in bytes.
            bytes_max: never further ahead than this.
        """
        end = offset + length
        if offset != self._next:
            self._next = end
            self._window = 0
            self._ahead = self._trigger = end
            return None
        self._next = end
        if end < self._trigger:
            return None
        self._window = min(max(_FIRST_BYTES, 2 * self._window, 2 * length), bytes_max)
        start = max(self._ahead, end)
        self._ahead = end + self._window
        self._trigger = end + self._window // 2
        return (start, self._ahead) if start < self._ahead else None
