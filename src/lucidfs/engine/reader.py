"""Where plaintext frames come from: memory, then sealed bytes on disk, then ranges of objects in the store.

One fetch per frame however many ask (`_flights`); neighbours in an object are one ranged request. The tables belong to
the loop's thread; fetching, opening and caching happen in workers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import partial

from lucidfs.engine.bodies import Bodies
from lucidfs.engine.cache.disk import DiskCache
from lucidfs.engine.cache.memory import MemoryCache
from lucidfs.engine.content import ContentMap, FrameKey, Located
from lucidfs.errors import Code, Fault
from lucidfs.format.frame import Frames
from lucidfs.limits import FRAME_BYTES, FRAME_OVERHEAD_BYTES, RANGE_BYTES_MAX, READ_AHEAD_BYTES_MAX

_WHOLE_FRAMES = RANGE_BYTES_MAX // FRAME_BYTES  # read at once when all of a file is asked for
_SEALED_BYTES_MAX = RANGE_BYTES_MAX + _WHOLE_FRAMES * FRAME_OVERHEAD_BYTES  # so that such an object is one request

Plains = dict[FrameKey, bytes | bytearray]


class FrameSource:
    """Plaintext frames of one filespace.

    Args:
        frames: opens what was sealed.
        bodies: the store.
        memory: plaintext that was used lately.
        disk: sealed bytes that were fetched lately; None keeps none.

    Attributes:
        ahead_bytes: how far one reader may fetch ahead: what all fetch must stay in memory until it is read.
    """

    def __init__(self, frames: Frames, bodies: Bodies, memory: MemoryCache, disk: DiskCache | None) -> None:
        self.ahead_bytes = 0
        self._frames = frames
        self._bodies = bodies
        self._disk = disk
        self._flights: dict[FrameKey, asyncio.Task[Plains]] = {}
        self.memory = memory

    def share(self, readers: int) -> None:
        """Tell how many handles are open; they share half of the memory for reading ahead."""
        self.ahead_bytes = min(READ_AHEAD_BYTES_MAX, self.memory.bytes_max // (2 * max(2, readers)))

    async def load(self, content: ContentMap, wanted: Iterable[int], path: str) -> dict[int, bytes | bytearray]:
        """Plaintext of frames of a content, by frame number; holes are left out.

        Raises:
            Fault: CORRUPT naming file and offset, UNAVAILABLE.
        """
        keys = [(frame, key) for frame in wanted if (key := content.key(frame)) is not None]
        held: Plains = {}
        missing: list[int] = []
        for frame, key in keys:
            plain = self.memory.get(key)
            if plain is None:
                missing.append(frame)
            else:
                held[key] = plain
        if missing:
            held.update(await self.fetch([self._locate(content, frame) for frame in missing], path, content.small))
        return {frame: held[key] for frame, key in keys}

    async def fetch(self, found: list[Located], path: str, small: bytes = b"") -> Plains:
        """Plaintext of located frames, by their identity. Raises Fault as `load` does."""
        flights = self._start(found, path, small)
        pending = {task for task in flights.values() if not task.done()}
        if pending:
            await asyncio.wait(pending)  # never cancels them: others may wait for the same frames
        plains: Plains = {}
        for key, task in flights.items():
            plains[key] = task.result()[key]
        return plains

    def prefetch(self, content: ContentMap, wanted: Iterable[int], path: str) -> None:
        """Begin to fetch frames that will be asked for soon; trouble is left to whoever asks."""
        located = []
        for frame in wanted:
            key = content.key(frame)
            if key is not None and key not in self._flights and self.memory.get(key) is None:
                located.append(self._locate(content, frame))
        if located:
            self._start(located, path, content.small)

    def _locate(self, content: ContentMap, frame: int) -> Located:
        located = content.locate(frame)
        assert located is not None, "a frame with a key has a place"
        return located

    def _start(self, found: list[Located], path: str, small: bytes) -> dict[FrameKey, asyncio.Task[Plains]]:
        """The flight of each frame: one that is under way, or a new one for each run of neighbours."""
        flights: dict[FrameKey, asyncio.Task[Plains]] = {}
        fresh: list[Located] = []
        for item in found:
            flight = self._flights.get(item.key)
            if flight is None:
                fresh.append(item)
            else:
                flights[item.key] = flight
        for run in self._runs(fresh):
            task = asyncio.create_task(self._fly(run, path, small))
            for item in run:
                self._flights[item.key] = flights[item.key] = task
            task.add_done_callback(partial(self._landed, run))
        return flights

    def _landed(self, run: list[Located], task: asyncio.Task[Plains]) -> None:
        for item in run:
            if self._flights.get(item.key) is task:
                del self._flights[item.key]
        if not task.cancelled():
            task.exception()  # read-ahead that nobody waited for

    def _runs(self, found: list[Located]) -> list[list[Located]]:
        """Frames that stand one after the other, grouped; those on disk apart from those that are not."""
        runs: list[list[Located]] = []
        before: tuple[bool, int, int] | None = None
        size = 0
        on_disk = self._on_disk
        for item in sorted(found, key=lambda item: (item.object, item.offset)):
            here = (on_disk(item), item.object, item.offset)
            if here != before or size + item.length > _SEALED_BYTES_MAX:
                runs.append([])
                size = 0
            runs[-1].append(item)
            size += item.length
            before = (here[0], item.object, item.offset + item.length)
        return runs

    def _on_disk(self, item: Located) -> bool:
        return self._disk is not None and self._disk.has(item.key)

    async def _fly(self, run: list[Located], path: str, small: bytes) -> Plains:
        first, last = run[0], run[-1]
        end = last.offset + last.length
        if not first.object:
            return await self._bodies.run(lambda: self._open(run, small[first.offset : end], path, keep=False))
        if self._on_disk(first):
            plains = await self._bodies.run(lambda: self._open_from_disk(run))
            if plains is not None:
                return plains
        then = partial(self._open, run, path=path, keep=not self._bodies.nearby)  # one copy on this disk is enough
        try:
            return await self._bodies.get(first.object, first.offset, end - first.offset, then)
        except Fault as fault:
            if fault.code is Code.NOT_FOUND:
                raise _damaged(path, first.frame, "its bytes are missing in the object store") from None
            if fault.code is Code.CORRUPT and path not in fault.message:
                raise _damaged(path, first.frame, fault.message) from None
            raise

    def _open(self, run: list[Located], body: bytes, path: str, keep: bool) -> Plains:
        """Open fetched frames and keep them in the caches. Runs in a worker."""
        view = memoryview(body)
        plains: Plains = {}
        sealed: list[tuple[FrameKey, memoryview]] = []
        start = 0
        for item in run:
            part = view[start : start + item.length]
            start += item.length
            try:
                plain = self._frames.open(part, *item.key)
            except Fault as fault:
                raise _damaged(path, item.frame, fault.message) from None
            plains[item.key] = plain
            self.memory.put(item.key, plain)
            sealed.append((item.key, part))
        if keep and self._disk is not None:
            self._disk.put(sealed)
        return plains

    def _open_from_disk(self, run: list[Located]) -> Plains | None:
        """Frames from the disk cache; None when one is gone or bad, so that all are fetched. Runs in a worker."""
        assert self._disk is not None
        plains: Plains = {}
        for item in run:
            sealed = self._disk.get(item.key)
            if sealed is None:
                return None
            try:
                plain = self._frames.open(sealed, *item.key)
            except Fault:
                self._disk.drop(item.key)
                return None
            plains[item.key] = plain
            self.memory.put(item.key, plain)
        return plains


async def read_whole(source: FrameSource, content: ContentMap, path: str) -> bytes:
    """All bytes of a content: joined once, which takes half the time and memory of filling a buffer and copying it.

    Raises:
        Fault: as `FrameSource.load`.
        MemoryError: it does not fit.
    """
    ahead = source.ahead_bytes // FRAME_BYTES
    parts: list[bytes | bytearray | memoryview] = []
    at = 0
    for extent in [*content.extents, None]:
        start = content.size if extent is None else extent.first * FRAME_BYTES
        if start > at:
            parts.append(bytes(start - at))
        if extent is None:
            break
        for first in range(extent.first, extent.first + extent.count, _WHOLE_FRAMES):
            end = min(first + _WHOLE_FRAMES, extent.first + extent.count)
            source.prefetch(content, range(first, min(end + ahead, extent.first + extent.count)), path)
            plains = await source.load(content, range(first, end), path)
            for frame in range(first, end):
                room = min(FRAME_BYTES, content.size - frame * FRAME_BYTES)
                plain = plains[frame]
                parts.append(plain if len(plain) <= room else memoryview(plain)[:room])
                if len(plain) < room:
                    parts.append(bytes(room - len(plain)))
        at = min(content.size, (extent.first + extent.count) * FRAME_BYTES)
    return b"".join(parts)


def _damaged(path: str, frame: int, reason: str) -> Fault:
    return Fault(Code.CORRUPT, f"{path} is damaged at offset {frame * FRAME_BYTES}: {reason}")
