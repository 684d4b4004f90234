"""Files of one linked filespace: opened, read and written whole, copied without moving a byte.

The life of a write: program → `Handle.write_nowait` → overlay → batches of whole frames → sealed and stored by workers
(`Uploads`) → at flush the tail is sealed, and one commit publishes all (`Publisher`).
The life of a read: program → `Handle.read_cached` → memory, else `Handle.read` → `FrameSource` → disk, store.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, NamedTuple
from weakref import WeakSet

from lucidfs.clock import Clock
from lucidfs.crypto.keys import FilespaceKeys
from lucidfs.engine.bodies import Bodies
from lucidfs.engine.cache.disk import DiskCache
from lucidfs.engine.cache.memory import MemoryCache
from lucidfs.engine.content import ContentMap
from lucidfs.engine.draft import Draft, small_draft
from lucidfs.engine.external import Externals
from lucidfs.engine.grants import Grants
from lucidfs.engine.handle import Handle
from lucidfs.engine.locks import Locks
from lucidfs.engine.maps import current_content
from lucidfs.engine.node import Node
from lucidfs.engine.opening import RACES_MAX, Opener, Wish
from lucidfs.engine.overlay import Overlay
from lucidfs.engine.publish import Publisher, Target, check_file
from lucidfs.engine.reader import FrameSource, read_whole
from lucidfs.engine.session import Session
from lucidfs.engine.settings import EngineSettings
from lucidfs.engine.tree import Tree
from lucidfs.engine.view import View
from lucidfs.engine.workers import Runner
from lucidfs.engine.writer import Uploads
from lucidfs.errors import Code, Fault
from lucidfs.format.frame import Frames
from lucidfs.ids import Ids
from lucidfs.limits import FRAME_BYTES, LOCK_TIMEOUT_S, LOCK_WAIT_S_MAX, OBJECT_BYTES_MIN, SMALL_FRAMES
from lucidfs.objects.base import ObjectStore
from lucidfs.types import Access, Kind, LockMode

log = logging.getLogger(__name__)


class Pending(NamedTuple):
    """What was closed or flushed, or is being so, and is not durable yet."""

    files: int
    bytes: int


class Files:
    """Everything that has content. Made and used on the loop's thread; handles have methods for other threads.

    Args:
        session, tree, locks: of the filespace.
        keys: of the filespace.
        ids: of this client.
        store: where objects are, composed with its retries; closed by whoever made it.
        settings: sizes and the cache folder.
        clock, random: from outside.
        workers: run transfers, ciphers and compressors; closed by whoever made them.
        grants: give the store its URLs; None when it needs none.
        externals: objects that are linked from elsewhere.
    """

    def __init__(
        self,
        session: Session,
        tree: Tree,
        locks: Locks,
        keys: FilespaceKeys,
        ids: Ids,
        store: ObjectStore,
        settings: EngineSettings,
        clock: Clock,
        random: Callable[[int], bytes],
        workers: Runner,
        grants: Grants | None = None,
        *,
        externals: Externals,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.externals = externals
        self.publisher = Publisher(session, tree, locks, keys, ids, random, self.externals)
        self._session = session
        self._tree = tree
        self._locks = locks
        self._keys = keys
        self._ids = ids
        self._opener = Opener(session, tree, locks, keys, ids, self.externals)
        self._disk = _disk_cache(settings, random)
        memory = MemoryCache(settings.memory_cache_bytes)
        frames = Frames(keys, settings.algorithm)
        bodies = Bodies(store, session.filespace, workers, grants)
        self.source = FrameSource(frames, bodies, memory, self._disk, self.externals, self._newest)
        self.uploads = Uploads(frames, bodies, memory, ids, self.loop, settings.upload_bytes)
        self._flushing: set[asyncio.Future[Any]] = set()
        self._handles: WeakSet[Handle] = WeakSet()  # one that the program dropped publishes nothing

    # --- opening --------------------------------------------------------------------------------------------------

    async def open(
        self,
        path: str,
        *,
        read: bool = True,
        write: bool = False,
        create: bool = False,
        exclusive: bool = False,
        truncate: bool = False,
        append: bool = False,
        lock: LockMode | None = None,
        lock_timeout_s: float | None = None,
    ) -> Handle:
        """Open a file. Nothing that is written is seen by others before the handle is flushed or closed.

        Args:
            path: from the linked root.
            read, write: what the handle is for.
            create: a missing file is made, when the handle is published.
            exclusive: with `create`: the file must be missing; its name is held until it is made.
            truncate: the content is replaced whole; the old one stays until the handle is published.
            append: everything is written at the end, wherever that is when it is published.
            lock: held until close; a missing file is then made at once, empty.
            lock_timeout_s: how long to wait for locks of other clients, here and when publishing.

        Raises:
            Fault: NOT_FOUND, EXISTS, IS_A_FOLDER, NOT_A_FOLDER, LOCKED, DENIED, CORRUPT, UNAVAILABLE, …
        """
        wish = Wish(path, write, create, exclusive, truncate, lock, _wait_ms(lock_timeout_s))
        target, content = await self._opener.find(wish)
        overlay = Overlay(content.size, whole=truncate, append=append)
        view = View(self.source, self.uploads, path, content, overlay)
        return self._opened(Handle(self, target, view, new=write and (target.node is None or truncate), writable=write))

    def reopen(self, handle: Handle) -> Handle:
        """A reader of the revision that a handle of another client shows: for a forked child, whose parent opened it.

        Any thread. Takes no lock of the other handle, whose owner may be gone; its own locks are not taken over.
        """
        content = handle.content
        target = Target(handle.path, handle.node, None, "", number=content.node, handle=self._ids.take(), wait_ms=0)
        view = View(self.source, self.uploads, handle.path, content, Overlay(content.size))
        return self._opened(Handle(self, target, view, new=False, writable=False))

    def _opened(self, handle: Handle) -> Handle:
        self._handles.add(handle)
        self.source.share(len(self._handles))
        return handle

    async def create(self, path: str) -> Handle:
        """Make an empty file at once and open it for reading and writing. Raises Fault: EXISTS, NOT_FOUND, …"""
        walk = await self._tree.walk(path, follow=False)
        if walk.node is not None:
            raise Fault(Code.EXISTS, "it exists already")
        await self._opener.make_empty(walk.place(), walk.name, exclusive=True)
        return await self.open(path, write=True)

    # --- whole files ----------------------------------------------------------------------------------------------

    async def read_file(self, path: str) -> bytes:
        """The whole content of a file, of one revision. Raises Fault as `open` and `Handle.read` do."""
        handle = await self.open(path)
        try:
            return await read_whole(self.source, handle.content, path)
        finally:
            await handle.close()

    async def write_file(self, path: str, data: bytes | bytearray | memoryview) -> None:
        """Make or replace a file; durable when this returns. Raises Fault as `open` and `Handle.flush` do.

        One round trip for a small new file in a folder that was seen before, else two.
        """
        octets = memoryview(data).cast("B")
        if len(octets) <= SMALL_FRAMES * FRAME_BYTES:
            await self._write_small(path, octets)
            return
        handle = await self.open(path, read=False, write=True, create=True, truncate=True)
        try:
            await handle.write(0, octets)
        except BaseException:
            await handle.abort()
            raise
        await handle.close()

    async def _write_small(self, path: str, data: memoryview) -> None:
        """Replace a file by what fits into one commit; as with a handle, without the way there."""
        under_way = self.loop.create_future()  # for `sync`; a task of its own would take two turns of the loop more
        self._flushing.add(under_way)
        try:
            target = self._at_a_guess(path)
            if target is None:
                target, _ = await self._opener.find(Wish(path, True, True, False, True, None, _wait_ms(None)))
            await self.publisher.replace(target, await small_draft(self.uploads, target.origin, data))
        finally:
            self._flushing.discard(under_way)
            under_way.set_result(None)

    def _at_a_guess(self, path: str) -> Target | None:
        """A file to be made where its folder was seen; the commit finds out what is true."""
        likely = self._tree.likely_place(path)
        if likely is None:
            return None
        folder, at, name = likely
        return Target(path, None, folder, name, number=self._ids.take(), handle=0, wait_ms=_wait_ms(None), at=at)

    async def truncate(self, path: str, size: int) -> None:
        """Shorten a file, or extend it with zeros that take no space. Raises Fault as `open` and `Handle.flush` do."""
        handle = await self.open(path, write=True)
        try:
            await handle.truncate(size)
        except BaseException:
            await handle.abort()
            raise
        await handle.close()

    async def copy(self, source: str, target: str) -> Node:
        """Make `target` have the content of `source`: both share the sealed frames, no byte moves.

        The copy of an external file is an own file: its bytes are read here and sealed.

        Raises:
            Fault: NOT_FOUND, IS_A_FOLDER, LOCKED, CORRUPT, TOO_LARGE (more extents than one commit takes).
        """
        for _ in range(RACES_MAX):
            handle = await self.open(source)
            content = handle.content
            if handle.node is not None and handle.node.kind is Kind.EXTERNAL:
                return await self._copy_external(handle, target)
            await handle.close()
            walk = await self._tree.walk(target, access=Access.WRITE, wait_ms=_wait_ms(None))
            there = walk.node
            replaces = there.id if there is not None and there.kind is Kind.EXTERNAL else 0
            if replaces:
                there = None
            if there is not None:
                check_file(there)
                if there.id == content.node:
                    return there
            folder = walk.parent if walk.node is not None else walk.place()
            number = self._ids.take() if there is None else there.id
            place = Target(
                target, there, folder, walk.name, number=number, handle=0, wait_ms=_wait_ms(None), replaces=replaces
            )
            try:
                await self.publisher.send(place, _copy_of(content))
            except Fault as fault:
                if fault.code is not Code.STALE:
                    raise
                continue
            assert place.node is not None
            return place.node
        raise Fault(Code.STALE, f"{source} changes faster than it can be copied")

    async def _copy_external(self, source: Handle, target: str) -> Node:
        try:
            copy = await self.open(target, read=False, write=True, create=True, truncate=True)
            try:
                room = memoryview(bytearray(OBJECT_BYTES_MIN))
                at = 0
                while count := await source.read(at, room):
                    await copy.write(at, room[:count])
                    at += count
            except BaseException:
                await copy.abort()
                raise
            await copy.close()
        finally:
            await source.close()
        assert copy.node is not None, "it was made"
        return copy.node

    # --- all of them ----------------------------------------------------------------------------------------------

    def pending(self) -> Pending:
        """What is not durable yet. Any thread; a moment's picture."""
        return Pending(len(self._flushing), self.uploads.bytes_under_way if self._flushing else 0)

    async def sync(self) -> None:
        """Return when every flush and close that began before has ended; each tells its own caller if it failed."""
        if self._flushing:
            await asyncio.wait(set(self._flushing))

    async def close(self) -> None:
        """End all handles without publishing, and forget the caches in memory."""
        for handle in list(self._handles):
            with suppress(Fault):  # the hub is away: the end of the session tells it the same
                await handle.abort()
        self.source.memory.clear()
        if self._disk is not None:
            self._disk.close()

    async def _newest(self, node: int, path: str) -> ContentMap:
        _, content = await current_content(self._session, self._tree, self._keys, node, path)
        return content

    # --- for handles ----------------------------------------------------------------------------------------------

    def track(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a flush so that `pending` and `sync` know of it."""
        task = self.loop.create_task(work)
        self._flushing.add(task)
        task.add_done_callback(self._flushed)
        return task

    def _flushed(self, task: asyncio.Task[None]) -> None:
        self._flushing.discard(task)
        if not task.cancelled():
            task.exception()  # a caller that was cancelled meanwhile does not ask

    async def forget(self, handle: Handle, target: Target) -> None:
        """A handle ended: give back its locks and its reserved name."""
        self._handles.discard(handle)
        self.source.share(len(self._handles))
        try:
            await self._locks.release_all(handle.id)
        finally:
            await self.publisher.reserve_ends(target)


def _copy_of(content: ContentMap) -> Draft:
    extents = content.extents
    return Draft(content.size, extents, extents, [], [], content.small, [], whole=True, base=0, replaces=True)


def _disk_cache(settings: EngineSettings, random: Callable[[int], bytes]) -> DiskCache | None:
    if settings.cache_folder is None or settings.disk_cache_bytes <= 0:
        return None
    try:
        return DiskCache(settings.cache_folder, settings.disk_cache_bytes, random)
    except OSError as error:  # full, forbidden, not a folder: it only costs speed
        log.warning("going on without a disk cache: %s", error)
        return None


def _wait_ms(timeout_s: float | None) -> int:
    wait_s = LOCK_TIMEOUT_S if timeout_s is None else min(max(timeout_s, 0.0), LOCK_WAIT_S_MAX)
    return int(wait_s * 1000)
