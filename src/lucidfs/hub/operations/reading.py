"""Operations that only look: walk, list, read content maps, count. They run on a snapshot, beside the writer."""

from __future__ import annotations

from collections import deque

from lucidfs.errors import Code, Fault
from lucidfs.hub.operations.connecting import external_of
from lucidfs.hub.operations.locking import check_held, check_unlocked
from lucidfs.hub.operations.scene import Scene
from lucidfs.limits import (
    EXTENTS_PAGE,
    EXTENTS_PAGE_FRAMES,
    FILE_BYTES_MAX,
    LISTING_PAGE,
    LISTING_PAGE_BYTES,
    TREE_FOLDERS_MAX,
)
from lucidfs.namespace.changes import require_file
from lucidfs.namespace.content import has_extent_rows
from lucidfs.namespace.lookup import require_folder, walk
from lucidfs.namespace.tree import NodeRow, entry_of
from lucidfs.types import Access, Kind, Role
from lucidfs.wire import messages as m

_FILE, _FOLDER, _EXTERNAL = int(Kind.FILE), int(Kind.FOLDER), int(Kind.EXTERNAL)


def walk_path(scene: Scene, request: m.Walk) -> m.Walked:
    """Resolve a path; with the content or the first page of what is found, from the same snapshot."""
    tx = scene.tx
    start, found = walk(tx, scene.caller.filespace, request.path)
    rows = found if request.path.tokens else [start]
    entries = [entry_of(row) for row in rows]
    if len(found) < len(request.path.tokens):
        return m.Walked(entries)
    last = rows[-1]
    content = listing = external = None
    if last.kind in (_FILE, _EXTERNAL):
        if request.access != Access.NONE:
            check_held(scene, request.wait)
            check_unlocked(scene, last.id, request.access, None)
        if request.content and last.kind == _FILE:
            content = _content(scene, last)
        elif request.content:
            external = external_of(scene, last)
    elif last.kind == _FOLDER and request.listing:
        listing = _listing(scene, last, b"", 0, LISTING_PAGE_BYTES)
    return m.Walked(entries, content, listing, external)


def list_folder(scene: Scene, request: m.ListFolder) -> m.Listing:
    """A page of a folder's entries, in the order of their tokens."""
    folder = require_folder(scene.tx, scene.caller.filespace, request.folder)
    return _listing(scene, folder, request.after, request.limit, LISTING_PAGE_BYTES)


def list_tree(scene: Scene, request: m.ListTree) -> m.Listings:
    """The first listings of a queue of folders, to which each listing adds the folders in it."""
    if not 0 < len(request.folders) <= TREE_FOLDERS_MAX:
        raise Fault(Code.INVALID, f"expected 1 to {TREE_FOLDERS_MAX} folders, got {len(request.folders)}")
    queue = deque((folder, 1) for folder in request.folders)
    listings: list[m.FolderListing] = []
    room, room_bytes = LISTING_PAGE, LISTING_PAGE_BYTES
    while queue and room > 0 and room_bytes > 0 and len(listings) < TREE_FOLDERS_MAX:
        folder, level = queue.popleft()
        listing = _listing_if_there(scene, folder, room, room_bytes)
        if listing is not None and listing.more and listings:
            break  # it may fit whole into the next reply
        listings.append(m.FolderListing(folder, listing))
        if listing is None:
            continue
        if listing.more:
            break
        room -= len(listing.entries)
        room_bytes -= sum(_entry_bytes(entry) for entry in listing.entries)
        if level != request.depth:
            queue.extend((entry.id, level + 1) for entry in listing.entries if entry.kind is Kind.FOLDER)
    return m.Listings(listings)


def _listing_if_there(scene: Scene, folder: int, limit: int, bytes_max: int) -> m.Listing | None:
    try:
        row = require_folder(scene.tx, scene.caller.filespace, folder)
    except Fault:
        return None
    return _listing(scene, row, b"", limit, bytes_max)


def read_extents(scene: Scene, request: m.ReadExtents) -> m.Content:
    """A further page of the extents of one revision."""
    row = require_file(scene.tx, scene.caller.filespace, request.node)
    if row.revision != request.revision:
        raise Fault(Code.STALE, f"the file is at revision {row.revision}, no longer {request.revision}")
    if not has_extent_rows(row):
        return m.Content(row.revision, row.size, row.generation, row.mac)
    return _extents_page(scene, row, min(max(request.after, -1), FILE_BYTES_MAX))


def read_content(scene: Scene, request: m.ReadContent) -> m.Found:
    """The current content of a file."""
    row = require_file(scene.tx, scene.caller.filespace, request.node)
    return m.Found(entry_of(row), _content(scene, row))


def get_statistics(scene: Scene, request: m.GetStatistics) -> m.Statistics:
    """The counters, as they are kept by every change."""
    counts = scene.tx.counts(scene.caller.filespace)
    shown = min(counts.data_bytes, FILE_BYTES_MAX)  # sparse files together can claim more than a message carries
    return m.Statistics(*counts[:4], shown, *counts[5:])


def list_filespaces(scene: Scene, request: m.ListFilespaces) -> m.Filespaces:
    """The filespaces that the account has a role in, by name."""
    infos: list[m.FilespaceInfo] = []
    for grant in scene.tx.grants_of_account(scene.caller.account):
        row = scene.tx.filespace(grant.filespace)
        if row is not None:
            infos.append(m.FilespaceInfo(row.id, row.name, row.created_ns, Role(grant.role)))
    return m.Filespaces(sorted(infos, key=lambda info: info.name))


def _content(scene: Scene, row: NodeRow) -> m.Content:
    """The content of a file: all of it, or its first page."""
    if has_extent_rows(row):
        return _extents_page(scene, row, -1)
    small = scene.tx.small(row.id) if row.small_bytes else None
    if small is None:
        return m.Content(row.revision, row.size, row.generation, row.mac)
    return m.Content(row.revision, row.size, row.generation, row.mac, small.extents, small.data)


def _extents_page(scene: Scene, row: NodeRow, after: int) -> m.Content:
    # Two more than a page: one tells whether there is more, one may be an extent that only reaches beyond `after`.
    rows = scene.tx.extents(row.id, after + 1, FILE_BYTES_MAX, EXTENTS_PAGE + 2)
    following = [extent for extent in rows if extent.first > after]
    page: list[m.Extent] = []
    frames = 0
    for extent in following[:EXTENTS_PAGE]:
        frames += extent.count
        if page and frames > EXTENTS_PAGE_FRAMES:
            break
        page.append(extent)
    more = len(page) < len(following)
    return m.Content(row.revision, row.size, row.generation, row.mac, page, b"", more)


def _entry_bytes(entry: m.Entry | NodeRow) -> int:
    """What an entry counts in a page: the parts whose length is the client's."""
    return len(entry.sealed_name) + len(entry.target)


def _listing(scene: Scene, folder: NodeRow, after: bytes, limit: int, bytes_max: int) -> m.Listing:
    limit = min(limit, LISTING_PAGE) if limit > 0 else LISTING_PAGE
    rows = scene.tx.children(folder.id, after, limit + 1)
    entries: list[m.Entry] = []
    taken = 0
    for row in rows[:limit]:
        taken += _entry_bytes(row)
        if entries and taken > bytes_max:
            break
        entries.append(entry_of(row))
    end = rows[len(entries) - 1].token if entries else after
    return m.Listing(entries, end, len(entries) < len(rows), folder.version)
