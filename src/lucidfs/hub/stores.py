"""The objects of all filespaces behind one `ObjectStore`: each in the hub's folder or in a bucket.

The database decides, at every call; what was made for a row is kept as long as the row stays the same. No request at
a bucket is repeated for longer than STORE_DEADLINE_HUB_S: cleaning comes again, and clients go to the bucket directly.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import NamedTuple

from lucidfs.clock import Clock
from lucidfs.errors import Code, Fault
from lucidfs.hub.database.base import Database, StoreRow
from lucidfs.hub.outside import check_address
from lucidfs.hub.secrets import Secrets
from lucidfs.limits import STORE_DEADLINE_HUB_S
from lucidfs.objects.base import ObjectName, ObjectStat, ObjectStore, Tidied
from lucidfs.objects.http import Body, Http
from lucidfs.objects.s3.bucket import S3Bucket, S3Keys
from lucidfs.objects.s3.client import S3Client
from lucidfs.objects.s3.store import S3Store
from lucidfs.objects.wrappers import wrap_store
from lucidfs.types import FilespaceId, id_text

Rows = Callable[[int], StoreRow | None]


class Far(NamedTuple):
    """One filespace's bucket: `bare` signs URLs and tells strangers, `store` is what the hub itself works with."""

    row: StoreRow
    bare: S3Store
    store: ObjectStore


class Stores:
    """An `ObjectStore` that finds, for each filespace, the one that has its objects.

    Args:
        local: the hub's own; closed by whoever made it.
        rows: looks a filespace's row up; called in any thread.
        secrets: opens the keys of buckets; None: no bucket can be used.
        clock: for signatures and deadlines.
        random: source of random bytes, for jitter.
        allow_private: buckets may be at addresses that are not public.
    """

    def __init__(
        self,
        local: ObjectStore,
        rows: Rows,
        *,
        secrets: Secrets | None,
        clock: Clock,
        random: Callable[[int], bytes],
        allow_private: bool = False,
    ) -> None:
        self.local = local
        self._rows = rows
        self._secrets = secrets
        self._clock = clock
        self._random = random
        self._ending = threading.Event()  # ends the pauses between attempts
        self._http = Http(check_address=None if allow_private else check_address)
        self._lock = threading.Lock()
        self._far: dict[int, Far] = {}  # guarded by _lock

    def far(self, filespace: int) -> Far | None:
        """The bucket of a filespace; None: its objects are in the hub's own store.

        Raises:
            Fault: CORRUPT when its secret does not open.
        """
        return self.at(self._rows(filespace), filespace)

    def at(self, row: StoreRow | None, filespace: int) -> Far | None:
        """The same for a row that was just read."""
        with self._lock:
            known = self._far.get(filespace)
            if known is None and row is None:
                return None
            if known is not None and known.row == row:
                return known
            self._far.pop(filespace, None)
            if row is None:
                return None
            made = self._far[filespace] = self._open(row)
            return made

    def put(self, name: ObjectName, data: Body) -> None:
        self._of(name.filespace).put(name, data)

    def get(self, name: ObjectName, offset: int, length: int) -> bytes:
        return self._of(name.filespace).get(name, offset, length)

    def delete(self, name: ObjectName) -> None:
        self._of(name.filespace).delete(name)

    def list(self, filespace: FilespaceId) -> Iterator[ObjectStat]:
        return self._of(filespace).list(filespace)

    def remove_unfinished(self, before_ns: int) -> int:
        """See `Tidied`; a bucket never shows half an upload."""
        return self.local.remove_unfinished(before_ns) if isinstance(self.local, Tidied) else 0

    def close(self) -> None:
        """End what is being repeated at buckets, and their connections; the local store stays open."""
        self._ending.set()
        with self._lock:
            for far in self._far.values():
                far.store.close()
            self._far.clear()
        self._http.close()

    def _of(self, filespace: int) -> ObjectStore:
        far = self.far(filespace)
        return self.local if far is None else far.store

    def _open(self, row: StoreRow) -> Far:
        if self._secrets is None:
            raise Fault(Code.CORRUPT, f"the keys of s3://{row.bucket} cannot be opened: the hub's secrets are missing")
        keys = S3Keys(row.access_key, self._secrets.open(row.sealed_secret, secret_place(row.filespace)))
        bare = S3Store(S3Client(bucket_of(row), keys, self._clock, self._http), row.prefix, self._http)
        wrapped = wrap_store(
            bare, clock=self._clock, random=self._random, sleep=self._ending.wait, deadline_s=STORE_DEADLINE_HUB_S
        )
        return Far(row, bare, wrapped)


def rows_of(database: Database) -> Rows:
    """Looks rows up in a database that may be written meanwhile."""

    def look_up(filespace: int) -> StoreRow | None:
        with database.read() as tx:
            return tx.object_store(filespace)

    return look_up


def secret_place(filespace: int) -> str:
    """What a bucket's secret is sealed for: it opens for no other filespace."""
    return f"object store of {id_text(filespace)}"


def bucket_of(row: StoreRow) -> S3Bucket:
    """Where a row says that the objects are."""
    return S3Bucket(row.bucket, row.region, row.endpoint, row.virtual)
