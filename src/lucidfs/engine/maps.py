"""Content maps from the hub: all pages of one revision, trusted only once the MAC over the whole was checked."""

from __future__ import annotations

from lucidfs.crypto.keys import FilespaceKeys
from lucidfs.engine.content import ContentMap
from lucidfs.engine.node import Node
from lucidfs.engine.session import Session
from lucidfs.engine.tree import Tree
from lucidfs.errors import Code, Fault
from lucidfs.format.content import check_content
from lucidfs.wire.messages import Content, Extent, ReadContent, ReadExtents

_RACES_MAX = 64  # a map that changes this often between its pages is not read by this road


async def whole_content(session: Session, keys: FilespaceKeys, node: int, content: Content, path: str) -> ContentMap:
    """The checked map that a first page begins.

    Raises:
        Fault: CORRUPT naming the file; STALE when a further page belongs to a newer revision.
    """
    pages: list[Extent] = list(content.extents)
    page = content
    while page.more:
        after = pages[-1].first if pages else -1
        page = await session.call(ReadExtents(node, content.revision, after))
        if page.revision != content.revision or (page.more and not page.extents):
            raise Fault(Code.CORRUPT, f"{path}: the hub's content map does not go on")
        pages += page.extents
    whole = Content(content.revision, content.size, content.generation, content.mac, pages, content.small)
    try:
        if not content.revision:  # every file is made with a content, so this would be a way to show any file empty
            raise Fault(Code.CORRUPT, "the hub says that it was never written")
        check_content(keys, node, whole)
    except Fault as fault:
        raise Fault(fault.code, f"{path} is damaged: {fault.message}") from None
    return ContentMap(node, content.revision, content.size, pages, content.small, content.generation)


async def current_content(
    session: Session, tree: Tree, keys: FilespaceKeys, node: int, path: str
) -> tuple[Node, ContentMap]:
    """The file and its content as they are now.

    Raises:
        Fault: NOT_FOUND, CORRUPT, UNAVAILABLE.
    """
    for _ in range(_RACES_MAX):
        found = await session.call(ReadContent(node))
        if found.entry.id != node:
            raise Fault(Code.CORRUPT, f"{path}: the hub returned another file than asked for")
        try:
            return tree.open(found.entry), await whole_content(session, keys, node, found.content, path)
        except Fault as fault:
            if fault.code is not Code.STALE:
                raise
    raise Fault(Code.STALE, f"{path} changes faster than it can be read")
