"""The `ObjectStore` waist: immutable bytes under an id. Synchronous (called from worker threads), thread-safe.

Contract, held by the suite in `lucidfs.testing.store_suite`:
- `put` is all or nothing and durable (fsync or the store's own promise) when it returns. Putting the same bytes
  again succeeds; other bytes under the same id: FileExistsError. So a put may be repeated after a lost reply.
- `get` returns exactly `length` bytes of [offset, offset + length), or raises: FileNotFoundError (permanent), EOFError
  (the object ends before the range does: truncated, permanent), OSError (passing unless `Fault` says otherwise).
- `delete` of what is not there succeeds.
- Nothing is retried here; `objects.wrappers` retries.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol, runtime_checkable

from lucidfs.types import FilespaceId, ObjectId


class ObjectName(NamedTuple):
    """An object's address: ids only, so it tells nothing."""

    filespace: FilespaceId
    object: ObjectId


class ObjectStat(NamedTuple):
    """One stored object, as a listing tells it."""

    name: ObjectName
    size: int
    mtime_ns: int


class ObjectStore(Protocol):
    def put(self, name: ObjectName, data: bytes | bytearray | memoryview | list[bytes]) -> None: ...

    def get(self, name: ObjectName, offset: int, length: int) -> bytes: ...

    def delete(self, name: ObjectName) -> None: ...

    def list(self, filespace: FilespaceId) -> Iterator[ObjectStat]: ...

    def close(self) -> None: ...


@runtime_checkable
class Tidied(Protocol):
    """A store in which a crash can leave unfinished puts behind."""

    def remove_unfinished(self, before_ns: int) -> int:
        """Delete those that were begun before; how many they were."""
        ...
