"""The object store and its gateway under faults: errors before and after the deed, slow and torn bodies.

`put` stays all or nothing, as the contract of stores says: a torn body fails and leaves nothing behind, and an error
"after" is one whose answer was lost: the object is there. Faults are drawn for each attempt, under the engine's own
retries, which must hide all that pass.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lucidfs.hub.database.base import Database
from lucidfs.objects.base import ObjectName, ObjectStat
from lucidfs.objects.memory import MemoryStore
from lucidfs.testing.sim.workers import pause
from lucidfs.types import FilespaceId


class Weather:
    """How the store is at the moment. Shared by all its faces.

    Attributes:
        error: chance that an attempt fails.
        slow: chance that one takes long.
        slow_s: how long.
    """

    def __init__(self) -> None:
        self.error = 0.0
        self.slow = 0.0
        self.slow_s = 5.0


class SimGateway:
    """What one client sees of the store: the hub's gateway, with the objects that stand in the hub's database.

    Args:
        store: the objects.
        weather: its faults.
        rng: of this client.
        database: the serving hub's, None while there is none (then nothing answers).
    """

    def __init__(
        self, store: MemoryStore, weather: Weather, rng: random.Random, database: Callable[[], Database | None]
    ) -> None:
        self._store = store
        self._weather = weather
        self._rng = rng
        self._database = database

    def put(self, name: ObjectName, data: bytes | bytearray | memoryview | list[bytes]) -> None:
        body = b"".join(data) if isinstance(data, list) else bytes(data)  # taken now, as a socket would
        self._travel()
        if self._fails():
            if self._rng.random() < 0.5:
                self._store.put(name, body)
            raise ConnectionResetError("simulated: the upload broke off")
        self._check_hub()
        self._store.put(name, body)

    def get(self, name: ObjectName, offset: int, length: int) -> bytes:
        self._travel()
        if self._fails():
            raise TimeoutError("simulated: the download broke off")
        with self._check_hub().read() as tx:
            held = tx.object_data(name.object)
        if held is None:
            return self._store.get(name, offset, length)
        if len(held) < offset + length:
            raise EOFError("simulated: the object ends before the range does")
        return held[offset : offset + length]

    def delete(self, name: ObjectName) -> None:
        raise AssertionError("clients delete nothing")

    def list(self, filespace: FilespaceId) -> Iterator[ObjectStat]:
        raise AssertionError("clients list nothing")

    def close(self) -> None:
        """Nothing to let go of."""

    def _travel(self) -> None:
        slow = self._rng.random() < self._weather.slow
        pause(self._rng.uniform(0.0, self._weather.slow_s) if slow else self._rng.uniform(0.0005, 0.02))

    def _fails(self) -> bool:
        return self._rng.random() < self._weather.error

    def _check_hub(self) -> Database:
        database = self._database()
        if database is None:
            raise ConnectionRefusedError("simulated: no hub, no gateway")
        return database


class HubStore:
    """The store as the hub uses it: every call fails now and then, what changes something before or after the deed.

    Args:
        store: the objects.
        weather: its faults.
        rng: of the hub.
    """

    def __init__(self, store: MemoryStore, weather: Weather, rng: random.Random) -> None:
        self._store = store
        self._weather = weather
        self._rng = rng

    def put(self, name: ObjectName, data: bytes | bytearray | memoryview | list[bytes]) -> None:
        with self._trouble():
            self._store.put(name, data)

    def get(self, name: ObjectName, offset: int, length: int) -> bytes:
        with self._trouble():
            return self._store.get(name, offset, length)

    def delete(self, name: ObjectName) -> None:
        with self._trouble():
            self._store.delete(name)

    def list(self, filespace: FilespaceId) -> Iterator[ObjectStat]:
        return self._store.list(filespace)

    def close(self) -> None:
        """Nothing to let go of."""

    @contextmanager
    def _trouble(self) -> Iterator[None]:
        fails = self._rng.random() < self._weather.error
        if fails and self._rng.random() < 0.5:
            raise OSError("simulated: the store did not answer")
        yield
        if fails:
            raise OSError("simulated: the answer of the store was lost")
