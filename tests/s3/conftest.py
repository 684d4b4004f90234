"""One real S3 server for all tests of this folder, and a fresh bucket for each that asks."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator

import pytest

from lucidfs.clock import SystemClock
from lucidfs.hub.settings import HubSettings
from lucidfs.objects.http import Http
from lucidfs.objects.s3.bucket import S3Bucket, S3Keys
from lucidfs.objects.s3.client import S3Client
from lucidfs.testing.hubs import new_hub
from lucidfs.testing.s3 import RadosGateway
from tests.s3.kit import Bucket
from tests.world import Client, World

NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def s3_server() -> Iterator[RadosGateway]:
    """The server; a run that must test everything (CI) fails without it, others skip these tests."""
    missing = RadosGateway.missing()
    if missing:
        message = f"no S3 server to test with: {missing}"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    with RadosGateway() as server:
        yield server


@pytest.fixture
def bucket(s3_server: RadosGateway) -> Iterator[Bucket]:
    """A fresh bucket and a client of it."""
    http = Http()
    where = S3Bucket(f"bucket-{next(NUMBERS)}", s3_server.region, s3_server.endpoint)
    client = S3Client(where, S3Keys(s3_server.access_key, s3_server.secret_key), SystemClock(), http)
    with http.request("PUT", client.url("PUT", ""), {"Content-Length": "0"}) as answer:
        assert answer.status == 200
    yield Bucket(s3_server, client, http)
    http.close()


@pytest.fixture(scope="session")
def s3_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A hub for all tests of this folder; each makes its own filespace."""
    hub, token = new_hub(tmp_path_factory.mktemp("s3-hub"), settings=HubSettings(allow_private_endpoints=True))
    try:
        yield World(hub, token)
    finally:
        hub.stop()


@pytest.fixture
def client(s3_world: World) -> Iterator[Client]:
    """A client of a fresh filespace."""
    with s3_world.client(name=s3_world.new_filespace()) as linked:
        yield linked


@pytest.fixture
def store(client: Client, bucket: Bucket) -> str:
    """The name of a data store of that filespace, on the bucket."""
    client.filespace.connect.add_data_store("films", bucket.config())
    return "films"
