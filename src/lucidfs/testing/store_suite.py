"""What every `ObjectStore` must do. Inherit `StoreSuite`, give it a store, and run it with pytest."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from lucidfs.errors import Code, Fault
from lucidfs.objects.base import ObjectName, ObjectStore
from lucidfs.types import FilespaceId, ObjectId

NAME = ObjectName(FilespaceId(7), ObjectId(0x1234))
OTHER = ObjectName(FilespaceId(7), ObjectId(0x1235))
ELSEWHERE = ObjectName(FilespaceId(8), ObjectId(0x1234))
HIGHEST = ObjectName(FilespaceId(2**63 - 1), ObjectId(2**63 - 1))
BODY = bytes(range(256)) * 512


class StoreSuite:
    """Conformance of one store. A subclass gives the fixture `store`: empty, closed by the fixture.

    Attributes:
        manages: whether the store deletes and lists; if not, it must say UNSUPPORTED.
        durable: whether `reopened` gives a second store over the same objects.
    """

    manages = True
    durable = False

    @pytest.fixture
    def store(self) -> Iterator[ObjectStore]:
        raise NotImplementedError("a subclass gives the store")

    def reopened(self, store: ObjectStore) -> ObjectStore:
        """Another store over the objects of `store`, as after a restart."""
        raise NotImplementedError("a durable store can be reopened")

    # --- put and get

    @pytest.mark.parametrize(("offset", "length"), [(0, len(BODY)), (0, 1), (1, 70_000), (len(BODY) - 1, 1), (3, 0)])
    def test_get_returns_the_range(self, store: ObjectStore, offset: int, length: int) -> None:
        store.put(NAME, BODY)
        assert store.get(NAME, offset, length) == BODY[offset : offset + length]

    @pytest.mark.parametrize("size", [1, 65_536, 5_000_000])
    def test_get_returns_what_was_put(self, store: ObjectStore, size: int) -> None:
        body = (BODY * (size // len(BODY) + 1))[:size]
        store.put(NAME, body)
        assert store.get(NAME, 0, size) == body

    @pytest.mark.parametrize(
        "data",
        [bytearray(BODY), memoryview(BODY), memoryview(b"x" + BODY)[1:], [BODY], [BODY[:3], b"", BODY[3:]]],
        ids=["bytearray", "view", "part of a view", "list", "list with an empty part"],
    )
    def test_put_takes_any_buffer(self, store: ObjectStore, data: bytearray | memoryview | list[bytes]) -> None:
        store.put(NAME, data)
        assert store.get(NAME, 0, len(BODY)) == BODY

    def test_what_is_put_is_copied(self, store: ObjectStore) -> None:
        data = bytearray(BODY)
        store.put(NAME, data)
        data[:] = bytes(len(data))
        assert store.get(NAME, 0, len(BODY)) == BODY

    def test_what_is_got_is_bytes(self, store: ObjectStore) -> None:
        store.put(NAME, bytearray(BODY))
        assert type(store.get(NAME, 1, 2)) is bytes

    def test_objects_are_kept_apart(self, store: ObjectStore) -> None:
        bodies = {NAME: b"one", OTHER: b"two", ELSEWHERE: b"three", HIGHEST: b"four"}
        for name, body in bodies.items():
            store.put(name, body)
        for name, body in bodies.items():
            assert store.get(name, 0, len(body)) == body

    def test_the_same_bytes_may_be_put_again(self, store: ObjectStore) -> None:
        store.put(NAME, BODY)
        store.put(NAME, [BODY[:10], BODY[10:]])
        assert store.get(NAME, 0, len(BODY)) == BODY

    @pytest.mark.parametrize("other", [BODY[:-1] + b"!", BODY[:-1], BODY + b"!"], ids=["changed", "shorter", "longer"])
    def test_other_bytes_under_the_same_id_are_refused(self, store: ObjectStore, other: bytes) -> None:
        store.put(NAME, BODY)
        with pytest.raises(FileExistsError):
            store.put(NAME, other)
        assert store.get(NAME, 0, len(BODY)) == BODY

    # --- refusals

    def test_a_missing_object_is_not_found(self, store: ObjectStore) -> None:
        store.put(OTHER, BODY)
        for name in (NAME, ELSEWHERE):
            with pytest.raises(FileNotFoundError):
                store.get(name, 0, 1)

    @pytest.mark.parametrize(("offset", "length"), [(0, len(BODY) + 1), (len(BODY), 1), (len(BODY) - 1, 2), (10**9, 1)])
    def test_a_range_beyond_the_end_is_an_end_of_file(self, store: ObjectStore, offset: int, length: int) -> None:
        store.put(NAME, BODY)
        with pytest.raises(EOFError):
            store.get(NAME, offset, length)

    # --- delete and list

    def test_delete(self, store: ObjectStore) -> None:
        store.put(NAME, BODY)
        store.put(OTHER, BODY)
        if not self.manages:
            assert _code(lambda: store.delete(NAME)) is Code.UNSUPPORTED
            return
        store.delete(NAME)
        with pytest.raises(FileNotFoundError):
            store.get(NAME, 0, 1)
        assert store.get(OTHER, 0, len(BODY)) == BODY
        store.put(NAME, b"anew")
        assert store.get(NAME, 0, 4) == b"anew"

    def test_deleting_what_is_not_there_succeeds(self, store: ObjectStore) -> None:
        if self.manages:
            store.delete(NAME)

    def test_list(self, store: ObjectStore) -> None:
        if not self.manages:
            assert _code(lambda: list(store.list(NAME.filespace))) is Code.UNSUPPORTED
            return
        assert list(store.list(NAME.filespace)) == []
        for name in (NAME, OTHER, ELSEWHERE):
            store.put(name, BODY[: name.object & 0xFF])
        store.put(HIGHEST, BODY)
        store.delete(OTHER)
        assert [(stat.name, stat.size) for stat in store.list(NAME.filespace)] == [(NAME, 0x34)]
        assert [stat.name for stat in store.list(HIGHEST.filespace)] == [HIGHEST]

    # --- many at once, and afterwards

    def test_threads_do_not_meet(self, store: ObjectStore) -> None:
        def work(number: int) -> bytes:
            name = ObjectName(FilespaceId(7), ObjectId(number + 1))
            store.put(name, BODY + bytes((number,)))
            return store.get(name, len(BODY), 1)

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(work, range(32))) == [bytes((number,)) for number in range(32)]

    def test_of_two_bodies_at_once_one_wins_whole(self, store: ObjectStore) -> None:
        start = threading.Barrier(4)

        def work(number: int) -> bytes | None:
            body = bytes((number,)) * 100_000
            start.wait()
            try:
                store.put(NAME, body)
            except FileExistsError:
                return None
            return body

        with ThreadPoolExecutor(4) as pool:
            winners = [body for body in pool.map(work, range(4)) if body]
        assert [store.get(NAME, 0, 100_000)] == winners

    def test_the_same_body_at_once_succeeds(self, store: ObjectStore) -> None:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: store.put(NAME, BODY), range(8)))
        assert store.get(NAME, 0, len(BODY)) == BODY

    def test_objects_outlive_the_store(self, store: ObjectStore) -> None:
        if not self.durable:
            pytest.skip("this store does not keep objects")
        store.put(NAME, BODY)
        again = self.reopened(store)
        assert again.get(NAME, 0, len(BODY)) == BODY
        again.put(NAME, BODY)
        again.close()


def _code(call: object) -> Code | None:
    """The code that a call is refused with, None when it is not."""
    assert callable(call)
    try:
        call()
    except Fault as fault:
        return fault.code
    return None
