"""The checker: every invariant of what a hub stores, stated once, and found when it is broken.

It needs no key: it checks what the hub can know. That every name and frame opens is the client's side to check.
Memory grows with the number of folders and objects, not with files. A snapshot is enough: it runs beside a hub.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from lucidfs.errors import Fault
from lucidfs.hub.database.base import CONDEMNED, SPENT, Counts, FilespaceRow, NodeRow, ObjectRow, Tx
from lucidfs.hub.fsck_service import check_service
from lucidfs.namespace.changes import TOKEN_BYTES
from lucidfs.namespace.content import MAC_BYTES, has_extent_rows
from lucidfs.namespace.extents import validate
from lucidfs.types import Kind
from lucidfs.wire.messages import Extent

INVARIANTS: dict[str, str] = {
    "database": "The database's own checks pass: pages, indexes, references.",
    "strays": "Extents have their node, nodes, living objects and buckets their filespace, replies their session, "
    "locks a live session, sessions their account.",
    "root": "Every filespace has one root: a folder of its own without parent and name, and a workspace.",
    "place": "Every other node stands in a folder of its own filespace.",
    "tree": "From every folder the way up ends at the root: no circles.",
    "name": "Every node but a root has a token of 16 bytes and a sealed name.",
    "kind": "Nodes are files, folders or links; links and only they have targets, files and only they have content.",
    "content": "A published file has a revision, a generation and a MAC; one that never was has none, and no extents.",
    "map": "Extents are in order, do not overlap, lie inside the file, and are counted in its row.",
    "small": "Content that stands in the row is as long as the row says, and all of its extents lie inside it.",
    "extent": "Every other extent lies inside a usable object of the same filespace.",
    "live": "An object counts exactly the bytes that extents use of it; a given-up one has none.",
    "dead": "An object that nothing uses knows since when; one that is used does not.",
    "held": "An object's bytes stand in the database where its row says so, whole, and nowhere else.",
    "counters": "The counters of a filespace are what its nodes and objects make.",
    "grants": "Every filespace has an admin; grants join an account, not revoked, and a filespace of one workspace.",
    "locks": "No two locks that exclude each other are held; locks are of their session's filespace.",
    "missing": "Every object that may be used, and is not held in the database, is in the object folder or its bucket.",
    "short": "It has there exactly the bytes that its row says.",
    "folder": "The object folder, and what a filespace has of a bucket, hold objects in their places, nothing else.",
    "store": "Every bucket that holds objects answers to its keys.",
}
_EVERYTHING = 2**62
_PAGE = 1000
_KINDS = {int(kind) for kind in Kind}
_FILE, _FOLDER, _LINK, _EXTERNAL = (int(kind) for kind in (Kind.FILE, Kind.FOLDER, Kind.LINK, Kind.EXTERNAL))


class Problem(NamedTuple):
    """One invariant that does not hold, and where."""

    invariant: str  # a key of INVARIANTS
    text: str

    def __str__(self) -> str:
        return f"{self.invariant}: {self.text}"


class Checked(NamedTuple):
    """How much was looked at."""

    filespaces: int = 0
    nodes: int = 0
    objects: int = 0


class Checker:
    """One pass over everything that a snapshot holds.

    Args:
        tx: the snapshot.
        only: check the tree and the objects of this filespace alone; 0: everything.
    """

    def __init__(self, tx: Tx, only: int = 0) -> None:
        self._tx = tx
        self._only = only
        self._used: Counter[int] = Counter()  # object -> bytes that extents use
        self._storage: Counter[int] = Counter()  # filespace -> bytes
        self._kinds: dict[int, Counter[int]] = defaultdict(Counter)
        self._entries: Counter[int] = Counter()
        self._data: Counter[int] = Counter()
        self._folders: dict[int, int] = {}  # folder -> its parent
        self._nodes = self._objects = 0

    @property
    def checked(self) -> Checked:
        """What was looked at so far."""
        return Checked(len(self._filespaces()), self._nodes, self._objects)

    def problems(self) -> Iterator[Problem]:
        """Everything that is wrong, as it is found."""
        if not self._only:
            yield from (Problem("database", text) for text in self._tx.damage())
            yield from (
                Problem("strays", f"{what} {number:016x} that is not there") for what, number in self._tx.strays()
            )
            yield from (Problem(*found) for found in check_service(self._tx))
        for row in self._filespaces():
            yield from self._check_root(row)
        for node in _nodes(self._tx):
            if self._only in (0, node.filespace):
                self._nodes += 1
                yield from self._check_node(node)
        yield from self._check_circles()
        for each in objects_of(self._tx):
            if self._only in (0, each.filespace):
                self._objects += 1
                yield from self._check_object(each)
        for row in self._filespaces():
            yield from self._check_counters(row.id)

    def _filespaces(self) -> list[FilespaceRow]:
        if self._only:
            row = self._tx.filespace(self._only)
            return [] if row is None else [row]
        return [row for workspace in self._tx.workspaces() for row in self._tx.filespaces(workspace.id)]

    # --- nodes ------------------------------------------------------------------------------------------------------

    def _check_root(self, row: FilespaceRow) -> Iterator[Problem]:
        root = self._tx.node(row.root)
        if root is None or (root.filespace, root.parent, root.token, root.kind) != (row.id, 0, b"", _FOLDER):
            yield Problem("root", f"the filespace {row.name} has no root")

    def _check_node(self, node: NodeRow) -> Iterator[Problem]:
        if node.kind == _FOLDER:
            self._folders[node.id] = node.parent
        if node.parent:
            self._kinds[node.filespace][node.kind] += 1
            self._entries[node.filespace] += TOKEN_BYTES + len(node.sealed_name) + len(node.target) + node.map_bytes
            self._data[node.filespace] += node.size
        yield from self._check_place(node)
        if node.kind not in _KINDS or (node.kind == _LINK) != bool(node.target):
            yield Problem(
                "kind", f"node {node.id:016x} is of kind {node.kind}, its target has {len(node.target)} bytes"
            )
        yield from self._check_content(node)

    def _check_place(self, node: NodeRow) -> Iterator[Problem]:
        if not node.parent:
            row = self._tx.filespace(node.filespace)
            if row is None or row.root != node.id:
                yield Problem("root", f"node {node.id:016x} has no parent and is not the root of a filespace")
            if node.token or node.sealed_name:
                yield Problem("name", f"the root {node.id:016x} has a name")
            return
        if len(node.token) != TOKEN_BYTES or not node.sealed_name:
            yield Problem("name", f"node {node.id:016x} has no name")
        parent = self._tx.node(node.parent)
        if parent is None or parent.kind != _FOLDER or parent.filespace != node.filespace:
            yield Problem("place", f"node {node.id:016x} stands in {node.parent:016x}, which is no folder there")

    def _check_circles(self) -> Iterator[Problem]:
        fine: set[int] = {0}
        for folder in self._folders:
            way: list[int] = []
            at = folder
            while at not in fine and at in self._folders:
                fine.add(at)
                way.append(at)
                at = self._folders[at]
            if at in way:
                yield Problem("tree", f"the folder {at:016x} stands in itself")

    # --- contents ---------------------------------------------------------------------------------------------------

    def _check_content(self, node: NodeRow) -> Iterator[Problem]:
        where = f"node {node.id:016x}"
        stored, small = self._tx.extents(node.id, 0, _EVERYTHING), self._tx.small(node.id)
        if bool(stored) != has_extent_rows(node):
            yield Problem("map", f"{where}: {len(stored)} extents have rows, and the node says otherwise")
        if (small is not None) != bool(node.small_bytes) or (small and len(small.data) != node.small_bytes):
            yield Problem("small", f"{where}: the small content is not as the node says")
        if node.kind not in (_FILE, _EXTERNAL) and (stored or small or node.size or node.mac or node.revision):
            yield Problem("kind", f"{where}: only files have content")
        published = (node.revision > 0, node.generation > 0, len(node.mac) == MAC_BYTES)
        if published != (True, True, True) and (any(published) or node.mac or node.size or node.map_bytes):
            yield Problem("content", f"{where}: revision, generation and MAC do not belong together")
        extents = small.extents if small else stored
        map_bytes = sum(48 + 4 * extent.count for extent in extents)
        if map_bytes != node.map_bytes:
            yield Problem("map", f"{where}: its map is counted as {node.map_bytes} bytes, not {map_bytes}")
        try:
            validate(extents, node.size)
        except Fault as fault:
            yield Problem("map", f"{where}: {fault.message}")
        self._storage[node.filespace] += node.small_bytes
        for extent in extents:
            yield from self._check_extent(node, extent, None if small is None else len(small.data))

    def _check_extent(self, node: NodeRow, extent: Extent, small_bytes: int | None) -> Iterator[Problem]:
        where, end = f"node {node.id:016x}", extent.offset + sum(extent.lengths)
        if small_bytes is not None:
            if extent.object or end > small_bytes:
                yield Problem("small", f"{where}: an extent leaves the small content")
            return
        self._used[extent.object] += sum(extent.lengths)
        row = self._tx.object(extent.object)
        if row is None or row.filespace != node.filespace or row.live < 0:
            yield Problem("extent", f"{where}: there is no object {extent.object:016x} to use")
        elif end > row.size:
            yield Problem("extent", f"{where}: an extent leaves the object {extent.object:016x}")

    # --- objects ----------------------------------------------------------------------------------------------------

    def _check_object(self, row: ObjectRow) -> Iterator[Problem]:
        where, live = f"object {row.id:016x}", self._used[row.id]
        if max(row.live, 0) != live or row.live < SPENT:
            yield Problem("live", f"{where}: {row.live} bytes are counted as live, {live} are")
        if bool(row.dead_since_ns) == (live > 0):
            yield Problem("dead", f"{where}: live {live}, dead since {row.dead_since_ns}")
        data = self._tx.object_data(row.id)
        if (
            row.held != (data is not None)
            or (data is not None and len(data) != row.size)
            or (row.size <= 0 and usable(row))
        ):
            yield Problem("held", f"{where}: its bytes are not where its row says")
        self._storage[row.filespace] += row.size if live else 0

    def _check_counters(self, filespace: int) -> Iterator[Problem]:
        kinds = self._kinds[filespace]
        expected = Counts(
            kinds[_FILE],
            kinds[_FOLDER],
            kinds[_LINK],
            self._entries[filespace],
            self._data[filespace],
            self._storage[filespace],
        )
        stored = self._tx.counts(filespace)
        if stored[:6] != expected[:6]:
            yield Problem("counters", f"the counters of {filespace:016x} are {stored}, the nodes make {expected}")


def usable(row: ObjectRow) -> bool:
    """Whether a commit may still use the object, so that its bytes must be somewhere."""
    return row.live > CONDEMNED


def _nodes(tx: Tx) -> Iterator[NodeRow]:
    after, more = 0, True
    while more:
        rows = tx.all_nodes(after, _PAGE)
        yield from rows
        more = len(rows) == _PAGE
        after = rows[-1].id if rows else after


def objects_of(tx: Tx) -> Iterator[ObjectRow]:
    """Every object that has a row, by id."""
    after, more = 0, True
    while more:
        rows = tx.all_objects(after, _PAGE)
        yield from rows
        more = len(rows) == _PAGE
        after = rows[-1].id if rows else after
