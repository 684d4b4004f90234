"""External files: nodes whose bytes stay in a bucket, or behind a URL, and are read-only here."""

from __future__ import annotations

from lucidfs.errors import Code, Fault
from lucidfs.limits import ETAG_CHARACTERS_MAX, FILE_BYTES_MAX
from lucidfs.namespace.changes import check_free, check_name, counts_of
from lucidfs.namespace.lookup import require, require_folder
from lucidfs.namespace.tree import Counts, ExternalRow, NodeRow, Tree
from lucidfs.types import Kind
from lucidfs.wire.messages import NewNode

_EXTERNAL = int(Kind.EXTERNAL)


def link(
    tree: Tree, filespace: int, parent: int, new: NewNode, size: int, external: ExternalRow, now_ns: int
) -> NodeRow:
    """Make an external file in a folder.

    Raises:
        Fault: NOT_FOUND, NOT_A_FOLDER (the parent); EXISTS; ID_TAKEN; INVALID (the node, size or ETag).
    """
    check_name(new.token, new.sealed_name)
    if new.kind is not Kind.EXTERNAL or new.target:
        raise Fault(Code.INVALID, "only external files are linked")
    check_about(size, external.etag)
    folder = require_folder(tree, filespace, parent)
    if tree.child(folder.id, new.token) is not None:
        raise Fault(Code.EXISTS, "the name is taken")
    check_free(tree, new.id)
    row = NodeRow(new.id, filespace, parent, new.token, _EXTERNAL, new.sealed_name, size, now_ns, now_ns, revision=1)
    tree.insert_node(row)
    tree.insert_external(external)
    tree.count(filespace, counts_of(row, 1))
    tree.touch_folder(parent, now_ns)
    return row


def relink(tree: Tree, row: NodeRow, size: int, external: ExternalRow, now_ns: int) -> NodeRow:
    """Let an external file be another object; the node as it is afterwards. Raises Fault(INVALID)."""
    check_about(size, external.etag)
    after = row._replace(size=size, mtime_ns=now_ns, revision=row.revision + 1)
    tree.publish_node(after, None)
    tree.update_external(external)
    tree.count(row.filespace, Counts(external_bytes=size - row.size))
    return after


def require_external(tree: Tree, filespace: int, node: int) -> tuple[NodeRow, ExternalRow]:
    """An external file and which object it is. Raises Fault: NOT_FOUND; INVALID when it is none."""
    row = require(tree, filespace, node)
    external = tree.external(node) if row.kind == _EXTERNAL else None
    if external is None:
        raise Fault(Code.INVALID, "it is not an external file")
    return row, external


def check_about(size: int, etag: str) -> None:
    """Raises Fault(INVALID) unless an object can have this size (bytes) and ETag."""
    if not 0 <= size <= FILE_BYTES_MAX:
        raise Fault(Code.INVALID, f"size: an object cannot have {size} bytes")
    if len(etag) > ETAG_CHARACTERS_MAX or not etag.isprintable() or not etag.isascii() or '"' in etag:
        raise Fault(Code.INVALID, f"checksum: expected up to {ETAG_CHARACTERS_MAX} printable characters without quotes")
