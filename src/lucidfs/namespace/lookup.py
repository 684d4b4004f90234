"""Finding nodes: by id inside one filespace, and along a path of tokens."""

from __future__ import annotations

from collections.abc import Sequence

from lucidfs.errors import Code, Fault
from lucidfs.limits import PATH_DEPTH_MAX
from lucidfs.namespace.tree import NodeRow, Tree
from lucidfs.types import Kind
from lucidfs.wire.messages import Path

ID_MAX = 2**63 - 1

_FOLDER = int(Kind.FOLDER)
_LINK = int(Kind.LINK)


def require(tree: Tree, filespace: int, node: int) -> NodeRow:
    """The node with this id, which must be in the filespace. Raises Fault(NOT_FOUND)."""
    row = tree.node(node) if 0 < node <= ID_MAX else None
    if row is None or row.filespace != filespace:
        raise Fault(Code.NOT_FOUND, "the file or folder no longer exists")
    return row


def require_folder(tree: Tree, filespace: int, node: int) -> NodeRow:
    """The folder with this id. Raises Fault: NOT_FOUND, NOT_A_FOLDER."""
    row = require(tree, filespace, node)
    if row.kind != _FOLDER:
        raise Fault(Code.NOT_A_FOLDER, "a file or link has no entries")
    return row


def walk(tree: Tree, filespace: int, path: Path) -> tuple[NodeRow, list[NodeRow]]:
    """The start of a path, and the nodes along it as far as it leads.

    Ends early at a missing name, and at a file or link that is not last: then fewer nodes than tokens are returned.

    Raises:
        Fault: NOT_FOUND without the start; NOT_A_FOLDER when the path goes on behind a start that is no folder;
            INVALID for more than PATH_DEPTH_MAX tokens.
    """
    tokens = path.tokens
    if len(tokens) > PATH_DEPTH_MAX:
        raise Fault(Code.INVALID, f"a path has at most {PATH_DEPTH_MAX} names, not {len(tokens)}")
    row = start = require(tree, filespace, path.start)
    if not tokens:
        return start, []
    if start.kind != _FOLDER:
        raise Fault(Code.NOT_A_FOLDER, "a file or link has no entries")
    found: list[NodeRow] = []
    for token in tokens:
        if row.kind != _FOLDER:
            break
        child = tree.child(row.id, token)
        if child is None:
            break
        found.append(child)
        row = child
    return start, found


def locate(tree: Tree, filespace: int, path: Path) -> NodeRow:
    """The node at the end of a path.

    Raises:
        Fault: NOT_FOUND; NOT_A_FOLDER or LINK_IN_PATH for a file or link that is not last; INVALID.
    """
    start, found = walk(tree, filespace, path)
    last = found[-1] if found else start
    if len(found) == len(path.tokens):
        return last
    if last.kind == _FOLDER:
        raise Fault(Code.NOT_FOUND, "no such file or folder")
    if last.kind == _LINK:
        raise Fault(Code.LINK_IN_PATH, "a symbolic link is in the middle of the path: follow it and ask again")
    raise Fault(Code.NOT_A_FOLDER, "a file is in the middle of the path")


def is_inside(tree: Tree, row: NodeRow, folder: int) -> bool:
    """Whether a node is the folder or lies anywhere below it."""
    while row.id != folder:
        above = tree.node(row.parent) if row.parent else None
        if above is None:
            return False
        row = above
    return True


def descendants(tree: Tree, folder: NodeRow, page: int) -> list[NodeRow]:
    """Everything below a folder, each folder before its entries."""
    found: list[NodeRow] = []
    open_folders: Sequence[int] = [folder.id]
    while open_folders:
        deeper: list[int] = []
        for parent in open_folders:
            after, more = b"", True
            while more:
                rows = tree.children(parent, after, page)
                found += rows
                deeper += [row.id for row in rows if row.kind == _FOLDER]
                more = len(rows) == page
                after = rows[-1].token if rows else after
        open_folders = deeper
    return found
