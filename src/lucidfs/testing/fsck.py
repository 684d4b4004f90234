"""The invariant checker of a filespace's rows: what must hold after any history of changes, however it ended.

It needs no key: it checks what the hub can know. That every name and frame opens is for the client's side to check.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from lucidfs.hub.database.base import Counts, NodeRow, Tx
from lucidfs.namespace.changes import TOKEN_BYTES
from lucidfs.namespace.content import has_extent_rows
from lucidfs.namespace.extents import validate
from lucidfs.namespace.lookup import descendants
from lucidfs.types import Kind
from lucidfs.wire.messages import Extent

_EVERYTHING = 2**62


def problems(tx: Tx, filespace: int, objects: Iterable[int] = ()) -> list[str]:
    """Everything that is wrong with a filespace; empty when nothing is.

    Args:
        tx: a snapshot.
        filespace: which.
        objects: ids of objects to look at besides those that extents use, for the bytes that nothing uses.
    """
    row = tx.filespace(filespace)
    root = None if row is None else tx.node(row.root)
    if root is None:
        return ["the filespace has no root"]
    found: list[str] = []
    rows = descendants(tx, root, 1000)
    used: Counter[int] = Counter(dict.fromkeys(objects, 0))
    for node in rows:
        extents = _content_of(tx, node, found)
        for extent in extents:
            if extent.object:
                used[extent.object] += sum(extent.lengths)
                _check_inside(tx, node, extent, found)
    storage = sum(node.small_bytes for node in rows)
    for object, live in used.items():
        storage += _check_object(tx, filespace, object, live, found)
    expected = _counts(rows, storage)
    if tx.counts(filespace) != expected:
        found.append(f"the counters are {tx.counts(filespace)}, the nodes make {expected}")
    return found


def _content_of(tx: Tx, node: NodeRow, found: list[str]) -> list[Extent]:
    stored = tx.extents(node.id, 0, _EVERYTHING)
    small = tx.small(node.id)
    if bool(stored) != has_extent_rows(node):
        found.append(f"node {node.id}: {len(stored)} extents have rows, and the node says otherwise")
    if (small is not None) != bool(node.small_bytes) or (small and len(small.data) != node.small_bytes):
        found.append(f"node {node.id}: the small content is not as the node says")
    if node.kind != Kind.FILE and (stored or small):
        found.append(f"node {node.id}: only files have content")
    extents = small.extents if small else stored
    map_bytes = sum(48 + 4 * extent.count for extent in extents)
    if map_bytes != node.map_bytes:
        found.append(f"node {node.id}: its map is counted as {node.map_bytes} bytes, not {map_bytes}")
    validate(extents, node.size)
    return extents


def _check_inside(tx: Tx, node: NodeRow, extent: Extent, found: list[str]) -> None:
    row = tx.object(extent.object)
    if row is None or row.filespace != node.filespace:
        found.append(f"node {node.id}: object {extent.object} is missing")
    elif extent.offset + sum(extent.lengths) > row.size:
        found.append(f"node {node.id}: an extent leaves object {extent.object}")


def _check_object(tx: Tx, filespace: int, object: int, live: int, found: list[str]) -> int:
    """Check one object; the bytes that it adds to the storage used."""
    row = tx.object(object)
    if row is None or row.filespace != filespace:
        return 0
    if max(row.live, 0) != live:
        found.append(f"object {object}: {row.live} bytes are counted as live, {live} are")
    if bool(row.dead_since_ns) == (live > 0):
        found.append(f"object {object}: live {live}, dead since {row.dead_since_ns}")
    data = tx.object_data(object)
    if row.held != (data is not None) or (data is not None and len(data) != row.size):
        found.append(f"object {object}: its bytes are not where its row says")
    return row.size if live else 0


def _counts(rows: list[NodeRow], storage_bytes: int) -> Counts:
    kinds = Counter(row.kind for row in rows)
    entries = sum(TOKEN_BYTES + len(row.sealed_name) + len(row.target) + row.map_bytes for row in rows)
    data = sum(row.size for row in rows)
    return Counts(kinds[Kind.FILE], kinds[Kind.FOLDER], kinds[Kind.LINK], entries, data, storage_bytes)
