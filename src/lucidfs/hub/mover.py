"""Moves of filespaces to other stores, while clients work: copy, wait, switch, wait, empty. See decision 14.

Everything that must survive is in the `object_move` row; after a crash both listings tell how far the copying was. The
bytes are sealed, so no key is needed. While a move copies, the memory for it grows with the filespace's objects.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from itertools import islice
from typing import TypeVar

from lucidfs.clock import Clock
from lucidfs.errors import Fault
from lucidfs.hub.database.base import Database, MoveRow, Tx
from lucidfs.hub.deleter import Deleter, Failing
from lucidfs.hub.hold import Hold
from lucidfs.hub.operations.live import Progress
from lucidfs.hub.reaper import Writer
from lucidfs.hub.stores import Stores, put_and_compare, set_place
from lucidfs.limits import MOVE_EVERY_S, MOVE_WORKERS, REAP_BATCH
from lucidfs.objects.base import ObjectStat, ObjectStore
from lucidfs.types import FilespaceId

log = logging.getLogger(__name__)
T = TypeVar("T")

_SECOND_NS = 10**9


class Mover:
    """Carries every row of `object_move` on, each by itself, so that one that fails holds up no other.

    Args:
        writer: runs changes.
        database: for snapshots.
        stores: give the two places.
        executor: threads that wait for them.
        hold: asked before anything is deleted.
        clock: tells ages.
        settle_s: from the start of a move until no upload to the old place can be under way.
        grace_s: from the switch until nobody reads from the old place.

    Attributes:
        progress: of each move, by filespace.
    """

    def __init__(
        self,
        writer: Writer,
        database: Database,
        stores: Stores,
        executor: Executor,
        hold: Hold | None,
        *,
        clock: Clock,
        settle_s: float,
        grace_s: float,
    ) -> None:
        self.progress: dict[int, Progress] = {}
        self._writer = writer
        self._database = database
        self._stores = stores
        self._executor = executor
        self._hold = hold
        self._clock = clock
        self._settle_ns = int(settle_s * _SECOND_NS)
        self._grace_ns = int(grace_s * _SECOND_NS)
        self._copied: dict[int, int] = {}  # filespace -> start of the move of which all was copied once
        self._deleters: dict[MoveRow, Deleter] = {}  # of places that are emptied
        self._failing = Failing("cannot be moved")

    async def run(self) -> None:
        """Look at all moves every MOVE_EVERY_S, until cancelled."""
        tasks: dict[int, asyncio.Task[None]] = {}
        try:
            while True:
                moves = {row.filespace for row in self._moves()}
                tasks = {filespace: task for filespace, task in tasks.items() if not task.done()}
                for filespace in moves - tasks.keys():
                    tasks[filespace] = asyncio.create_task(self._try(filespace), name="lucid mover")
                for filespace in self.progress.keys() - moves:
                    del self.progress[filespace]
                await asyncio.sleep(MOVE_EVERY_S)
        finally:
            for task in tasks.values():
                task.cancel()

    async def _try(self, filespace: int) -> None:
        try:
            await self.step(filespace)
        except (OSError, EOFError, Fault) as error:
            self._failing.failed(filespace, error)
            self.progress[filespace] = self.progress.get(filespace, Progress())._replace(failing=str(error))
        except Exception:
            log.exception("the move of filespace %016x failed", filespace)
        else:
            self._failing.worked(filespace)

    async def step(self, filespace: int) -> None:
        """Do what can be done now for one move. Raises OSError, EOFError, Fault of the two places."""
        with self._database.read() as tx:
            row, before = tx.object_move(filespace), tx.object_store(filespace)
            exists = tx.filespace(filespace) is not None
        now_ns = self._clock.now_ns()
        if row is None:
            return
        if row.switched_ns:
            if now_ns >= row.switched_ns + self._grace_ns:
                await self._empty(row)
        elif not exists:  # what was copied goes; the place that it had is cleaned as that of any deleted filespace
            await self._writer.change(partial(_end, row, now_ns))
        elif now_ns >= row.started_ns + self._settle_ns or self._copied.get(filespace) != row.started_ns:
            await self._copy(filespace, self._stores.at(before), self._stores.at(row.place))
            self._copied[filespace] = row.started_ns
            if now_ns >= row.started_ns + self._settle_ns:
                await self._writer.change(partial(_switch, row, self._clock.now_ns()))

    async def _copy(self, filespace: int, old: ObjectStore, new: ObjectStore) -> None:
        """Copy what is in the old place only."""
        there = await self._in_thread(lambda: {s.name.object: s.size for s in new.list(FilespaceId(filespace))})
        found = await self._in_thread(lambda: list(old.list(FilespaceId(filespace))))
        missing = [stat for stat in found if there.get(stat.name.object) != stat.size]
        done, size = len(found) - len(missing), sum(stat.size for stat in found)
        copied = size - sum(stat.size for stat in missing)
        self.progress[filespace] = Progress(done, len(found), copied, size)
        failures: list[Exception] = []
        left = iter(missing)

        async def work() -> None:
            for stat in left:
                if failures:
                    return
                try:
                    await self._in_thread(partial(copy_object, old, new, stat))
                except (OSError, EOFError, Fault) as error:
                    failures.append(error)
                    return
                so_far = self.progress[filespace]
                self.progress[filespace] = so_far._replace(
                    objects=so_far.objects + 1, bytes=so_far.bytes + stat.size, failing=""
                )

        await asyncio.gather(*(work() for _ in range(MOVE_WORKERS)))
        if failures:
            raise failures[0]

    async def _empty(self, row: MoveRow) -> None:
        """Delete everything in the place that was left."""
        store = self._stores.at(row.place)
        deleter = self._deleters.setdefault(row, Deleter(store, self._executor, self._hold))
        listing = store.list(FilespaceId(row.filespace))
        page = await self._in_thread(lambda: list(islice(listing, REAP_BATCH)))
        while page:
            gone = await deleter.delete([stat.name for stat in page])
            if len(gone) < len(page):  # a backup is under way, or the store is away: later
                return
            page = await self._in_thread(lambda: list(islice(listing, REAP_BATCH)))
        await self._writer.change(partial(_forget, row))
        self._deleters.pop(row, None)

    def _moves(self) -> list[MoveRow]:
        with self._database.read() as tx:
            return tx.object_moves()

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)


def copy_object(old: ObjectStore, new: ObjectStore, stat: ObjectStat) -> None:
    """Copy one object, and read it back; one that was deleted meanwhile is left out.

    Raises what the stores raise, and as `put_and_compare`.
    """
    try:
        body = old.get(stat.name, 0, stat.size)
    except FileNotFoundError:
        return
    put_and_compare(new, stat.name, body)


def _switch(row: MoveRow, now_ns: int, tx: Tx) -> None:
    """From now on the objects are at the new place; the old one is to be emptied."""
    if tx.object_move(row.filespace) != row or tx.filespace(row.filespace) is None:
        return
    before = tx.object_store(row.filespace)
    set_place(row.filespace, row.place, tx)
    tx.put_object_move(MoveRow(row.filespace, before, row.started_ns, now_ns))


def _end(row: MoveRow, now_ns: int, tx: Tx) -> None:
    if tx.object_move(row.filespace) == row:
        tx.put_object_move(row._replace(switched_ns=now_ns))


def _forget(row: MoveRow, tx: Tx) -> None:
    if tx.object_move(row.filespace) == row:
        tx.delete_object_move(row.filespace)
