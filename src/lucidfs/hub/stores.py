"""The objects of all filespaces behind one `ObjectStore`: each in the hub's folder, in a bucket, or on the way.

The database decides, at every call; what was made for a row is kept as long as the row stays the same. No request at
a bucket is repeated for longer than HUB_STORE_DEADLINE_S: cleaning comes again, and clients go to the bucket directly.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import NamedTuple

from lucidfs.clock import Clock
from lucidfs.errors import Code, Fault
from lucidfs.hub.database.base import Database, MoveRow, ObjectStoreRow, Tx
from lucidfs.hub.secrets import Secrets
from lucidfs.limits import BUCKETS_OPEN_MAX, GRANT_S, HUB_STORE_DEADLINE_S, SIGNED_BACKDATE_S
from lucidfs.objects.addresses import check_literal
from lucidfs.objects.base import ObjectName, ObjectStat, ObjectStore, Tidied
from lucidfs.objects.http import Body, Http
from lucidfs.objects.s3.bucket import S3Bucket, S3Keys
from lucidfs.objects.s3.client import S3Client
from lucidfs.objects.s3.sigv4 import presign
from lucidfs.objects.s3.store import S3Store
from lucidfs.objects.wrappers import is_passing, wrap_store
from lucidfs.types import FilespaceId


class Where(NamedTuple):
    """Where a filespace's objects are, and where else while they are moved."""

    store: ObjectStoreRow | None  # None: the hub's own
    move: MoveRow | None = None

    @property
    def moving(self) -> bool:
        """Whether objects are in two places: put to the other one, read from both."""
        return self.move is not None and not self.move.switched_ns

    @property
    def places(self) -> tuple[ObjectStoreRow | None, ...]:
        """All places that have objects; None: the hub's own."""
        return (self.store, self.put_to) if self.moving else (self.store,)

    @property
    def put_to(self) -> ObjectStoreRow | None:
        """The place that new objects go to; None: the hub's own."""
        return self.move.place if self.move is not None and self.moving else self.store


Look = Callable[[int], Where]


class Bucket(NamedTuple):
    """A filespace's bucket: its store as the hub uses it, and what signs for clients."""

    store: ObjectStore
    s3: S3Store
    where: S3Bucket
    keys: S3Keys


class Stores:
    """An `ObjectStore` that finds, for each filespace, the place that has its objects. Thread-safe.

    Args:
        local: the hub's own; closed by whoever made it.
        look: tells where a filespace's objects are; called in any thread.
        secrets: opens the keys of buckets; None: no bucket can be used.
        clock, random: for signatures and retries.
        private: buckets may be at addresses of private networks.
    """

    def __init__(
        self,
        local: ObjectStore,
        look: Look,
        secrets: Secrets | None,
        *,
        clock: Clock,
        random: Callable[[int], bytes],
        private: bool,
    ) -> None:
        self.local = local
        self._look = look
        self._secrets = secrets
        self._clock = clock
        self._random = random
        self._http = Http(check_address=None if private else check_literal)
        self._ending = threading.Event()  # ends the pauses between attempts
        self._lock = threading.Lock()
        self._open: OrderedDict[ObjectStoreRow, Bucket] = OrderedDict()  # guarded by _lock; the last used at the end

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
        """End what is being repeated at buckets, and their connections; the local store stays open."""
        self._ending.set()
        self._http.close()

    def is_local(self, filespace: int) -> bool:
        """Whether a filespace's objects are in the hub's own store, and nowhere else."""
        where = self._look(filespace)
        return where.store is None and not where.moving

    def at(self, row: ObjectStoreRow | None) -> ObjectStore:
        """The store at one place; None: the hub's own. Raises Fault: CORRUPT, UNSUPPORTED when its keys do not open."""
        return self.local if row is None else self._bucket(row).store

    def url(self, row: ObjectStoreRow, method: str, name: ObjectName) -> tuple[str, int]:
        """A signed URL for an object in a bucket, and when it ends (ns). Raises as `at`."""
        bucket = self._bucket(row)
        signed_s, life_s = self._clock.now_ns() // 10**9 - SIGNED_BACKDATE_S, int(GRANT_S) + SIGNED_BACKDATE_S
        key = bucket.s3.key(name)
        url = presign(bucket.where, bucket.keys, method, key, now_s=signed_s, expires_s=life_s)
        return url, (signed_s + life_s) * 10**9

    def _of(self, filespace: int) -> ObjectStore:
        where = self._look(filespace)
        old = self.at(where.store)
        return Moving(old, self.at(where.put_to)) if where.moving else old

    def _bucket(self, row: ObjectStoreRow) -> Bucket:
        with self._lock:
            known = self._open.get(row)
            if known is None:
                known = self._open[row] = self._opened(row)
            self._open.move_to_end(row)
            while len(self._open) > BUCKETS_OPEN_MAX:
                self._open.popitem(last=False)
            return known

    def _opened(self, row: ObjectStoreRow) -> Bucket:
        if self._secrets is None:
            raise Fault(
                Code.UNSUPPORTED, "the key of the hub's secrets is missing, so it cannot use a filespace's bucket"
            )
        keys = S3Keys(row.access_key, self._secrets.open(row.sealed_secret, place_of(row.filespace)))
        where = S3Bucket(row.bucket, row.region, row.endpoint, row.virtual)
        s3 = S3Store(S3Client(where, keys, self._clock, self._http), row.prefix, self._http)
        store = wrap_store(
            s3, clock=self._clock, random=self._random, sleep=self._ending.wait, deadline_s=HUB_STORE_DEADLINE_S
        )
        return Bucket(store, s3, where, keys)


class Moving:
    """The `ObjectStore` of a filespace whose objects go to another place: each is in one of them, or in both.

    Args:
        old: where they were; nothing is put there any more.
        new: where they go.
    """

    def __init__(self, old: ObjectStore, new: ObjectStore) -> None:
        self._old = old
        self._new = new

    def put(self, name: ObjectName, data: Body) -> None:
        self._new.put(name, data)

    def get(self, name: ObjectName, offset: int, length: int) -> bytes:
        try:
            return self._new.get(name, offset, length)
        except FileNotFoundError:
            return self._old.get(name, offset, length)
        except (OSError, Fault) as error:
            if not is_passing(error):
                raise
            try:
                return self._old.get(name, offset, length)  # the new place is away; what is not copied yet is here
            except (OSError, EOFError, Fault):
                raise error from None

    def delete(self, name: ObjectName) -> None:
        self._old.delete(name)  # first: what is not there is not copied again
        self._new.delete(name)

    def list(self, filespace: FilespaceId) -> Iterator[ObjectStat]:
        copied: set[int] = set()  # told once, though they are in both
        for stat in self._new.list(filespace):
            copied.add(stat.name.object)
            yield stat
        yield from (stat for stat in self._old.list(filespace) if stat.name.object not in copied)

    def close(self) -> None:
        """Both are closed by whoever opened them."""


def where_of(tx: Tx, filespace: int) -> Where:
    """Where a filespace's objects are, in one snapshot."""
    return Where(tx.object_store(filespace), tx.object_move(filespace))


def put_and_compare(store: ObjectStore, name: ObjectName, body: bytes) -> None:
    """Put an object and read it back, where that is the last copy of something.

    Raises:
        Fault: CORRUPT when other bytes come back; and what the store raises.
    """
    store.put(name, body)
    if store.get(name, 0, len(body)) != body:
        raise Fault(Code.CORRUPT, f"object {name.object:016x} came back with other bytes than were put")


def set_place(filespace: int, place: ObjectStoreRow | None, tx: Tx) -> None:
    """From now on a filespace's objects are there."""
    if place is None:
        tx.delete_object_store(filespace)
    else:
        tx.put_object_store(place)


def looking_into(database: Database) -> Look:
    """Looks it up in a database that may be written meanwhile."""

    def look(filespace: int) -> Where:
        with database.read() as tx:
            return where_of(tx, filespace)

    return look


def place_of(filespace: int) -> str:
    """Where the secret of a filespace's bucket is sealed for."""
    return f"object store of filespace {filespace:016x}"


def shown_place(row: ObjectStoreRow | None) -> str:
    """Where objects are, for people: `s3://bucket/prefix`, or empty for the hub's own folder."""
    return "" if row is None else f"s3://{row.bucket}/{row.prefix}"
