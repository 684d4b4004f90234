"""Group commit: the changes of all clients share one transaction and one fsync; each is answered after it.

The loop runs queued jobs on the write transaction, one after the other, without an await between them. Then the
transaction is committed in a thread (reads go on meanwhile, on snapshots), and the jobs are settled. What arrived
during the commit is the next group, so groups grow with the load.

The lock table changes only while a group runs or between groups, never during a commit: `advance` waits.
"""

from __future__ import annotations

import asyncio
import errno
import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Protocol

from lucidfs.errors import Code, Fault
from lucidfs.hub.database.base import Database, Tx
from lucidfs.hub.locks import LockTable
from lucidfs.limits import GROUP_MAX, QUEUE_MAX

log = logging.getLogger(__name__)


class Parked(Exception):
    """Raised by a job that waits for locks: it wrote nothing, and will be submitted again."""


class Job(Protocol):
    """One change in the queue."""

    def run(self, tx: Tx) -> None:
        """Apply it. May be run again after a rollback.

        Raises:
            Fault: refused; nothing was written.
            Parked: it waits elsewhere; nothing was written.
        """
        ...

    def settle(self, fault: Fault | None) -> None:
        """Called once: None when it is durable, else why it was refused. Must not raise."""
        ...


Results = list[tuple[Job, Fault | None]]


class Committer:
    """The one writer of a database.

    Args:
        database: where changes go.
        table: locks, whose rows travel in the same transactions.
        executor: one thread for commits; None: commit on the loop (simulation).
        observe: told the size of each group that was committed.
    """

    def __init__(
        self, database: Database, table: LockTable, executor: Executor | None, observe: Callable[[int], None]
    ) -> None:
        self._database = database
        self._table = table
        self._executor = executor
        self._observe = observe
        self._queue: deque[Job] = deque()
        self._alone: deque[Job] = deque()  # of a group that failed: each gets a transaction of its own
        self._busy = False
        self._idle: list[asyncio.Future[None]] = []

    @property
    def waiting(self) -> int:
        """Jobs in the queue."""
        return len(self._queue) + len(self._alone)

    def submit(self, job: Job, *, urgent: bool = False) -> None:
        """Queue a job. `urgent`: also when the queue is full (the hub's own jobs, and those that waited already)."""
        if len(self._queue) >= QUEUE_MAX and not urgent:
            job.settle(Fault(Code.TOO_MANY, "the hub has too many changes waiting: try again"))
            return
        self._queue.append(job)
        self._wake()

    def advance(self) -> None:
        """Move the lines of the lock table on, now or after the commit under way."""
        if not self._busy:
            self._advance()
            self._wake()

    def crash(self) -> None:
        """Forget what is queued, as a power cut would: nobody is answered, nothing more touches the database."""
        self._queue.clear()
        self._alone.clear()

    async def drain(self) -> None:
        """Wait until nothing is queued or being committed."""
        while self._busy or self.waiting:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._idle.append(future)
            await future

    def _wake(self) -> None:
        if self._busy:
            return
        if self.waiting:
            self._busy = True
            asyncio.get_running_loop().call_soon(self._start)
            return
        for future in self._idle:
            if not future.done():
                future.set_result(None)
        self._idle.clear()

    def _start(self) -> None:
        group = self._take()
        if not group:  # a crash took them
            self._busy = False
            return
        results: Results = []
        try:
            wrote = self._run(group, results)
        except Exception as error:  # noqa: BLE001 - whatever a job did, the others of its group go on
            self._database.rollback()
            self._failed(results or [(job, None) for job in group], error)
            self._finish([])
            return
        if not wrote:
            self._database.rollback()
            self._finish(results)
        elif self._executor is None:
            self._commit_here(results)
        else:
            future = asyncio.get_running_loop().run_in_executor(self._executor, self._database.commit)
            future.add_done_callback(lambda done: self._committed(results, done.exception()))

    def _take(self) -> list[Job]:
        if self._alone:
            return [self._alone.popleft()]
        return [self._queue.popleft() for _ in range(min(GROUP_MAX, len(self._queue)))]

    def _run(self, group: list[Job], results: Results) -> bool:
        """Run every job of the group. Returns whether there is something to commit."""
        tx = self._database.begin()
        wrote = False
        for job in group:
            fault: Fault | None = None
            try:
                job.run(tx)
                wrote = True
            except Parked:
                continue
            except Fault as refusal:
                fault = refusal
            except BaseException:
                results.extend((rest, None) for rest in group[group.index(job) :])
                raise
            results.append((job, fault))
        for lock, row in self._table.journal:
            if row is None:
                tx.delete_lock(lock)
            else:
                tx.insert_lock(row)
        return wrote or bool(self._table.journal)

    def _commit_here(self, results: Results) -> None:
        try:
            self._database.commit()
        except Exception as error:  # noqa: BLE001 - told to whoever asked for the change
            self._committed(results, error)
        else:
            self._committed(results, None)

    def _committed(self, results: Results, error: BaseException | None) -> None:
        if error is not None:
            self._database.rollback()
            self._failed(results, error)
            self._finish([])
            return
        self._observe(len(results))
        self._table.committed()
        self._finish(results)

    def _failed(self, results: Results, error: BaseException) -> None:
        """The transaction is undone. One of several may have been the reason: each is tried alone."""
        if len(results) > 1:
            log.warning("a group of %d changes failed, trying one by one: %r", len(results), error)
            self._alone.extend(job for job, _ in results)
            return
        for job, _ in results:
            job.settle(_refusal(error))

    def _finish(self, results: Results) -> None:
        for job, fault in results:
            job.settle(fault)
        self._advance()
        self._busy = False
        self._wake()

    def _advance(self) -> None:
        for waiter in self._table.advance():
            assert waiter.on_ready is not None
            waiter.on_ready()


def _refusal(error: BaseException) -> Fault:
    """What the client hears of a change that failed; the log says more."""
    if isinstance(error, Fault):
        return error
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        log.error("a change was refused: %s", error.strerror)
        return Fault(Code.NO_SPACE, "the hub has no space left on its disk")
    log.error("a change failed", exc_info=error)
    return Fault(Code.INTERNAL, "the hub could not apply the change")
