"""Objects in a real bucket keep the contract: through the hub's own store, and through URLs signed for clients."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from lucidfs.errors import Code, Fault
from lucidfs.objects.base import ObjectName, ObjectStore
from lucidfs.objects.s3.store import S3Store
from lucidfs.objects.signed import SignedStore
from lucidfs.testing.s3 import RadosGateway
from lucidfs.testing.store_suite import BODY, NAME, StoreSuite
from tests.s3.place import Place, made_bucket


@pytest.fixture(scope="module")
def place(s3_server: RadosGateway) -> Iterator[Place]:
    with made_bucket(s3_server) as made:
        yield made


@pytest.fixture
def bucket_store(place: Place) -> Iterator[S3Store]:
    """Under a prefix of the test's own, so that it is empty."""
    store = place.store(f"{os.urandom(8).hex()}/")
    yield store
    store.close()


class TestS3Store(StoreSuite):
    durable = True

    @pytest.fixture
    def store(self, place: Place, bucket_store: S3Store) -> S3Store:
        self.place = place
        return bucket_store

    def reopened(self, store: ObjectStore) -> S3Store:
        assert isinstance(store, S3Store)
        return self.place.store(store.prefix)


class TestSignedUrls(StoreSuite):
    manages = False

    @pytest.fixture
    def store(self, bucket_store: S3Store) -> Iterator[SignedStore]:
        store = SignedStore(lambda method, name: bucket_store.client.url(method, bucket_store.key(name)))
        yield store
        store.close()


def test_a_listing_has_many_pages_and_tells_times(bucket_store: S3Store) -> None:
    names = [NAME._replace(object=type(NAME.object)(number)) for number in range(1, 1204)]
    for name in names:
        bucket_store.client.put(bucket_store.key(name), b"x")
    found = list(bucket_store.list(NAME.filespace))
    assert [stat.name for stat in found] == names
    assert all(stat.mtime_ns > 10**18 for stat in found)


def test_strangers_are_told_and_are_no_objects(bucket_store: S3Store) -> None:
    bucket_store.put(NAME, BODY)
    odd = f"{bucket_store.key(NAME)}/more"
    bucket_store.client.put(odd, b"?")
    bucket_store.client.put(f"{bucket_store.prefix}elsewhere", b"not ours to judge")
    assert list(bucket_store.strangers(NAME.filespace)) == [odd]
    assert [stat.name for stat in bucket_store.list(NAME.filespace)] == [NAME]


@pytest.mark.parametrize("change", ["method", "object", "signature", "expired"])
def test_a_url_is_good_for_one_thing_and_a_time(bucket_store: S3Store, change: str) -> None:
    bucket_store.put(NAME, BODY)
    client = bucket_store.client

    def url_for(method: str, name: ObjectName) -> str:
        url = client.url("PUT" if change == "method" else method, bucket_store.key(name))
        if change == "object":
            return client.url(method, bucket_store.key(name) + "0").replace(
                f"{name.object:016x}0", f"{name.object:016x}"
            )
        if change == "signature":
            return url[:-1] + ("0" if url[-1] != "0" else "1")
        if change == "expired":
            moment = client._clock.now_ns() - 100 * 10**9
            return type(client)(client.bucket, client._keys, Fixed(moment), client._http).url(
                method, bucket_store.key(name), expires_s=60
            )
        return url

    signed = SignedStore(url_for)
    try:
        with pytest.raises(Fault) as refused:
            signed.get(NAME, 0, 1)
        assert refused.value.code is Code.DENIED
        assert "X-Amz" not in str(refused.value)
    finally:
        signed.close()


class Fixed:
    """A clock that stands."""

    def __init__(self, moment_ns: int) -> None:
        self._moment_ns = moment_ns

    def now_ns(self) -> int:
        return self._moment_ns

    def monotonic_s(self) -> float:
        return self._moment_ns / 1e9
