"""Data stores over the management API: the hub asks S3 itself, and tells no path, for it knows none."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lucidfs.errors import Code, Fault
from lucidfs.types import Role
from lucidfs.wire import management as m
from lucidfs.wire.rest import ManagementClient
from tests.s3.kit import Bucket
from tests.world import Client, World


@pytest.fixture
def rest(s3_world: World) -> Iterator[ManagementClient]:
    administration = s3_world.administration()
    yield administration._client
    administration.close()


def wanted(client: Client, bucket: Bucket, **other: str) -> m.AddDataStore:
    config = bucket.config()
    fields = {
        "access_key": config.access_key,
        "secret_key": config.secret_key,
        "bucket_name": config.bucket_name,
        "region": config.region,
        "endpoint": config.endpoint,
        **other,
    }
    return m.AddDataStore(filespace=client.filespace.id, name="films", **fields)  # type: ignore[arg-type]


def refused(code: Code, call: object) -> str:
    assert callable(call)
    with pytest.raises(Fault) as caught:
        call()
    assert caught.value.code is code
    return caught.value.message


def test_a_data_store_from_first_to_last(rest: ManagementClient, client: Client, bucket: Bucket) -> None:
    filespace, connect = client.filespace.id, client.filespace.connect
    made = rest.call(wanted(client, bucket), m.DataStoreView)
    assert (made.name, made.bucket_name, made.files) == ("films", bucket.client.bucket.name, 0)
    assert [store.name for store in connect.list_data_stores()] == ["films"]
    refused(Code.EXISTS, lambda: rest.call(wanted(client, bucket), m.DataStoreView))
    bucket.put("a", b"hello")
    connect.link_files((f"/{number}", "films", "a", 5, "abc") for number in range(1_100))
    listed = rest.call(m.ListDataStores(filespace=filespace), m.DataStoreList).data_stores
    assert [(store.name, store.files) for store in listed] == [("films", 1_100)]
    secret = rest.call(m.GetDataStore(filespace=filespace, name="films"), m.DataStoreSecretView)
    assert secret.secret_key == bucket.server.secret_key
    first = rest.call(m.ListExternalFiles(filespace=filespace, name="films"), m.ExternalFileList)
    rest_of = rest.call(m.ListExternalFiles(filespace=filespace, name="films", cursor=first.cursor), m.ExternalFileList)
    assert first.has_more
    assert not rest_of.has_more
    assert len({file.node for file in [*first.files, *rest_of.files]}) == 1_100
    assert {(file.object_id, file.size) for file in first.files} == {("a", 5)}
    refused(Code.NOT_EMPTY, lambda: rest.call(m.RemoveDataStore(filespace=filespace, name="films"), m.Done))
    for number in range(1_100):
        client.fs.delete(f"/{number}")
    rest.call(m.RemoveDataStore(filespace=filespace, name="films"), m.Done)
    refused(Code.NOT_FOUND, lambda: rest.call(m.GetDataStore(filespace=filespace, name="films"), m.DataStoreSecretView))


def test_s3_is_asked_first(rest: ManagementClient, client: Client, bucket: Bucket) -> None:
    filespace = client.filespace.id
    wrong = wanted(client, bucket, secret_key="wrong")
    assert "SignatureDoesNotMatch" in refused(Code.DENIED, lambda: rest.call(wrong, m.DataStoreView))
    nowhere = wanted(client, bucket, endpoint="http://127.0.0.1:1")
    refused(Code.UNAVAILABLE, lambda: rest.call(nowhere, m.DataStoreView))
    assert rest.call(m.ListDataStores(filespace=filespace), m.DataStoreList).data_stores == []
    rest.call(wanted(client, bucket), m.DataStoreView)
    keys = {"access_key": bucket.server.access_key, "secret_key": "wrong"}
    rekey = m.RekeyDataStore(filespace=filespace, name="films", **keys)
    refused(Code.DENIED, lambda: rest.call(rekey, m.DataStoreView))
    keys["secret_key"] = bucket.server.secret_key
    rest.call(m.RekeyDataStore(filespace=filespace, name="films", **keys), m.DataStoreView)


def test_roles(s3_world: World, bucket: Bucket) -> None:
    with s3_world.client() as client:
        request = wanted(client, bucket)
        filespace = client.filespace.id
    for role in (Role.READ, Role.WRITE):
        administration = s3_world.administration(s3_world.new_account(role))
        rest = administration._client
        refused(Code.DENIED, lambda rest=rest: rest.call(request, m.DataStoreView))
        assert rest.call(m.ListDataStores(filespace=filespace), m.DataStoreList) is not None
        administration.close()
