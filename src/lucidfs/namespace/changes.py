"""The changes of the tree: create, delete, move, commit. Each first checks everything, then writes.

Delete and move are in two steps, `check_…` and the writing, so that the hub can look at the locks of what they touch.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from lucidfs.errors import Code, Fault
from lucidfs.limits import LISTING_PAGE, NAME_BYTES_MAX, PATH_DEPTH_MAX, TARGET_BYTES_MAX
from lucidfs.namespace.content import (
    Draft,
    all_extents,
    draft_delta,
    draft_new,
    draft_objects,
    draft_whole,
    write_objects,
)
from lucidfs.namespace.lookup import ID_MAX, descendants, is_inside, locate, require, require_folder
from lucidfs.namespace.tree import Counts, NodeRow, Tree
from lucidfs.types import Kind
from lucidfs.wire.messages import Commit, Delete, Extent, Move, NewContent, NewNode, Path

TOKEN_BYTES = 16
_SEALED_NAME_BYTES_MAX = 1 + 12 + (NAME_BYTES_MAX + 1) + 16  # docs/FORMAT.md: version, nonce, padded name, tag
_SEALED_TARGET_BYTES_MAX = 1 + 12 + (TARGET_BYTES_MAX + 64) + 16
_FILE, _FOLDER, _LINK, _EXTERNAL = int(Kind.FILE), int(Kind.FOLDER), int(Kind.LINK), int(Kind.EXTERNAL)


class Moving(NamedTuple):
    """A move that was checked: the node where it is, and the file or link whose place it takes."""

    row: NodeRow
    replaced: NodeRow | None


def create(
    tree: Tree,
    filespace: int,
    parent: int,
    new: NewNode,
    content: NewContent | None,
    now_ns: int,
    replaced: NodeRow | None = None,
) -> NodeRow:
    """Make one node in a folder; it takes the place of `replaced`, as `check_replaced` found it.

    Raises:
        Fault: NOT_FOUND, NOT_A_FOLDER (the parent); EXISTS; ID_TAKEN; INVALID, UNSUPPORTED (the node); and what
            `draft_new` raises for the content.
    """
    kind = _check_new(new, content)
    folder = require_folder(tree, filespace, parent)
    there = tree.child(folder.id, new.token)
    if there is not None and there != replaced:
        raise Fault(Code.EXISTS, "the name is taken")
    check_free(tree, new.id)
    row = NodeRow(new.id, filespace, parent, new.token, kind, new.sealed_name, 0, now_ns, now_ns, target=new.target)
    draft = None if content is None else draft_new(tree, filespace, content, now_ns)
    if replaced is not None:
        _remove(tree, filespace, [replaced], now_ns)
    if content is None or draft is None:
        tree.insert_node(row)
        tree.count(filespace, counts_of(row, 1))
    else:
        row = _published(row, content, draft, now_ns)
        write_objects(tree, draft.objects)
        tree.insert_node(row, draft.small)
        if draft.added:
            tree.replace_extents(row.id, [], draft.added)
        tree.count(filespace, _plus_storage(counts_of(row, 1), draft.storage_delta))
    tree.touch_folder(parent, now_ns)
    return row


def check_replaced(tree: Tree, filespace: int, parent: int, token: bytes, node: int) -> NodeRow:
    """The external file whose place a new file takes. Raises Fault(STALE) when it is not there, or no longer one."""
    there = tree.child(parent, token)
    if there is None or there.id != node or there.filespace != filespace or there.kind != _EXTERNAL:
        raise Fault(Code.STALE, "what is to be replaced is no longer there")
    return there


def check_place(tree: Tree, filespace: int, path: Path, folder: int) -> None:
    """A path leads to this folder. Raises Fault: STALE when it leads elsewhere or nowhere; INVALID for a deep one."""
    try:
        there = locate(tree, filespace, path).id
    except Fault as fault:
        if fault.code is Code.INVALID:
            raise
        there = 0
    if there != folder:
        raise Fault(Code.STALE, "the path leads to another place now")


def create_folders(tree: Tree, filespace: int, parent: int, nodes: list[NewNode], now_ns: int) -> NodeRow:
    """Make a chain of folders, each inside the one before; the last one is returned.

    Raises:
        Fault: as `create`; INVALID for an empty or too long chain, or a node that is no folder.
    """
    if not 0 < len(nodes) <= PATH_DEPTH_MAX:
        raise Fault(Code.INVALID, f"a chain has 1 to {PATH_DEPTH_MAX} folders, not {len(nodes)}")
    if len({new.id for new in nodes}) < len(nodes):
        raise Fault(Code.ID_TAKEN, "two new nodes have one id")
    for new in nodes:
        if _check_new(new, None) != _FOLDER:
            raise Fault(Code.INVALID, "a chain is made of folders")
        check_free(tree, new.id)
    row = require_folder(tree, filespace, parent)
    if tree.child(parent, nodes[0].token) is not None:
        raise Fault(Code.EXISTS, "the name is taken")
    total = Counts()
    for new in nodes:
        row = NodeRow(new.id, filespace, row.id, new.token, _FOLDER, new.sealed_name, 0, now_ns, now_ns)
        tree.insert_node(row)
        total = _sum(total, counts_of(row, 1))
    tree.count(filespace, total)
    tree.touch_folder(parent, now_ns)
    return row


def check_delete(tree: Tree, filespace: int, request: Delete) -> list[NodeRow]:
    """What a delete would remove, the named node first.

    Raises:
        Fault: NOT_FOUND, NOT_A_FOLDER, IS_A_FOLDER, LINK_IN_PATH; NOT_EMPTY without `recursive`; INVALID for the root.
    """
    row = locate(tree, filespace, request.path)
    if request.node not in (0, row.id):
        raise Fault(Code.NOT_FOUND, "another file or folder has this path now")
    if row.parent == 0:
        raise Fault(Code.INVALID, "the root folder cannot be deleted")
    if not request.folder:
        if row.kind == _FOLDER:
            raise Fault(Code.IS_A_FOLDER, "it is a folder: delete it as one")
        return [row]
    if row.kind != _FOLDER:
        raise Fault(Code.NOT_A_FOLDER, "it is not a folder: delete it as a file")
    if not request.recursive:
        if tree.children(row.id, b"", 1):
            raise Fault(Code.NOT_EMPTY, "the folder is not empty")
        return [row]
    return [row, *descendants(tree, row, LISTING_PAGE)]


def delete(tree: Tree, filespace: int, rows: list[NodeRow], now_ns: int) -> None:
    """Remove what `check_delete` found."""
    _remove(tree, filespace, rows, now_ns)
    tree.touch_folder(rows[0].parent, now_ns)


def check_move(tree: Tree, filespace: int, request: Move) -> Moving:
    """What a move would touch.

    Raises:
        Fault: NOT_FOUND (node or new folder), STALE (it is no longer at its old place), NOT_A_FOLDER, EXISTS,
            INVALID (the root, into itself, a bad token or name).
    """
    check_name(request.new_token, request.sealed_name)
    row = require(tree, filespace, request.node)
    if row.parent == 0:
        raise Fault(Code.INVALID, "the root folder cannot be moved")
    if (row.parent, row.token) != (request.old_parent, request.old_token):
        raise Fault(Code.STALE, "it was moved meanwhile")
    folder = require_folder(tree, filespace, request.new_parent)
    if row.kind == _FOLDER and folder.id != row.parent and is_inside(tree, folder, row.id):
        raise Fault(Code.INVALID, "a folder cannot be moved into itself")
    there = tree.child(folder.id, request.new_token)
    if there is None:
        return Moving(row, None)
    if not request.replace or (there.id != row.id and _FOLDER in (row.kind, there.kind)):
        raise Fault(Code.EXISTS, "the new name is taken")
    return Moving(row, None if there.id == row.id else there)


def move(tree: Tree, request: Move, moving: Moving, now_ns: int) -> NodeRow:
    """Do what `check_move` found; the node as it is afterwards."""
    row, replaced = moving
    if replaced is not None:
        _remove(tree, row.filespace, [replaced], now_ns)
    moved = row._replace(parent=request.new_parent, token=request.new_token, sealed_name=request.sealed_name)
    tree.move_node(moved)
    tree.count(row.filespace, Counts(entries_bytes=len(moved.sealed_name) - len(row.sealed_name)))
    tree.touch_folder(row.parent, now_ns)
    if row.parent != moved.parent:
        tree.touch_folder(moved.parent, now_ns)
    return moved


def check_commit(tree: Tree, filespace: int, request: Commit) -> NodeRow:
    """The file that a commit is about.

    Raises:
        Fault: NOT_FOUND; IS_A_FOLDER, INVALID, DENIED (no file, a link, an external file); STALE when the file is not
            at the revision `base`. A commit that is not whole always has a base, 0 being a file never written.
    """
    row = require(tree, filespace, request.node)
    if row.kind != _FILE:
        raise _no_file(row)
    if row.revision != request.base and (request.base or not request.whole):
        raise Fault(Code.STALE, f"the file is at revision {row.revision}, not {request.base}")
    return row


def commit(tree: Tree, row: NodeRow, request: Commit, now_ns: int) -> NodeRow:
    """Publish the content of a file; the node as it is afterwards. Raises as `draft_whole` and `draft_delta`."""
    content = request.content
    if request.whole:
        draft = draft_whole(tree, row, content, now_ns)
    else:
        draft = draft_delta(tree, row, content, request.clear, now_ns)
    after = _published(row, content, draft, now_ns)
    write_objects(tree, draft.objects)
    tree.publish_node(after, draft.small)
    if draft.removed or draft.added:
        tree.replace_extents(row.id, draft.removed, draft.added)
    delta = Counts(
        entries_bytes=after.map_bytes - row.map_bytes,
        data_bytes=after.size - row.size,
        storage_bytes=draft.storage_delta + after.small_bytes - row.small_bytes,
    )
    tree.count(row.filespace, delta)
    return after


def require_file(tree: Tree, filespace: int, node: int) -> NodeRow:
    """The file with this id, for reading its content. Raises Fault: NOT_FOUND, IS_A_FOLDER, INVALID, DENIED."""
    row = require(tree, filespace, node)
    if row.kind != _FILE:
        raise _no_file(row)
    return row


def _no_file(row: NodeRow) -> Fault:
    if row.kind == _FOLDER:
        return Fault(Code.IS_A_FOLDER, "a folder has no content")
    if row.kind == _LINK:
        return Fault(Code.INVALID, "a link has no content of its own: follow it")
    return Fault(Code.DENIED, "an external file is read-only here: it stands in its own store")


def _remove(tree: Tree, filespace: int, rows: Iterable[NodeRow], now_ns: int) -> None:
    gone: list[Extent] = []
    total = Counts()
    for row in rows:
        if row.kind == _FILE:
            extents = all_extents(tree, row)
            if extents:
                gone += extents
                tree.replace_extents(row.id, extents, [])
        elif row.kind == _EXTERNAL:
            tree.delete_external(row.id)
        tree.delete_node(row)
        total = _sum(total, counts_of(row, -1))
    objects, storage = draft_objects(tree, filespace, [], gone, [], now_ns)
    write_objects(tree, objects)
    tree.count(filespace, _plus_storage(total, storage))


def _check_new(new: NewNode, content: NewContent | None) -> int:
    """Check a new node on its own; its kind."""
    check_name(new.token, new.sealed_name)
    kind = int(new.kind)
    if kind not in (_FILE, _FOLDER, _LINK):
        raise Fault(Code.UNSUPPORTED, "this kind of node cannot be created")
    if bool(new.target) != (kind == _LINK) or len(new.target) > _SEALED_TARGET_BYTES_MAX:
        raise Fault(Code.INVALID, "a link has a target, and nothing else has one")
    if content is not None and kind != _FILE:
        raise Fault(Code.INVALID, "only a file has content")
    return kind


def check_name(token: bytes, sealed_name: bytes) -> None:
    """Raises Fault(INVALID) unless these can be a name's token and sealed form."""
    if len(token) != TOKEN_BYTES or not 0 < len(sealed_name) <= _SEALED_NAME_BYTES_MAX:
        raise Fault(Code.INVALID, "a name has a token of 16 bytes and a sealed form of its length")


def check_free(tree: Tree, node: int) -> None:
    """Raises Fault: INVALID for what is no node's id, ID_TAKEN."""
    if not 0 < node <= ID_MAX:
        raise Fault(Code.INVALID, "a node's id is positive and below 2**63")
    if tree.node(node) is not None:
        raise Fault(Code.ID_TAKEN, "the id of the new node is taken")


def _published(row: NodeRow, content: NewContent, draft: Draft, now_ns: int) -> NodeRow:
    return row._replace(
        size=content.size,
        mtime_ns=now_ns,
        revision=row.revision + 1,
        generation=content.generation,
        mac=content.mac,
        map_bytes=draft.map_bytes,
        small_bytes=len(draft.small.data) if draft.small else 0,
    )


def counts_of(row: NodeRow, sign: int) -> Counts:
    """What a node adds to the counters (`sign` 1) or takes from them (-1), its objects left out."""
    entry_bytes = TOKEN_BYTES + len(row.sealed_name) + len(row.target) + row.map_bytes
    kind = row.kind
    external = sign * (kind == _EXTERNAL)
    return Counts(
        sign * (kind == _FILE) + external,
        sign * (kind == _FOLDER),
        sign * (kind == _LINK),
        sign * entry_bytes,
        0 if external else sign * row.size,
        sign * row.small_bytes,
        external * row.size,
        external,
    )


def _plus_storage(counts: Counts, storage_bytes: int) -> Counts:
    return counts._replace(storage_bytes=counts.storage_bytes + storage_bytes) if storage_bytes else counts


def _sum(left: Counts, right: Counts) -> Counts:
    return Counts._make(map(int.__add__, left, right))
