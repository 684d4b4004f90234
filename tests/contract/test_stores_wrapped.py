"""A wrapped store keeps the contract too; retries hide what passes, and only that."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from lucidfs.errors import Code, Fault
from lucidfs.limits import RETRY_MAX_S
from lucidfs.objects.base import ObjectName, ObjectStat, ObjectStore
from lucidfs.objects.memory import MemoryStore
from lucidfs.objects.wrappers import Counters, Limited, Metered, Retrying, is_passing, wrap_store
from lucidfs.testing.store_suite import BODY, NAME, OTHER, StoreSuite
from lucidfs.types import FilespaceId

PASSING = [
    OSError("a disk hiccup"),
    ConnectionError("reset"),
    TimeoutError("slow"),
    Fault(Code.UNAVAILABLE, "away"),
    Fault(Code.TOO_MANY, "busy"),
]
PERMANENT = [
    FileNotFoundError("gone"),
    FileExistsError("other bytes"),
    EOFError("truncated"),
    PermissionError("no"),
    Fault(Code.DENIED, "no"),
    Fault(Code.NO_SPACE, "full"),
    ValueError("a mistake"),
]


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.pauses: list[float] = []

    def monotonic_s(self) -> float:
        return self.now_s

    def now_ns(self) -> int:
        return int(self.now_s * 1e9)

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds
        self.pauses.append(seconds)


class Failing:
    """A store whose next calls fail: after the work was done (a lost reply) when `late`."""

    def __init__(self, store: ObjectStore, errors: list[Exception], late: bool = False) -> None:
        self.store = store
        self.errors = errors
        self.late = late

    def _fail(self) -> None:
        if self.errors:
            raise self.errors.pop(0)

    def put(self, name: ObjectName, data: bytes | bytearray | memoryview | list[bytes]) -> None:
        if self.late:
            self.store.put(name, data)
        self._fail()
        self.store.put(name, data)

    def get(self, name: ObjectName, offset: int, length: int) -> bytes:
        self._fail()
        return self.store.get(name, offset, length)

    def delete(self, name: ObjectName) -> None:
        self._fail()
        self.store.delete(name)

    def list(self, filespace: FilespaceId) -> Iterator[ObjectStat]:
        self._fail()
        return self.store.list(filespace)

    def close(self) -> None:
        self.store.close()


def retrying(
    store: ObjectStore, time: Time, random: Callable[[int], bytes] = bytes, deadline_s: float = 60
) -> Retrying:
    return Retrying(store, clock=time, random=random, sleep=time.sleep, deadline_s=60)


class TestWrappedStore(StoreSuite):
    """The whole composition, over a store where every third call fails in passing."""

    @pytest.fixture
    def store(self) -> Iterator[ObjectStore]:
        time = Time()

        def below(store: ObjectStore) -> ObjectStore:
            return Hiccups(store, [])

        store = wrap_store(MemoryStore(), clock=time, random=bytes, sleep=time.sleep, below=below)
        yield store
        store.close()


class Hiccups(Failing):
    calls = 0

    def _fail(self) -> None:
        self.calls += 1
        if self.calls % 3 == 0:
            raise ConnectionError("lost")

    def list(self, filespace: FilespaceId) -> Iterator[ObjectStat]:
        return self.store.list(filespace)


@pytest.mark.parametrize("error", PASSING, ids=repr)
def test_what_passes_is_repeated(error: Exception) -> None:
    time = Time()
    store = retrying(Failing(MemoryStore(), [error, error]), time)
    store.put(NAME, BODY)
    assert store.get(NAME, 0, 5) == BODY[:5]
    assert len(time.pauses) == 2
    assert is_passing(error)


@pytest.mark.parametrize("error", PERMANENT, ids=repr)
def test_what_is_permanent_goes_through_at_once(error: Exception) -> None:
    time = Time()
    store = retrying(Failing(MemoryStore(), [error]), time)
    with pytest.raises(type(error)) as caught:
        store.put(NAME, BODY)
    assert caught.value is error
    assert not time.pauses
    assert not is_passing(error)


def test_a_put_whose_reply_was_lost_is_put_once() -> None:
    memory = MemoryStore()
    retrying(Failing(memory, [ConnectionError("lost")], late=True), Time()).put(NAME, BODY)
    assert memory.contents == {NAME: BODY}


@pytest.mark.parametrize("random", [bytes, lambda count: b"\xff" * count], ids=["shortest", "longest"])
def test_pauses_grow_up_to_a_limit_and_end_before_the_deadline(random: Callable[[int], bytes]) -> None:
    time = Time()
    store = retrying(Failing(MemoryStore(), [ConnectionError("lost")] * 10_000), time, random)
    with pytest.raises(Fault) as caught:
        store.get(NAME, 0, 1)
    assert caught.value.code is Code.UNAVAILABLE
    assert isinstance(caught.value.__cause__, ConnectionError)
    assert time.pauses == sorted(time.pauses)
    assert 0 < time.pauses[0] < time.pauses[-1] <= RETRY_MAX_S
    assert 60 - RETRY_MAX_S < time.now_s <= 60


def test_a_closed_store_gives_up() -> None:
    time = Time()
    store = retrying(Failing(MemoryStore(), [ConnectionError("lost")] * 2), time)
    store.close()
    with pytest.raises(Fault, match="closed"):
        store.delete(NAME)
    assert not time.pauses


def test_no_more_calls_at_once_than_allowed() -> None:
    inside, most, lock = 0, 0, threading.Lock()

    class Counting(MemoryStore):
        def get(self, name: ObjectName, offset: int, length: int) -> bytes:
            nonlocal inside, most
            with lock:
                inside += 1
                most = max(most, inside)
            data = super().get(name, offset, length)
            with lock:
                inside -= 1
            return data

    store = Limited(Counting(), 2)
    store.put(NAME, BODY)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: store.get(NAME, 0, len(BODY)), range(200)))
    assert most <= 2
    assert inside == 0


def test_a_failed_call_gives_its_slot_back() -> None:
    store = Limited(MemoryStore(), 1)
    for _ in range(3):
        with pytest.raises(FileNotFoundError):
            store.get(NAME, 0, 1)
    store.put(NAME, BODY)


def test_calls_and_bytes_are_counted() -> None:
    store = Metered(Failing(MemoryStore(), []))
    store.put(NAME, BODY)
    store.put(OTHER, [b"ab", b"c"])
    store.get(NAME, 3, 100)
    store.delete(OTHER)
    with pytest.raises(FileNotFoundError):
        store.get(OTHER, 0, 1)
    assert store.statistics() == Counters(puts=2, put_bytes=len(BODY) + 3, gets=1, get_bytes=100, deletes=1, failures=1)


def test_faults_above_the_retries_are_seen_below_they_are_not() -> None:
    time = Time()
    lost = ConnectionError("lost")
    store = wrap_store(
        MemoryStore(),
        clock=time,
        random=bytes,
        sleep=time.sleep,
        below=lambda store: Failing(store, [lost]),
        above=lambda store: Failing(store, [lost]),
    )
    with pytest.raises(ConnectionError):
        store.put(NAME, BODY)
    assert not time.pauses
    store.put(NAME, BODY)
    assert len(time.pauses) == 1
    assert store.statistics() == Counters(puts=1, put_bytes=len(BODY), failures=1)
