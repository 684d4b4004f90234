"""A stage for operations: a database with one filespace, callers, locks that a test sets, and short ways to ask."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path as FilePath
from typing import Any, TypeVar, cast

from lucidfs.hub.database.base import FilespaceRow, NodeRow, Tx, WorkspaceRow
from lucidfs.hub.database.sqlite import SqliteDatabase
from lucidfs.hub.operations import Caller, Scene, perform
from lucidfs.namespace.tree import root_of
from lucidfs.testing.fsck import problems
from lucidfs.types import Access, Kind, Role
from lucidfs.wire import messages as m

FILESPACE, OTHER = 5, 6
ROOT, OTHER_ROOT = 10, 20
FRAME = 65_536
SEALED = FRAME + 32
ANN, BOB = 101, 102  # sessions
MAC = b"m" * 16
M = TypeVar("M", bound=m.Message)

_WRITES = {
    "insert_node",
    "move_node",
    "publish_node",
    "delete_node",
    "touch_folder",
    "replace_extents",
    "insert_object",
    "update_object",
    "delete_object",
    "count",
}


class Locks:
    """A `LockView` whose answers a test sets."""

    def __init__(self) -> None:
        self.held: set[tuple[int, int]] = set()  # (session, lock)
        self.in_the_way: dict[int, int] = {}  # node -> session that locks all of it
        self.reserving: dict[tuple[int, bytes], int] = {}
        self.asked: list[tuple[int, Access, list[tuple[int, int]] | None]] = []

    def blocked(self, node: int, session: int, access: Access, ranges: Sequence[tuple[int, int]] | None) -> bool:
        self.asked.append((node, access, None if ranges is None else list(ranges)))
        return self.in_the_way.get(node, session) != session

    def holds(self, session: int, lock: int) -> bool:
        return (session, lock) in self.held

    def any_lock(self, node: int, session: int) -> bool:
        return self.in_the_way.get(node, session) != session

    def reserved(self, parent: int, token: bytes, session: int) -> bool:
        return self.reserving.get((parent, token), session) != session


class _Watched:
    """A transaction that remembers whether it was written to."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self.written: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name in _WRITES:
            self.written.append(name)
        return getattr(self._tx, name)


class Stage:
    """One database with the filespaces FILESPACE and OTHER; `do` is one change in a transaction of its own."""

    def __init__(self, folder: FilePath) -> None:
        self.database = SqliteDatabase(folder / "hub.db", durable=False)
        self.locks = Locks()
        self.now_ns = 1_000
        self.objects: set[int] = set()
        self._ids = 1_000
        tx = self.database.begin()
        tx.insert_workspace(WorkspaceRow(1, "demo", 1))
        for filespace, name, root in ((FILESPACE, "data", ROOT), (OTHER, "other", OTHER_ROOT)):
            tx.insert_filespace(FilespaceRow(filespace, 1, name, root, 1))
            tx.insert_node(root_of(filespace, root, 1))
        self.database.commit()

    def close(self) -> None:
        """End with a check of every invariant."""
        try:
            with self.database.read() as tx:
                assert problems(tx, FILESPACE) == []
                assert problems(tx, OTHER) == []
        finally:
            self.database.close()

    # --- asking

    def do(self, request: m.Message, session: int = ANN, role: Role = Role.WRITE, filespace: int = FILESPACE) -> Any:
        """Run a change; a refusal must have written nothing, and is raised."""
        self.now_ns += 1
        watched = _Watched(self.database.begin())
        caller = Caller(session, 2, "ann", filespace, role)
        try:
            reply = perform(Scene(cast(Tx, watched), caller, self.locks, self.now_ns), request)
        except BaseException:
            assert watched.written == [], f"refused after {watched.written}"
            self.database.rollback()
            raise
        self.database.commit()
        return reply

    def look(self, request: m.Message, session: int = ANN, role: Role = Role.READ, filespace: int = FILESPACE) -> Any:
        """Run a read on a snapshot."""
        with self.database.read() as tx:
            return perform(Scene(tx, Caller(session, 2, "ann", filespace, role), self.locks, self.now_ns), request)

    def row(self, node: int) -> NodeRow | None:
        with self.database.read() as tx:
            return tx.node(node)

    def live(self, object: int) -> int | None:
        """Bytes of an object that are in use; None when it is unknown."""
        with self.database.read() as tx:
            row = tx.object(object)
            return None if row is None else row.live

    # --- making

    def id(self) -> int:
        self._ids += 1
        return self._ids

    def new(self, name: str, kind: Kind = Kind.FILE, node: int = 0) -> m.NewNode:
        target = b"sealed target" if kind == Kind.LINK else b""
        return m.NewNode(node or self.id(), kind, token(name), sealed(name), target)

    def folder(self, name: str, parent: int = ROOT) -> int:
        return int(self.do(m.CreateFolders(parent, [self.new(name, Kind.FOLDER)])).entry.id)

    def link(self, name: str, parent: int = ROOT) -> int:
        return int(self.do(m.Create(parent, self.new(name, Kind.LINK))).entry.id)

    def file(self, name: str, parent: int = ROOT, content: m.NewContent | None = None) -> int:
        return int(self.do(m.Create(parent, self.new(name), content)).entry.id)

    def big(
        self, count: int, generation: int = 1, first: int = 0, origin: int = 7, size: int | None = None
    ) -> m.NewContent:
        """A content of `count` frames from frame `first` on, in one new object of the store."""
        object = self.id()
        self.objects.add(object)
        extent = m.Extent(first, count, origin, first, generation, object, 0, [SEALED] * count)
        total = (first + count) * FRAME if size is None else size
        return m.NewContent(total, generation, MAC, [extent], b"", [m.NewObject(object, count * SEALED)])

    def extents(self, node: int) -> list[m.Extent]:
        found = self.look(m.ReadContent(node))
        return list(found.content.extents)


def small(data: bytes = b"sealed frame of the small content here", size: int = 6, generation: int = 1) -> m.NewContent:
    """A content that travels in the commit."""
    extent = m.Extent(0, 1, 7, 0, generation, 0, 0, [len(data)])
    return m.NewContent(size, generation, MAC, [extent], data)


def empty(size: int = 0, generation: int = 1) -> m.NewContent:
    return m.NewContent(size, generation, MAC)


def token(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()[:16]


def sealed(name: str) -> bytes:
    return b"sealed " + name.encode()


def path(*names: str, start: int = ROOT) -> m.Path:
    return m.Path(start, [token(name) for name in names])
