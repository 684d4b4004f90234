"""AWS Signature Version 4 in the query string, with an unsigned payload: a URL that lets its bearer do one thing.

After "Authenticating Requests: Using Query Parameters (AWS Signature Version 4)" of the S3 API reference. The body is
not part of the signature: hashing each one would cost nine tenths of the speed of an upload, and sealed frames prove
themselves. Pure: time is an argument.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

from lucidfs.objects.s3.bucket import S3Bucket, S3Keys, encode

EXPIRES_S_MAX = 604_800  # a week: S3 signs for no longer

_ALGORITHM = "AWS4-HMAC-SHA256"
_DOTS = {".": "%2E", "..": "%2E%2E"}  # as they are, HTTP clients take these segments for steps in a tree


def presign(
    bucket: S3Bucket,
    keys: S3Keys,
    method: str,
    key: str,
    *,
    now_s: int,
    expires_s: int,
    query: Mapping[str, str] | None = None,
) -> str:
    """A signed URL.

    Args:
        bucket: where.
        keys: signed with.
        method: of HTTP.
        key: of the object; empty: the bucket itself.
        now_s: Unix seconds from which it counts.
        expires_s: seconds of life, at most `EXPIRES_S_MAX`.
        query: further parameters, which are signed too.
    """
    assert 0 < expires_s <= EXPIRES_S_MAX, expires_s
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now_s))
    scope = f"{stamp[:8]}/{bucket.region}/s3/aws4_request"
    text = _query(f"{keys.access_key}/{scope}", stamp, expires_s, tuple((query or {}).items()))
    base, path = bucket.base, bucket.path(key)
    request = "\n".join((method, path or "/", text, f"host:{_host(base)}", "", "host", "UNSIGNED-PAYLOAD"))
    to_sign = "\n".join((_ALGORITHM, stamp, scope, hashlib.sha256(request.encode()).hexdigest()))
    signature = _hmac(_signing_key(keys.secret_key, scope), to_sign).hex()
    return f"{base}{_on_the_wire(path)}?{text}&X-Amz-Signature={signature}"


# A hub signs hundreds of URLs in one second: what they share is made once.


@functools.lru_cache(maxsize=64)
def _query(credential: str, stamp: str, expires_s: int, more: tuple[tuple[str, str], ...]) -> str:
    """The parameters in their order, encoded."""
    parameters = {
        **dict(more),
        "X-Amz-Algorithm": _ALGORITHM,
        "X-Amz-Credential": credential,
        "X-Amz-Date": stamp,
        "X-Amz-Expires": str(expires_s),
        "X-Amz-SignedHeaders": "host",
    }
    return "&".join(f"{encode(name)}={encode(parameters[name])}" for name in sorted(parameters))


@functools.lru_cache(maxsize=64)
def _signing_key(secret: str, scope: str) -> bytes:
    key = b"AWS4" + secret.encode()
    for part in scope.split("/"):
        key = _hmac(key, part)
    return key


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


@functools.lru_cache(maxsize=64)
def _host(base: str) -> str:
    """The Host header that HTTP clients send: without the port that the scheme stands for."""
    parts = urlsplit(base)
    host = parts.netloc.lower()
    usual = {"http": ":80", "https": ":443"}[parts.scheme]
    return host.removesuffix(usual)


def _on_the_wire(path: str) -> str:
    return "/".join(_DOTS.get(segment, segment) for segment in path.split("/")) or "/"
