"""Where plaintext frames come from: memory, then sealed bytes on disk, then ranges of objects in the store.

One fetch per frame however many ask (`_flights`); neighbours in an object are one ranged request. The tables belong to
the loop's thread; fetching, opening and caching happen in workers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from operator import attrgetter

from lucidfs.engine.bodies import Bodies
from lucidfs.engine.cache.disk import DiskCache
from lucidfs.engine.cache.memory import MemoryCache
from lucidfs.engine.cache.rooms import Rooms
from lucidfs.engine.cache.slots import Slots
from lucidfs.engine.content import ContentMap, FrameKey, Plain, keys_of
from lucidfs.engine.external import Externals
from lucidfs.engine.packs import Packs
from lucidfs.errors import Code, Fault
from lucidfs.format.frame import Frames
from lucidfs.limits import (
    FRAME_BYTES,
    FRAME_OVERHEAD_BYTES,
    INLINE_BYTES_MAX,
    RANGE_BYTES_MAX,
    READ_AHEAD_BYTES_MAX,
    SMALL_FRAMES,
)
from lucidfs.namespace.extents import split
from lucidfs.wire.messages import Extent

_WHOLE_FRAMES = RANGE_BYTES_MAX // FRAME_BYTES  # read at once when all of a file is asked for
_SEALED_BYTES_MAX = RANGE_BYTES_MAX + _WHOLE_FRAMES * FRAME_OVERHEAD_BYTES  # so that such an object is one request

Plains = dict[FrameKey, Plain]
Flight = asyncio.Task[Plains]
Newest = Callable[[int, str], Awaitable[ContentMap]]


class Missing(Fault):
    """An object is gone from the store: the content was replaced long ago, or the hub gave its frames another place."""


class FrameSource:
    """Plaintext frames of one filespace.

    Args:
        frames: opens what was sealed.
        bodies: the store.
        memory: plaintext that was used lately.
        disk: sealed bytes that were fetched lately; None keeps none.
        externals: objects that are linked from elsewhere, and come as plaintext.
        newest: asks the hub for the content of a node; the path is for messages.

    Attributes:
        ahead_bytes: how far one reader may fetch ahead: what all fetch must stay in memory until it is read.
    """

    def __init__(
        self,
        frames: Frames,
        bodies: Bodies,
        memory: MemoryCache,
        disk: DiskCache | None,
        externals: Externals,
        newest: Newest,
    ) -> None:
        self.ahead_bytes = 0
        self._frames = frames
        self._bodies = bodies
        self._disk = disk
        self._externals = externals
        self._newest = newest
        self._packs = Packs(bodies)
        self._slots = Slots()
        self._rooms = Rooms(2 * READ_AHEAD_BYTES_MAX)  # they come in powers of two
        self._flights: dict[FrameKey, Flight] = {}
        self.memory = memory

    def share(self, readers: int) -> None:
        """Tell how many handles are open; they share half of the memory for reading ahead."""
        self.ahead_bytes = min(READ_AHEAD_BYTES_MAX, self.memory.bytes_max // (2 * max(2, readers)))

    async def fetch(self, extents: Iterable[Extent], path: str, content: ContentMap) -> Plains:
        """Plaintext of the frames of some extents, by identity; neighbours of theirs may be with them.

        Args:
            extents: parts of checked content maps.
            path: for messages.
            content: of the file; extents without an object stand in its small bytes.

        Raises:
            Missing: an object is not in the store; see `moved`.
            Fault: CORRUPT naming file and offset, UNAVAILABLE.
        """
        extents = list(extents)
        plains, flights, fresh = self._sort(extents)
        joined = frozenset(flights)
        for run in self._runs(fresh):
            if run[0].object or _sealed_bytes(run) > INLINE_BYTES_MAX:
                flights.add(self._start(run, path, content))
            else:
                plains.update(self._open(run, _small_part(run, content.small), path, keep=False))
        pending = {task for task in flights if not task.done()}
        if pending:
            await asyncio.wait(pending)  # never cancels them: others may wait for the same frames
        for task in flights:
            if task in joined and _met_damage(task):
                return await self.fetch(extents, path, content)  # it was asked for more, and these frames may be whole
            plains.update(task.result())
        return plains

    async def moved(self, content: ContentMap, path: str) -> ContentMap | None:
        """The same content in another place, after an object that it names was missing; None: it did not move.

        The hub packs frames anew (docs/decisions/0016-packing.md); the old place goes after a while.
        """
        try:
            newest = await self._newest(content.node, path)
        except Fault as fault:
            if fault.code is Code.NOT_FOUND:
                return None
            raise
        same = newest.generation == content.generation and newest.extents != content.extents
        return newest if same else None

    def prefetch(self, content: ContentMap, first: int, end: int, path: str) -> None:
        """Begin to fetch the frames [first, end), which will be asked for soon; trouble is left to whoever asks."""
        keep = first < _WHOLE_FRAMES or self._fits_on_disk(content.size)
        _, _, fresh = self._sort(content.parts(first, end))
        for run in self._runs(fresh):
            self._start(run, path, content, keep)

    def _fits_on_disk(self, size: int) -> bool:
        """Whether a file that is read from its start to its end would still be there for the next time.

        The disk cache drops what was used least lately, so a longer one would push out everything else and then its
        own beginning: each byte written and none read again. Of such files only what jumps read is kept, and the head.
        """
        return self._disk is not None and size <= self._disk.bytes_max // 2

    def _sort(self, extents: Iterable[Extent]) -> tuple[Plains, set[Flight], list[Extent]]:
        """What is in memory, what is under way, and what is neither, in parts that are one request each at most."""
        plains: Plains = {}
        flights: set[Flight] = set()
        fresh: list[Extent] = []
        for extent in extents:
            keys = keys_of(extent)
            begin = 0  # of the frames that are neither, up to the one looked at
            for at, plain in enumerate(self.memory.get_all(keys)):
                key = keys[at]
                flight = self._flights.get(key) if plain is None else None
                if flight is not None and _met_damage(flight):
                    flight = None  # it lands soon
                if plain is None and flight is None:
                    elsewhere = at > begin and self._on_disk(key) != self._on_disk(keys[at - 1])
                    if elsewhere or at - begin == _WHOLE_FRAMES:
                        fresh.append(_part(extent, begin, at))
                        begin = at
                    continue
                if plain is not None:
                    plains[key] = plain
                elif flight is not None:
                    flights.add(flight)
                if begin < at:
                    fresh.append(_part(extent, begin, at))
                begin = at + 1
            if begin < extent.count:
                fresh.append(_part(extent, begin, extent.count))
        return plains, flights, fresh

    def _start(self, run: list[Extent], path: str, content: ContentMap, keep: bool = True) -> Flight:
        task = asyncio.create_task(self._fly(run, path, content, keep))
        keys = [key for extent in run for key in keys_of(extent)]
        for key in keys:
            self._flights[key] = task
        task.add_done_callback(partial(self._landed, keys))
        return task

    def _landed(self, keys: list[FrameKey], task: Flight) -> None:
        for key in keys:
            if self._flights.get(key) is task:
                del self._flights[key]
        if not task.cancelled():
            task.exception()  # read-ahead that nobody waited for

    def _runs(self, found: list[Extent]) -> list[list[Extent]]:
        """Extents that stand one after the other, grouped; those on disk apart from those that are not."""
        runs: list[list[Extent]] = []
        before: tuple[bool, int, int] | None = None
        size = 0
        for extent in sorted(found, key=attrgetter("object", "offset")):
            length = sum(extent.lengths)
            here = (self._on_disk(keys_of(extent)[0]), extent.object, extent.offset)
            if here != before or size + length > _SEALED_BYTES_MAX:
                runs.append([])
                size = 0
            runs[-1].append(extent)
            size += length
            before = (here[0], extent.object, extent.offset + length)
        return runs

    def _on_disk(self, key: FrameKey) -> bool:
        return self._disk is not None and self._disk.has(key)

    async def _fly(self, run: list[Extent], path: str, content: ContentMap, keep: bool) -> Plains:
        first = run[0]
        if not first.object:
            return await self._bodies.run(lambda: self._open(run, _small_part(run, content.small), path, keep=False))
        if self._on_disk(keys_of(first)[0]):
            plains = await self._bodies.run(lambda: self._open_from_disk(run))
            if plains is not None:
                return plains
        if first.object < 0:
            return await self._externals.fetch(first, _sealed_bytes(run), partial(self._take_plain, run, keep=keep))
        keep = keep and not self._bodies.nearby  # one copy on this disk is enough
        then = partial(self._open, run, path=path, keep=keep)
        try:
            if content.size > SMALL_FRAMES * FRAME_BYTES or self._bodies.nearby:
                return await self._bodies.get(first.object, first.offset, _sealed_bytes(run), then)
            body = await self._packs.get(first.object, first.offset, _sealed_bytes(run))
            return await self._bodies.run(then, body)
        except Fault as fault:
            self._packs.forget(first.object)
            if fault.code is Code.NOT_FOUND:
                damage = _damaged(path, first.first, "its bytes are missing in the object store")
                raise Missing(damage.code, damage.message) from None
            if fault.code is Code.CORRUPT and path not in fault.message:
                raise _damaged(path, first.first, fault.message) from None
            raise

    def _open(self, run: list[Extent], body: bytes | memoryview, path: str, keep: bool) -> Plains:
        """Open fetched frames and keep them in the caches. Runs in a worker."""
        view = memoryview(body)
        plains: Plains = {}
        sealed: list[tuple[FrameKey, memoryview]] = []
        start = 0
        for extent in run:
            keys = keys_of(extent)
            done = len(plains)
            opened = self._frames.open_run(view[start:], extent.lengths, *keys[0], room=self._slots.room)
            try:
                plains.update(zip(keys, opened, strict=True))
            except Fault as fault:
                raise _damaged(path, extent.first + len(plains) - done, fault.message) from None
            for key, length in zip(keys, extent.lengths, strict=True):
                sealed.append((key, view[start : start + length]))
                start += length
        self.memory.put_all(plains)
        if keep and self._disk is not None:
            self._disk.put(sealed)
        return plains

    def _take_plain(self, run: list[Extent], body: bytes, keep: bool) -> Plains:
        """Keep frames that came as plaintext in the caches, sealed on disk. Runs in a worker."""
        view = memoryview(body)
        plains: Plains = {}
        start = 0
        for extent in run:
            for key, length in zip(keys_of(extent), extent.lengths, strict=True):
                plains[key] = room = self._slots.room(length)
                room[:] = view[start : start + length]
                start += length
        self.memory.put_all(plains)
        if keep and self._disk is not None:
            self._disk.put(self._seal(plains))
        return plains

    def _seal(self, plains: Plains) -> list[tuple[FrameKey, memoryview]]:
        memory = self._rooms.take(sum(map(len, plains.values())) + len(plains) * FRAME_OVERHEAD_BYTES)
        sealed: list[tuple[FrameKey, memoryview]] = []
        start = 0
        for key, plain in plains.items():
            end = start + self._frames.seal_into(memory[start:], plain, *key, compress=False)
            sealed.append((key, memory[start:end]))
            start = end
        return sealed

    def _open_from_disk(self, run: list[Extent]) -> Plains | None:
        """Frames from the disk cache; None when one is gone or bad, so that all are fetched. Runs in a worker."""
        assert self._disk is not None
        plains: Plains = {}
        for key in (key for extent in run for key in keys_of(extent)):
            sealed = self._disk.get(key)
            if sealed is None:
                return None
            try:
                plains[key] = self._frames.open(sealed, *key, room=self._slots.room)
            except Fault:
                self._disk.drop(key)
                return None
        self.memory.put_all(plains)
        return plains


async def read_whole(source: FrameSource, content: ContentMap, path: str) -> bytes:
    """All bytes of a content: joined once, which takes half the time and memory of filling a buffer and copying it.

    Raises:
        Fault: CORRUPT naming file and offset, UNAVAILABLE.
        MemoryError: it does not fit.
    """
    while True:
        try:
            return await _read_whole(source, content, path)
        except Missing:
            moved = await source.moved(content, path)
            if moved is None:
                raise
            content = moved


async def _read_whole(source: FrameSource, content: ContentMap, path: str) -> bytes:
    ahead = source.ahead_bytes // FRAME_BYTES
    parts: list[Plain] = []
    at = 0
    for extent in [*content.frames, None]:
        start = content.size if extent is None else extent.first * FRAME_BYTES
        if start > at:
            parts.append(bytes(start - at))
        if extent is None:
            break
        for first in range(extent.first, extent.first + extent.count, _WHOLE_FRAMES):
            end = min(first + _WHOLE_FRAMES, extent.first + extent.count)
            source.prefetch(content, first, min(end + ahead, extent.first + extent.count), path)
            part = split(extent, first, end)
            plains = await source.fetch([part], path, content)
            for frame, key in enumerate(keys_of(part), first):
                room = min(FRAME_BYTES, content.size - frame * FRAME_BYTES)
                plain = plains[key]
                parts.append(plain if len(plain) <= room else memoryview(plain)[:room])
                if len(plain) < room:
                    parts.append(bytes(room - len(plain)))
        at = min(content.size, (extent.first + extent.count) * FRAME_BYTES)
    return b"".join(parts)


def _met_damage(task: Flight) -> bool:
    if not task.done() or task.cancelled():
        return False
    fault = task.exception()
    return isinstance(fault, Fault) and fault.code is Code.CORRUPT


def _part(extent: Extent, begin: int, end: int) -> Extent:
    """Its frames [begin, end), counted from its own first."""
    return split(extent, extent.first + begin, extent.first + end)


def _sealed_bytes(run: list[Extent]) -> int:
    return sum(sum(extent.lengths) for extent in run)


def _small_part(run: list[Extent], small: bytes) -> bytes:
    return small[run[0].offset : run[0].offset + _sealed_bytes(run)]


def _damaged(path: str, frame: int, reason: str) -> Fault:
    return Fault(Code.CORRUPT, f"{path} is damaged at offset {frame * FRAME_BYTES}: {reason}")
