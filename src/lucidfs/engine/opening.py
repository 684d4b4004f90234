"""From a path to what a handle begins with: the file and its content, or the place where it will be made."""

from __future__ import annotations

from typing import NamedTuple

from lucidfs.crypto.keys import FilespaceKeys
from lucidfs.engine.content import ContentMap
from lucidfs.engine.external import Externals
from lucidfs.engine.locks import Locks
from lucidfs.engine.maps import current_content, whole_content
from lucidfs.engine.node import Node
from lucidfs.engine.publish import READ_ONLY, Target, check_file
from lucidfs.engine.session import Session
from lucidfs.engine.tree import Tree
from lucidfs.engine.walk import Walk
from lucidfs.errors import Code, Fault
from lucidfs.format.content import content_mac
from lucidfs.ids import Ids
from lucidfs.types import Access, Kind, LockMode
from lucidfs.wire.messages import NewContent, Reserve, Wait

RACES_MAX = 64  # an open that loses this often meets something else than races


class Wish(NamedTuple):
    """How a file is to be opened; see `Files.open`."""

    path: str
    write: bool
    create: bool
    exclusive: bool
    truncate: bool
    lock: LockMode | None
    wait_ms: int


class Opener:
    """Opens of one filespace. All methods run on the loop's thread and raise `Fault`."""

    def __init__(
        self, session: Session, tree: Tree, locks: Locks, keys: FilespaceKeys, ids: Ids, externals: Externals
    ) -> None:
        self._externals = externals
        self._session = session
        self._tree = tree
        self._locks = locks
        self._keys = keys
        self._ids = ids

    async def find(self, wish: Wish) -> tuple[Target, ContentMap]:
        """What a handle publishes to, and the content that it begins with; takes the lock and reserves the name."""
        number = self._ids.take()
        access = Access.NONE if wish.lock is not None else Access.WRITE if wish.write else Access.READ
        content = not wish.truncate and wish.lock is None
        for _ in range(RACES_MAX):
            walk = await self._tree.walk(
                wish.path, follow=not wish.exclusive, content=content, access=access, wait_ms=wish.wait_ms
            )
            try:
                return await self._found_or_new(wish, walk, number)
            except Fault as fault:
                if fault.code is not Code.STALE:
                    raise
        raise Fault(Code.STALE, f"{wish.path} changes faster than it can be opened")

    async def _found_or_new(self, wish: Wish, walk: Walk, number: int) -> tuple[Target, ContentMap]:
        """What one walk ends in. Raises Fault(STALE) when another may end otherwise."""
        node = walk.node
        if wish.exclusive and node is not None:
            raise Fault(Code.EXISTS, "it exists already")
        if node is None:
            if not wish.create:
                walk.found()
            folder = walk.place()
            if wish.lock is None:
                return await self._new(wish, walk, folder, number)
            node = await self.make_empty(folder, walk.name, wish.exclusive)
        external = node.kind is Kind.EXTERNAL
        if external and wish.write:
            if not wish.truncate:
                raise Fault(Code.DENIED, READ_ONLY)
            return await self._replacing(wish, walk, node, number)
        if not external:
            check_file(node)
        target = Target(wish.path, node, walk.parent, walk.name, number=node.id, handle=number, wait_ms=wish.wait_ms)
        if wish.lock is not None:
            return target, await self._locked(target, node, wish.lock)
        if external:
            if walk.external is None:
                raise Fault(Code.CORRUPT, f"{wish.path}: the hub does not say which object it is")
            return target, self._externals.map_of(walk.external, node.id, wish.path)
        if walk.content is None:
            return target, ContentMap(node.id, node.revision, 0)
        return target, await whole_content(self._session, self._keys, node.id, walk.content, wish.path)

    async def _new(self, wish: Wish, walk: Walk, folder: Node, number: int) -> tuple[Target, ContentMap]:
        """A file to be made when it is published."""
        if wish.exclusive:
            await self._session.call(Reserve(folder.id, self._keys.name_token(walk.name)))
        target = Target(
            wish.path,
            None,
            folder,
            walk.name,
            number=self._ids.take(),
            handle=number,
            wait_ms=wish.wait_ms,
            exclusive=wish.exclusive,
        )
        return target, ContentMap(target.number, 0, 0)

    async def _replacing(self, wish: Wish, walk: Walk, node: Node, number: int) -> tuple[Target, ContentMap]:
        """An own file to be made in the place of an external one when it is published; at once when it is locked."""
        folder = walk.place()
        if wish.lock is not None:
            made = await self.make_empty(folder, walk.name, False, replace=node.id)
            target = Target(wish.path, made, folder, walk.name, number=made.id, handle=number, wait_ms=wish.wait_ms)
            return target, await self._locked(target, made, wish.lock)
        fresh = self._ids.take()
        target = Target(
            wish.path, None, folder, walk.name, number=fresh, handle=number, wait_ms=wish.wait_ms, replaces=node.id
        )
        return target, ContentMap(fresh, 0, 0)

    async def make_empty(self, folder: Node, name: str, exclusive: bool, replace: int = 0) -> Node:
        """Make an empty file now, in the place of an external one if asked to.

        Raises Fault(STALE) when somebody else did and that is as good.
        """
        for _ in range(RACES_MAX):
            number, generation = self._ids.take(), self._ids.take()
            content = NewContent(0, generation, content_mac(self._keys, number, 0, generation, []))
            try:
                return await self._tree.create_file(folder, name, content, node=number, wait=Wait(), replace=replace)
            except Fault as fault:
                if fault.code is Code.EXISTS and not exclusive:
                    raise Fault(Code.STALE, "somebody else made it first") from None
                if fault.code is not Code.ID_TAKEN:
                    raise
            self._ids.renew()
        raise Fault(Code.ID_TAKEN, "the hub says that every fresh number is taken")

    async def _locked(self, target: Target, node: Node, mode: LockMode) -> ContentMap:
        """Take the lock of an open; the content is read after it was granted, because it may have changed before."""
        await self._locks.acquire(node.id, target.handle, mode, timeout_s=target.wait_ms / 1000)
        try:
            if node.kind is Kind.EXTERNAL:
                return await self._externals.current(node.id, target.path)
            target.node, content = await current_content(self._session, self._tree, self._keys, node.id, target.path)
        except BaseException as error:
            await self._locks.release_all(target.handle)
            if isinstance(error, Fault) and error.code is Code.NOT_FOUND:
                raise Fault(Code.STALE, "the file was deleted while its lock was waited for") from None
            raise
        return content
