"""The namespace as a client uses it: paths in, nodes out, every change one atomic request.

A change is refused when the tree moved between the walk and the change (STALE, LINK_IN_PATH, a taken id); such races
with other clients are retried here and never seen outside.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from lucidfs.crypto.keys import FilespaceKeys
from lucidfs.engine.node import Node, open_entry
from lucidfs.engine.places import Places
from lucidfs.engine.session import Session
from lucidfs.engine.walk import Walk, Walker
from lucidfs.errors import Code, Fault
from lucidfs.ids import Ids
from lucidfs.limits import LOCK_TIMEOUT_S
from lucidfs.namespace.names import split_path
from lucidfs.types import Access, Kind, NodeId
from lucidfs.wire import messages
from lucidfs.wire.messages import Entry, NewContent, NewNode, Statistics, Wait

LOCK_WAIT_MS = int(LOCK_TIMEOUT_S * 1000)
_NO_WAIT = Wait()
_RACES_MAX = 64  # a change that loses this often meets something else than races
_LISTINGS_MAX = 8  # a folder that changes between pages this often is listed as it goes by
_RACES = frozenset({Code.STALE, Code.ID_TAKEN, Code.LINK_IN_PATH})

_T = TypeVar("_T")
_Nodes = list[Node]  # `list` is a method below
_Entries = list[Entry]


class _Lost(Exception):
    """A refusal that is about what another client did since our walk: the next walk tells what is true."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault)
        self.fault = fault


class Tree:
    """The tree of one linked filespace. All methods run on the loop's thread and raise `Fault`.

    Args:
        session: to ask the hub.
        keys: of the filespace.
        ids: of this client.
        root: the folder that the program sees as `/`.
    """

    def __init__(self, session: Session, keys: FilespaceKeys, ids: Ids, root: Node) -> None:
        self._session = session
        self._keys = keys
        self._ids = ids
        self._walker = Walker(session, keys, root)
        self._places = Places()

    @property
    def root(self) -> Node:
        """The linked root, as it was when it was last seen."""
        return self._walker.root

    async def path_of(self, node: int) -> str:
        """Where a node stands now, from the linked root. Raises Fault(NOT_FOUND) when it is gone or outside."""
        return await self._walker.path_of(node)

    # --- reading --------------------------------------------------------------------------------------------------

    async def walk(
        self,
        path: str,
        *,
        follow: bool = True,
        content: bool = False,
        listing: bool = False,
        access: Access = Access.NONE,
        wait_ms: int = 0,
    ) -> Walk:
        """Where a path leads, in one consistent view (one more request for each link on the way).

        Args:
            path: from the linked root.
            follow: follow a link in the last place too; those before it are always followed.
            content: with the content of the file found.
            listing: with the first page of the folder found.
            access: what the caller is about to do with the file: waits for locks of other clients against it.
            wait_ms: for how long; then Fault(LOCKED).

        Raises:
            Fault: NOT_A_FOLDER for a file in the middle, LOOP, INVALID for a path or link that leads above the root.
        """
        names = split_path(path)
        walk = await self._walker.walk(names, follow, content, listing, access, Wait(wait_ms))
        if walk.names == tuple(names):  # no link on the way
            self._places.saw(names, walk.node, walk.parent)
        return walk

    def likely_place(self, path: str) -> tuple[Node, messages.Path, str] | None:
        """Folder, its path and the name of a file that is probably new, as seen lately; None: walk there.

        The hub must be told the path, and says STALE if it leads elsewhere. Raises Fault as `walk` for bad paths.
        """
        names = split_path(path)
        folder = self._places.folder_for(names)
        if folder is None:
            return None
        return folder, messages.Path(self.root.id, self._walker.tokens(names[:-1])), names[-1]

    def made(self, path: str) -> None:
        """A file was made at this path: it is not new a second time."""
        self._places.taken(split_path(path))

    def wrong_place(self, path: str) -> None:
        """The hub said that a likely place was none."""
        self._places.gone(split_path(path))

    async def entry(self, path: str, follow: bool = False) -> Node:
        """What is at a path. Raises Fault(NOT_FOUND), and as `walk` does."""
        return (await self.walk(path, follow=follow)).found()

    async def list(self, path: str) -> _Nodes:
        """All entries of a folder, sorted by name, as they were at one moment.

        A folder that never rests while a long listing is read is told as it goes by: whatever was there for the whole
        time is in the list, once.

        Raises:
            Fault: NOT_FOUND, NOT_A_FOLDER, and as `walk` does.
        """
        walk = await self.walk(path, listing=True)
        folder = walk.found()
        if not folder.is_folder or walk.listing is None:
            raise Fault(Code.NOT_A_FOLDER, "only a folder can be listed")
        return await self.listed(folder, walk.listing)

    async def list_folder(self, folder: Node) -> _Nodes:
        """As `list`, of a folder that was found before, wherever it stands now. Raises Fault(NOT_FOUND)."""
        return await self.listed(folder, await self._session.call(messages.ListFolder(folder.id)))

    async def listed(self, folder: Node, first: messages.Listing) -> _Nodes:
        """As `list_folder`, when the first page came already."""
        entries, settled = await self._pages(folder, first)
        for _ in range(_LISTINGS_MAX):
            if settled:
                break
            first = await self._session.call(messages.ListFolder(folder.id))
            entries, settled = await self._pages(folder, first)
        nodes = {entry.id: open_entry(self._keys, entry, folder.id) for entry in entries}
        if settled and len({node.name for node in nodes.values()}) != len(entries):
            raise Fault(Code.CORRUPT, "the hub listed one name twice")
        return sorted(nodes.values(), key=lambda node: node.name)

    async def _pages(self, folder: Node, page: messages.Listing) -> tuple[_Entries, bool]:
        """All pages from the first on, and whether they belong to one version of the folder."""
        entries, version, settled = list(page.entries), page.version, True
        while page.more:
            before = page.tokens_end
            page = await self._session.call(messages.ListFolder(folder.id, before))
            if page.more and page.tokens_end <= before:
                raise Fault(Code.CORRUPT, "the hub's listing does not go on")
            entries += page.entries
            settled = settled and page.version == version
        return entries, settled

    async def read_link(self, path: str) -> str:
        """The target of a link, as it was given. Raises Fault: NOT_FOUND; INVALID when it is no link."""
        node = await self.entry(path)
        if node.target is None:
            raise Fault(Code.INVALID, "not a symbolic link")
        return node.target

    async def statistics(self) -> Statistics:
        """Counters of the whole filespace, kept by every change."""
        reply: Statistics = await self._session.call(messages.GetStatistics())
        return reply

    def open(self, entry: Entry, parent: int | None = None) -> Node:
        """The node of an entry that came in a reply. Raises Fault(CORRUPT)."""
        return open_entry(self._keys, entry, parent)

    # --- changing -------------------------------------------------------------------------------------------------

    async def make_folders(self, path: str, exist_ok: bool = False) -> Node:
        """Make a folder and those missing above it, all or none.

        Raises:
            Fault: EXISTS if something is there; with `exist_ok` only if that is no folder. Others as `walk` does.
        """

        async def attempt() -> Node:
            walk = await self.walk(path, follow=exist_ok)
            if walk.node is not None:
                if exist_ok and walk.node.is_folder:
                    return walk.node
                raise Fault(Code.EXISTS, "it exists already")
            if walk.dangling:  # as on a disk, where a folder is made in its parent, which is not there
                raise Fault(Code.NOT_FOUND, "a symbolic link in the path leads to nothing")
            assert walk.folder is not None
            nodes, parent = [], walk.folder.id
            for name in walk.missing:
                nodes.append(self._new_node(parent, name, Kind.FOLDER))
                parent = NodeId(nodes[-1].id)
            reply = await self._change(messages.CreateFolders(walk.folder.id, nodes), Code.EXISTS, Code.NOT_FOUND)
            above = nodes[-2].id if len(nodes) > 1 else walk.folder.id
            made = open_entry(self._keys, reply.entry, above, walk.name)
            if walk.names == tuple(split_path(path)):
                self._places.saw(walk.names, made, None)
            return made

        return await self._settled(attempt)

    async def make_link(self, target: str, path: str) -> Node:
        """Make a symbolic link at `path`; the target need not exist. Raises Fault: EXISTS, NOT_FOUND, …"""

        async def attempt() -> Node:
            walk = await self.walk(path, follow=False)
            if walk.node is not None:
                raise Fault(Code.EXISTS, "it exists already")
            folder = walk.place()
            new = self._new_node(folder.id, walk.name, Kind.LINK, target=target)
            reply = await self._change(messages.Create(folder.id, new), Code.NOT_FOUND)
            return open_entry(self._keys, reply.entry, folder.id, walk.name)

        return await self._settled(attempt)

    async def create_file(
        self,
        folder: Node,
        name: str,
        content: NewContent | None = None,
        *,
        node: int | None = None,
        wait: Wait = _NO_WAIT,
        at: messages.Path | None = None,
        replace: int = 0,
    ) -> Node:
        """Make a file in a folder, with its content, in one step.

        Args:
            folder: where.
            name: how it is called.
            content: what it holds; None: nothing yet.
            node: its id, needed when there is content, which is bound to it; then ID_TAKEN is the caller's to handle.
            wait: how to meet locks and reservations of others.
            at: only if this path leads to the folder.
            replace: the external file of this name, which makes room for it; 0: the name is free.

        Raises:
            Fault: EXISTS, NOT_FOUND (the folder is gone), NOT_A_FOLDER, INVALID or NAME_TOO_LONG (the name), STALE
                (`at` leads elsewhere, or what is to be replaced is gone).
        """
        assert content is None or node is not None, "content is bound to a node id"

        async def attempt() -> Node:
            new = self._new_node(folder.id, name, Kind.FILE, node=node)
            reply = await self._session.call(messages.Create(folder.id, new, content, wait, at, replace))
            return open_entry(self._keys, reply.entry, folder.id, name)

        return await (attempt() if node is not None else self._settled(attempt))

    async def delete(self, path: str, *, node: int = 0, wait_ms: int = LOCK_WAIT_MS) -> None:
        """Remove a file or a link (never what it points to).

        Args:
            path: from the linked root.
            node: only if the path leads to this node; 0: to any.
            wait_ms: how long to wait for locks of other clients.

        Raises:
            Fault: NOT_FOUND, IS_A_FOLDER, LOCKED, and as `walk` does.
        """
        if not split_path(path):
            raise Fault(Code.IS_A_FOLDER, "the root of the filespace cannot be deleted")
        await self._delete(path, False, False, node, wait_ms)

    async def delete_folder(self, path: str, recursive: bool = False, *, wait_ms: int = LOCK_WAIT_MS) -> None:
        """Remove a folder, with all that is in it if `recursive`, else only an empty one.

        Raises:
            Fault: NOT_FOUND, NOT_A_FOLDER, NOT_EMPTY, LOCKED, INVALID (the root), and as `walk` does.
        """
        if not split_path(path):
            raise Fault(Code.INVALID, "the root of the filespace cannot be deleted")
        await self._delete(path, True, recursive, 0, wait_ms)

    async def _delete(self, path: str, folder: bool, recursive: bool, node: int, wait_ms: int) -> None:
        start, names = self.root, split_path(path)

        async def attempt() -> None:
            where = messages.Path(start.id, self._walker.tokens(names))
            await self._session.call(messages.Delete(where, folder, recursive, node, Wait(wait_ms)))

        try:
            await attempt()  # the hub walks: one round trip when no link is on the way
        except Fault as fault:
            if fault.code not in _RACES:
                raise
            await self._settled(lambda: self._delete_walked(path, folder, recursive, node, wait_ms))

    async def _delete_walked(self, path: str, folder: bool, recursive: bool, node: int, wait_ms: int) -> None:
        walk = await self.walk(path, follow=False)
        walk.found()
        where = messages.Path(walk.place().id, self._walker.tokens([walk.name]))
        await self._session.call(messages.Delete(where, folder, recursive, node, Wait(wait_ms)))

    async def move(self, source: str, target: str, replace: bool = False, *, wait_ms: int = LOCK_WAIT_MS) -> Node:
        """Give a file, link or folder another path.

        Args:
            source: what to move; a link itself, not what it points to.
            target: its new path; the folder that holds it must exist.
            replace: a file or link may take the place of another.
            wait_ms: how long to wait for locks of other clients.

        Raises:
            Fault: NOT_FOUND, EXISTS, INVALID (a folder into itself, the root), LOCKED, and as `walk` does.
        """
        if not split_path(source) or not split_path(target):
            raise Fault(Code.INVALID, "the root of the filespace cannot be moved or replaced")

        async def attempt() -> Node:
            old, new = await asyncio.gather(self.walk(source, follow=False), self.walk(target, follow=False))
            node, old_folder, folder = old.found(), old.place(), new.place()
            if new.node is not None and not (replace and new.node.id != node.id):
                if replace:
                    return node
                raise Fault(Code.EXISTS, "the new path exists already")
            body = messages.Move(
                node.id,
                old_folder.id,
                self._keys.name_token(old.name),
                folder.id,
                self._keys.name_token(new.name),
                self._keys.seal_name(new.name, folder.id, node.id, node.kind),
                replace,
                Wait(wait_ms),
            )
            reply = await self._change(body, Code.NOT_FOUND)
            return open_entry(self._keys, reply.entry, folder.id, new.name)

        return await self._settled(attempt)

    def _new_node(
        self, parent: int, name: str, kind: Kind, *, target: str | None = None, node: int | None = None
    ) -> NewNode:
        number = self._ids.take() if node is None else node
        sealed = self._keys.seal_name(name, parent, number, kind)
        sealed_target = b"" if target is None else self._keys.seal_target(target, number)
        return NewNode(number, kind, self._keys.name_token(name), sealed, sealed_target)

    async def _change(self, body: messages.Message, *races: Code) -> Any:
        """Ask for a change; refusals with a code of `races` are worth another walk."""
        try:
            return await self._session.call(body)
        except Fault as fault:
            if fault.code in races:
                raise _Lost(fault) from None
            raise

    async def _settled(self, attempt: Callable[[], Awaitable[_T]]) -> _T:
        """Repeat what lost a race against another client."""
        told = Fault(Code.STALE)
        for _ in range(_RACES_MAX):
            try:
                return await attempt()
            except _Lost as lost:
                told = lost.fault
            except Fault as fault:
                if fault.code not in _RACES:
                    raise
                if fault.code is Code.ID_TAKEN:
                    self._ids.renew()
                told = fault
        raise told
