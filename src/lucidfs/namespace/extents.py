"""Extent lists: what a file's content is made of, cut, cleared and laid over each other. Pure; same on both sides.

A list here is always sorted by `first` and free of overlaps unless the function says that it checks that. Frame
ranges are half open: [first, end).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import NamedTuple

from lucidfs.errors import Code, Fault
from lucidfs.limits import FILE_BYTES_MAX, FRAME_BYTES, FRAME_OVERHEAD_BYTES
from lucidfs.wire.messages import Extent

SEALED_FRAME_BYTES_MAX = FRAME_BYTES + FRAME_OVERHEAD_BYTES  # a frame is compressed only where that shrinks it

_ID_MAX = 2**63 - 1
_first = attrgetter("first")


class Run(NamedTuple):
    """The logical part of an extent: what the content's MAC is made over."""

    first: int
    frames: int
    origin: int
    origin_first: int
    generation: int


def frame_count(size: int) -> int:
    """How many frames `size` bytes reach into."""
    return -(-size // FRAME_BYTES)


def split(extent: Extent, first: int, end: int) -> Extent:
    """The part of an extent that fills frames [first, end), which must lie inside it and not be empty."""
    skip = first - extent.first
    assert 0 <= skip < end - extent.first <= extent.count, "a part lies inside its extent"
    if end - first == extent.count:
        return extent
    return Extent(
        first=first,
        count=end - first,
        origin=extent.origin,
        origin_first=extent.origin_first + skip,
        generation=extent.generation,
        object=extent.object,
        offset=extent.offset + sum(extent.lengths[:skip]),
        lengths=extent.lengths[skip : end - extent.first],
    )


def placed(extent: Extent, object: int, offset: int) -> Extent:
    """The same frames in another place."""
    return Extent(
        extent.first,
        extent.count,
        extent.origin,
        extent.origin_first,
        extent.generation,
        object,
        offset,
        extent.lengths,
    )


def clear(extents: Sequence[Extent], first: int, end: int) -> list[Extent]:
    """The list without the frames [first, end)."""
    return overlay(extents, [(first, end)], [])


def overlay(base: Sequence[Extent], clears: Iterable[tuple[int, int]], new: Sequence[Extent]) -> list[Extent]:
    """`base` without the frames of `clears`, with `new` laid over it.

    Costs time with the extents that change, and one copy of the list.

    Args:
        base: the current list.
        clears: ranges [first, end) of frames to remove, in any order; they may overlap each other and `new`.
        new: a list of extents; where it and `base` both have a frame, `new` wins.
    """
    holes = union([*clears, *((extent.first, extent.first + extent.count) for extent in new)])
    kept: list[Extent] = []
    done = at = 0  # extents before `done` and holes before `at` are dealt with
    while at < len(holes):
        first, end = holes[at]
        touched = _reaching(base, first, done)
        kept += base[done:touched]
        done = touched
        if touched == len(base):
            break
        if base[touched].first >= end:
            at += 1
            continue
        at = _cut(base[touched], holes, at, kept)
        done += 1
    kept += base[done:]
    return _merge(kept, new)


def _reaching(base: Sequence[Extent], frame: int, low: int) -> int:
    """Index, from `low` on, of the first extent that fills `frame` or a later one."""
    index = bisect_right(base, frame, lo=low, key=_first)
    if index > low and base[index - 1].first + base[index - 1].count > frame:
        return index - 1
    return index


def _cut(extent: Extent, holes: Sequence[tuple[int, int]], at: int, kept: list[Extent]) -> int:
    """Append what the holes from `at` on leave of an extent; the first hole that may go on behind it."""
    first, stop = extent.first, extent.first + extent.count
    while at < len(holes) and holes[at][0] < stop:
        if first < holes[at][0]:
            kept.append(split(extent, first, holes[at][0]))
        first = holes[at][1]
        if first > stop:
            return at
        at += 1
    if first < stop:
        kept.append(split(extent, first, stop))
    return at


def union(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges [start, end) sorted; those that overlap or touch are one, empty ones are left out."""
    joined: list[tuple[int, int]] = []
    for first, end in sorted(ranges):
        if first >= end:
            continue
        if joined and first <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((first, end))
    return joined


def _merge(kept: list[Extent], new: Sequence[Extent]) -> list[Extent]:
    """Both lists as one; they share no frame."""
    if not new:
        return kept
    at = bisect_left(kept, new[0].first, key=_first)
    if at == len(kept) or kept[at].first > new[-1].first:  # new stands together: no need to sort
        return [*kept[:at], *new, *kept[at:]]
    return sorted([*kept, *new], key=_first)


def canonical(extents: Iterable[Extent]) -> list[Run]:
    """The logical parts, neighbours that continue each other joined, so that cuts leave no trace."""
    runs: list[Run] = []
    first = frames = origin = origin_first = generation = 0  # the run so far
    for extent in extents:
        if (
            extent.first == first + frames
            and extent.generation == generation
            and extent.origin == origin
            and extent.origin_first == origin_first + frames
        ):
            frames += extent.count
            continue
        if frames:
            runs.append(Run(first, frames, origin, origin_first, generation))
        first, frames, generation = extent.first, extent.count, extent.generation
        origin, origin_first = extent.origin, extent.origin_first
    if frames:
        runs.append(Run(first, frames, origin, origin_first, generation))
    return runs


def find(extents: Sequence[Extent], frame: int) -> Extent | None:
    """The extent that fills a frame, None for a hole."""
    index = bisect_right(extents, frame, key=_first) - 1
    if index < 0:
        return None
    extent = extents[index]
    return extent if frame < extent.first + extent.count else None


def stored_bytes(extents: Iterable[Extent]) -> int:
    """Sealed bytes that the extents refer to."""
    return sum(sum(extent.lengths) for extent in extents)


def validate(extents: Sequence[Extent], size: int) -> None:
    """Check a list that came from elsewhere, for a content of `size` bytes.

    Raises:
        Fault: INVALID, naming the extent's position, when the size is out of bounds, the list is not sorted or
            overlaps, reaches beyond the size, or an extent has numbers that no writer produces.
    """
    if not 0 <= size <= FILE_BYTES_MAX:
        raise Fault(Code.INVALID, f"a content has 0 to {FILE_BYTES_MAX} bytes, not {size}")
    end = 0
    for index, extent in enumerate(extents):
        problem = _problem(extent, end)
        if problem:
            raise Fault(Code.INVALID, f"extent {index} {problem}")
        end = extent.first + extent.count
    if end > frame_count(size):
        raise Fault(Code.INVALID, f"extents reach to frame {end}, the content has {frame_count(size)}")


def _problem(extent: Extent, end: int) -> str:
    """What is wrong with an extent that follows one which ended at frame `end`; empty when nothing is."""
    if extent.first < end:
        return "is out of order or overlaps the one before"
    if extent.count < 1 or len(extent.lengths) != extent.count:
        return "does not have one length for each frame"
    if min(extent.lengths) <= FRAME_OVERHEAD_BYTES or max(extent.lengths) > SEALED_FRAME_BYTES_MAX:
        return "has a length that no sealed frame has"
    if not (0 < extent.origin <= _ID_MAX and 0 < extent.generation <= _ID_MAX):
        return "has no legal origin or generation"
    if not 0 <= extent.origin_first <= FILE_BYTES_MAX // FRAME_BYTES:
        return "starts at no legal frame of its origin"
    if not (0 <= extent.object <= _ID_MAX and 0 <= extent.offset <= _ID_MAX - extent.count * SEALED_FRAME_BYTES_MAX):
        return "has no legal place"
    return ""
