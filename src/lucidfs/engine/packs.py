"""Small files that stand side by side in an object: who reads them in order gets the next ones with the same request.

The hub packs small files in the order in which they were written (docs/decisions/0016-packing.md), and mostly they
are read in that order too. A *window* is one request's bytes of an object; the tables belong to the loop's thread.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from lucidfs.engine.bodies import Bodies
from lucidfs.errors import Fault
from lucidfs.limits import KIB, MIB, PACK_AHEAD_BYTES_MAX

_NEAR_BYTES = 1 * MIB  # so far apart reads of several threads, or of a sorted list, still count as in order
_FIRST_BYTES = 256 * KIB  # costs little when the reader goes on elsewhere
_WINDOW_BYTES_MAX = 2 * MIB
_OBJECTS_MAX = 64  # that are remembered


class _Window:
    """Bytes [start, end) of an object, on their way or here."""

    __slots__ = ("end", "start", "task")

    def __init__(self, start: int, end: int, task: asyncio.Task[bytes]) -> None:
        self.start = start
        self.end = end
        self.task = task


class _Track:
    """How one object is read."""

    __slots__ = ("ahead", "place", "windows")

    def __init__(self, place: int, ahead: int) -> None:
        self.place = place  # where the last read ended
        self.ahead = ahead  # how many bytes more than asked the last request brought
        self.windows: OrderedDict[int, _Window] = OrderedDict()  # by start; the newest at the end


class Packs:
    """Reads of small files' frames out of objects.

    Args:
        bodies: the store.
        bytes_max: memory for what was fetched and may be asked for.
    """

    def __init__(self, bodies: Bodies, bytes_max: int = PACK_AHEAD_BYTES_MAX) -> None:
        self._bodies = bodies
        self._bytes_max = bytes_max
        self._bytes = 0
        self._tracks: OrderedDict[int, _Track] = OrderedDict()  # the one read last at the end

    async def get(self, object: int, offset: int, length: int) -> memoryview:
        """Bytes [offset, offset + length) of an object. Raises Fault as `Bodies.get`."""
        size = await self._bodies.size(object)
        window = self._find(object, offset, length) or self._start(object, offset, length, size)
        try:
            body = await asyncio.shield(window.task)
        except Fault:
            self._drop(object, window)
            if window.end - window.start == length:
                raise
            return memoryview(await self._bodies.get(object, offset, length, bytes))  # these bytes may be there
        return memoryview(body)[offset - window.start :][:length]

    def forget(self, object: int) -> None:
        """What was fetched of an object is damaged: fetch it anew."""
        track = self._tracks.get(object)
        for window in list(track.windows.values()) if track is not None else ():
            self._drop(object, window)

    def _find(self, object: int, offset: int, length: int) -> _Window | None:
        track = self._tracks.get(object)
        if track is None:
            return None
        for window in reversed(track.windows.values()):
            if window.start <= offset and offset + length <= window.end:
                track.place = offset + length
                return window
        return None

    def _start(self, object: int, offset: int, length: int, size: int) -> _Window:
        track = self._tracks.get(object)
        if track is None:  # packs follow each other too
            before = next(reversed(self._tracks.values()), None)
            track = self._tracks[object] = _Track(0, before.ahead if before is not None else 0)
        self._tracks.move_to_end(object)
        near = abs(offset - track.place) <= _NEAR_BYTES
        track.ahead = min(max(2 * track.ahead, _FIRST_BYTES), _WINDOW_BYTES_MAX) if near else 0
        track.place = offset + length
        end = max(offset + length, min(size, offset + length + track.ahead))
        task = asyncio.create_task(self._bodies.get(object, offset, end - offset, bytes))
        task.add_done_callback(_looked_at)
        if offset in track.windows:
            self._drop(object, track.windows[offset])
        window = track.windows[offset] = _Window(offset, end, task)
        self._bytes += end - offset
        self._make_room(window)
        return window

    def _make_room(self, kept: _Window) -> None:
        """Forget what was fetched longest ago."""
        while self._bytes > self._bytes_max or len(self._tracks) > _OBJECTS_MAX:
            object, track = next(iter(self._tracks.items()))
            oldest = next(iter(track.windows.values()), None)
            if oldest is kept:
                return
            if oldest is None or len(self._tracks) > _OBJECTS_MAX:
                self.forget(object)
                del self._tracks[object]
            else:
                self._drop(object, oldest)

    def _drop(self, object: int, window: _Window) -> None:
        track = self._tracks.get(object)
        if track is not None and track.windows.get(window.start) is window:
            del track.windows[window.start]
            self._bytes -= window.end - window.start


def _looked_at(task: asyncio.Task[bytes]) -> None:
    if not task.cancelled():
        task.exception()
