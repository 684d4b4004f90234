"""From a handle's changes to a new revision: draft, commit, and again over the newer content when the file moved on.

Changes over a base are committed only onto that base (compare and swap), so none is ever lost; what replaces a file
whole needs no base. Commits of one client to one file take turns, and tell the next one what they made.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from weakref import WeakValueDictionary

from lucidfs.crypto.keys import FilespaceKeys
from lucidfs.engine.backoff import pause_s
from lucidfs.engine.content import ContentMap
from lucidfs.engine.draft import Draft, make_draft
from lucidfs.engine.external import Externals
from lucidfs.engine.locks import Locks
from lucidfs.engine.maps import current_content
from lucidfs.engine.node import Node
from lucidfs.engine.rebase import rebase
from lucidfs.engine.session import Session
from lucidfs.engine.tree import Tree
from lucidfs.engine.view import View
from lucidfs.errors import Code, Fault
from lucidfs.format.content import content_mac
from lucidfs.ids import Ids
from lucidfs.limits import RETRY_MAX_S
from lucidfs.types import Access, Kind, LockMode
from lucidfs.wire.messages import Commit, NewContent, Path, Unreserve, Wait

_LOCK_AFTER = 4  # lost races after which a commit takes a lock, so that a long append is not overtaken for ever
_PLACES_MAX = 64  # a path that changes hands this often while one commit tries meets something else than races
READ_ONLY = (
    "it is linked from another store and read-only: open it with 'w' to put an own file in its place, or copy it"
)
_JITTER_S = 0.004  # about a round trip


class Target:
    """Which file a handle publishes to. Changes when the file is made, deleted or made by somebody else.

    Attributes:
        path: as the program gave it.
        node: the file; None: to be made.
        number: id of the file to be made.
        origin: node id whose key seals the handle's own frames; stays the same whatever becomes of the file.
        folder, name: where it is made.
        handle: whose locks the commits rely on.
        exclusive: the file must be new; its name is reserved.
        wait_ms: how long a commit waits for locks of other clients.
        replaces: id of the external file whose place the file to be made takes; 0: none.
        at: the path that must lead to `folder`, when that is a guess; None: it was looked up.
        unsure: generation and size of a commit whose answer never came: it may have been applied.
    """

    __slots__ = (
        "at", "exclusive", "folder", "handle", "name", "node", "number", "origin", "path", "replaces", "unsure",
        "wait_ms",
    )  # fmt: skip

    def __init__(
        self,
        path: str,
        node: Node | None,
        folder: Node | None,
        name: str,
        *,
        number: int,
        handle: int,
        wait_ms: int,
        exclusive: bool = False,
        at: Path | None = None,
        replaces: int = 0,
    ) -> None:
        self.at = at
        self.path = path
        self.node = node
        self.folder = folder
        self.name = name
        self.number = self.origin = number
        self.handle = handle
        self.wait_ms = wait_ms
        self.exclusive = exclusive
        self.replaces = replaces
        self.unsure = (0, 0)


class _Turn:
    """The line of one client's commits to one file."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.latest: ContentMap | None = None


class Publisher:
    """Commits of one filespace. All methods run on the loop's thread."""

    def __init__(
        self,
        session: Session,
        tree: Tree,
        locks: Locks,
        keys: FilespaceKeys,
        ids: Ids,
        random: Callable[[int], bytes],
        externals: Externals,
    ) -> None:
        self._externals = externals
        self._session = session
        self._tree = tree
        self._locks = locks
        self._keys = keys
        self._ids = ids
        self._random = random
        self._turns: WeakValueDictionary[int, _Turn] = WeakValueDictionary()

    async def publish(self, target: Target, view: View) -> ContentMap:
        """Make what a view shows the file's content, and return it as it became.

        Args:
            target: the file; told what became of it.
            view: a snapshot of base and changes.

        Raises:
            Fault: NOT_FOUND (deleted meanwhile, and the changes need it), EXISTS (an exclusive one), LOCKED, FENCED,
                DENIED, UNAVAILABLE, CORRUPT, TOO_LARGE.
        """
        turn = self._turn(target)
        async with turn.lock:
            latest = turn.latest
            if latest is not None and latest.revision > view.content.revision and latest.node == view.content.node:
                view = await rebase(view, latest, target.origin)
            content = await self._publish(target, view)
            turn.latest = content
        self._turns[content.node] = turn
        return content

    async def replace(self, target: Target, draft: Draft) -> None:
        """Make a draft that replaces everything the file's content. Raises Fault as `publish`."""
        turn = self._turn(target)
        async with turn.lock:
            turn.latest = await self.send(target, draft)
        self._turns[turn.latest.node] = turn

    def _turn(self, target: Target) -> _Turn:
        return self._turns.setdefault(target.number if target.node is None else target.node.id, _Turn())

    async def _publish(self, target: Target, view: View) -> ContentMap:
        async with contextlib.AsyncExitStack() as stack:
            lost = 0
            while True:
                draft = await make_draft(view, target.origin)
                try:
                    return await self.send(target, draft)
                except Fault as fault:
                    if fault.code is not Code.STALE or target.node is None:
                        raise
                lost += 1
                if lost == _LOCK_AFTER and target.node is not None:
                    await stack.enter_async_context(self._sole_writer(target, target.node))
                elif lost > 1:
                    await asyncio.sleep(self._jitter_s(lost))
                newest = await self.newest(target)
                made = target.unsure[1] if newest.generation == target.unsure[0] else None
                view = await rebase(view, newest, target.origin, made)

    async def newest(self, target: Target) -> ContentMap:
        """The current content of the file. Raises Fault: NOT_FOUND, CORRUPT, UNAVAILABLE."""
        assert target.node is not None, "a file that was not made has no content"
        if target.node.kind is Kind.EXTERNAL:
            external = await self._externals.current(target.node.id, target.path)
            target.node = target.node._replace(size=external.size, revision=external.revision)
            return external
        target.node, content = await current_content(self._session, self._tree, self._keys, target.node.id, target.path)
        return content

    async def reserve_ends(self, target: Target) -> None:
        """Give back the name of an exclusive file that was not made."""
        if target.exclusive and target.node is None and target.folder is not None:
            await self._session.call(Unreserve(target.folder.id, self._keys.name_token(target.name)))

    # --- sending --------------------------------------------------------------------------------------------------

    async def send(self, target: Target, draft: Draft) -> ContentMap:
        """Commit to the file, or make it; what replaces everything follows the path when the file is gone.

        Raises:
            Fault: STALE when the file is no longer at the draft's base; and as `publish` does.
        """
        end_s = asyncio.get_running_loop().time() + target.wait_ms / 1000
        places = waits = 0
        while places < _PLACES_MAX:
            if target.node is None:
                made = await self._make(target, draft)
                if made is not None:
                    return made
                if target.node is None:
                    waits += 1
                    await self._wait_for_name(waits, end_s)
                    continue
                if not draft.replaces:
                    raise Fault(Code.STALE, "somebody else made the file first")
            try:
                return await self._commit(target, target.node, draft)
            except Fault as fault:
                if fault.code is not Code.NOT_FOUND or not draft.replaces:
                    raise
            places += 1
            await self._find_place(target)
        raise Fault(Code.STALE, "the path changes faster than it can be written")

    async def _wait_for_name(self, waits: int, end_s: float) -> None:
        """The name was taken and nothing is there: another client creates it exclusively, or it was deleted again."""
        if asyncio.get_running_loop().time() >= end_s:
            raise Fault(Code.LOCKED, "another client is creating a file of this name")
        await asyncio.sleep(pause_s(waits, self._random))

    async def _commit(self, target: Target, node: Node, draft: Draft) -> ContentMap:
        content = self._content(node.id, draft)
        body = Commit(
            node.id,
            draft.base,
            content,
            draft.whole,
            draft.clears,
            draft.touched,
            Wait(target.wait_ms, self._locks.held(target.handle)),
        )
        with _unsure(target, content):
            reply = await self._session.call(body)
        target.node = node._replace(size=draft.size, mtime_ns=reply.mtime_ns, revision=reply.revision)
        return ContentMap(node.id, reply.revision, draft.size, draft.final, draft.small, content.generation)

    async def _make(self, target: Target, draft: Draft) -> ContentMap | None:
        """Create the file with its content; None: it is there already, made by somebody else or by a lost request."""
        assert target.folder is not None
        content, wait = self._content(target.number, draft), Wait(target.wait_ms)
        try:
            with _unsure(target, content):
                node = await self._tree.create_file(
                    target.folder,
                    target.name,
                    content,
                    node=target.number,
                    wait=wait,
                    at=target.at,
                    replace=target.replaces,
                )
        except Fault as fault:
            if (target.at is not None or target.replaces) and fault.code is Code.STALE:
                self._tree.wrong_place(target.path)
                await self._find_place(target)
                return await self._make(target, draft) if target.node is None else None
            if fault.code is Code.ID_TAKEN:
                self._ids.renew()
                target.number = self._ids.take()
                return await self._make(target, draft)
            if fault.code is not Code.EXISTS or (target.exclusive and not target.unsure[0]):
                raise
            await self._find_place(target)
            return None
        target.node = node
        self._tree.made(target.path)
        return ContentMap(node.id, node.revision, draft.size, draft.final, draft.small, content.generation)

    async def _find_place(self, target: Target) -> None:
        """Where the path leads now. Raises Fault: NOT_FOUND (its folder), IS_A_FOLDER."""
        target.at, target.replaces = None, 0
        walk = await self._tree.walk(target.path, access=Access.WRITE, wait_ms=target.wait_ms)
        if walk.node is not None and walk.node.kind is not Kind.EXTERNAL:
            check_file(walk.node)
            target.node = walk.node
            return
        if walk.node is not None:
            target.replaces = walk.node.id
        target.node, target.folder, target.name = None, walk.place(), walk.name
        target.number = self._ids.take()

    def _content(self, node: int, draft: Draft) -> NewContent:
        generation = self._ids.take()
        mac = content_mac(self._keys, node, draft.size, generation, draft.final)
        return NewContent(draft.size, generation, mac, draft.told, draft.small, draft.objects)

    # --- races ----------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _sole_writer(self, target: Target, node: Node) -> AsyncIterator[None]:
        """Keep other clients from committing meanwhile, if that is possible; a lock that is refused only costs time."""
        if self._locks.held(target.handle):
            yield  # others wait for that one already
            return
        owner = self._ids.take()
        try:
            await self._locks.acquire(node.id, owner, LockMode.EXCLUSIVE, timeout_s=RETRY_MAX_S)
        except Fault as fault:
            if fault.code is not Code.LOCKED:
                raise
        try:
            yield
        finally:
            await self._locks.release_all(owner)

    def _jitter_s(self, lost: int) -> float:
        return _JITTER_S * 2.0 ** min(lost, 6) * self._random(1)[0] / 255


@contextmanager
def _unsure(target: Target, content: NewContent) -> Iterator[None]:
    """Remember a commit whose answer does not come, so that a repeated flush can see whether it was applied."""
    try:
        yield
    except Fault as fault:
        if fault.code is Code.UNAVAILABLE:
            target.unsure = (content.generation, content.size)
        raise


def check_file(node: Node) -> None:
    """Raise Fault when a node is no file whose content can be read and written here."""
    if node.is_folder:
        raise Fault(Code.IS_A_FOLDER, "it is a folder")
    if node.kind is not Kind.FILE:
        raise Fault(Code.DENIED, READ_ONLY)
