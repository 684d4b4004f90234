"""Rows that the conformance suites of databases stand on."""

from __future__ import annotations

from lucidfs.hub.database.base import AccountRow, FilespaceRow, LockRow, NodeRow, Tx, WorkspaceRow
from lucidfs.namespace.tree import root_of
from lucidfs.types import Kind
from lucidfs.wire.messages import Extent

FILESPACE, ROOT = 2**63 - 1, 10  # the highest id that there is
EVERYTHING = 2**62


def folder(node: int, parent: int = ROOT, token: bytes = b"t" * 16) -> NodeRow:
    return NodeRow(node, FILESPACE, parent, token, int(Kind.FOLDER), b"sealed", mtime_ns=1, ctime_ns=1)


def file(node: int, parent: int = ROOT, token: bytes = b"t" * 16) -> NodeRow:
    return folder(node, parent, token)._replace(kind=int(Kind.FILE))


def account(identity: int, name: str, key_id: str) -> AccountRow:
    return AccountRow(identity, 1, name, key_id, b"l" * 32, b"s" * 32, False, 5)


def lock(identity: int, session: int, since_ns: int = 1) -> LockRow:
    return LockRow(identity, FILESPACE, session, 11, 3, 2, 0, 0, "ann", since_ns)


def extent(first: int, count: int, object: int = 50, generation: int = 1) -> Extent:
    return Extent(first, count, 11, first, generation, object, first * 100, [100] * count)


def found(tx: Tx) -> None:
    """Make workspace 1 with the filespace and root that the suite's rows stand in."""
    tx.insert_workspace(WorkspaceRow(1, "demo", 5))
    tx.insert_filespace(FilespaceRow(FILESPACE, 1, "data", ROOT, 5))
    tx.insert_node(root_of(FILESPACE, ROOT, 1))
