"""A node as a program sees it: an `Entry` of the hub whose name and target were opened and whose place was checked."""

from __future__ import annotations

from typing import NamedTuple

from lucidfs.crypto.keys import FilespaceKeys
from lucidfs.errors import Code, Fault
from lucidfs.limits import FILE_BYTES_MAX
from lucidfs.types import Kind, NodeId
from lucidfs.wire.messages import Entry


class Node(NamedTuple):
    """One file, folder or link at one moment. A tuple, because a listing makes ten thousand of them.

    Sizes are bytes, times nanoseconds since 1970. `revision` counts the published contents of a file; `version`
    grows with every change of a folder's entries; `target` is None for all but links.
    """

    id: NodeId
    parent: NodeId  # 0 for the root of the filespace
    kind: Kind
    name: str  # "" for the root of the filespace
    size: int = 0
    mtime_ns: int = 0
    ctime_ns: int = 0
    revision: int = 0
    version: int = 0
    target: str | None = None

    @property
    def is_folder(self) -> bool:
        return self.kind is Kind.FOLDER

    @property
    def is_link(self) -> bool:
        return self.kind is Kind.LINK


def open_entry(keys: FilespaceKeys, entry: Entry, parent: int | None = None, name: str | None = None) -> Node:
    """Open the sealed name and target, and check that it is what was asked for.

    The name is bound to (parent, node, kind), so an entry that the hub moved, swapped or relabelled does not open.

    Args:
        keys: of the filespace.
        entry: as it came over the wire.
        parent: the folder it must be in; None: any.
        name: the name it must have; None: any.

    Raises:
        Fault: CORRUPT when it does not open or is something else than asked for.
    """
    if (
        entry.id <= 0
        or entry.parent < 0
        or not 0 <= entry.size <= FILE_BYTES_MAX
        or (parent is not None and entry.parent != parent)
    ):
        raise Fault(Code.CORRUPT, "the hub returned an entry that is not the one asked for")
    if entry.parent == 0:  # the root has no name, so nothing to open
        opened = ""
    else:
        opened = keys.open_name(entry.sealed_name, entry.parent, entry.id, entry.kind)
    if name is not None and opened != name:
        raise Fault(Code.CORRUPT, "the hub returned an entry under another name than asked for")
    target = keys.open_target(entry.target, entry.id) if entry.kind is Kind.LINK else None
    return Node(
        NodeId(entry.id),
        NodeId(entry.parent),
        entry.kind,
        opened,
        entry.size,
        entry.mtime_ns,
        entry.ctime_ns,
        entry.revision,
        entry.version,
        target,
    )
