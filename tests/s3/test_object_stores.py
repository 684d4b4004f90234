"""Object stores in a bucket keep the contract of every object store: the hub's own hands, and signed URLs."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from lucidfs.clock import SystemClock
from lucidfs.errors import Code, Fault
from lucidfs.objects.base import ObjectStore
from lucidfs.objects.http import Http
from lucidfs.objects.s3.bucket import S3Bucket, S3Keys
from lucidfs.objects.s3.client import S3Client
from lucidfs.objects.s3.store import S3Store
from lucidfs.objects.signed import SignedStore
from lucidfs.objects.wrappers import wrap_store
from lucidfs.testing.faultproxy import FaultProxy
from lucidfs.testing.store_suite import BODY, NAME, StoreSuite
from tests.s3.kit import Bucket


def retrying(store: ObjectStore, deadline_s: float = 5.0) -> ObjectStore:
    return wrap_store(store, clock=SystemClock(), random=os.urandom, sleep=time.sleep, deadline_s=deadline_s)


class TestS3Store(StoreSuite):
    """The hub's own hands on a bucket."""

    durable = True

    @pytest.fixture
    def store(self, bucket: Bucket) -> Iterator[ObjectStore]:
        self.bucket = bucket
        made = retrying(S3Store(bucket.client, "some/prefix/", Http()))
        yield made
        made.close()

    def reopened(self, store: ObjectStore) -> ObjectStore:
        return S3Store(self.bucket.client, "some/prefix/", Http())


class TestSignedStore(StoreSuite):
    """What clients do, with URLs of the bucket itself."""

    manages = False

    @pytest.fixture
    def store(self, bucket: Bucket) -> Iterator[ObjectStore]:
        keys = S3Store(bucket.client, "", bucket.http)
        made = retrying(SignedStore(lambda method, name: bucket.client.url(method, keys.key(name))))
        yield made
        made.close()


def test_ended_and_forged_urls_are_refused(bucket: Bucket) -> None:
    keys = S3Store(bucket.client, "", bucket.http)
    keys.put(NAME, BODY)
    key = keys.key(NAME)

    def refused(url: str) -> bool:
        store = SignedStore(lambda method, name: url)
        try:
            store.get(NAME, 0, 1)
        except Fault as fault:
            assert fault.code is Code.DENIED
            assert "X-Amz" not in fault.message
            return True
        finally:
            store.close()
        return False

    good = bucket.client.url("GET", key)
    assert not refused(good)
    assert refused(good[:-1] + ("0" if good[-1] != "0" else "1"))
    assert refused(good.replace(key, key[:-1] + "0"))
    assert refused(bucket.client.url("PUT", key))
    short = bucket.client.url("GET", key, expires_s=1)
    time.sleep(2.1)
    assert refused(short)


@pytest.mark.parametrize("deed", ["lose", "reset", "status"])
def test_a_put_whose_answer_is_lost_is_found_out(bucket: Bucket, deed: str) -> None:
    with FaultProxy(bucket.server.endpoint) as proxy:
        where = S3Bucket(bucket.client.bucket.name, bucket.server.region, proxy.url)
        keys = S3Keys(bucket.server.access_key, bucket.server.secret_key)
        client = S3Client(where, keys, SystemClock(), bucket.http)
        own, signed = S3Store(client, "own/", bucket.http), S3Store(client, "signed/", bucket.http)
        through = SignedStore(lambda method, name: client.url(method, signed.key(name)))
        for store in (own, through):
            proxy.harm(deed, method="PUT", count=500)
            retrying(store).put(NAME, [BODY[:5], BODY[5:]])
            assert store.get(NAME, 0, len(BODY)) == BODY
            with pytest.raises(FileExistsError):
                retrying(store).put(NAME, BODY[::-1])
        through.close()
