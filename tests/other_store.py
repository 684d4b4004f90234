"""All tests on another object store: filespaces that tests make get a place in a bucket of a real S3 server."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lucidfs.clock import SystemClock
from lucidfs.engine.administration import Administration
from lucidfs.hub import bucket_check
from lucidfs.hub.bootstrap import DATABASE_FILE
from lucidfs.hub.database.base import ObjectStoreRow
from lucidfs.hub.database.sqlite import SqliteDatabase
from lucidfs.hub.secrets import load_secrets
from lucidfs.hub.settings import HubSettings
from lucidfs.hub.stores import place_of
from lucidfs.objects.http import Http
from lucidfs.objects.s3.bucket import S3Bucket, S3Keys
from lucidfs.objects.s3.client import S3Client
from lucidfs.testing.hubs import HubThread
from lucidfs.testing.s3 import RadosGateway
from lucidfs.wire.management import BucketConfig, FilespaceView

_BUCKET = "filespaces"
_NUMBERS = itertools.count(1)
_servers: list[RadosGateway] = []  # the one of this run, while it has one


@contextmanager
def objects_in_a_bucket() -> Iterator[None]:
    """While it lasts, filespaces that tests make are in a bucket, each below its own prefix.

    Those made by `Administration.create_filespace` in this process, by the shell of `tests.integration.lucid`, and
    by those who ask for `put_in_bucket`.
    Hubs of this process, and those that it starts, may use a bucket on this machine.
    """
    plain_create, plain_check = Administration.create_filespace, bucket_check.check_bucket
    plain_hub = HubThread.__init__

    def create(self: Administration, name: str, store: BucketConfig | None = None) -> FilespaceView:
        return plain_create(self, name, store or _fresh_place())

    def check(*arguments: Any, **options: Any) -> None:
        plain_check(*arguments, **{**options, "private": True})

    def hub(self: HubThread, data: Path, *, settings: HubSettings | None = None, port: int = 0) -> None:
        allowed = replace(settings, allow_private_endpoints=True) if settings else None  # else those of the environment
        plain_hub(self, data, settings=allowed, port=port)

    with RadosGateway() as server, pytest.MonkeyPatch.context() as patch:
        http = Http()
        keys = S3Keys(server.access_key, server.secret_key)
        client = S3Client(S3Bucket(_BUCKET, server.region, server.endpoint), keys, SystemClock(), http)
        with http.request("PUT", client.url("PUT", ""), {"Content-Length": "0"}) as answer:
            assert answer.status == 200
        http.close()
        patch.setattr(Administration, "create_filespace", create)
        patch.setattr(bucket_check, "check_bucket", check)
        patch.setattr(HubThread, "__init__", hub)
        patch.setenv("LUCID_HUB_ALLOW_PRIVATE_ENDPOINTS", "1")
        _servers.append(server)
        try:
            yield
        finally:
            _servers.remove(server)


def put_in_bucket(data: Path, filespace: int) -> None:
    """The same for a filespace that was written into the database of a hub that does not run yet."""
    if not _servers:
        return
    place = _fresh_place()
    sealed = load_secrets(data, os.urandom).seal(place.secret_key, place_of(filespace))
    row = ObjectStoreRow(
        filespace, place.bucket, f"{place.prefix}/", place.region, place.endpoint, False, place.access_key, sealed
    )
    database = SqliteDatabase(data / DATABASE_FILE)
    database.begin().put_object_store(row)
    database.commit()
    database.close()


def environment_of_a_shell() -> dict[str, str]:
    """What `lucid hub start` and `lucid filespace create` need to use the bucket; nothing when there is none."""
    if not _servers:
        return {}
    return {
        "AWS_ACCESS_KEY_ID": _servers[0].access_key,
        "AWS_SECRET_ACCESS_KEY": _servers[0].secret_key,
        "LUCID_HUB_ALLOW_PRIVATE_ENDPOINTS": "1",
    }


def options_of_create(arguments: Sequence[str | Path]) -> list[str]:
    """What makes a `lucid filespace create` use a fresh place in the bucket; nothing for others and without one."""
    if not _servers or arguments[:2] != ("filespace", "create") or "--store" in arguments:
        return []
    place = _fresh_place()
    return ["--store", f"s3://{place.bucket}/{place.prefix}", "--region", place.region, "--endpoint", place.endpoint]


def _fresh_place() -> BucketConfig:
    server = _servers[0]
    return BucketConfig(
        bucket=_BUCKET,
        prefix=f"{os.getpid()}-{next(_NUMBERS)}",
        region=server.region,
        endpoint=server.endpoint,
        access_key=server.access_key,
        secret_key=server.secret_key,
    )
