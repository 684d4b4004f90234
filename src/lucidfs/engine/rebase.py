"""The same changes over a newer content: byte ranges stay where they are, appended bytes move to the new end."""

from __future__ import annotations

from lucidfs.engine.content import ContentMap
from lucidfs.engine.overlay import Overlay
from lucidfs.engine.view import View
from lucidfs.engine.writer import BATCH_FRAMES
from lucidfs.limits import OBJECT_BYTES_MIN


async def rebase(view: View, content: ContentMap, origin: int) -> View:
    """What `view` changed, over `content`.

    Args:
        view: the changes over an older content; not changed.
        content: the newest.
        origin: node whose key seals what must be sealed anew.

    Raises:
        Fault: own frames that had left memory could not be read back.
    """
    changes = view.overlay
    start = changes.append_start
    if start is None or changes.start_over(content.size) == start:
        return view.over(content, changes.rebased(content.size))
    moved = view.over(content, _without_appended(changes, content.size))
    buffer = memoryview(bytearray(min(OBJECT_BYTES_MIN, changes.size - start)))
    for offset in range(start, changes.size, OBJECT_BYTES_MIN):
        count = await view.read(offset, buffer)
        moved.overlay.write(moved.overlay.size, buffer[:count])
        await seal_ready(moved, origin)
    return moved


async def seal_ready(view: View, origin: int) -> None:
    """Hand full batches of whole frames to the uploads, waiting for room. Only for a view that nobody shares."""
    while len(view.overlay.ready) >= BATCH_FRAMES:
        batch = view.overlay.take_ready(
            BATCH_FRAMES, lambda indexes, plains: view.uploads.make(origin, indexes, plains)
        )
        view.uploads.add(batch)
        await view.uploads.drain()


def _without_appended(changes: Overlay, base_size: int) -> Overlay:
    """What an appending handle did before its first append: it may have truncated."""
    fresh = Overlay(base_size, append=True)
    fresh.cut = changes.cut
    fresh.floor = changes.append_floor
    fresh.visible = base_size if fresh.cut is None else min(base_size, fresh.cut)
    fresh.size = changes.start_over(base_size)
    return fresh
