"""Packing into a bucket: the tests of tests/integration/test_packing.py, and what only buckets have."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lucidfs.hub.fsck_folder import check_hub
from lucidfs.testing.faultproxy import FaultProxy
from lucidfs.testing.hubs import new_hub
from tests.integration.test_packing import (  # noqa: F401 - run again here
    NEVER,
    pack,
    test_a_file_that_was_replaced_is_not_taken_for_the_open_one,
    test_small_files_are_read_from_packs,
    test_the_end_of_a_stream_is_packed,
    test_who_has_a_file_open_follows_its_frames,
)
from tests.s3.kit import Bucket
from tests.world import World


@pytest.fixture
def proxy(bucket: Bucket) -> Iterator[FaultProxy]:
    with FaultProxy(bucket.server.endpoint) as proxy:
        yield proxy


@pytest.fixture
def world(tmp_path: Path, bucket: Bucket, proxy: FaultProxy) -> Iterator[World]:
    """As in the tests that are run again, but in the test's bucket."""
    hub, token = new_hub(tmp_path, settings=NEVER)
    yield World(hub, token, bucket.store("packed", endpoint=proxy.url))
    hub.stop()
    assert check_hub(hub.data).problems == []


def test_the_bucket_has_the_pack_and_nothing_else(world: World, bucket: Bucket) -> None:
    with world.client() as client:
        for number in range(3):
            client.fs.write_file(f"/{number}", os.urandom(10_000))
        assert bucket.stored() == []
        packed = pack(world)
        (key,) = bucket.stored()
        assert bucket.client.head(key).size == packed.bytes


@pytest.mark.logs("takes no packs")
def test_a_bucket_that_takes_nothing_costs_nothing(world: World, proxy: FaultProxy) -> None:
    data = os.urandom(10_000)
    with world.client() as client:
        client.fs.write_file("/file", data)
        proxy.harm("status", count=403, times=1000)
        assert pack(world).packs == 0
        assert client.fs.read_file("/file") == data
        proxy.rules.clear()
        assert pack(world).packs == 1
    with world.client() as client:
        assert client.fs.read_file("/file") == data
