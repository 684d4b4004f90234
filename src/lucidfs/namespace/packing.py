"""Giving sealed bytes another place: the physical part of content maps, and nothing else.

Revision, generation, MAC, size and times of the files stay, so no client can tell, but by where it fetches.
"""

from __future__ import annotations

from typing import NamedTuple

from lucidfs.namespace.content import draft_objects, write_objects
from lucidfs.namespace.tree import Counts, NodeRow, Tree
from lucidfs.wire.messages import Extent, NewObject


class Shift(NamedTuple):
    """What of one file gets another place, as it was when its bytes were copied."""

    node: int
    revision: int
    old: list[Extent]  # those with object 0 stand in the node's row, and then they are all that it has
    new: list[Extent]  # one for each of `old`

    @property
    def is_small(self) -> bool:
        """Whether the bytes stand in the node's row."""
        return self.old[0].object == 0


def shift(tree: Tree, filespace: int, pack: NewObject, shifts: list[Shift], now_ns: int) -> int:
    """Give extents their new place in an object that was put, as far as they are still what was copied.

    May be called several times with parts of what one object holds.

    Returns:
        Bytes of the object that the extents use now.

    Raises:
        Fault: INVALID when the object was given up meanwhile; nothing was written.
    """
    valid = [(row, each) for each in shifts if (row := _row_of(tree, filespace, each)) is not None]
    removed = [extent for _, each in valid if not each.is_small for extent in each.old]
    added = [extent for _, each in valid for extent in each.new]
    if not added:
        return 0
    objects, storage = draft_objects(tree, filespace, [pack], removed, added, now_ns)
    write_objects(tree, objects)
    for row, each in valid:
        if each.is_small:
            storage -= row.small_bytes
            tree.publish_node(row._replace(small_bytes=0), None)
        tree.replace_extents(row.id, [] if each.is_small else each.old, each.new)
    tree.count(filespace, Counts(storage_bytes=storage))
    return sum(sum(extent.lengths) for extent in added)


def _row_of(tree: Tree, filespace: int, each: Shift) -> NodeRow | None:
    """The file, if what was copied of it is still what it has."""
    row = tree.node(each.node)
    if row is None or row.filespace != filespace:
        return None
    if each.is_small:
        return row if row.revision == each.revision and row.small_bytes else None
    for extent in each.old:
        if extent not in tree.extents(row.id, extent.first, extent.first + extent.count):
            return None
    return row
