"""What a change does to the content of a file: which extents go and come, and what that does to objects and counters.

Every function here that ends in a `Draft` only checks and computes; `write_objects` and the caller's writes follow.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from lucidfs.errors import Code, Fault
from lucidfs.limits import EXTENTS_PER_COMMIT_MAX, FILE_BYTES_MAX, OBJECT_BYTES_MAX, SMALL_BYTES_MAX
from lucidfs.namespace.extents import frame_count, overlay, union, validate
from lucidfs.namespace.lookup import ID_MAX
from lucidfs.namespace.tree import NodeRow, ObjectRow, SmallContent, Tree
from lucidfs.wire.messages import Extent, NewContent, NewObject

MAC_BYTES = 16
_EXTENT_BYTES = 48  # what an extent counts in `entries_bytes`, besides 4 for each frame: about its size in the database
_FRAMES_END = FILE_BYTES_MAX  # beyond every frame
_Range = tuple[int, int]


class Draft(NamedTuple):
    """A content that was checked against the tree and can be written."""

    map_bytes: int
    small: SmallContent | None
    removed: list[Extent]  # rows of extents
    added: list[Extent]
    objects: list[tuple[ObjectRow, NewObject | None]]  # as they will be; with a NewObject: to be inserted
    storage_delta: int  # bytes that objects add to the storage used


def draft_new(tree: Tree, filespace: int, content: NewContent, now_ns: int) -> Draft:
    """The content of a node that is being created. Raises Fault: INVALID, TOO_LARGE, STALE (see `draft_objects`)."""
    small = _check(content)
    added = [] if small else content.extents
    objects, storage = draft_objects(tree, filespace, content.objects, [], added, now_ns)
    return Draft(_map_bytes(content.extents), small, [], added, objects, storage)


def draft_whole(tree: Tree, row: NodeRow, content: NewContent, now_ns: int) -> Draft:
    """A content that replaces all of a file's. Raises as `draft_new`."""
    small = _check(content)
    before = tree.extents(row.id, 0, _FRAMES_END) if has_extent_rows(row) else []
    removed, added = _difference(before, [] if small else content.extents)
    objects, storage = draft_objects(tree, row.filespace, content.objects, removed, added, now_ns)
    return Draft(_map_bytes(content.extents), small, removed, added, objects, storage)


def draft_delta(tree: Tree, row: NodeRow, content: NewContent, clear: list[_Range], now_ns: int) -> Draft:
    """A content that lies over a file's current one, after the frames of `clear` were removed.

    Only the extents near a change are read and written. Raises as `draft_new`; also INVALID for a file whose content
    is small, and when extents would be left beyond the new size.
    """
    if row.small_bytes or content.small or any(extent.object == 0 for extent in content.extents):
        raise Fault(Code.INVALID, "a small content is committed whole")
    _check(content)
    _check_ranges(clear)
    changed = [*clear, *((extent.first, extent.first + extent.count) for extent in content.extents)]
    end = frame_count(content.size)
    if content.size < row.size:
        changed.append((end, _FRAMES_END))
    before: dict[int, Extent] = {}
    for first, stop in union(changed):
        before.update((extent.first, extent) for extent in tree.extents(row.id, first, stop))
    base = [before[first] for first in sorted(before)]
    after = overlay(base, clear, content.extents)
    if after and after[-1].first + after[-1].count > end:
        raise Fault(Code.INVALID, "the change leaves extents beyond the new size: clear them")
    removed, added = _difference(base, after)
    objects, storage = draft_objects(tree, row.filespace, content.objects, removed, added, now_ns)
    map_bytes = row.map_bytes + _map_bytes(added) - _map_bytes(removed)
    return Draft(map_bytes, None, removed, added, objects, storage)


def draft_objects(
    tree: Tree, filespace: int, new: list[NewObject], removed: Iterable[Extent], added: Iterable[Extent], now_ns: int
) -> tuple[list[tuple[ObjectRow, NewObject | None]], int]:
    """How objects change when extents go and come, and by how much the storage that is used changes.

    An object counts as used storage, with all its bytes, while any extent uses some of it.

    Raises:
        Fault: INVALID for an object of another filespace or size, or an extent that leaves its object; STALE for an
            extent in an object that is gone: what it was copied from was deleted, so the client must read again.
    """
    rows: dict[int, ObjectRow] = {}
    fresh: dict[int, NewObject] = {}
    for item in new:
        known = _known(tree, filespace, item)
        rows[item.id] = known or ObjectRow(item.id, filespace, item.size, 0, 0, bool(item.data))
        if known is None:
            fresh[item.id] = item
    used = dict.fromkeys(fresh, 0)
    for extent in removed:
        used[extent.object] = used.get(extent.object, 0) - sum(extent.lengths)
    for extent in added:
        row = rows.get(extent.object) or _usable(tree, filespace, extent.object)
        size = sum(extent.lengths)
        if extent.offset + size > row.size:
            raise Fault(Code.INVALID, "an extent reaches beyond its object")
        rows[extent.object] = row
        used[extent.object] = used.get(extent.object, 0) + size
    changes: list[tuple[ObjectRow, NewObject | None]] = []
    storage = 0
    for object, delta in used.items():
        before = rows.get(object) or tree.object(object)
        assert before is not None, "an extent that is stored has its object"
        live = before.live + delta
        assert live >= 0, "an object has the bytes that its extents use"
        after = before._replace(live=live, dead_since_ns=0 if live else before.dead_since_ns or now_ns)
        storage += before.size * ((live > 0) - (before.live > 0))
        if object in fresh or after != before:
            changes.append((after, fresh.get(object)))
    return changes, storage


def write_objects(tree: Tree, changes: list[tuple[ObjectRow, NewObject | None]]) -> None:
    """Write what `draft_objects` found."""
    for row, new in changes:
        if new is None:
            tree.update_object(row.id, row.live, row.dead_since_ns)
        else:
            tree.insert_object(row, new.data)


def has_extent_rows(row: NodeRow) -> bool:
    """Whether the extents of a file have rows of their own (else its content is empty or stands in its row)."""
    return row.map_bytes > 0 and row.small_bytes == 0


def all_extents(tree: Tree, row: NodeRow) -> list[Extent]:
    """The extents of a file that have rows of their own."""
    return tree.extents(row.id, 0, _FRAMES_END) if has_extent_rows(row) else []


def _check(content: NewContent) -> SmallContent | None:
    """Check a content on its own. Returns it when it is small and not empty."""
    if len(content.extents) > EXTENTS_PER_COMMIT_MAX:
        count = len(content.extents)
        raise Fault(Code.TOO_LARGE, f"a commit carries at most {EXTENTS_PER_COMMIT_MAX} extents, not {count}")
    validate(content.extents, content.size)
    if len(content.mac) != MAC_BYTES or not 0 < content.generation <= ID_MAX:
        raise Fault(Code.INVALID, "a content has a MAC of 16 bytes and a positive generation")
    carried = len(content.small) + sum(len(item.data) for item in content.objects)
    if carried > SMALL_BYTES_MAX:
        raise Fault(Code.TOO_LARGE, f"a commit carries at most {SMALL_BYTES_MAX} bytes of frames, not {carried}")
    inside = [extent for extent in content.extents if extent.object == 0]
    if not inside and not content.small:
        return None
    if not inside or len(inside) != len(content.extents) or not content.small:
        raise Fault(Code.INVALID, "all extents of a small content lie inside it, and no others do")
    if any(extent.offset + sum(extent.lengths) > len(content.small) for extent in inside):
        raise Fault(Code.INVALID, "an extent reaches beyond the small content")
    return SmallContent(content.extents, content.small)


def _check_ranges(ranges: list[_Range]) -> None:
    if len(ranges) > EXTENTS_PER_COMMIT_MAX:
        raise Fault(Code.TOO_LARGE, f"a commit clears at most {EXTENTS_PER_COMMIT_MAX} ranges, not {len(ranges)}")
    if any(not 0 <= first <= end <= _FRAMES_END for first, end in ranges):
        raise Fault(Code.INVALID, "a cleared range has 0 <= first <= end")


def _known(tree: Tree, filespace: int, item: NewObject) -> ObjectRow | None:
    """The row of an object that a commit brings, when an earlier commit brought it already."""
    if not (0 < item.id <= ID_MAX and 0 < item.size <= OBJECT_BYTES_MAX) or len(item.data) not in (0, item.size):
        raise Fault(Code.INVALID, f"an object has an id, and 1 to {OBJECT_BYTES_MAX} bytes")
    row = tree.object(item.id)
    if row is not None and row.live < 0 and row.filespace == filespace:
        raise Fault(Code.INVALID, "what was uploaded was not committed for too long and is given up: write it again")
    if row is not None and (row.filespace != filespace or row.size != item.size):
        raise Fault(Code.INVALID, "the object's id is taken by another object")
    return row


def _usable(tree: Tree, filespace: int, object: int) -> ObjectRow:
    """The row of an object that an extent refers to and that the commit does not bring."""
    row = tree.object(object)
    if row is None or row.filespace != filespace or row.live < 0:
        raise Fault(Code.STALE, "a part of the content was deleted meanwhile: read it again")
    return row


def _map_bytes(extents: Iterable[Extent]) -> int:
    return sum(_EXTENT_BYTES + 4 * extent.count for extent in extents)


def _difference(before: list[Extent], after: list[Extent]) -> tuple[list[Extent], list[Extent]]:
    """The extents that only `before` has, and those that only `after` has."""
    if not before:
        return [], after
    old = {extent.first: extent for extent in before}
    new = {extent.first: extent for extent in after}
    removed = [extent for extent in before if new.get(extent.first) != extent]
    return removed, [extent for extent in after if old.get(extent.first) != extent]
