"""The abstract tree: the few primitives that the rules of the namespace need, whoever holds the nodes.

The hub's database transaction is a `Tree`; a client that holds a folder under a lease can be one too. The rules
(`lookup`, `changes`, `content`) are plain functions over it: no await, no clock, no randomness, and every check
before the first write.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from lucidfs.types import Kind
from lucidfs.wire.messages import Entry, Extent


class NodeRow(NamedTuple):
    """One node: its place, its sealed name, and what is known of its content. Sizes in bytes, times in ns."""

    id: int
    filespace: int
    parent: int  # 0: the root
    token: bytes  # b"": the root
    kind: int  # a Kind; plain int, because building the enum costs as much as the rest of the row
    sealed_name: bytes
    size: int = 0
    mtime_ns: int = 0
    ctime_ns: int = 0
    revision: int = 0  # 0: a file that was never written
    generation: int = 0
    mac: bytes = b""
    target: bytes = b""
    version: int = 0  # folders: grows when an entry comes, goes or changes its name
    map_bytes: int = 0  # what the content map counts in Counts.entries_bytes; 0: no extents
    small_bytes: int = 0  # sealed bytes that stand in the row; 0 with map_bytes: the extents have rows of their own


class SmallContent(NamedTuple):
    """Content that stands in the node's row: every extent has object 0 and an offset into `data`."""

    extents: list[Extent]
    data: bytes


class ObjectRow(NamedTuple):
    """One object of the store, as the hub counts it."""

    id: int
    filespace: int
    size: int  # bytes
    live: int  # bytes that extents use, counted once per extent; below 0: never to be used again
    dead_since_ns: int  # since when `live` is 0; 0: it is not. SPENT: since when the bytes are gone
    held: bool = False  # its bytes stand in the database, not in the store


class ExternalRow(NamedTuple):
    """Which object an external file is."""

    node: int
    store: int  # a data store; 0: an HTTP link
    place: bytes  # the object's key in UTF-8; of an HTTP link: its URL, sealed by the hub
    etag: str  # "": the server has none


CONDEMNED = -1  # an object that is being deleted
SPENT = -2  # an object whose bytes are gone; its number is kept for a while, so that nobody commits it late


class Counts(NamedTuple):
    """The counters of a filespace, or how a change moves them."""

    files: int = 0
    folders: int = 0
    links: int = 0
    entries_bytes: int = 0
    data_bytes: int = 0
    storage_bytes: int = 0
    external_bytes: int = 0
    external_files: int = 0


class Tree(Protocol):
    """Nodes, contents and objects. Reads see what was written before in the same transaction."""

    def node(self, node: int) -> NodeRow | None: ...

    def child(self, parent: int, token: bytes) -> NodeRow | None: ...

    def children(self, parent: int, after: bytes, limit: int) -> list[NodeRow]:
        """Up to `limit` entries with token > `after`, in the order of their tokens."""
        ...

    def insert_node(self, row: NodeRow, small: SmallContent | None = None) -> None:
        """The caller has checked that id and (parent, token) are free."""
        ...

    def move_node(self, row: NodeRow) -> None:
        """Write parent, token and sealed_name."""
        ...

    def publish_node(self, row: NodeRow, small: SmallContent | None) -> None:
        """Write size, mtime_ns, revision, generation, mac, map_bytes, small_bytes and the small content."""
        ...

    def delete_node(self, row: NodeRow) -> None:
        """Remove the row (with its small content). Its extents are the caller's to remove."""
        ...

    def touch_folder(self, folder: int, now_ns: int) -> None:
        """An entry of the folder came, went or changed its name: version + 1, mtime."""
        ...

    def small(self, node: int) -> SmallContent | None: ...

    def extents(self, node: int, first: int, end: int, limit: int = -1) -> list[Extent]:
        """Extents that have their own rows and overlap frames [first, end), in order; `limit` -1: all of them."""
        ...

    def replace_extents(self, node: int, removed: list[Extent], added: list[Extent]) -> None: ...

    def object(self, object: int) -> ObjectRow | None: ...

    def insert_object(self, row: ObjectRow, data: bytes) -> None:
        """`data` not empty: the bytes stand in the database."""
        ...

    def update_object(self, object: int, live: int, dead_since_ns: int) -> None: ...

    def external(self, node: int) -> ExternalRow | None: ...

    def insert_external(self, row: ExternalRow) -> None:
        """With the count of its data store's links."""
        ...

    def update_external(self, row: ExternalRow) -> None:
        """Write place and etag."""
        ...

    def delete_external(self, node: int) -> None:
        """Does nothing when there is none."""
        ...

    def count(self, filespace: int, delta: Counts) -> None:
        """Move the counters of a filespace."""
        ...


def root_of(filespace: int, node: int, now_ns: int) -> NodeRow:
    """The root folder of a new filespace. It has no name and is not counted."""
    return NodeRow(node, filespace, 0, b"", int(Kind.FOLDER), b"", 0, now_ns, now_ns)


def entry_of(row: NodeRow) -> Entry:
    """What a client is told of a node."""
    return Entry(
        row.id,
        row.parent,
        _KINDS[row.kind],
        row.sealed_name,
        row.size,
        row.mtime_ns,
        row.ctime_ns,
        row.revision,
        row.target,
        row.version,
    )


_KINDS = {int(kind): kind for kind in Kind}
