"""A bucket of one test."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from lucidfs.clock import SystemClock
from lucidfs.objects.http import Http
from lucidfs.objects.s3.bucket import S3Bucket, S3Keys
from lucidfs.objects.s3.client import S3Client
from lucidfs.testing.rclone import RcloneServer
from lucidfs.testing.s3 import RadosGateway
from lucidfs.wire.management import BucketConfig
from lucidlink import S3DataStoreConfig
from tests.integration.lucid import Lucid
from tests.world import World

_NUMBERS = itertools.count(1)


class Bucket(NamedTuple):
    """A bucket, who serves it, and a client of it."""

    server: RadosGateway | RcloneServer
    client: S3Client
    http: Http

    def put(self, key: str, body: bytes) -> str:
        """Store an object; its ETag."""
        self.client.put(key, body)
        return self.client.head(key).etag

    def store(self, prefix: str = "", **other: Any) -> BucketConfig:
        """What a filespace on this bucket is made with."""
        fields = {
            "bucket": self.name,
            "prefix": prefix,
            "region": self.server.region,
            "endpoint": self.server.endpoint,
            "access_key": self.server.access_key,
            "secret_key": self.server.secret_key,
        }
        return BucketConfig(**{**fields, **other})

    @property
    def name(self) -> str:
        """Of the bucket."""
        return self.client.bucket.name

    def stored(self, prefix: str = "") -> list[str]:
        """Keys of all objects, or of those below a prefix."""
        return [found.key for found in self.client.list(prefix)]

    def config(self, **other: Any) -> S3DataStoreConfig:
        """What a data store of this bucket is configured with."""
        fields = {
            "access_key": self.server.access_key,
            "secret_key": self.server.secret_key,
            "bucket_name": self.name,
            "region": self.server.region,
            "endpoint": self.server.endpoint,
        }
        return S3DataStoreConfig(**{**fields, **other})


@contextmanager
def fresh_bucket(server: RadosGateway | RcloneServer) -> Iterator[Bucket]:
    """An empty bucket and a client of it."""
    http = Http()
    where = S3Bucket(f"bucket-{next(_NUMBERS)}", server.region, server.endpoint)
    client = S3Client(where, S3Keys(server.access_key, server.secret_key), SystemClock(), http)
    with http.request("PUT", client.url("PUT", ""), {"Content-Length": "0"}) as answer:
        assert answer.status == 200
    yield Bucket(server, client, http)
    http.close()


def shell_with_keys(world: World, bucket: Bucket, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Lucid:
    """A shell of a hub, in a folder of its own, with the keys of a bucket in its environment."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", bucket.server.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", bucket.server.secret_key)
    own = folder / "shell"
    own.mkdir()
    return Lucid(world.url, world.token, own)
