"""Everything below a folder, in as many round trips as there are pages: the client's side of `ListTree`."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import NamedTuple

from lucidfs.engine.node import Node
from lucidfs.engine.session import Session
from lucidfs.engine.tree import Tree
from lucidfs.errors import Code, Fault
from lucidfs.limits import PATH_DEPTH_MAX, TREE_FOLDERS_MAX
from lucidfs.types import Kind
from lucidfs.wire import messages

_REQUESTS = 4  # at once: hub and client work at the same time, and others of the session still get their turn


class _Queued(NamedTuple):
    """A folder to be listed. `level` 1 is the folder that was asked for."""

    relative: str
    folder: Node
    level: int


async def everything_below(session: Session, tree: Tree, top: Node, depth: int | None = None) -> dict[str, Node]:
    """All nodes below a folder, by their paths from it; links are not followed. Each reply of the hub is one moment.

    What lies deeper than any path can name is left out.
    What keeps its path for the whole time is found once. Of what is moved meanwhile, its old path, its new one, both
    or neither. Folders that vanish before they are listed are found as if they were empty.

    Args:
        session, tree: of the filespace.
        top: the folder.
        depth: levels below it; None: all.

    Raises:
        Fault: CORRUPT, UNAVAILABLE.
    """
    deepest = PATH_DEPTH_MAX if depth is None else min(depth, PATH_DEPTH_MAX)
    found: dict[str, Node] = {}
    queue = [_Queued("", top, 1)] if deepest > 0 else []
    while queue:
        now, queue = queue[: _REQUESTS * TREE_FOLDERS_MAX], queue[_REQUESTS * TREE_FOLDERS_MAX :]
        share = -(-len(now) // _REQUESTS)
        parts = [now[start : start + share] for start in range(0, len(now), share)]
        for nodes, left in await asyncio.gather(*(_page(session, tree, part, deepest) for part in parts)):
            found.update(nodes)
            queue += left
    return found


async def _page(
    session: Session, tree: Tree, folders: list[_Queued], deepest: int
) -> tuple[dict[str, Node], list[_Queued]]:
    """What one reply tells, and the folders that it leaves over."""
    levels = deepest - max(each.level for each in folders) + 1  # below each of them; what is deeper is left over
    reply = await session.call(messages.ListTree([each.folder.id for each in folders], levels))
    if not reply.listings:
        raise Fault(Code.CORRUPT, "the hub listed nothing of what it was asked for")
    queue, found, left = deque((each, 1) for each in folders), dict[str, Node](), list[_Queued]()
    for told in reply.listings:
        if not queue or told.folder != queue[0][0].folder.id:
            raise Fault(Code.CORRUPT, "the hub listed another folder than the one asked for")
        listed, level = queue.popleft()
        nodes = await _listed(tree, listed.folder, told.listing)
        above = f"{listed.relative}/" if listed.relative else ""
        found.update({above + node.name: node for node in nodes})
        if listed.level < deepest:
            inside = [node for node in nodes if node.kind is Kind.FOLDER]
            if inside and told.listing is not None:  # the hub goes on in the order of its entries
                places = {entry.id: place for place, entry in enumerate(told.listing.entries)}
                inside.sort(key=lambda node: places.get(node.id, len(places)))
            deeper = [_Queued(above + node.name, node, listed.level + 1) for node in inside]
            if level < levels:
                queue.extend((each, level + 1) for each in deeper)
            else:
                left += deeper
    return found, [*(each for each, _ in queue), *left]


async def _listed(tree: Tree, folder: Node, first: messages.Listing | None) -> list[Node]:
    if first is None:
        return []
    try:
        return await tree.listed(folder, first)
    except Fault as fault:
        if fault.code in (Code.NOT_FOUND, Code.NOT_A_FOLDER):
            return []  # it vanished between two of its pages
        raise
