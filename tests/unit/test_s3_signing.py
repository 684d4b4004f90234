"""Addresses and signatures of S3: the published example, and everything that a bucket or key may be called."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from lucidfs.errors import Code, Fault
from lucidfs.objects.s3.bucket import S3Bucket, S3Keys, check_key
from lucidfs.objects.s3.sigv4 import presign

KEYS = S3Keys("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
NOW_S = 1_369_353_600  # 2013-05-24T00:00:00Z


def test_the_example_of_the_api_reference() -> None:
    """From "Authenticating Requests: Using Query Parameters (AWS Signature Version 4)"."""
    bucket = S3Bucket("examplebucket", "us-east-1", "https://s3.amazonaws.com", virtual=True)
    url = presign(bucket, KEYS, "GET", "test.txt", now_s=NOW_S, expires_s=86_400)
    assert url.startswith("https://examplebucket.s3.amazonaws.com/test.txt?")
    assert parse_qs(urlsplit(url).query)["X-Amz-Signature"] == [
        "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    ]


@pytest.mark.parametrize(
    ("bucket", "url"),
    [
        (S3Bucket("data", "eu-west-1"), "https://s3.eu-west-1.amazonaws.com/data/a/b"),
        (S3Bucket("data", "eu-west-1", virtual=True), "https://data.s3.eu-west-1.amazonaws.com/a/b"),
        (S3Bucket("data", "x", "http://127.0.0.1:9000"), "http://127.0.0.1:9000/data/a/b"),
        (S3Bucket("data", "x", "http://minio.local/", virtual=True), "http://data.minio.local/a/b"),
    ],
)
def test_addresses(bucket: S3Bucket, url: str) -> None:
    assert presign(bucket, KEYS, "GET", "a/b", now_s=NOW_S, expires_s=60).partition("?")[0] == url


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("a b+c&d=e?f#g", "/data/a%20b%2Bc%26d%3De%3Ff%23g"),
        ("x/../y", "/data/x/%2E%2E/y"),
        ("./x", "/data/%2E/x"),
        ("//x", "/data///x"),
        ("ä€", "/data/%C3%A4%E2%82%AC"),
        ("100%", "/data/100%25"),
        ("~-_.", "/data/~-_."),
    ],
)
def test_keys_on_the_wire(key: str, path: str) -> None:
    url = presign(S3Bucket("data", "x", "http://h"), KEYS, "GET", key, now_s=NOW_S, expires_s=60)
    assert urlsplit(url).path == path


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"name": ""}, "bucket_name"),
        ({"name": "a/b"}, "bucket_name"),
        ({"region": ""}, "region"),
        ({"region": "a b"}, "region"),
        ({"endpoint": "localhost:9000"}, "endpoint"),
        ({"endpoint": "ftp://host"}, "endpoint"),
        ({"endpoint": "http://"}, "endpoint"),
        ({"endpoint": "http://host/path"}, "endpoint"),
        ({"endpoint": "http://host?x=1"}, "endpoint"),
        ({"endpoint": "http://me@host"}, "endpoint"),
        ({"endpoint": "http://host:99999"}, "endpoint"),
    ],
)
def test_addresses_that_are_none(fields: dict[str, str], named: str) -> None:
    with pytest.raises(Fault, match=named) as caught:
        S3Bucket(fields.get("name", "data"), fields.get("region", "us-east-1"), fields.get("endpoint", ""))
    assert caught.value.code is Code.INVALID


@pytest.mark.parametrize("key", ["", "x" * 1025, "a\0b", "\ud800"])
def test_keys_that_are_none(key: str) -> None:
    with pytest.raises(Fault, match="object_id"):
        check_key(key)


def test_the_secret_is_not_shown() -> None:
    assert "EXAMPLEKEY" not in repr(KEYS)
