"""Packing: small content that cooled leaves the database, and what is left of half-dead objects is put together anew.

A pack is put like a client's object, read back, and only then named by transactions: docs/decisions/0016-packing.md.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import NamedTuple

from lucidfs.clock import Clock
from lucidfs.errors import Fault
from lucidfs.hub.database.base import Database, Tx
from lucidfs.hub.deleter import Deleter, Failing
from lucidfs.hub.packs import Pack, Plan
from lucidfs.hub.reaper import Writer
from lucidfs.hub.rounds import rounds
from lucidfs.hub.stores import put_and_compare
from lucidfs.limits import PACK_AFTER_S, PACK_EVERY_S, PACK_GAIN_BYTES, REAP_BATCH
from lucidfs.namespace.packing import Shift, shift
from lucidfs.objects.base import ObjectName, ObjectStore
from lucidfs.types import FilespaceId, ObjectId
from lucidfs.wire.messages import NewObject

log = logging.getLogger(__name__)

_SECOND_NS = 10**9


class Packed(NamedTuple):
    """What one round did."""

    packs: int = 0
    bytes: int = 0  # of these packs that files use


class Packer:
    """Rounds over all filespaces.

    Args:
        writer: runs changes.
        database: for snapshots, in any thread.
        store: where packs go, and half-dead objects are.
        deleter: has the thread that waits for the store.
        clock: tells ages.
        fresh_id: gives numbers for packs.
        observe: told what each round did.
        after_s: how long nobody wrote a file whose content is packed.
        every_s: between two rounds.
        gain_bytes: what a pack takes out of the database and the store at least.
    """

    def __init__(
        self,
        writer: Writer,
        database: Database,
        store: ObjectStore,
        deleter: Deleter,
        *,
        clock: Clock,
        fresh_id: Callable[[], int],
        observe: Callable[[Packed], None] = lambda packed: None,
        after_s: float = PACK_AFTER_S,
        every_s: float = PACK_EVERY_S,
        gain_bytes: int = PACK_GAIN_BYTES,
    ) -> None:
        self._writer = writer
        self._database = database
        self._store = store
        self._deleter = deleter
        self._clock = clock
        self._fresh_id = fresh_id
        self._observe = observe
        self._after_ns = int(after_s * _SECOND_NS)
        self._every_s = every_s
        self._gain_bytes = gain_bytes
        self._failing = Failing("takes no packs")
        self._damaged: set[int] = set()  # objects that cannot be read, so that they stay as they are

    async def run(self) -> None:
        """See `rounds`."""
        await rounds(self._every_s, self.round, self._observe, "packer")

    async def round(self) -> Packed:
        """Pack everything that is due now."""
        before_ns = self._clock.now_ns() - self._after_ns
        packs = size = 0
        for filespace in await self._deleter.in_thread(self._filespaces):
            try:
                async for used in self._packs(filespace, before_ns):
                    packs += 1
                    size += used
            except (OSError, EOFError, Fault) as error:  # a bucket that is away must not keep the others waiting
                self._failing.failed(filespace, error)
            else:
                self._failing.worked(filespace)
        return Packed(packs, size)

    async def _packs(self, filespace: int, before_ns: int) -> AsyncIterator[int]:
        """Pack after pack of one filespace, until not enough is left; bytes of each that files use."""
        while True:
            pack = await self._deleter.in_thread(partial(self._put, filespace, before_ns))
            if pack is None:
                return
            used = 0
            for first in range(0, len(pack.shifts), REAP_BATCH):
                some = pack.shifts[first : first + REAP_BATCH]
                used += await self._writer.change(partial(self._shift, filespace, pack.as_new(), some))
            if not used:  # all of it was changed meanwhile
                await self._deleter.delete([_name(filespace, pack.id)])
                return
            yield used

    def _filespaces(self) -> list[int]:
        with self._database.read() as tx:
            return tx.object_filespaces()

    def _put(self, filespace: int, before_ns: int) -> Pack | None:
        """Gather a pack and put it; None when that is not worth it."""
        pack = Pack(self._fresh_id())
        with self._database.read() as tx:
            plan = Plan(tx, filespace, before_ns, self._damaged)
            if plan.gain < self._gain_bytes:
                return None
            plan.take_from_database(pack)
        for row, users in plan.sparse:
            try:
                pack.add_object(users, partial(self._store.get, _name(filespace, row.id)))
            except (FileNotFoundError, EOFError):
                log.exception("object %016x of filespace %016x cannot be packed anew", row.id, filespace)
                self._damaged.add(row.id)
        if not pack.size:
            return None
        put_and_compare(self._store, _name(filespace, pack.id), pack.body())
        return pack

    def _shift(self, filespace: int, pack: NewObject, shifts: list[Shift], tx: Tx) -> int:
        return shift(tx, filespace, pack, shifts, self._clock.now_ns())


def _name(filespace: int, object: int) -> ObjectName:
    return ObjectName(FilespaceId(filespace), ObjectId(object))
