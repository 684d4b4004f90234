"""What goes into a pack: the choice of what is due, and the bytes with the places that extents have in it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator
from functools import partial

from lucidfs.hub.database.base import NodeRow, ObjectRow, SmallContent, Tx
from lucidfs.limits import (
    OBJECT_BYTES_MAX,
    PACK_BYTES,
    PACK_EXTENTS_MAX,
    PACK_SMALL_BYTES,
    REAP_BATCH,
)
from lucidfs.namespace.extents import placed, union
from lucidfs.namespace.packing import Shift
from lucidfs.wire.messages import Extent, NewObject

Users = list[tuple[int, Extent]]  # (node, extent) of what uses an object


class Pack:
    """One object that is being put together.

    Attributes:
        id: its number.
        size: bytes so far.
        shifts: what gets a place in it.
    """

    def __init__(self, id: int) -> None:
        self.id = id
        self.size = 0
        self.shifts: list[Shift] = []
        self._parts: list[bytes] = []

    def add_small(self, row: NodeRow, small: SmallContent) -> None:
        """Take a file's small content."""
        new = [placed(extent, self.id, self.size + extent.offset) for extent in small.extents]
        self.shifts.append(Shift(row.id, row.revision, small.extents, new))
        self._append(small.data)

    def add_object(self, users: Users, read: Callable[[int, int], bytes]) -> None:
        """Take what is used of another object; bytes that several extents share are taken once.

        Args:
            users: all that use it.
            read: gives bytes of it, by offset and length; what it raises leaves the pack as it was.
        """
        spans = union(_span(extent) for _, extent in users)
        bodies = [read(start, end - start) for start, end in spans]
        starts = [start for start, _ in spans]
        places: list[int] = []
        for body in bodies:
            places.append(self.size)
            self._append(body)
        for node, extent in users:
            at = bisect_right(starts, extent.offset) - 1
            new = placed(extent, self.id, places[at] + extent.offset - starts[at])
            self.shifts.append(Shift(node, 0, [extent], [new]))

    def body(self) -> bytes:
        """All its bytes."""
        return b"".join(self._parts)

    def as_new(self) -> NewObject:
        """The object, as a commit brings it."""
        return NewObject(self.id, self.size)

    def _append(self, data: bytes) -> None:
        self._parts.append(data)
        self.size += len(data)


class Plan:
    """What one pack may take of a filespace, by one snapshot.

    Args:
        tx: the snapshot.
        filespace: which.
        before_ns: files that were written since are left alone, and objects that such files use.
        damaged: objects that cannot be read.

    Attributes:
        gain: bytes that it would take out of the database and the store.
        sparse: half-dead objects of the store, with all that use them.
    """

    def __init__(self, tx: Tx, filespace: int, before_ns: int, damaged: Collection[int] = ()) -> None:
        self._tx = tx
        self._before_ns = before_ns
        self._size = 0
        self.gain = 0
        self._small = self._choose_small(filespace)
        self._held = [found for found in self._choose(_pages(tx.held_objects, filespace)) if self._add(*found, 0)]
        self.sparse = [
            (row, users)
            for row, users in self._choose(_pages(tx.sparse_objects, filespace))
            if row.id not in damaged and self._add(row, users, _used_bytes(users))
        ]

    def take_from_database(self, pack: Pack) -> None:
        """Put into the pack what the database has."""
        for node in self._small:
            small = self._tx.small(node.id)
            if small is not None:
                pack.add_small(node, small)
        for row, users in self._held:
            data = self._tx.object_data(row.id)
            if data is not None:
                pack.add_object(users, partial(_part, data))

    def _choose_small(self, filespace: int) -> list[NodeRow]:
        """Small contents in the order in which they were written, for in that order they will mostly be read."""
        chosen = []
        for row in self._tx.small_files(filespace, self._before_ns, PACK_BYTES // PACK_SMALL_BYTES):
            if self._size >= PACK_BYTES:
                break
            chosen.append(row)
            self._size += row.small_bytes
        self.gain += self._size
        return chosen

    def _choose(self, rows: Iterator[ObjectRow]) -> Iterator[tuple[ObjectRow, Users]]:
        """Objects that cooled, until the pack is full."""
        for row in rows:
            if self._size >= PACK_BYTES:
                return
            users = self._tx.extents_in(row.id, PACK_EXTENTS_MAX + 1)
            if 0 < len(users) <= PACK_EXTENTS_MAX and all(self._is_cool(node) for node in {node for node, _ in users}):
                yield row, users

    def _is_cool(self, node: int) -> bool:
        row = self._tx.node(node)
        return row is not None and row.mtime_ns < self._before_ns

    def _add(self, row: ObjectRow, users: Users, kept: int) -> bool:
        """Count an object, of which `kept` bytes stay in the place it had; False when it does not fit."""
        used = _used_bytes(users)
        if self._size + used > OBJECT_BYTES_MAX:
            return False
        self._size += used
        self.gain += row.size - kept
        return True


def _pages(list_: Callable[[int, int, int], list[ObjectRow]], filespace: int) -> Iterator[ObjectRow]:
    after, more = 0, True
    while more:
        rows = list_(filespace, after, REAP_BATCH)
        yield from rows
        more = len(rows) == REAP_BATCH
        after = rows[-1].id if rows else after


def _part(data: bytes, offset: int, length: int) -> bytes:
    return data[offset : offset + length]


def _span(extent: Extent) -> tuple[int, int]:
    return extent.offset, extent.offset + sum(extent.lengths)


def _used_bytes(users: Users) -> int:
    """Bytes of an object that are used, those that several extents share counted once."""
    return sum(end - start for start, end in union(_span(extent) for _, extent in users))
