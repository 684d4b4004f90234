"""Where a hub may put the objects of filespaces: places that accounts name, tried before anything is written down."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from lucidfs.clock import Clock
from lucidfs.errors import Code, Fault
from lucidfs.hub.database.base import Database, StoreRow
from lucidfs.hub.probing import check_apart, tried_store
from lucidfs.hub.secrets import Secrets
from lucidfs.hub.stores import Stores, where_of
from lucidfs.limits import STORE_PROBE_S
from lucidfs.wire.management import NewStore

T = TypeVar("T")


class Places:
    """Tries places in threads; on the hub's loop.

    Args:
        database, stores: of the hub.
        secrets: seals the keys of buckets; None: this hub has no buckets.
        clock: for signatures.
        random: source of random bytes.
        allow_private: addresses that are not public may be used.
    """

    def __init__(
        self,
        database: Database,
        stores: Stores,
        secrets: Secrets | None,
        *,
        clock: Clock,
        random: Callable[[int], bytes],
        allow_private: bool,
    ) -> None:
        self._database = database
        self._stores = stores
        self._secrets = secrets
        self._clock = clock
        self._random = random
        self._allow_private = allow_private

    def is_near(self, filespace: int) -> bool:
        """Whether a filespace has all of its objects in the hub's own store."""
        with self._database.read() as tx:
            where = where_of(tx, filespace)
        return where.store is None and not where.moving

    async def tried(self, filespace: int, wanted: NewStore) -> StoreRow:
        """The row for a filespace's bucket, not stored yet. Raises as `probing.tried_store`."""
        if self._secrets is None:
            raise Fault(Code.INVALID, "this hub keeps no secrets, so that it can have no objects in buckets")
        work = partial(
            tried_store,
            filespace,
            wanted,
            secrets=self._secrets,
            clock=self._clock,
            random=self._random,
            allow_private=self._allow_private,
        )
        return await _in_time(work, f"the bucket s3://{wanted.bucket}")

    async def tried_move(self, filespace: int, wanted: NewStore | None) -> StoreRow | None:
        """The same for where its objects shall go; None: to the hub's own store.

        Raises:
            Fault: as `tried`, and INVALID when that is where they are, under whatever address.
        """
        row = None if wanted is None else await self.tried(filespace, wanted)
        with self._database.read() as tx:
            here = tx.object_store(filespace)
        number = int.from_bytes(self._random(8), "big") >> 1 or 1
        work = partial(check_apart, self._stores.at(here), self._stores.at(row), filespace, number)
        await _in_time(work, "one of the two places")
        return row


async def _in_time(work: Callable[[], T], what: str) -> T:
    try:
        return await asyncio.wait_for(asyncio.to_thread(work), STORE_PROBE_S)
    except asyncio.TimeoutError:
        raise Fault(Code.INVALID, f"{what} does not answer in time") from None
