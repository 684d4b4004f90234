"""Uploads that no commit came for: found by listing the store, shown, and swept when no client can still want them.

A client puts objects first and commits them later, perhaps hours later, under a number that it chose. So an object
without a row may be on its way. It is swept only when it is older than the grace *and* no session lives that was there
when it was put; and then by tombstone: its row is written as condemned before its bytes are deleted, and stays spent
afterwards, so that a commit that comes after all is refused instead of publishing what is gone. Each step may be the
last before a crash: the reaper goes on with what is condemned. The reasons are in docs/decisions/0007-tombstones.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import NamedTuple

from lucidfs.clock import Clock
from lucidfs.errors import Fault
from lucidfs.hub.database.base import CONDEMNED, Database, ObjectRow, Tx
from lucidfs.hub.deleter import Deleter, Failing
from lucidfs.hub.reaper import Writer, bury, name_of
from lucidfs.hub.rounds import rounds
from lucidfs.limits import (
    GRANT_S,
    REAP_BATCH,
    SESSION_SLACK_S,
    SIGNED_BACKDATE_S,
    SWEEP_EVERY_S,
    UNFINISHED_S,
    UPLOAD_GRACE_S,
    UPLOAD_STUCK_S,
)
from lucidfs.objects.base import ObjectStat, ObjectStore, Tidied
from lucidfs.types import FilespaceId

_SECOND_NS = 10**9


class Uploads(NamedTuple):
    """Objects in the store that no commit uses, as one round found them. Bytes are those of the objects."""

    at_ns: int = 0  # when the round ended; 0: there was none yet
    objects: int = 0  # all of them that were left when the round ended
    bytes: int = 0
    leftover: int = 0  # of those: no living session can have put them; they go after their grace
    leftover_bytes: int = 0
    stuck: int = 0  # of those: a living session may have, but more than UPLOAD_STUCK_S ago
    oldest_ns: int = 0  # when the oldest was put; 0: there is none
    swept: int = 0  # deleted in this round
    swept_bytes: int = 0


class Sweeper:
    """Rounds over the whole store.

    Args:
        writer: runs changes.
        database: for snapshots, in any thread.
        store: is listed.
        deleter: deletes from it.
        clock: tells the time that listings are compared with; the store's own must agree within SESSION_SLACK_S.
        observe: told what each round found.
        grace_s: how long uploads of clients that are gone are kept.
        every_s: between two rounds.
    """

    def __init__(
        self,
        writer: Writer,
        database: Database,
        store: ObjectStore,
        deleter: Deleter,
        *,
        clock: Clock,
        observe: Callable[[Uploads], None] = lambda uploads: None,
        grace_s: float = UPLOAD_GRACE_S,
        every_s: float = SWEEP_EVERY_S,
    ) -> None:
        self._writer = writer
        self._database = database
        self._store = store
        self._deleter = deleter
        self._clock = clock
        self._observe = observe
        self._grace_s = grace_s
        self._every_s = every_s
        self._failing = Failing("cannot be listed")

    async def run(self) -> None:
        """See `rounds`."""
        await rounds(self._every_s, self.round, self._observe, "sweeper")

    async def round(self) -> Uploads:
        """Look at every object of the store, and sweep what is due."""
        now_ns = self._clock.now_ns()
        await self._deleter.in_thread(partial(self._tidy, now_ns - int(UNFINISHED_S * _SECOND_NS)))
        total = Uploads()
        for filespace in await self._deleter.in_thread(self._filespaces):
            try:
                total = await self._look_at(filespace, now_ns, total)
            except (OSError, Fault) as error:  # a bucket that is away must not keep the others from being swept
                self._failing.failed(filespace, error)
            else:
                self._failing.worked(filespace)
        return total._replace(at_ns=now_ns)

    async def _look_at(self, filespace: int, now_ns: int, total: Uploads) -> Uploads:
        listing = self._store.list(FilespaceId(filespace))
        page = await self._deleter.in_thread(partial(_page, listing))
        if not page and await self._deleter.in_thread(partial(self._is_over, filespace, now_ns)):
            await self._writer.change(partial(_forget_store, filespace, now_ns))
        while page:
            unused = await self._deleter.in_thread(partial(self._unused, page))
            total = await self._handle(unused, now_ns, total)
            page = await self._deleter.in_thread(partial(_page, listing))
        return total

    def _is_over(self, filespace: int, now_ns: int) -> bool:
        with self._database.read() as tx:
            return _over(tx, filespace, now_ns)

    async def _handle(self, unused: list[_Unused], now_ns: int, total: Uploads) -> Uploads:
        """Sweep what is due of one page, and add the rest to the total."""
        before_ns = now_ns - int(self._grace_s * _SECOND_NS)
        due = [each.stat for each in unused if each.worthless or each.due(before_ns)]
        condemned = await self._writer.change(partial(condemn_uploads, due, now_ns)) if due else []
        worthless = {each.stat.name for each in unused if each.worthless}
        gone = await self._deleter.delete(worthless | {name_of(row) for row in condemned})
        if condemned:
            deleted = [row for row in condemned if name_of(row) in gone]
            await self._writer.change(partial(bury, deleted, now_ns))
        swept = [each for each in unused if each.stat.name in gone]
        left = [each for each in unused if each.stat.name not in gone]
        leftover = [each for each in left if not each.wanted]
        stuck_before_ns = now_ns - int(UPLOAD_STUCK_S * _SECOND_NS)
        times = [each.stat.mtime_ns for each in left if each.stat.mtime_ns] + [total.oldest_ns] * (total.oldest_ns > 0)
        return Uploads(
            0,
            total.objects + len(left),
            total.bytes + sum(each.stat.size for each in left),
            total.leftover + len(leftover),
            total.leftover_bytes + sum(each.stat.size for each in leftover),
            total.stuck + sum(each.wanted and 0 < each.stat.mtime_ns < stuck_before_ns for each in left),
            min(times, default=0),
            total.swept + len(swept),
            total.swept_bytes + sum(each.stat.size for each in swept),
        )

    def _tidy(self, before_ns: int) -> None:
        if isinstance(self._store, Tidied):
            self._store.remove_unfinished(before_ns)

    def _filespaces(self) -> list[int]:
        with self._database.read() as tx:
            return tx.object_filespaces()

    def _unused(self, page: list[ObjectStat]) -> list[_Unused]:
        """Those of a page that no commit uses. The snapshot is younger than the listing: commits since then count."""
        with self._database.read() as tx:
            return unused_of(tx, page)


class _Unused(NamedTuple):
    """An object in the store that no commit uses."""

    stat: ObjectStat
    wanted: bool  # a session lives that may have put it
    worthless: bool  # its row says that no commit will ever use it

    def due(self, before_ns: int) -> bool:
        """Whether it may be swept; a store that tells no time keeps everything."""
        return not self.wanted and 0 < self.stat.mtime_ns < before_ns


def unused_of(tx: Tx, stats: list[ObjectStat]) -> list[_Unused]:
    """Which of these stored objects no commit uses, in this snapshot."""
    since = _since(tx)
    found = []
    for stat in stats:
        row = tx.object(stat.name.object)
        if row is None:
            found.append(_Unused(stat, _wanted(stat, since), False))
        elif row.live < CONDEMNED or row.held or row.filespace != stat.name.filespace:
            found.append(_Unused(stat, False, True))
    return found


def condemn_uploads(stats: list[ObjectStat], now_ns: int, tx: Tx) -> list[ObjectRow]:
    """Write rows that forbid a commit, for those that still have none and that nobody came back for."""
    since = _since(tx)
    rows = [
        ObjectRow(stat.name.object, stat.name.filespace, stat.size, CONDEMNED, now_ns)
        for stat in stats
        if tx.object(stat.name.object) is None and not _wanted(stat, since)
    ]
    for row in rows:
        tx.insert_object(row, b"")
    return rows


def _since(tx: Tx) -> dict[int, int]:
    """For each filespace since when its longest present client is there."""
    since: dict[int, int] = {}
    for session in tx.live_sessions():
        since[session.filespace] = min(session.created_ns, since.get(session.filespace, session.created_ns))
    return since


def _wanted(stat: ObjectStat, since: dict[int, int]) -> bool:
    came_ns = since.get(stat.name.filespace)
    return came_ns is not None and came_ns - int(SESSION_SLACK_S * _SECOND_NS) <= stat.mtime_ns


def _over(tx: Tx, filespace: int, now_ns: int) -> bool:
    """Whether nobody will ever ask again for the bucket of a filespace in which nothing was found."""
    row = tx.object_store(filespace)
    before_ns = now_ns - int((GRANT_S + SIGNED_BACKDATE_S) * _SECOND_NS)  # no URL of before can still put
    ended = row is not None and 0 < row.gone_ns < before_ns
    return ended and not tx.has_objects(filespace) and tx.object_move(filespace) is None


def _forget_store(filespace: int, now_ns: int, tx: Tx) -> None:
    if _over(tx, filespace, now_ns):
        tx.delete_object_store(filespace)


def _page(listing: Iterator[ObjectStat]) -> list[ObjectStat]:
    return list(islice(listing, REAP_BATCH))
