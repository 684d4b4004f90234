"""A content ready to be published: every frame sealed, every body stored or about to travel inside the commit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from lucidfs.engine.batch import Batch
from lucidfs.engine.overlay import SealedFrame, sealed_extents
from lucidfs.engine.view import View
from lucidfs.engine.writer import BATCH_FRAMES, Uploads
from lucidfs.errors import Code, Fault
from lucidfs.limits import EXTENTS_PER_COMMIT_MAX, FRAME_BYTES, SMALL_BYTES_MAX
from lucidfs.namespace import extents as runs
from lucidfs.wire.messages import Extent, NewObject


class Draft(NamedTuple):
    """What one commit says; bound to no node yet."""

    size: int
    final: list[Extent]  # the whole map
    told: list[Extent]  # the part of it that the commit tells
    clears: list[tuple[int, int]]
    touched: list[tuple[int, int]]
    small: bytes
    objects: list[NewObject]
    whole: bool  # `told` is everything
    base: int  # revision that it was made over, 0: any
    replaces: bool  # whatever the file held does not matter


class _Carried(NamedTuple):
    """Sealed bytes at hand, and the extents that use them."""

    extents: list[Extent]
    body: bytes


async def make_draft(view: View, origin: int) -> Draft:
    """Seal and store what a view changed.

    Args:
        view: a snapshot; its whole frames become batches on the way.
        origin: node whose key seals.

    Raises:
        Fault: UNAVAILABLE (the store), CORRUPT (the base cannot be read), TOO_LARGE (more runs than one commit takes).
    """
    loose = view.overlay.loose(lambda frame: view.content.find(frame) is not None)
    tail = None
    sealed = view.overlay.whole_sealed()
    for first in range(0, len(loose), BATCH_FRAMES):
        batch = await _make_batch(view, loose[first : first + BATCH_FRAMES], origin)
        sealed.update({frame: SealedFrame(batch, at) for at, frame in enumerate(batch.indexes)})
        if len(loose) <= BATCH_FRAMES:
            tail = batch
            await view.uploads.seal(batch)
        else:
            view.uploads.add(batch)
            await view.uploads.drain()
    batches = {id(frame.batch): frame.batch for frame in sealed.values() if frame.batch is not tail}
    await view.uploads.finish(batches.values())
    if not loose and not sealed:
        return await _put_together(view, [], None, [])
    return await _put_together(view, sealed_extents(sealed), tail, list(batches.values()))


async def small_draft(uploads: Uploads, origin: int, data: memoryview) -> Draft:
    """Seal what replaces a file whole and fits into its commit: as `make_draft`, without the way there.

    Args:
        uploads: seals.
        origin: node whose key seals.
        data: bytes, at most SMALL_FRAMES frames.
    """
    plains = [bytearray(data[start : start + FRAME_BYTES]) for start in range(0, len(data), FRAME_BYTES)]
    extents: list[Extent] = []
    small = b""
    if plains:
        batch = uploads.make(origin, list(range(len(plains))), plains)
        await uploads.seal(batch)
        assert batch.sealed is not None
        small = bytes(batch.sealed)
        extents = [runs.placed(batch.extent(0, 0, len(plains)), 0, 0)]
    return Draft(len(data), extents, extents, [], [], small, [], whole=True, base=0, replaces=True)


async def _make_batch(view: View, frames: list[int], origin: int) -> Batch:
    lowers = await view.lowers([frame for frame in frames if not _full(view, frame)])
    plains = [view.overlay.make_frame(frame, lowers.get(frame)) for frame in frames]
    return view.uploads.make(origin, frames, plains)


def _full(view: View, frame: int) -> bool:
    pieces = view.overlay.pieces.get(frame)
    return pieces is not None and pieces.full


async def _put_together(view: View, new: list[Extent], tail: Batch | None, batches: list[Batch]) -> Draft:
    changes, base = view.overlay, view.content
    clears = changes.clears()
    merged = new if changes.whole else runs.overlay(base.extents, clears, new)
    carried = _carried(merged, tail, base.small)
    fixed = [extent for extent in merged if extent.object and (tail is None or extent.object != tail.object)]
    objects = [NewObject(batch.object, batch.size) for batch in batches]
    small, moved = b"", carried.extents
    whole = changes.whole or not base.in_objects or not fixed
    if not fixed and len(carried.body) <= SMALL_BYTES_MAX:
        small, moved = carried.body, _at_object(carried.extents, 0)
    elif len(carried.body) <= SMALL_BYTES_MAX and carried.body:
        number = view.uploads.number()
        objects.append(NewObject(number, len(carried.body), carried.body))
        moved = _at_object(carried.extents, number)
    elif carried.body:
        number = await view.uploads.put(carried.body)
        objects.append(NewObject(number, len(carried.body)))
        moved = _at_object(carried.extents, number)
    final = sorted([*moved, *fixed], key=lambda extent: extent.first)
    fresh = {one.id for one in objects}
    told = final if whole else [extent for extent in final if extent.object in fresh]
    if len(told) > EXTENTS_PER_COMMIT_MAX:
        raise Fault(Code.TOO_LARGE, "too many separate changes for one commit: flush more often")
    return Draft(
        size=changes.size,
        final=final,
        told=told,
        clears=[] if whole else clears,
        touched=[] if changes.whole else changes.touched(),
        small=small,
        objects=objects,
        whole=whole,
        base=0 if changes.whole else base.revision,
        replaces=changes.whole,
    )


def _carried(merged: Sequence[Extent], tail: Batch | None, small: bytes) -> _Carried:
    """What no object holds yet: the frames just sealed, and those of a small base (moved as they are, still sealed)."""
    sealed = tail.sealed if tail is not None and tail.sealed is not None else b""
    extents: list[Extent] = []
    parts: list[bytes | memoryview] = []
    offset = 0
    for extent in merged:
        if extent.object and (tail is None or extent.object != tail.object):
            continue
        length = sum(extent.lengths)
        source = sealed if extent.object else small
        parts.append(source[extent.offset : extent.offset + length])
        extents.append(runs.placed(extent, extent.object, offset))
        offset += length
    return _Carried(extents, b"".join(parts))


def _at_object(extents: list[Extent], number: int) -> list[Extent]:
    return [runs.placed(extent, number, extent.offset) for extent in extents]
