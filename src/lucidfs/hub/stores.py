"""The objects of all filespaces behind one `ObjectStore`: each in the hub's folder or in a bucket.

The database decides, at every call; what was made for a row is kept as long as the row stays the same. No request at
a bucket is repeated for longer than STORE_DEADLINE_HUB_S: cleaning comes again, and clients go to the bucket directly.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import NamedTuple

from lucidfs.clock import Clock
from lucidfs.errors import Code, Fault
from lucidfs.hub.database.base import Database, MoveRow, StoreRow, Tx
from lucidfs.hub.outside import check_address
from lucidfs.hub.secrets import Secrets
from lucidfs.limits import BUCKETS_OPEN_MAX, STORE_DEADLINE_HUB_S
from lucidfs.objects.base import ObjectName, ObjectStat, ObjectStore, Tidied
from lucidfs.objects.http import Body, Http
from lucidfs.objects.s3.bucket import S3Bucket, S3Keys
from lucidfs.objects.s3.client import S3Client
from lucidfs.objects.s3.store import S3Store
from lucidfs.objects.wrappers import is_passing, wrap_store
from lucidfs.types import FilespaceId, id_text


class Where(NamedTuple):
    """Where a filespace's objects are, and where else while they are moved."""

    store: StoreRow | None  # None: the hub's own
    move: MoveRow | None = None

    @property
    def moving(self) -> bool:
        """Whether objects are in two places: put to the other one, read from both."""
        return self.move is not None and not self.move.switched_ns


Look = Callable[[int], Where]


class Far(NamedTuple):
    """One filespace's bucket: `bare` signs URLs and tells strangers, `store` is what the hub itself works with."""

    bare: S3Store
    store: ObjectStore


class Stores:
    """An `ObjectStore` that finds, for each filespace, the one that has its objects.

    Args:
        local: the hub's own; closed by whoever made it.
        look: tells where a filespace's objects are; called in any thread.
        secrets: opens the keys of buckets; None: no bucket can be used.
        clock: for signatures and deadlines.
        random: source of random bytes, for jitter.
        allow_private: buckets may be at addresses that are not public.
    """

    def __init__(
        self,
        local: ObjectStore,
        look: Look,
        *,
        secrets: Secrets | None,
        clock: Clock,
        random: Callable[[int], bytes],
        allow_private: bool = False,
    ) -> None:
        self.local = local
        self._look = look
        self._secrets = secrets
        self._clock = clock
        self._random = random
        self._ending = threading.Event()  # ends the pauses between attempts
        self._http = Http(check_address=None if allow_private else check_address)
        self._lock = threading.Lock()
        self._open: OrderedDict[StoreRow, Far] = OrderedDict()  # guarded by _lock; the one used last is at the end

    def far(self, row: StoreRow) -> Far:
        """The bucket of a row. Raises Fault(CORRUPT) when its secret does not open."""
        with self._lock:
            known = self._open.get(row)
            if known is None:
                known = self._open[row] = self._make(row)
            self._open.move_to_end(row)
            while len(self._open) > BUCKETS_OPEN_MAX:
                self._open.popitem(last=False)
            return known

    def at(self, row: StoreRow | None) -> ObjectStore:
        """The store at one place; None: the hub's own."""
        return self.local if row is None else self.far(row).store

    def put(self, name: ObjectName, data: Body) -> None:
        self._of(name.filespace).put(name, data)

    def get(self, name: ObjectName, offset: int, length: int) -> bytes:
        return self._of(name.filespace).get(name, offset, length)

    def delete(self, name: ObjectName) -> None:
        self._of(name.filespace).delete(name)

    def list(self, filespace: FilespaceId) -> Iterator[ObjectStat]:
        return self._of(filespace).list(filespace)

    def strangers(self, filespace: FilespaceId) -> Iterator[str]:
        """Keys in a filespace's buckets that are no objects."""
        where = self._look(filespace)
        for row in (where.store, where.move.place if where.move is not None else None):
            if row is not None:
                yield from self.far(row).bare.strangers(filespace)

    def remove_unfinished(self, before_ns: int) -> int:
        """See `Tidied`; a bucket never shows half an upload."""
        return self.local.remove_unfinished(before_ns) if isinstance(self.local, Tidied) else 0

    def close(self) -> None:
        """End what is being repeated at buckets, and their connections; the local store stays open."""
        self._ending.set()
        with self._lock:
            for far in self._open.values():
                far.store.close()
            self._open.clear()
        self._http.close()

    def _of(self, filespace: int) -> ObjectStore:
        where = self._look(filespace)
        store = self.at(where.store)
        return Moving(store, self.at(where.move.place)) if where.moving and where.move is not None else store

    def _make(self, row: StoreRow) -> Far:
        if self._secrets is None:
            raise Fault(Code.CORRUPT, f"the keys of s3://{row.bucket} cannot be opened: the hub's secrets are missing")
        keys = S3Keys(row.access_key, self._secrets.open(row.sealed_secret, secret_place(row.filespace)))
        bare = S3Store(S3Client(bucket_of(row), keys, self._clock, self._http), row.prefix, self._http)
        wrapped = wrap_store(
            bare, clock=self._clock, random=self._random, sleep=self._ending.wait, deadline_s=STORE_DEADLINE_HUB_S
        )
        return Far(bare, wrapped)


class Moving:
    """The `ObjectStore` of a filespace whose objects go from one place to another: each is in one of them, or in both.

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


def looking_into(database: Database) -> Look:
    """Looks it up in a database that may be written meanwhile."""

    def look(filespace: int) -> Where:
        with database.read() as tx:
            return where_of(tx, filespace)

    return look


def secret_place(filespace: int) -> str:
    """What a bucket's secret is sealed for: it opens for no other filespace."""
    return f"object store of {id_text(filespace)}"


def bucket_of(row: StoreRow) -> S3Bucket:
    """Where a row says that the objects are."""
    return S3Bucket(row.bucket, row.region, row.endpoint, row.virtual)
