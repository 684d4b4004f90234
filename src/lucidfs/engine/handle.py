"""An open file: what a program reads and writes before anybody else sees it.

Plain methods may be called from any thread and never wait for the network; async methods run on the loop. One lock
guards view, journal and flags; it is never held across an await. `_publishing` makes commits of a handle take turns.
While one is under way the program may go on writing: such writes go into the view as always and into the journal,
which is played over the new content when the commit succeeded.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from lucidfs.engine.batch import Batch
from lucidfs.engine.content import ContentMap, frames_of
from lucidfs.engine.overlay import Overlay
from lucidfs.engine.publish import Target
from lucidfs.engine.readahead import ReadAhead
from lucidfs.engine.reader import Plains
from lucidfs.engine.rebase import rebase, seal_patched
from lucidfs.engine.view import View
from lucidfs.engine.writer import BATCH_FRAMES, batch_frames
from lucidfs.errors import Code, Fault
from lucidfs.limits import OBJECT_BYTES_MIN

if TYPE_CHECKING:
    from lucidfs.engine.files import Files
    from lucidfs.engine.node import Node

_STEP_BYTES = OBJECT_BYTES_MIN  # a long read goes on in steps, so that read-ahead works beside it
_JOURNAL_BYTES_MAX = 8 * OBJECT_BYTES_MIN  # written while a commit is under way; then writers wait for it

PATCHES_MAX = 1024  # frames written in part that are kept in memory, at most 64 MiB; then writers wait

_Change = tuple[int, bytes] | int  # a write at an offset, or a truncate to a size


class Handle:
    """One open file. Made by `Files`.

    Attributes:
        id: number of this handle; locks belong to it.
        path: as the program gave it.
    """

    def __init__(self, files: Files, target: Target, view: View, *, new: bool, writable: bool) -> None:
        self.id = target.handle
        self.path = target.path
        self._files = files
        self._target = target
        self._view = view
        self._new = new  # there is something to publish even if nothing is written: the file itself, or its emptiness
        self._writable = writable
        self._closed = False
        self._journal: list[_Change] | None = None
        self._journal_bytes = 0
        self._ahead = ReadAhead()
        self._lock = threading.Lock()
        self._publishing = asyncio.Lock()

    # --- any thread -----------------------------------------------------------------------------------------------

    @property
    def node(self) -> Node | None:
        """The file as it was when it was opened or last published by this handle; None while it is not made."""
        return self._target.node

    @property
    def content(self) -> ContentMap:
        """The published content under this handle's changes."""
        return self._view.content

    @property
    def patches(self) -> list[int]:
        """Frames of which some bytes were written and are kept in memory."""
        with self._lock:
            return list(self._view.overlay.pieces)

    @property
    def size(self) -> int:
        """Bytes of the file as this handle sees it."""
        return self._view.overlay.size

    @property
    def dirty(self) -> bool:
        """Whether there is something to publish."""
        return self._new or not self._view.overlay.clean

    @property
    def closed(self) -> bool:
        return self._closed

    def read_cached(self, offset: int, view: memoryview) -> int | None:
        """Read what is in memory.

        Args:
            offset: first byte.
            view: where to; bytes, contiguous.

        Returns:
            How many bytes were read (fewer than asked only at the end); None: `await read(...)` instead.
        """
        with self._lock:
            self._view.passing = self._passing(offset)
            count = self._view.read_nowait(offset, view, {})
            if not count:
                return count
            ahead = self._ahead.on_read(offset, count, self._view.source.ahead_bytes)
        if ahead is not None:
            self._files.loop.call_soon_threadsafe(self._prefetch, *ahead)
        return count

    def write_nowait(self, offset: int | None, data: bytes | bytearray | memoryview) -> bool:
        """Put bytes into the file, to be published later. The data is copied.

        Args:
            offset: where; None: at the end (an appending handle always writes there).
            data: what; give at most a few MiB at once, because that is what a bound on memory can be kept to.

        Returns:
            Whether the caller should `await drain()` before it writes more.

        Raises:
            Fault: DENIED for a handle that was opened for reading, INVALID when closed, TOO_LARGE.
        """
        with memoryview(data) as given, given.cast("B") as octets, self._lock:
            self._check_writable()
            view = self._view
            at = view.overlay.size if offset is None or view.overlay.append else offset
            view.overlay.write(at, octets)
            if self._journal is not None:
                self._journal.append((at, bytes(octets)))
                self._journal_bytes += len(octets)
            while len(view.overlay.ready) >= (frames := batch_frames(len(view.overlay.sealed))):
                view.uploads.add(view.overlay.take_ready(frames, self._make_batch))
            return view.uploads.full or self._journal_bytes > _JOURNAL_BYTES_MAX or self._patches_full

    # --- on the loop ----------------------------------------------------------------------------------------------

    async def read(self, offset: int, view: memoryview) -> int:
        """Read bytes from `offset` into `view`; how many there were: fewer than asked only at the end.

        Raises:
            Fault: CORRUPT naming file and offset; UNAVAILABLE past the deadline.
        """
        done = 0
        while done < len(view):
            step = view[done : done + _STEP_BYTES]
            count = await self._read_step(offset + done, step)
            done += count
            if count < len(step):
                break
        return done

    async def _read_step(self, offset: int, out: memoryview) -> int:
        held: Plains = {}
        with self._lock:
            self._view.passing = self._passing(offset)
            count = self._view.read_nowait(offset, out, held)
            wanted = min(len(out), max(0, self.size - offset))
            ahead = self._ahead.on_read(offset, wanted, self._view.source.ahead_bytes) if wanted else None
        if count is None and ahead is not None:
            ahead = (offset, ahead[1])  # what is missing now and what comes next are neighbours: one request
        if ahead is not None:
            self._prefetch(*ahead)
        while count is None:
            held.update(await self._view.fetch(frames_of(offset, wanted)))
            with self._lock:
                count = self._view.read_nowait(offset, out, held)
        return count

    def _passing(self, offset: int) -> bool:
        """Whether the reads go in order through more than memory holds: each frame would be gone before a second read.

        Letting go of it at once leaves the memory to others, and frames are opened where memory is warm.
        """
        return self._ahead.goes_on(offset) and self._view.content.size >= self._view.source.memory.bytes_max

    def _prefetch(self, start: int, end: int) -> None:
        view = self._view
        if not self._closed and not view.overlay.whole:
            frames = frames_of(start, min(end, view.overlay.visible) - start)
            view.source.prefetch(view.content, frames.start, frames.stop, self.path)

    async def write(self, offset: int | None, data: bytes | bytearray | memoryview) -> None:
        """Put bytes of any length into the file, waiting for room where needed. Raises Fault as `write_nowait`."""
        octets = memoryview(data).cast("B")
        for start in range(0, len(octets), _STEP_BYTES):
            at = None if offset is None else offset + start
            if self.write_nowait(at, octets[start : start + _STEP_BYTES]):
                await self.drain()

    async def drain(self) -> None:
        """Return when there is room to write more. Raises Fault when bytes below patches cannot be read."""
        if self._patches_full:
            await self._seal_patches()
        await self._view.uploads.drain()
        if self._journal_bytes > _JOURNAL_BYTES_MAX:
            async with self._publishing:
                pass

    @property
    def _patches_full(self) -> bool:
        return len(self._view.overlay.pieces) > PATCHES_MAX

    async def _seal_patches(self) -> None:
        """Seal frames that were written in part, oldest first, until half of the room is free."""
        with self._lock:
            view = self._view
            frames = list(view.overlay.pieces)[: PATCHES_MAX // 2 + 1]
        for first in range(0, len(frames), BATCH_FRAMES):
            group = frames[first : first + BATCH_FRAMES]
            plains = await view.fetch(group)
            with self._lock:
                if self._view is view and not self._closed:
                    seal_patched(view, group, plains, self._target.origin)
            await view.uploads.drain()

    async def truncate(self, size: int) -> None:
        """Make the file `size` bytes long, to be published later. Instant, whatever the size.

        Raises:
            Fault: DENIED, INVALID, TOO_LARGE.
        """
        with self._lock:
            self._check_writable()
            self._view.overlay.truncate(size)
            if self._journal is not None:
                self._journal.append(size)

    async def flush(self) -> None:
        """Publish what was written: when this returns, everybody sees it and it is durable. All of it or nothing.

        A caller that is cancelled leaves the commit running: it may not be known whether it happened.

        Raises:
            Fault: why it was not published; the changes are still there, and a flush may be tried again.
        """
        await asyncio.shield(self._files.track(self._flush()))

    async def _flush(self) -> None:
        async with self._publishing:
            if self.dirty and not self._closed:
                await self._replace_view(self._published)
                self._new = False

    async def _published(self, snapshot: View) -> View:
        content = await self._files.publisher.publish(self._target, snapshot)
        return snapshot.over(content, Overlay(content.size, append=snapshot.overlay.append))

    async def refresh(self) -> None:
        """See the newest revision, under the handle's own changes. For readers, and after a lock was taken.

        Raises:
            Fault: NOT_FOUND when the file was deleted; CORRUPT, UNAVAILABLE.
        """
        async with self._publishing:
            if self._target.node is not None and not self._view.overlay.whole and not self._closed:
                content = await self._files.publisher.newest(self._target)
                await self._replace_view(lambda snapshot: rebase(snapshot, content, self._target.origin))

    async def _replace_view(self, make: Callable[[View], Coroutine[Any, Any, View]]) -> None:
        """See what `make` makes of the view as it is now, with what is written meanwhile laid over it."""
        with self._lock:
            snapshot = self._view.snapshot()
            journal: list[_Change] = []
            self._journal, self._journal_bytes = journal, 0
        fresh = None
        try:
            fresh = await make(snapshot)
        finally:
            with self._lock:
                self._journal, self._journal_bytes = None, 0
                if fresh is not None and not self._closed:
                    _play(journal, fresh.overlay)
                    self._view = fresh

    async def close(self) -> None:
        """Publish, release the locks, end. Repeat: no-op.

        Raises:
            Fault: why it was not published; the handle is closed all the same and its unpublished changes are gone.
        """
        if self._closed:
            return
        try:
            if self.dirty:
                await self.flush()
        finally:
            await self._end()

    async def abort(self) -> None:
        """Publish nothing, release the locks, end. Repeat: no-op."""
        if not self._closed:
            await self._end()

    async def _end(self) -> None:
        with self._lock:
            self._closed = True
            batches = {id(sealed.batch): sealed.batch for sealed in self._view.overlay.sealed.values()}
            self._view = self._view.over(self._view.content, Overlay(self._view.content.size))
        self._view.uploads.forget(batches.values())
        await self._files.forget(self, self._target)

    def _make_batch(self, indexes: list[int], plains: list[bytearray]) -> Batch:
        return self._view.uploads.make(self._target.origin, indexes, plains)

    def _check_writable(self) -> None:
        if self._closed:
            raise Fault(Code.INVALID, "the file is closed")
        if not self._writable:
            raise Fault(Code.DENIED, "the file was opened for reading")


def _play(journal: list[_Change], overlay: Overlay) -> None:
    """Do again what was done while a commit was under way."""
    for change in journal:
        if isinstance(change, int):
            overlay.truncate(change)
        else:
            overlay.write(overlay.size if overlay.append else change[0], memoryview(change[1]))
