"""What stands between a store and its user: limit, retry, meter. Each is an `ObjectStore` around another.

Composed in one place, from the store outwards:

    store → below → Limited → Retrying → above → Metered → user

`below` and `above` are where tests put faults: under the retries, which must hide them, and over them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

from lucidfs.clock import Clock
from lucidfs.errors import Code, Fault
from lucidfs.limits import RETRY_FIRST_S, RETRY_MAX_S, STORE_DEADLINE_S, STORE_REQUESTS_MAX
from lucidfs.objects.base import ObjectName, ObjectStat, ObjectStore
from lucidfs.types import FilespaceId

Result = TypeVar("Result")
Wrapper = Callable[[ObjectStore], ObjectStore]


def wrap_store(
    store: ObjectStore,
    *,
    clock: Clock,
    random: Callable[[int], bytes],
    sleep: Callable[[float], object],
    requests_max: int = STORE_REQUESTS_MAX,
    deadline_s: float = STORE_DEADLINE_S,
    below: Wrapper = lambda store: store,
    above: Wrapper = lambda store: store,
) -> Metered:
    """A store as the engine and the hub use it.

    Args:
        store: the bare one; closed with what is returned.
        clock: for the deadline.
        random: source of random bytes, for jitter.
        sleep: waits that many seconds in the calling thread.
        requests_max: requests at the store at one time.
        deadline_s: how long passing errors are retried.
        below, above: test hooks under and over the retries.
    """
    limited = Limited(below(store), requests_max)
    return Metered(above(Retrying(limited, clock=clock, random=random, sleep=sleep, deadline_s=deadline_s)))


def is_passing(error: Exception) -> bool:
    """Whether the same call to a store may succeed later: the one place that decides it."""
    if isinstance(error, Fault):
        return error.passing
    if isinstance(error, (FileNotFoundError, FileExistsError, PermissionError)):
        return False
    return isinstance(error, OSError)


class Limited:
    """At most `requests_max` calls at one time; others wait in their threads."""

    def __init__(self, store: ObjectStore, requests_max: int) -> None:
        self._store = store
        self._slots = threading.BoundedSemaphore(requests_max)

    def put(self, name: ObjectName, data: bytes | bytearray | memoryview | list[bytes]) -> None:
        with self._slots:
            self._store.put(name, data)

    def get(self, name: ObjectName, offset: int, length: int) -> bytes:
        with self._slots:
            return self._store.get(name, offset, length)

    def delete(self, name: ObjectName) -> None:
        with self._slots:
            self._store.delete(name)

    def list(self, filespace: FilespaceId) -> Iterator[ObjectStat]:
        return self._store.list(filespace)  # consumed at the caller's pace: must not hold a slot meanwhile

    def close(self) -> None:
        self._store.close()


class Retrying:
    """Repeats what failed in passing, waiting longer each time, with jitter, until a deadline.

    Permanent errors go through at once. Past the deadline: Fault(UNAVAILABLE), caused by the last error. Listings
    are not repeated: whoever consumes one starts again.
    """

    def __init__(
        self,
        store: ObjectStore,
        *,
        clock: Clock,
        random: Callable[[int], bytes],
        sleep: Callable[[float], object],
        deadline_s: float,
    ) -> None:
        self._store = store
        self._clock = clock
        self._random = random
        self._sleep = sleep
        self._deadline_s = deadline_s
        self._closed = False

    def put(self, name: ObjectName, data: bytes | bytearray | memoryview | list[bytes]) -> None:
        self._call(lambda: self._store.put(name, data))

    def get(self, name: ObjectName, offset: int, length: int) -> bytes:
        return self._call(lambda: self._store.get(name, offset, length))

    def delete(self, name: ObjectName) -> None:
        self._call(lambda: self._store.delete(name))

    def list(self, filespace: FilespaceId) -> Iterator[ObjectStat]:
        return self._store.list(filespace)

    def close(self) -> None:
        """Close the store; calls that are being repeated give up after the wait that they are in."""
        self._closed = True
        self._store.close()

    def _call(self, attempt: Callable[[], Result]) -> Result:
        end_s = self._clock.monotonic_s() + self._deadline_s
        wait_s = RETRY_FIRST_S
        while True:
            try:
                return attempt()
            except (OSError, Fault) as error:
                if not is_passing(error):
                    raise
                pause_s = max(wait_s * self._jitter(), getattr(error, "retry_after_s", 0.0))
                if self._closed or self._clock.monotonic_s() + pause_s > end_s:
                    raise self._gave_up(error) from error
            self._sleep(pause_s)
            wait_s = min(2 * wait_s, RETRY_MAX_S)

    def _jitter(self) -> float:
        """Between a half and one: spread, but never a busy loop."""
        return 0.5 + int.from_bytes(self._random(2), "big") / 2**17

    def _gave_up(self, error: Exception) -> Fault:
        reason = "it was closed" if self._closed else f"it did not work within {self._deadline_s:g} s"
        return Fault(Code.UNAVAILABLE, f"the object store is not available ({reason}): {error}")


class Counters(NamedTuple):
    """What went through a `Metered` store since it was made; bytes of successful calls only."""

    puts: int = 0
    put_bytes: int = 0
    gets: int = 0
    get_bytes: int = 0
    deletes: int = 0
    failures: int = 0


class Metered:
    """Counts calls, bytes and failures."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._counters = Counters()

    def statistics(self) -> Counters:
        """The counters at this moment."""
        with self._lock:
            return self._counters

    def put(self, name: ObjectName, data: bytes | bytearray | memoryview | list[bytes]) -> None:
        size = sum(map(len, data)) if isinstance(data, list) else len(data)
        self._call(lambda: self._store.put(name, data), lambda _: Counters(puts=1, put_bytes=size))

    def get(self, name: ObjectName, offset: int, length: int) -> bytes:
        return self._call(
            lambda: self._store.get(name, offset, length), lambda data: Counters(gets=1, get_bytes=len(data))
        )

    def delete(self, name: ObjectName) -> None:
        self._call(lambda: self._store.delete(name), lambda _: Counters(deletes=1))

    def list(self, filespace: FilespaceId) -> Iterator[ObjectStat]:
        return self._store.list(filespace)

    def close(self) -> None:
        self._store.close()

    def _call(self, attempt: Callable[[], Result], counted: Callable[[Result], Counters]) -> Result:
        try:
            result = attempt()
        except Exception:
            self._count(Counters(failures=1))
            raise
        self._count(counted(result))
        return result

    def _count(self, more: Counters) -> None:
        with self._lock:
            self._counters = Counters(*map(int.__add__, self._counters, more))
