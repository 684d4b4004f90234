"""From a path to a node: one request per walk, one more per symbolic link, which only the client can read."""

from __future__ import annotations

from typing import NamedTuple

from lucidfs.crypto.keys import FilespaceKeys
from lucidfs.engine.node import Node, open_entry
from lucidfs.engine.session import Session
from lucidfs.errors import Code, Fault
from lucidfs.limits import LINK_HOPS_MAX, PATH_DEPTH_MAX
from lucidfs.namespace.names import split_path
from lucidfs.types import Access, Kind
from lucidfs.wire import messages
from lucidfs.wire.messages import Content, External, Listing, Wait


class Walk(NamedTuple):
    """Where a path led.

    `node` is None when there is nothing. Then `missing` are the names that do not exist, of which `folder` would hold
    the first; else `missing` is empty and `folder` holds the node (None only for the linked root itself).
    `names` are the real names from the linked root, with the links on the way replaced.
    """

    node: Node | None
    folder: Node | None
    names: tuple[str, ...]
    missing: tuple[str, ...] = ()
    content: Content | None = None  # as asked for; its MAC is not checked yet
    listing: Listing | None = None  # as asked for; still sealed
    external: External | None = None  # as asked for with the content, when it is an external file
    dangling: bool = False  # the path leads through a link whose target does not exist: `missing` begins there

    @property
    def name(self) -> str:
        """The last name: what the node is called, or would be."""
        return self.names[-1] if self.names else ""

    @property
    def parent(self) -> Node | None:
        """The folder in which `name` is or may be created; None if that folder is missing itself (or for the root)."""
        return self.folder if len(self.missing) <= 1 else None

    def found(self) -> Node:
        """The node. Raises Fault(NOT_FOUND)."""
        if self.node is None:
            raise Fault(Code.NOT_FOUND, "no such file or folder")
        return self.node

    def place(self) -> Node:
        """The folder for a new or replaced entry `name`. Raises Fault: NOT_FOUND, or IS_A_FOLDER for the root."""
        if not self.names:
            raise Fault(Code.IS_A_FOLDER, "this is the root of the filespace")
        if self.parent is None:
            raise Fault(Code.NOT_FOUND, "the folder that should hold it does not exist")
        return self.parent


class Walker:
    """Walks from the linked root.

    Args:
        session: to ask the hub.
        keys: of the filespace.
        root: the linked root; absolute link targets mean it, and nothing leads above it.
    """

    def __init__(self, session: Session, keys: FilespaceKeys, root: Node) -> None:
        self._session = session
        self._keys = keys
        self.root = root

    async def walk(
        self, names: list[str], follow: bool, content: bool, listing: bool, access: Access, wait: Wait
    ) -> Walk:
        """Follow names and links to their end. Raises Fault: NOT_A_FOLDER, LOOP, INVALID (a link leads out), …"""
        behind = len(names)  # names that stand behind the last link that was followed
        for _ in range(LINK_HOPS_MAX + 1):
            path = messages.Path(self.root.id, self.tokens(names))
            reply = await self._session.call(messages.Walk(path, content, listing, access, wait))
            nodes = self._opened(reply.entries, names)
            link = next((i for i, node in enumerate(nodes) if node.is_link), None)
            if link is None or (link == len(names) - 1 and not follow):
                walk = self._end(nodes, names, reply)
                return walk._replace(dangling=True) if len(walk.missing) > behind else walk
            behind = len(names) - link - 1
            names = self._followed(names[:link], nodes[link], names[link + 1 :])
        raise Fault(Code.LOOP, f"more than {LINK_HOPS_MAX} symbolic links in one path")

    def tokens(self, names: list[str]) -> list[bytes]:
        """The hub's view of a path. Raises Fault(NAME_TOO_LONG) for one that is too deep."""
        if len(names) > PATH_DEPTH_MAX:
            raise Fault(Code.NAME_TOO_LONG, f"the path is more than {PATH_DEPTH_MAX} folders deep")
        token = self._keys.name_token
        return [token(name) for name in names]

    async def path_of(self, node: int) -> str:
        """Where a node stands now, from the linked root. Raises Fault(NOT_FOUND) when it is gone or outside."""
        names: list[str] = []
        while node != self.root.id:
            reply = await self._session.call(messages.Walk(messages.Path(node)))
            if len(reply.entries) != 1 or reply.entries[0].id != node:
                raise Fault(Code.CORRUPT, "the hub returned another entry than the one asked for")
            found = open_entry(self._keys, reply.entries[0])
            if not found.parent:
                raise Fault(Code.NOT_FOUND, "it stands outside of the linked folder")
            if len(names) == PATH_DEPTH_MAX:
                raise Fault(Code.CORRUPT, "the hub says that a folder stands in itself")
            names.append(found.name)
            node = found.parent
        return "/" + "/".join(reversed(names))

    def _opened(self, entries: list[messages.Entry], names: list[str]) -> list[Node]:
        """The nodes along the path, each checked to be the asked name in the folder before it."""
        if entries and entries[0].id == self.root.id:  # nothing of the path exists, or there was none
            self.root = open_entry(self._keys, entries[0])
            entries = entries[1:]
        if len(entries) > len(names):
            raise Fault(Code.CORRUPT, "the hub returned more entries than the path has names")
        nodes: list[Node] = []
        parent = self.root
        for entry, name in zip(entries, names, strict=False):
            if not parent.is_folder:
                raise Fault(Code.CORRUPT, "the hub returned an entry inside of something that is no folder")
            parent = open_entry(self._keys, entry, parent.id, name)
            nodes.append(parent)
        return nodes

    def _end(self, nodes: list[Node], names: list[str], reply: messages.Walked) -> Walk:
        whole = tuple(names)
        if len(nodes) == len(names):
            node = nodes[-1] if nodes else self.root
            folder = None if not nodes else nodes[-2] if len(nodes) > 1 else self.root
            return Walk(node, folder, whole, (), reply.content, reply.listing, reply.external)
        deepest = nodes[-1] if nodes else self.root
        if not deepest.is_folder:
            raise Fault(Code.NOT_A_FOLDER, "a part of the path is not a folder")
        return Walk(None, deepest, whole, whole[len(nodes) :])

    def _followed(self, before: list[str], link: Node, after: list[str]) -> list[str]:
        """The path with the link replaced by its target; `..` takes back real folders, for none is a link here."""
        assert link.kind is Kind.LINK and link.target is not None
        if link.target.startswith("/"):
            return split_path(link.target) + after
        return split_path("/".join([*before, link.target])) + after
