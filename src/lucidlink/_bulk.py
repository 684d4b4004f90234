"""Many files or folders in one call: coroutines that keep many requests on one connection under way at once.

They run on an engine's loop. Paths are as a program gives them, from the linked root.
"""

from __future__ import annotations

import asyncio
import posixpath
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeVar

from lucidfs.engine.engine import Engine
from lucidfs.engine.node import Node
from lucidfs.engine.subtree import everything_below
from lucidfs.errors import Code, Fault
from lucidfs.types import Access

T = TypeVar("T")
K = TypeVar("K")

AT_ONCE = 64  # whole files in memory and in flight; a session takes more requests, but then others of it wait


async def each(work: Callable[[K], Awaitable[T]], keys: Iterable[K]) -> list[T | Fault]:
    """What became of each key, in order; a refusal stands in its place."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(key: K) -> T | Fault:
        async with room:
            try:
                return await work(key)
            except Fault as fault:
                return fault

    return await asyncio.gather(*(one(key) for key in keys))


async def tree(engine: Engine, path: str, depth: int | None) -> tuple[Node, dict[str, Node]]:
    """The node at a path, and everything below it by its path from there; see `everything_below`.

    Args:
        engine: of the filespace.
        path: a file or folder.
        depth: levels; None: all.

    Raises:
        Fault: NOT_FOUND, and as `Tree.walk`.
    """
    top = await engine.tree.entry(path, follow=True)
    return top, await everything_below(engine.session, engine.tree, top, depth) if top.is_folder else {}


async def above(engine: Engine, path: str, work: Callable[[], Awaitable[T]]) -> T:
    """Do something with a path whose folder may be missing: then it is made, and the work done again."""
    try:
        return await work()
    except Fault as fault:
        if fault.code is not Code.NOT_FOUND:
            raise
    await engine.tree.make_folders(posixpath.dirname(path), exist_ok=True)
    return await work()


async def write(engine: Engine, path: str, data: bytes | bytearray | memoryview) -> None:
    """Make or replace a file, with the folders above it."""
    await above(engine, path, lambda: engine.files.write_file(path, data))


async def write_all(engine: Engine, files: Sequence[tuple[str, bytes | bytearray | memoryview]]) -> list[Fault | None]:
    """Make or replace many files, with the folders above them. What became of each, in order.

    The folders come first, each once: then each new small file in them is one round trip.
    """
    await each(
        lambda folder: engine.tree.make_folders(folder, exist_ok=True), {posixpath.dirname(path) for path, _ in files}
    )  # a refusal comes again with the file
    return await each(lambda file: write(engine, *file), files)


async def copy(engine: Engine, source: str, target: str) -> None:
    """Share a file's content under another path, with the folders above it; or make a folder like the source.

    Raises:
        Fault: as `Files.copy`; TOO_LARGE when only moving its bytes will do.
    """
    try:
        await above(engine, target, lambda: engine.files.copy(source, target))
    except Fault as fault:
        if fault.code is not Code.IS_A_FOLDER or not (await engine.tree.entry(source, follow=True)).is_folder:
            raise
        await engine.tree.make_folders(target, exist_ok=True)


async def remove(engine: Engine, path: str, folders: bool = False) -> None:
    """Remove a file, a link, or if asked an empty folder. Raises Fault as `Tree.delete`."""
    await _remove(engine, path, folders, False)


async def remove_all(engine: Engine, path: str) -> None:
    """Remove whatever is at a path, a folder with all that is in it. Raises Fault as `Tree.delete`."""
    await _remove(engine, path, True, True)


async def _remove(engine: Engine, path: str, folders: bool, recursive: bool) -> None:
    try:
        await engine.tree.delete(path)
    except Fault as fault:
        if fault.code is not Code.IS_A_FOLDER or not folders:
            raise
        await engine.tree.delete_folder(path, recursive)


async def read_range(engine: Engine, path: str, start: int | None, end: int | None) -> bytes:
    """Bytes of one revision of a file; negative numbers count from its end, as in a slice."""
    if start is None and end is None:
        return await engine.files.read_file(path)
    (data,) = await read_ranges(engine, path, [(start, end)])
    return data


async def read_ranges(engine: Engine, path: str, ranges: Sequence[tuple[int | None, int | None]]) -> list[bytes]:
    """As `read_range`, for many of one file, at once and all of one revision."""
    handle = await engine.files.open(path)
    try:

        async def read(wanted: tuple[int | None, int | None]) -> bytes:
            first, last, _ = slice(*wanted).indices(handle.size)
            buffer = bytearray(max(0, last - first))
            count = await handle.read(first, memoryview(buffer))
            return bytes(buffer[:count])

        return list(await asyncio.gather(*(read(wanted) for wanted in ranges)))
    finally:
        await handle.close()


async def what_is_there(engine: Engine, path: str) -> tuple[Node, Node | None]:
    """The node at a path with links followed, and the link itself where there is one. Raises Fault(NOT_FOUND)."""
    walk = await engine.tree.walk(path, follow=False, access=Access.NONE)
    node = walk.found()
    if not node.is_link:
        return node, None
    return await engine.tree.entry(path, follow=True), node


async def read_small(engine: Engine, path: str, limit: int) -> bytes | None:
    """The content of a file of at most `limit` bytes; None: it is larger. Raises Fault as `Files.open`."""
    handle = await engine.files.open(path)
    try:
        if handle.size > limit:
            return None
        buffer = bytearray(handle.size)
        count = await handle.read(0, memoryview(buffer))
        return bytes(memoryview(buffer)[:count])
    finally:
        await handle.close()
