"""Where the hub keeps objects: its own folder, or for some filespaces a bucket of theirs. One `ObjectStore` for all.

Which one it is was decided when the filespace was made, so it is looked up once for each filespace.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import NamedTuple

from lucidfs.clock import Clock
from lucidfs.errors import Code, Fault
from lucidfs.hub.database.base import Database, ObjectStoreRow, Tx
from lucidfs.hub.secrets import Secrets
from lucidfs.limits import GRANT_S, HUB_STORE_DEADLINE_S, SIGNED_BACKDATE_S
from lucidfs.objects.base import ObjectName, ObjectStat, ObjectStore, Tidied
from lucidfs.objects.http import Body, Http
from lucidfs.objects.s3.bucket import S3Bucket, S3Keys
from lucidfs.objects.s3.client import S3Client
from lucidfs.objects.s3.sigv4 import presign
from lucidfs.objects.s3.store import S3Store
from lucidfs.objects.wrappers import wrap_store
from lucidfs.types import FilespaceId


class Bucket(NamedTuple):
    """A filespace's bucket: its store as the hub uses it, and what signs for clients."""

    store: ObjectStore
    s3: S3Store
    where: S3Bucket
    keys: S3Keys


class Stores:
    """An `ObjectStore` that knows which store a filespace's objects are in. Thread-safe.

    Args:
        local: the hub's own.
        database: asked for each filespace once.
        secrets: opens the keys of buckets; None: there are none.
        clock, random: for signatures and retries.
    """

    def __init__(
        self,
        local: ObjectStore,
        database: Database,
        secrets: Secrets | None,
        *,
        clock: Clock,
        random: Callable[[int], bytes],
    ) -> None:
        self.local = local
        self._database = database
        self._secrets = secrets
        self._clock = clock
        self._random = random
        self._known: dict[int, Bucket | None] = {}
        self._ending = threading.Event()  # ends the pauses between attempts

    def put(self, name: ObjectName, data: Body) -> None:
        self._of(name.filespace).put(name, data)

    def get(self, name: ObjectName, offset: int, length: int) -> bytes:
        return self._of(name.filespace).get(name, offset, length)

    def delete(self, name: ObjectName) -> None:
        self._of(name.filespace).delete(name)

    def list(self, filespace: FilespaceId) -> Iterator[ObjectStat]:
        return self._of(filespace).list(filespace)

    def remove_unfinished(self, before_ns: int) -> int:
        """See `Tidied`; a bucket has no unfinished objects."""
        return self.local.remove_unfinished(before_ns) if isinstance(self.local, Tidied) else 0

    def close(self) -> None:
        """Close the connections to buckets; the local store is its maker's to close."""
        self._ending.set()
        for bucket in list(self._known.values()):
            if bucket is not None:
                bucket.store.close()

    def in_bucket(self, filespace: int) -> bool:
        """Whether a filespace's objects are in a bucket."""
        return self._bucket(filespace) is not None

    def url(self, method: str, name: ObjectName) -> tuple[str, int]:
        """A signed URL for an object of a filespace that is in a bucket, and when it ends (ns).

        Raises:
            Fault: CORRUPT when its keys do not open.
        """
        bucket = self._bucket(name.filespace)
        assert bucket is not None, "only buckets are signed for"
        signed_s, life_s = self._clock.now_ns() // 10**9 - SIGNED_BACKDATE_S, int(GRANT_S) + SIGNED_BACKDATE_S
        key = bucket.s3.key(name)
        url = presign(bucket.where, bucket.keys, method, key, now_s=signed_s, expires_s=life_s)
        return url, (signed_s + life_s) * 10**9

    def _of(self, filespace: int) -> ObjectStore:
        bucket = self._bucket(filespace)
        return self.local if bucket is None else bucket.store

    def _bucket(self, filespace: int) -> Bucket | None:
        if filespace not in self._known:
            with self._database.read() as tx:
                row, there = tx.object_store(filespace), tx.filespace(filespace) is not None
            bucket = None if row is None else self._opened(row)
            if not there and bucket is None:
                return None  # one that is not made yet is asked for again
            self._known[filespace] = bucket
        return self._known[filespace]

    def _opened(self, row: ObjectStoreRow) -> Bucket:
        return open_bucket(row, self._secrets, clock=self._clock, random=self._random, sleep=self._ending.wait)


def open_bucket(
    row: ObjectStoreRow,
    secrets: Secrets | None,
    *,
    clock: Clock,
    random: Callable[[int], bytes],
    sleep: Callable[[float], object],
) -> Bucket:
    """A filespace's bucket, not asked anything yet. Raises Fault: CORRUPT, UNSUPPORTED when its keys do not open."""
    if secrets is None:
        raise Fault(Code.UNSUPPORTED, "this hub keeps no secrets, so it cannot use a filespace's bucket")
    keys = S3Keys(row.access_key, secrets.open(row.sealed_secret, place_of(row.filespace)))
    where = S3Bucket(row.bucket, row.region, row.endpoint, row.virtual)
    http = Http()
    s3 = S3Store(S3Client(where, keys, clock, http), row.prefix, http)
    store = wrap_store(s3, clock=clock, random=random, sleep=sleep, deadline_s=HUB_STORE_DEADLINE_S)
    return Bucket(store, s3, where, keys)


def place_of(filespace: int) -> str:
    """Where the secret of a filespace's bucket is sealed for."""
    return f"object store of filespace {filespace:016x}"


def shown_store(tx: Tx, filespace: int) -> str:
    """Where a filespace's objects are, for people: `s3://bucket/prefix`, or empty for the hub's own folder."""
    row = tx.object_store(filespace)
    return "" if row is None else f"s3://{row.bucket}/{row.prefix}"
