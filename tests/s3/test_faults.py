"""Reads through a line that does harm: what they return is right, or they raise; and other uses go on."""

from __future__ import annotations

import errno
import random
import time
from collections.abc import Iterator

import pytest

from lucidfs.testing.faultproxy import FaultProxy
from tests.s3.kit import Bucket
from tests.world import Client

BODY = random.Random(9).randbytes(9_000_000)
PATH = r".*/object"


@pytest.fixture
def proxy(client: Client, bucket: Bucket) -> Iterator[FaultProxy]:
    """Between the client and a data store from which /file is linked."""
    with FaultProxy(bucket.server.endpoint) as made:
        bucket.put("object", BODY)
        connect = client.filespace.connect
        connect.add_data_store("films", bucket.config(endpoint=made.url))
        connect.link_file("/file", "films", "object")
        yield made


def test_what_passes_is_hidden(client: Client, proxy: FaultProxy) -> None:
    proxy.harm("reset", method="GET", path=PATH)
    proxy.harm("cut", method="GET", path=PATH, count=1_000_000)
    proxy.harm("cut", method="GET", path=PATH, count=10, orderly=True)
    proxy.harm("status", method="GET", path=PATH, count=503, headers={"Retry-After": "0"})
    proxy.harm("status", method="GET", path=PATH, count=500)
    proxy.harm("status", method="GET", path=PATH, count=429)
    proxy.harm("lose", method="GET", path=PATH)
    assert client.fs.read_file("/file") == BODY
    assert not any(rule.times for rule in proxy.rules)


def test_retry_after_is_waited_for(client: Client, proxy: FaultProxy) -> None:
    proxy.harm("status", method="GET", path=PATH, count=503, headers={"Retry-After": "1"})
    begun = time.monotonic()
    with client.fs.open("/file", "rb") as stream:
        assert stream.read(10) == BODY[:10]
    assert time.monotonic() - begun >= 1


def test_another_range_than_asked_for_is_refused(client: Client, proxy: FaultProxy) -> None:
    headers = {"Content-Range": "bytes 5-9/9000000"}
    proxy.harm("status", method="GET", path=PATH, count=206, times=9, headers=headers, body=b"xxxxx")
    with client.fs.open("/file", "rb") as stream:
        with pytest.raises(OSError, match="other bytes") as caught:
            stream.read(10)
        assert caught.value.errno == errno.EIO
        proxy.rules.clear()
        assert stream.read(10) == BODY[:10]


def test_more_than_asked_for_is_refused(client: Client, proxy: FaultProxy) -> None:
    headers = {"Content-Range": "bytes 0-131071/9000000"}  # of the buffer; without what is to be read ahead
    proxy.harm("status", method="GET", path=PATH, count=206, times=9, headers=headers, body=b"x" * 700_000)
    with client.fs.open("/file", "rb") as stream, pytest.raises(OSError, match="more bytes than"):
        stream.read(10)


def test_refusals_that_stay(client: Client, proxy: FaultProxy) -> None:
    for status, kind in ((403, PermissionError), (404, FileNotFoundError), (301, OSError)):
        proxy.harm("status", method="GET", path=PATH, count=status, times=2)  # a 403 is tried with a fresh URL
        with client.fs.open("/file", "rb") as stream, pytest.raises(kind) as caught:
            stream.read(10)
        assert "films" in str(caught.value)
        assert "X-Amz" not in str(caught.value)
        proxy.rules.clear()
    assert client.fs.read_file("/file") == BODY


def test_a_url_that_ended_is_asked_for_again(client: Client, proxy: FaultProxy) -> None:
    proxy.harm("status", method="GET", path=PATH, count=403)
    assert client.fs.read_file("/file") == BODY


def test_a_whole_object_in_answer_to_a_range(client: Client, proxy: FaultProxy) -> None:
    proxy.harm("status", method="GET", path=PATH, count=200, body=BODY)
    with client.fs.open("/file", "rb") as stream:
        assert stream.read(10) == BODY[:10]


def test_adding_a_data_store_through_a_bad_line(client: Client, bucket: Bucket) -> None:
    with FaultProxy(bucket.server.endpoint) as proxy:
        proxy.harm("reset")
        proxy.harm("status", count=500)
        client.filespace.connect.add_data_store("films", bucket.config(endpoint=proxy.url))
        proxy.harm("status", count=500, times=100)
        with pytest.raises(ValueError, match=r"endpoint: .*500"):
            client.filespace.connect.add_data_store("other", bucket.config(endpoint=proxy.url))
    assert [store.name for store in client.filespace.connect.list_data_stores()] == ["films"]
