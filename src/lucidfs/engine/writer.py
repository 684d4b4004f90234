"""Uploads: whole frames are sealed and stored by workers while the program goes on writing, within a bound.

`add` may be called from any thread; the uploads themselves are tasks of the loop.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable

from lucidfs.engine.batch import Batch
from lucidfs.engine.bodies import Bodies
from lucidfs.engine.cache.memory import MemoryCache
from lucidfs.engine.cache.rooms import Rooms
from lucidfs.errors import Code, Fault
from lucidfs.format.frame import Frames
from lucidfs.ids import Ids
from lucidfs.limits import FRAME_BYTES, INLINE_BYTES_MAX, OBJECT_BYTES_MIN, UPLOAD_BYTES_MAX, WORKERS

BATCH_FRAMES = OBJECT_BYTES_MIN // FRAME_BYTES
_BATCH_FRAMES_MAX = UPLOAD_BYTES_MAX // WORKERS // FRAME_BYTES  # so that each worker still has one of them
_PART = 4  # the next object has this part of what the stream has in objects: it begins early, then has few requests
_NUMBERS_MAX = 3  # a taken object number is a coincidence; three are a fault


class Uploads:
    """Everything of one filespace that is on its way to the store.

    Args:
        frames: seals.
        bodies: the store.
        memory: keeps plaintexts, so that what was just written can be read.
        ids: fresh numbers of objects and generations.
        loop: of the engine.
        bytes_max: plaintext under way; beyond it `full` asks writers to wait.
    """

    def __init__(
        self,
        frames: Frames,
        bodies: Bodies,
        memory: MemoryCache,
        ids: Ids,
        loop: asyncio.AbstractEventLoop,
        bytes_max: int = UPLOAD_BYTES_MAX,
    ) -> None:
        self._frames = frames
        self._bodies = bodies
        self._memory = memory
        self._ids = ids
        self._loop = loop
        self._bytes_max = bytes_max
        self._rooms = Rooms(2 * UPLOAD_BYTES_MAX)  # they come in powers of two
        self._lock = threading.Lock()
        self._bytes = 0
        self._bytes_most = 0
        self._waiting: list[asyncio.Future[None]] = []

    @property
    def bytes_under_way(self) -> int:
        """Plaintext handed over and not yet in the store."""
        return self._bytes

    @property
    def bytes_most(self) -> int:
        """The most that was ever under way at once."""
        return self._bytes_most

    @property
    def full(self) -> bool:
        """Whether writers should wait (`drain`)."""
        return self._bytes >= self._bytes_max

    def make(self, origin: int, indexes: list[int], plains: list[bytearray]) -> Batch:
        """A batch under fresh numbers; not started."""
        return Batch(origin, self._ids.take(), self._ids.take(), indexes, plains)

    def number(self) -> int:
        """A fresh number for an object that travels inside a commit."""
        return self._ids.take()

    def add(self, batch: Batch) -> None:
        """Count a batch and have it sealed and stored soon. Any thread."""
        self._count(len(batch.indexes) * FRAME_BYTES)
        self._loop.call_soon_threadsafe(self._start, batch)

    async def finish(self, batches: Iterable[Batch]) -> None:
        """Return when all of them are in the store. On the loop.

        Raises:
            Fault: what stopped the first of them that failed.
        """
        tasks = [self._start(batch) for batch in batches]
        if tasks:
            await asyncio.wait(tasks)  # a cancelled caller must not cancel uploads that others may still need
            for task in tasks:
                task.result()

    async def drain(self) -> None:
        """Return when there is room for more. On the loop."""
        while self.full:
            future = self._loop.create_future()
            self._waiting.append(future)
            await future

    def forget(self, batches: Iterable[Batch]) -> None:
        """Stop what nobody will need; what is already in the store is found and removed by the hub."""
        for batch in batches:
            if batch.task is None or not batch.task.done():
                self._start(batch).cancel()

    async def seal(self, batch: Batch) -> None:
        """Seal a batch without storing it: a few bytes here, more in a worker."""
        if batch.plains is not None and sum(map(len, batch.plains)) <= INLINE_BYTES_MAX:
            self._seal(batch)
        else:
            await self._bodies.run(lambda: self._seal(batch))

    async def put(self, body: bytes) -> int:
        """Store sealed bytes under a fresh number and return that. Raises Fault."""
        for _ in range(_NUMBERS_MAX):
            number = self._ids.take()
            try:
                await self._bodies.put(number, lambda: body)
            except Fault as fault:
                if fault.code is not Code.EXISTS:
                    raise
            else:
                return number
        raise _all_taken()

    async def store(self, batch: Batch) -> None:
        """Seal and store a batch now, uncounted. Raises Fault."""
        for _ in range(_NUMBERS_MAX):
            try:
                await self._bodies.put(batch.object, lambda: self._seal(batch))
                return
            except Fault as fault:
                if fault.code is not Code.EXISTS:
                    raise
            batch.object = self._ids.take()
        raise _all_taken()

    def _seal(self, batch: Batch) -> memoryview:
        return batch.seal(self._frames, self._memory.put, self._rooms.take)

    def _start(self, batch: Batch) -> asyncio.Task[None]:
        """The upload of a batch; one that failed is begun again, because a flush may be repeated."""
        task = batch.task
        if task is not None and (not task.done() or _succeeded(task)):
            return task
        if task is not None:
            self._count(len(batch.indexes) * FRAME_BYTES)
        batch.task = self._loop.create_task(self._upload(batch))
        batch.task.add_done_callback(lambda task: self._ended(task, batch))
        return batch.task

    async def _upload(self, batch: Batch) -> None:
        await self.store(batch)
        batch.arrived()

    def _ended(self, task: asyncio.Task[None], batch: Batch) -> None:
        """Give its room back. Whoever commits hears of a failure; who never commits must not trouble the loop."""
        _succeeded(task)
        self._count(-len(batch.indexes) * FRAME_BYTES)
        if not self.full:
            for future in self._waiting:
                if not future.done():
                    future.set_result(None)
            self._waiting.clear()

    def _count(self, amount: int) -> None:
        with self._lock:
            self._bytes += amount
            self._bytes_most = max(self._bytes_most, self._bytes)


def batch_frames(sealed: int) -> int:
    """How many frames the next object of a stream takes that has `sealed` frames in objects: more the longer it is."""
    return min(_BATCH_FRAMES_MAX, max(1, sealed // _PART // BATCH_FRAMES) * BATCH_FRAMES)


def _succeeded(task: asyncio.Task[None]) -> bool:
    return not task.cancelled() and task.exception() is None


def _all_taken() -> Fault:
    return Fault(Code.EXISTS, "the object store says that every fresh number is taken")
