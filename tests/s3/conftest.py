"""One S3 server for all tests that ask for one, and a bucket for each of them."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import urllib3

from lucidfs.testing.s3 import RadosGateway
from tests.s3.presign import TIMEOUT, signer


@pytest.fixture(scope="session")
def s3_server() -> Iterator[RadosGateway]:
    """A running RADOS Gateway. Where it is not installed: skipped with a word, but a failure where CI is set."""
    missing = RadosGateway.missing()
    if missing and os.environ.get("CI"):
        pytest.fail(f"CI is set, so that the tests on a real S3 server must run: {missing}")
    if missing:
        pytest.skip(f"NOT TESTED: what needs a real S3 server ({missing})")
    with RadosGateway() as server:
        yield server


@pytest.fixture(scope="session")
def _http() -> Iterator[urllib3.PoolManager]:
    with urllib3.PoolManager(retries=False, timeout=TIMEOUT) as pool:
        yield pool


@pytest.fixture
def s3_bucket(s3_server: RadosGateway, _http: urllib3.PoolManager) -> Iterator[str]:
    """The name of a new bucket of the server's first user, which is emptied and deleted after the test."""
    name = f"test-{os.urandom(8).hex()}"
    sign = signer(s3_server)
    made = _http.request("PUT", sign.url("PUT", f"/{name}"))
    assert made.status == 200, made.data
    yield name
    s3_server.remove_bucket(name)
