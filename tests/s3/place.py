"""A bucket of the tests' server: as a filespace names it, as seen by a client beside the hub, and with a hub."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from lucidfs.clock import SystemClock
from lucidfs.hub.settings import HubSettings
from lucidfs.objects.http import Http
from lucidfs.objects.s3.bucket import S3Bucket, S3Keys
from lucidfs.objects.s3.client import S3Client, S3Object
from lucidfs.objects.s3.store import S3Store
from lucidfs.testing.hubs import HubThread, new_data
from lucidfs.testing.s3 import RadosGateway
from lucidfs.types import id_value
from lucidfs.wire.management import FilespaceView, NewStore
from tests.world import Client, World

SETTINGS = HubSettings(allow_private_endpoints=True)
BIG = bytes(range(256)) * 4096 * 6  # 6 MiB: two objects
SMALL = b"small content"

_NUMBERS = itertools.count(1)


class Place(NamedTuple):
    """One bucket and the keys to it."""

    server: RadosGateway
    name: str

    def bucket(self, name: str = "") -> S3Bucket:
        return S3Bucket(name or self.name, self.server.region, self.server.endpoint)

    @contextmanager
    def client(self) -> Iterator[S3Client]:
        """A client beside the hub, to look into the bucket."""
        http = Http()
        try:
            yield S3Client(self.bucket(), self.keys(), SystemClock(), http)
        finally:
            http.close()

    def keys(self) -> S3Keys:
        return S3Keys(self.server.access_key, self.server.secret_key)

    def store(self, prefix: str = "") -> S3Store:
        """What a hub works with; to be closed."""
        http = Http()
        return S3Store(S3Client(self.bucket(), self.keys(), SystemClock(), http), prefix, http)

    def new_store(self, prefix: str = "", **other: str) -> NewStore:
        """The bucket as an account names it."""
        given: dict[str, Any] = {
            "bucket": self.name,
            "region": self.server.region,
            "endpoint": self.server.endpoint,
            "access_key": self.server.access_key,
            "secret_key": self.server.secret_key,
            "prefix": prefix,
        }
        return NewStore(**{**given, **other})

    def objects(self, prefix: str = "") -> list[S3Object]:
        with self.client() as client:
            return list(client.list(prefix))

    def bodies(self) -> dict[str, bytes]:
        """Everything in the bucket."""
        with self.client() as client:
            return {found.key: client.get(found.key, 0, found.size) for found in client.list()}


@contextmanager
def made_bucket(server: RadosGateway) -> Iterator[Place]:
    """A new bucket; gone at the end."""
    place = Place(server, f"place-{os.urandom(8).hex()}")
    make_bucket(place)
    try:
        yield place
    finally:
        server.remove_bucket(place.name)


def make_bucket(place: Place) -> None:
    """Make the bucket, again if it was removed."""
    http = Http()
    try:
        url = S3Client(place.bucket(), place.keys(), SystemClock(), http).url("PUT", "")
        with http.request("PUT", url, {"Content-Length": "0"}) as answer:
            assert answer.status == 200, answer.read_some(1000)
    finally:
        http.close()


class S3World(World):
    """A hub whose filespaces have their objects in a place's bucket."""

    hub: HubThread

    def __init__(self, hub: HubThread, token: str, place: Place) -> None:
        self.place = place
        super().__init__(hub, token)

    def new_filespace(self) -> str:
        return self.create(f"bucket-{next(_NUMBERS)}").name

    def create(self, name: str, store: NewStore | None = None) -> FilespaceView:
        office = self.administration()
        try:
            return office.create_filespace(name, store or self.place.new_store("some/prefix"))
        finally:
            office.close()

    def view(self) -> FilespaceView:
        office = self.administration()
        try:
            return office.filespace(self.name)
        finally:
            office.close()

    @property
    def number(self) -> int:
        """Id of the world's filespace."""
        return id_value(self.view().id)

    @property
    def folder(self) -> str:
        """Prefix of its objects."""
        return f"some/prefix/{self.view().id}/"

    def again(self) -> S3World:
        """The same after an orderly restart of the hub."""
        self.hub.stop()
        self.hub = HubThread(self.hub.data, settings=SETTINGS)
        return self


@contextmanager
def s3_world(place: Place, folder: Path) -> Iterator[S3World]:
    data, token = new_data(folder)
    world = S3World(HubThread(data, settings=SETTINGS), token, place)
    try:
        yield world
    finally:
        world.hub.stop()


def fill(client: Client) -> None:
    """A big and a small file."""
    client.fs.write_file("/big", BIG)
    client.fs.write_file("/small", SMALL)


def check(client: Client) -> None:
    assert client.fs.read_file("/big") == BIG
    assert client.fs.read_file("/small") == SMALL
