"""One real S3 server for all tests of this folder, and a fresh bucket for each that asks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lucidfs.hub.settings import HubSettings
from lucidfs.testing.hubs import new_hub
from lucidfs.testing.rclone import RcloneServer
from lucidfs.testing.s3 import RadosGateway
from tests.integration.lucid import Lucid
from tests.s3.kit import Bucket, fresh_bucket, shell_with_keys
from tests.world import Client, World


@pytest.fixture(scope="session")
def s3_server() -> Iterator[RadosGateway]:
    """The server; a run that must test everything (CI) fails without it, others skip these tests."""
    _need(RadosGateway.missing())
    with RadosGateway() as server:
        yield server


@pytest.fixture(scope="session")
def second_server() -> Iterator[RcloneServer]:
    """Another implementation, which ignores conditions; without it the same as without the first."""
    _need(RcloneServer.missing())
    with RcloneServer() as server:
        yield server


def _need(missing: str) -> None:
    if not missing:
        return
    message = f"no S3 server to test with: {missing}"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture
def bucket(s3_server: RadosGateway) -> Iterator[Bucket]:
    """A fresh bucket and a client of it."""
    with fresh_bucket(s3_server) as made:
        yield made


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


@pytest.fixture
def shell(s3_world: World, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lucid:
    """A shell of that hub with the keys of the bucket in its environment."""
    return shell_with_keys(s3_world, bucket, tmp_path, monkeypatch)
