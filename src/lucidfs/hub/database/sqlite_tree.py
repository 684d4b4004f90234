"""Nodes, contents, objects and counters in SQLite. Folder touches and counters are gathered until `flush`."""

from __future__ import annotations

import struct
from collections.abc import Collection
from operator import add

import apsw

from lucidfs.hub.database.sqlite_rows import Row, Statements
from lucidfs.namespace.tree import Counts, NodeRow, ObjectRow, SmallContent
from lucidfs.wire.codec import decode_reply_body, encode
from lucidfs.wire.messages import Content, Extent

_NODE = (
    "SELECT id, filespace, parent, token, kind, sealed_name, size, mtime_ns, ctime_ns, revision, generation, mac,"
    " target, version, map_bytes, small_bytes FROM node "
)
_NODE_BY_ID = _NODE + "WHERE id = ?"
_CHILD = _NODE + "WHERE parent = ? AND token = ? AND parent > 0"
_CHILDREN = _NODE + "WHERE parent = ? AND token > ? AND parent > 0 ORDER BY token LIMIT ?"
_INSERT_NODE = "INSERT INTO node VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_PUBLISH_NODE = (
    "UPDATE node SET size = ?, mtime_ns = ?, revision = ?, generation = ?, mac = ?, map_bytes = ?, small_bytes = ?,"
    " content = ? WHERE id = ?"
)
# The extent that covers `first` begins at or before it, so the range begins with the last one that does.
_EXTENT = "first, count, origin, origin_first, generation, object, start, lengths"
_EXTENTS = (
    f"SELECT {_EXTENT} FROM extent WHERE node = ?1 AND"
    " first >= coalesce((SELECT max(first) FROM extent WHERE node = ?1 AND first <= ?2), ?2) AND first < ?3"
    " ORDER BY first LIMIT ?4"
)
_INSERT_EXTENT = "INSERT INTO extent VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_OBJECT = "SELECT id, filespace, size, live, dead_since_ns, held FROM object "
# INDEXED BY fails where an index does not hold all that is asked for: its condition (0006) stands here to the letter.
_SMALL = (
    f"{_NODE} INDEXED BY node_small WHERE filespace = ? AND mtime_ns < ? AND small_bytes >= 4096"
    " ORDER BY mtime_ns, id LIMIT ?"
)
_HELD = f"{_OBJECT} INDEXED BY object_held WHERE filespace = ? AND id > ? AND held = 1 AND live > 0 ORDER BY id LIMIT ?"
_SPARSE = (
    f"{_OBJECT} INDEXED BY object_sparse WHERE filespace = ? AND id > ? AND held = 0 AND live > 0 AND size > live * 2"
    " ORDER BY id LIMIT ?"
)
_EXTENTS_IN = (
    f"SELECT node, {_EXTENT} FROM extent INDEXED BY extent_object WHERE object = ? ORDER BY node, first LIMIT ?"
)
_SET_COUNTS = (
    "UPDATE counts SET files = ?, folders = ?, links = ?, entries_bytes = ?, data_bytes = ?, storage_bytes = ?,"
    " external_bytes = ?, external_files = ? WHERE filespace = ?"
)
_COUNTS = (
    "SELECT files, folders, links, entries_bytes, data_bytes, storage_bytes, external_bytes, external_files"
    " FROM counts WHERE filespace = ?"
)


class SqliteTree:
    """The tree's primitives on one connection."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._run = Statements(connection)
        self.execute = self._run.do  # for BEGIN and COMMIT: see `Statements`
        self._one = self._run.one
        self._do = self._run.do
        self._touched: dict[int, NodeRow] = {}  # folders as they are, not yet written
        self._counted: dict[int, tuple[int, ...]] = {}  # filespace -> what its counters move by

    def flush(self) -> None:
        """Write what was gathered."""
        if self._touched:
            rows = [(row.mtime_ns, row.version, row.id) for row in self._touched.values()]
            self._run.do_many("UPDATE node SET mtime_ns = ?, version = ? WHERE id = ?", rows)
            self._touched.clear()
        if self._counted:
            for filespace in self._counted:
                counts = self.counts(filespace)
                self._do(_SET_COUNTS, (*counts[:4], str(counts.data_bytes), *counts[5:], filespace))
            self._counted.clear()

    def forget(self) -> None:
        """Drop what was gathered, after a rollback."""
        self._touched.clear()
        self._counted.clear()

    # nodes

    def node(self, node: int) -> NodeRow | None:
        touched = self._touched.get(node)
        if touched is not None:
            return touched
        row = self._one(_NODE_BY_ID, (node,))
        return None if row is None else NodeRow._make(row)

    def child(self, parent: int, token: bytes) -> NodeRow | None:
        row = self._one(_CHILD, (parent, token))
        return None if row is None else self._touched.get(row[0]) or NodeRow._make(row)

    def children(self, parent: int, after: bytes, limit: int) -> list[NodeRow]:
        rows = map(NodeRow._make, self._run.all(_CHILDREN, (parent, after, limit)))
        return [self._touched.get(row.id, row) for row in rows]

    def insert_node(self, row: NodeRow, small: SmallContent | None = None) -> None:
        self._do(_INSERT_NODE, (*row, None if small is None else _small_blob(small)))

    def move_node(self, row: NodeRow) -> None:
        self._do(
            "UPDATE node SET parent = ?, token = ?, sealed_name = ? WHERE id = ?",
            (row.parent, row.token, row.sealed_name, row.id),
        )
        if row.id in self._touched:
            self._touched[row.id] = row

    def publish_node(self, row: NodeRow, small: SmallContent | None) -> None:
        blob = None if small is None else _small_blob(small)
        self._do(
            _PUBLISH_NODE,
            (
                row.size,
                row.mtime_ns,
                row.revision,
                row.generation,
                row.mac,
                row.map_bytes,
                row.small_bytes,
                blob,
                row.id,
            ),
        )

    def delete_node(self, row: NodeRow) -> None:
        self._do("DELETE FROM node WHERE id = ?", (row.id,))
        self._touched.pop(row.id, None)

    def touch_folder(self, folder: int, now_ns: int) -> None:
        row = self.node(folder)
        if row is not None:
            touched = (*row[:7], now_ns, *row[8:13], row.version + 1, *row[14:])  # _replace takes three times as long
            self._touched[folder] = NodeRow._make(touched)

    # contents

    def small(self, node: int) -> SmallContent | None:
        row = self._one("SELECT content FROM node WHERE id = ?", (node,))
        if row is None or row[0] is None:
            return None
        content = decode_reply_body(row[0])
        assert isinstance(content, Content)
        return SmallContent(content.extents, content.small)

    def extents(self, node: int, first: int, end: int, limit: int = -1) -> list[Extent]:
        found = map(_extent_of, self._run.all(_EXTENTS, (node, first, end, limit)))
        return [extent for extent in found if extent.first + extent.count > first]

    def replace_extents(self, node: int, removed: list[Extent], added: list[Extent]) -> None:
        if removed:
            keys = [(node, extent.first) for extent in removed]
            self._run.do_many("DELETE FROM extent WHERE node = ? AND first = ?", keys)
        if added:
            self._run.do_many(_INSERT_EXTENT, [(node, *_extent_columns(extent)) for extent in added])

    # objects

    def object(self, object: int) -> ObjectRow | None:
        row = self._one(_OBJECT + "WHERE id = ?", (object,))
        return None if row is None else _object_of(row)

    def insert_object(self, row: ObjectRow, data: bytes) -> None:
        columns = (row.id, row.filespace, row.size, row.live, row.dead_since_ns, int(bool(data)), data or None)
        self._do("INSERT INTO object VALUES (?, ?, ?, ?, ?, ?, ?)", columns)

    def update_object(self, object: int, live: int, dead_since_ns: int) -> None:
        self._do("UPDATE object SET live = ?, dead_since_ns = ? WHERE id = ?", (live, dead_since_ns, object))

    def object_data(self, object: int) -> bytes | None:
        row = self._one("SELECT data FROM object WHERE id = ?", (object,))
        return None if row is None else row[0]

    def dead_objects(self, before_ns: int, limit: int, skip: Collection[int] = ()) -> list[ObjectRow]:
        others = f" AND filespace NOT IN ({', '.join(map(str, map(int, skip)))})" if skip else ""
        sql = _OBJECT + f"WHERE dead_since_ns > 0 AND dead_since_ns < ? AND live > -2{others}"
        rows = self._run.all(sql + " ORDER BY dead_since_ns LIMIT ?", (before_ns, limit))
        return [_object_of(row) for row in rows]

    def delete_object(self, object: int) -> None:
        self._do("DELETE FROM object WHERE id = ?", (object,))

    def small_files(self, filespace: int, before_ns: int, limit: int) -> list[NodeRow]:
        return [NodeRow._make(row) for row in self._run.all(_SMALL, (filespace, before_ns, limit))]

    def held_objects(self, filespace: int, after: int, limit: int) -> list[ObjectRow]:
        return [_object_of(row) for row in self._run.all(_HELD, (filespace, after, limit))]

    def sparse_objects(self, filespace: int, after: int, limit: int) -> list[ObjectRow]:
        return [_object_of(row) for row in self._run.all(_SPARSE, (filespace, after, limit))]

    def extents_in(self, object: int, limit: int) -> list[tuple[int, Extent]]:
        return [(row[0], _extent_of(row[1:])) for row in self._run.all(_EXTENTS_IN, (object, limit))]

    def forget_spent(self, before_ns: int, limit: int) -> int:
        old = self._run.all(
            "SELECT id FROM object WHERE live = -2 AND dead_since_ns < ? ORDER BY dead_since_ns LIMIT ?",
            (before_ns, limit),
        )
        self._run.do_many("DELETE FROM object WHERE id = ?", old)
        return len(old)

    def all_nodes(self, after: int, limit: int) -> list[NodeRow]:
        rows = map(NodeRow._make, self._run.all(_NODE + "WHERE id > ? ORDER BY id LIMIT ?", (after, limit)))
        return [self._touched.get(row.id, row) for row in rows]

    def all_objects(self, after: int, limit: int) -> list[ObjectRow]:
        return [_object_of(row) for row in self._run.all(_OBJECT + "WHERE id > ? ORDER BY id LIMIT ?", (after, limit))]

    # counters

    def count(self, filespace: int, delta: Counts) -> None:
        before = self._counted.get(filespace)
        self._counted[filespace] = delta if before is None else tuple(map(add, before, delta))

    def counts(self, filespace: int) -> Counts:
        row = self._one(_COUNTS, (filespace,))
        if row is None:
            return Counts()
        stored = (*row[:4], int(row[4]), *row[5:])
        gathered = self._counted.get(filespace)
        return Counts._make(stored if gathered is None else map(add, stored, gathered))


def _small_blob(small: SmallContent) -> bytes:
    return encode(Content(0, 0, 0, b"", small.extents, small.data))


def _extent_of(row: Row) -> Extent:
    first, count, origin, origin_first, generation, object, start, lengths = row
    frames = list(struct.unpack(f"<{len(lengths) // 4}I", lengths))
    return Extent(first, count, origin, origin_first, generation, object, start, frames)


def _extent_columns(extent: Extent) -> Row:
    return (
        extent.first,
        extent.count,
        extent.origin,
        extent.origin_first,
        extent.generation,
        extent.object,
        extent.offset,
        struct.pack(f"<{len(extent.lengths)}I", *extent.lengths),
    )


def _object_of(row: Row) -> ObjectRow:
    return ObjectRow(row[0], row[1], row[2], row[3], row[4], bool(row[5]))
