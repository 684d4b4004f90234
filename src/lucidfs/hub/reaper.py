"""What nobody needs any more goes away: dead objects after their grace period, replies of sessions long ended.

An object goes in three steps, each safe to be the last before a crash: its row is *condemned* in a transaction, so
that no commit can use it again; its bytes are deleted from the store; its row says *spent*. A condemned row that a
crash left behind is found again by the next round. Spent rows stay for SPENT_KEPT_S, because a client that comes back
late may still try to commit the object (docs/decisions/0007-tombstones.md); those whose bytes stood in the database
go at once, for a commit brings them along.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import NamedTuple, Protocol, TypeVar

from lucidfs.clock import Clock
from lucidfs.hub.database.base import CONDEMNED, SPENT, ObjectRow, Tx
from lucidfs.hub.deleter import Deleter
from lucidfs.hub.rounds import rounds
from lucidfs.limits import DEAD_OBJECT_GRACE_S, REAP_BATCH, REAP_EVERY_S, REPLIES_KEPT_S, SPENT_KEPT_S
from lucidfs.objects.base import ObjectName
from lucidfs.types import FilespaceId, ObjectId

T = TypeVar("T")

_SECOND_NS = 10**9


class Writer(Protocol):
    """Runs a change in a transaction; the hub is one."""

    async def change(self, apply: Callable[[Tx], T]) -> T: ...


class Reaped(NamedTuple):
    """What one round did."""

    objects: int = 0
    bytes: int = 0
    failed: int = 0  # objects that the store did not delete; the next round tries again
    sessions: int = 0


class Reaper:
    """Rounds of deletion, one transaction of at most REAP_BATCH items after the other.

    Args:
        writer: runs changes.
        deleter: deletes from the store.
        clock: tells the time that rows are compared with.
        observe: told what each round did.
        grace_s: how long dead objects stay for readers of old revisions.
    """

    def __init__(
        self,
        writer: Writer,
        deleter: Deleter,
        *,
        clock: Clock,
        observe: Callable[[Reaped], None] = lambda reaped: None,
        grace_s: float = DEAD_OBJECT_GRACE_S,
    ) -> None:
        self._writer = writer
        self._deleter = deleter
        self._clock = clock
        self._observe = observe
        self._grace_s = grace_s

    async def run(self) -> None:
        """See `rounds`."""
        await rounds(REAP_EVERY_S, self.round, self._observe, "reaper")

    async def round(self) -> Reaped:
        """Delete everything that is due now."""
        now_ns = self._clock.now_ns()
        dead_before_ns = now_ns - int(self._grace_s * _SECOND_NS)
        ended_before_ns = now_ns - int(REPLIES_KEPT_S * _SECOND_NS)
        objects = size = failed = 0
        skip: set[int] = set()  # filespaces whose store fails: their rows must not keep others out of the batches
        more = True
        while more:
            due = await self._writer.change(partial(condemn, dead_before_ns, skip=skip))
            deleted = await self._delete(due)
            await self._writer.change(partial(bury, deleted, now_ns))
            objects += len(deleted)
            size += sum(row.size for row in deleted)
            failed += len(due) - len(deleted)
            skip |= {row.filespace for row in set(due) - set(deleted)}
            more = len(due) == REAP_BATCH
        await self._forget(lambda tx: tx.forget_spent(now_ns - int(SPENT_KEPT_S * _SECOND_NS), REAP_BATCH))
        sessions = await self._forget(lambda tx: tx.delete_sessions(ended_before_ns, REAP_BATCH))
        return Reaped(objects, size, failed, sessions)

    async def _forget(self, apply: Callable[[Tx], int]) -> int:
        """Delete rows batch by batch until there are no more; how many they were."""
        total = count = await self._writer.change(apply)
        while count == REAP_BATCH:
            count = await self._writer.change(apply)
            total += count
        return total

    async def _delete(self, rows: list[ObjectRow]) -> list[ObjectRow]:
        """Delete from the store; the rows whose bytes are gone."""
        gone = await self._deleter.delete(name_of(row) for row in rows if not row.held)
        return [row for row in rows if row.held or name_of(row) in gone]


def condemn(dead_before_ns: int, tx: Tx, skip: Collection[int] = ()) -> list[ObjectRow]:
    """Mark objects that died before as never to be used again; up to REAP_BATCH of them, marked ones included.

    Those of the filespaces in `skip` are left alone.
    """
    rows = tx.dead_objects(dead_before_ns, REAP_BATCH, skip)
    for row in rows:
        if row.live != CONDEMNED:
            tx.update_object(row.id, CONDEMNED, row.dead_since_ns)
    return rows


def bury(rows: list[ObjectRow], now_ns: int, tx: Tx) -> None:
    """The bytes of these objects are gone: note it for those whose number a client may still try to commit."""
    for row in rows:
        if row.held:
            tx.delete_object(row.id)
        else:
            tx.update_object(row.id, SPENT, now_ns)


def name_of(row: ObjectRow) -> ObjectName:
    """Where the store has it."""
    return ObjectName(FilespaceId(row.filespace), ObjectId(row.id))
