"""All tests on another object store: filespaces that tests make get a bucket of a real S3 server."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lucidfs.clock import SystemClock
from lucidfs.engine.administration import Administration
from lucidfs.hub import bucket_check
from lucidfs.objects.http import Http
from lucidfs.objects.s3.bucket import S3Bucket, S3Keys
from lucidfs.objects.s3.client import S3Client
from lucidfs.testing.s3 import RadosGateway
from lucidfs.wire.management import BucketConfig, FilespaceView

_BUCKET = "filespaces"
_NUMBERS = itertools.count(1)


@contextmanager
def objects_in_a_bucket() -> Iterator[None]:
    """While it lasts, `Administration.create_filespace` makes filespaces in a bucket, each below its own prefix."""
    plain = Administration.create_filespace
    with RadosGateway() as server, pytest.MonkeyPatch.context() as patch:
        http = Http()
        keys = S3Keys(server.access_key, server.secret_key)
        client = S3Client(S3Bucket(_BUCKET, server.region, server.endpoint), keys, SystemClock(), http)
        with http.request("PUT", client.url("PUT", ""), {"Content-Length": "0"}) as answer:
            assert answer.status == 200
        http.close()

        def create(self: Administration, name: str, store: BucketConfig | None = None) -> FilespaceView:
            bucket = BucketConfig(
                bucket=_BUCKET,
                prefix=f"{os.getpid()}-{next(_NUMBERS)}",
                region=server.region,
                endpoint=server.endpoint,
                access_key=server.access_key,
                secret_key=server.secret_key,
            )
            return plain(self, name, store or bucket)

        patch.setattr(Administration, "create_filespace", create)
        patch.setattr(bucket_check, "_check_endpoint", lambda bucket, private: None)
        patch.setenv("LUCID_HUB_ALLOW_PRIVATE_ENDPOINTS", "1")
        yield
