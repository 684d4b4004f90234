"""Moving bodies: a grant on the loop, then everything else in one go in a worker thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from lucidfs.engine.workers import Runner
from lucidfs.errors import Code, Fault
from lucidfs.objects.base import ObjectName, ObjectStore
from lucidfs.types import FilespaceId, ObjectId

T = TypeVar("T")


class Permits(Protocol):
    """What opens a store to this client; see `engine.grants.Grants`."""

    @property
    def optional(self) -> bool: ...

    async def need(self, objects: Iterable[int], *, put: bool = False) -> None: ...

    def drop(self, object: int, *, put: bool = False) -> None: ...

    def size(self, object: int) -> int: ...


class Bodies:
    """The object store as the engine uses it.

    Args:
        store: already composed with its retries.
        filespace: whose objects.
        workers: run the transfers.
        grants: None when the store needs none.
    """

    def __init__(self, store: ObjectStore, filespace: int, workers: Runner, grants: Permits | None = None) -> None:
        self._store = store
        self._filespace = FilespaceId(filespace)
        self._workers = workers
        self._grants = grants

    @property
    def nearby(self) -> bool:
        """Whether bodies stand on a disk of this machine."""
        return self._grants is not None and self._grants.optional

    async def put(self, object: int, make: Callable[[], bytes | memoryview]) -> None:
        """Store what `make` returns (called in the worker, again if the transfer is repeated).

        Raises:
            Fault: UNAVAILABLE when the store cannot take it, EXISTS when the number is taken by other bytes.
        """
        name = self._name(object)

        def work() -> None:
            body = make()
            with _store_faults():
                self._store.put(name, body)

        await self._granted(object, True, work)
        if self._grants is not None:
            self._grants.drop(object, put=True)

    async def get(self, object: int, offset: int, length: int, then: Callable[[bytes], T]) -> T:
        """Fetch bytes [offset, offset + length) and return `then(bytes)`, all in one worker.

        Raises:
            Fault: NOT_FOUND when the object is gone, CORRUPT when it is shorter than that, UNAVAILABLE.
        """
        name = self._name(object)

        def work() -> T:
            with _store_faults():
                body = self._store.get(name, offset, length)
            return then(body)

        return await self._granted(object, False, work)

    async def size(self, object: int) -> int:
        """Bytes of an object, as its grant tells; 0: not known. Raises Fault: the hub's refusal."""
        if self._grants is None or self._grants.optional:
            return 0
        await self._grants.need([object])
        return self._grants.size(object)

    async def run(self, fn: Callable[..., T], *args: Any) -> T:
        """Work in a worker that needs no store."""
        return await self._workers.run(fn, *args)

    async def _granted(self, object: int, put: bool, work: Callable[[], T]) -> T:
        """Run a transfer with a grant; once more with a fresh one when the store says that it has ended."""
        if self._grants is None:
            return await self._workers.run(work)
        if not self._grants.optional:
            await self._grants.need([object], put=put)
        try:
            return await self._workers.run(work)
        except Fault as fault:
            if fault.code is not Code.DENIED:
                raise
        self._grants.drop(object, put=put)
        await self._grants.need([object], put=put)
        if put:  # what a lost reply left open is found out by reading
            await self._grants.need([object])
        return await self._workers.run(work)

    def _name(self, object: int) -> ObjectName:
        return ObjectName(self._filespace, ObjectId(object))


@contextmanager
def _store_faults() -> Iterator[None]:
    """The store's builtin exceptions as faults."""
    try:
        yield
    except FileNotFoundError:
        raise Fault(Code.NOT_FOUND, "an object is missing in the store") from None
    except FileExistsError:
        raise Fault(Code.EXISTS, "an object's number is taken in the store") from None
    except EOFError:
        raise Fault(Code.CORRUPT, "an object in the store is shorter than it was") from None
    except OSError as error:
        raise Fault(Code.UNAVAILABLE, f"the object store does not answer: {error}") from error
