"""The same changes over a newer content: byte ranges stay where they are, appended bytes move to the new end."""

from __future__ import annotations

from lucidfs.engine.content import ContentMap, Plain
from lucidfs.engine.overlay import Overlay
from lucidfs.engine.reader import Plains
from lucidfs.engine.view import View
from lucidfs.engine.writer import BATCH_FRAMES
from lucidfs.limits import FRAME_BYTES, OBJECT_BYTES_MIN


async def rebase(view: View, content: ContentMap, origin: int, made: int | None = None) -> View:
    """What `view` changed, over `content`.

    Args:
        view: the changes over an older content; not changed.
        content: the newest.
        origin: node whose key seals what must be sealed anew.
        made: `content` was made by an earlier commit of these changes, which had this size then; None: it was not.

    Raises:
        Fault: own frames that had left memory could not be read back.
    """
    changes = view.overlay
    start = changes.append_start
    if start is not None and made is not None:  # only what was appended since then is missing
        moved = view.over(content, Overlay(content.size, append=True))
        moved.overlay.truncate(min(content.size, changes.size))
        await _append(view, made, moved, origin)
        return moved
    if start is None or changes.start_over(content.size) == start:
        moved = view.over(content, changes.rebased(content.size))
        await _patch_anew(view, moved, origin)
        return moved
    moved = view.over(content, _without_appended(changes, content.size))
    await _append(view, start, moved, origin)
    return moved


async def _append(view: View, start: int, moved: View, origin: int) -> None:
    """Write what `view` shows from `start` on to the end of `moved`."""
    size = view.overlay.size
    buffer = memoryview(bytearray(max(0, min(OBJECT_BYTES_MIN, size - start))))
    for offset in range(start, size, OBJECT_BYTES_MIN):
        count = await view.read(offset, buffer)
        moved.overlay.write(moved.overlay.size, buffer[:count])
        await seal_ready(moved, origin)


async def seal_ready(view: View, origin: int) -> None:
    """Hand full batches of whole frames to the uploads, waiting for room. Only for a view that nobody shares."""
    while len(view.overlay.ready) >= BATCH_FRAMES:
        batch = view.overlay.take_ready(
            BATCH_FRAMES, lambda indexes, plains: view.uploads.make(origin, indexes, plains)
        )
        view.uploads.add(batch)
        await view.uploads.drain()


async def _patch_anew(view: View, moved: View, origin: int) -> None:
    """Frames that were sealed with bytes of the old base get those of the new one."""
    patched = [frame for frame in moved.overlay.patched() if not _same_below(view, moved, frame)]
    for first in range(0, len(patched), BATCH_FRAMES):
        frames = patched[first : first + BATCH_FRAMES]
        for frame, plain in (await view.lowers(frames)).items():
            moved.overlay.unseal_patched(frame, plain)
        seal_patched(moved, frames, await moved.fetch(frames), origin)
        await view.uploads.drain()


def _same_below(view: View, moved: View, frame: int) -> bool:
    """Whether both bases show the same bytes in a frame."""
    start = frame * FRAME_BYTES
    shown = [max(0, min(FRAME_BYTES, one.overlay.visible - start)) for one in (view, moved)]
    return shown[0] == shown[1] and view.content.key(frame) == moved.content.key(frame)


def seal_patched(view: View, frames: list[int], plains: Plains, origin: int) -> None:
    """Hand frames that are own in part to the uploads, so that their bytes need no memory any more.

    Args:
        view: whoever shares it holds its lock.
        frames: some; those that have changed too much since the fetch are left as they are.
        plains: what `view.fetch(frames)` returned.
        origin: node whose key seals.
    """
    lowers: dict[int, Plain] = {}
    fit: list[int] = []
    for frame in frames:
        key = view.lower_key(frame)
        if frame not in view.overlay.pieces or (key is not None and key not in plains):
            continue
        fit.append(frame)
        if key is not None:
            lowers[frame] = plains[key]
    if fit:
        view.uploads.add(
            view.overlay.seal_patched(fit, lowers, lambda indexes, made: view.uploads.make(origin, indexes, made))
        )


def _without_appended(changes: Overlay, base_size: int) -> Overlay:
    """What an appending handle did before its first append: it may have truncated."""
    fresh = Overlay(base_size, append=True)
    fresh.cut = changes.cut
    fresh.floor = changes.append_floor
    fresh.visible = base_size if fresh.cut is None else min(base_size, fresh.cut)
    fresh.size = changes.start_over(base_size)
    return fresh
