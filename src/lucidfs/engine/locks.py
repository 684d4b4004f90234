"""The locks that this client holds, and what became of them: granted, trimmed, given back, or lost with the session."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any

from lucidfs.engine.session import Session
from lucidfs.errors import Code, Fault
from lucidfs.ids import Ids
from lucidfs.limits import LOCK_TIMEOUT_S, LOCK_WAIT_S_MAX, RETRY_MAX_S
from lucidfs.types import LockMode
from lucidfs.wire import messages
from lucidfs.wire.messages import LockInfo, Welcome

_END = 2**63  # where a lock of length 0 ends
_AGAIN = (Code.UNAVAILABLE, Code.NO_SPACE)  # refusals of an unlock that a later one may not meet


class _Held:
    """One lock of one handle on [start, end). Id 0: the far half of a lock that was cut, which the hub named anew."""

    __slots__ = ("end", "id", "lost", "node", "start")

    def __init__(self, number: int, node: int, start: int, end: int, lost: bool = False) -> None:
        self.id = number
        self.node = node
        self.start = start
        self.end = end
        self.lost = lost

    def without(self, start: int, end: int) -> list[_Held]:
        """What remains after [start, end) was taken out; as in the hub, the first piece keeps the id."""
        if end <= self.start or self.end <= start:
            return [self]
        pieces = [(self.start, min(start, self.end)), (max(end, self.start), self.end)]
        left = [(first, last) for first, last in pieces if first < last]
        return [_Held(0 if i else self.id, self.node, *piece, self.lost) for i, piece in enumerate(left)]


class Locks:
    """All locks of one session. Methods run on the loop's thread and raise `Fault`.

    A lock that the hub took back (the session expired while we were away) stays in the table as lost until it is
    released: whatever relies on it is refused with FENCED, here at once and by the hub in any case.

    Args:
        session: to ask the hub.
        ids: of this client, for lock ids.
    """

    def __init__(self, session: Session, ids: Ids) -> None:
        self._session = session
        self._ids = ids
        self._held: dict[int, list[_Held]] = {}
        self._background: set[asyncio.Task[None]] = set()
        session.on_welcome(self._welcomed)

    async def acquire(
        self,
        node: int,
        handle: int,
        mode: LockMode,
        offset: int = 0,
        length: int = 0,
        timeout_s: float | None = None,
    ) -> int:
        """Take a lock for a handle; waits in line behind others. It replaces what the handle held on these bytes.

        Args:
            node: the file.
            handle: who holds it; locks of one handle never conflict with each other.
            mode: shared or exclusive.
            offset: first byte.
            length: bytes, 0: to the end however far.
            timeout_s: how long to wait; 0: not at all; None: LOCK_TIMEOUT_S.

        Returns:
            The lock's id, to be named in changes that rely on it.

        Raises:
            Fault: LOCKED when it was not granted in time; NOT_FOUND; DENIED (an exclusive lock needs the write role);
                INVALID for a negative or endless range.
        """
        if offset < 0 or length < 0 or offset + length >= _END:
            raise Fault(Code.INVALID, "a lock needs offset and length of at least 0, within the largest file")
        wait_s = LOCK_TIMEOUT_S if timeout_s is None else min(max(timeout_s, 0.0), LOCK_WAIT_S_MAX)
        lock = self._ids.take()
        body = messages.Lock(lock, node, handle, mode, offset, length, int(wait_s * 1000))
        asking = asyncio.ensure_future(self._session.call(body))
        try:
            reply = await asyncio.shield(asking)
        except asyncio.CancelledError:
            self._spawn(self._regret(asking, body))
            raise
        except Fault as fault:
            if fault.code is Code.UNAVAILABLE:  # it may have been granted, and nobody would give it back
                self._spawn(self._give_back(_undoing(body)))
            raise
        granted: int = reply.lock
        start, end = _range(offset, length)
        self._cut(handle, node, start, end)
        self._held.setdefault(handle, []).append(_Held(granted, node, start, end))
        return granted

    async def release(self, node: int, handle: int, offset: int = 0, length: int = 0) -> None:
        """Give back what a handle holds on a byte range of a file; what lies outside stays locked. Never FENCED."""
        live = any(held.node == node and not held.lost for held in self._held.get(handle, []))
        self._cut(handle, node, *_range(offset, length))
        if live and self._session.alive:  # a session that ended has released everything
            await self._session.call(messages.Unlock(node, handle, offset, length))

    async def release_all(self, handle: int) -> None:
        """Give back everything that a handle holds, as it ends. What the hub cannot take back now it is asked again,
        in the background: no other call would ever do it. The first refusal is raised all the same."""
        refusal: Fault | None = None
        for node in {held.node for held in self._held.get(handle, [])}:
            try:
                await self.release(node, handle)
            except Fault as fault:
                refusal = refusal or fault
                if fault.code in _AGAIN:
                    self._spawn(self._give_back(messages.Unlock(node, handle)))
        if refusal is not None:
            raise refusal

    def held(self, handle: int) -> list[int]:
        """Ids of the locks that a handle holds. Raises Fault(FENCED) if the hub took one of them back."""
        locks = self._held.get(handle)
        if not locks:
            return []
        if any(held.lost for held in locks):
            raise Fault(Code.FENCED, "the lock was lost while the hub could not be reached: close and open again")
        return [held.id for held in locks if held.id]

    async def holders(self, node: int = 0) -> list[LockInfo]:
        """Locks that anybody holds or waits for, on a node or (0) in the whole filespace."""
        reply = await self._session.call(messages.ListLocks(node))
        locks: list[LockInfo] = reply.locks
        return locks

    async def close(self) -> None:
        """Stop giving back in the background; the end of the session releases everything."""
        for task in self._background:
            task.cancel()
        if self._background:
            await asyncio.wait(set(self._background))

    def _welcomed(self, welcome: Welcome) -> None:
        kept = {0, *welcome.locks} if welcome.resumed else set()
        for locks in self._held.values():
            for held in locks:
                held.lost = held.lost or held.id not in kept

    def _cut(self, handle: int, node: int, start: int, end: int) -> None:
        left: list[_Held] = []
        for held in self._held.pop(handle, []):
            left += held.without(start, end) if held.node == node else [held]
        if left:
            self._held[handle] = left

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _regret(self, asking: asyncio.Future[object], body: messages.Lock) -> None:
        """The caller went away while the lock was waited for: should it still be granted, give it back."""
        with contextlib.suppress(Fault):
            await asking
            await self._give_back(_undoing(body))

    async def _give_back(self, body: messages.Unlock) -> None:
        while self._session.alive:
            try:
                await self._session.call(body)
                return
            except Fault as fault:
                if fault.code not in _AGAIN:
                    return
            await asyncio.sleep(RETRY_MAX_S)


def _undoing(body: messages.Lock) -> messages.Unlock:
    return messages.Unlock(body.node, body.handle, body.offset, body.length)


def _range(offset: int, length: int) -> tuple[int, int]:
    return offset, offset + length if length else _END
