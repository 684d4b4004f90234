"""Where a bucket is: checked once, so that nothing after it meets a malformed address."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

from lucidfs.errors import Code, Fault

KEY_BYTES_MAX = 1024  # S3's limit for an object's key in UTF-8

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]")  # wider than AWS: others allow more
_REGION = re.compile(r"[A-Za-z0-9-]{1,64}")
_UNRESERVED = "-_.~"  # RFC 3986; letters and digits are always safe for `quote`


@dataclass(frozen=True)
class S3Keys:
    """What requests are signed with. The secret shows in no `repr`."""

    access_key: str
    secret_key: str = field(repr=False)


@dataclass(frozen=True)
class S3Bucket:
    """A bucket and how it is reached.

    Args:
        name: of the bucket.
        region: such as "us-east-1"; part of every signature.
        endpoint: `http(s)://host[:port]` of the service; empty: AWS in that region.
        virtual: the bucket stands in the host name instead of the path.

    Raises:
        Fault: INVALID, naming the part that is wrong.
    """

    name: str
    region: str
    endpoint: str = ""
    virtual: bool = False

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise Fault(Code.INVALID, f"bucket_name: {self.name!r} is not a bucket's name")
        if not _REGION.fullmatch(self.region):
            raise Fault(Code.INVALID, f"region: {self.region!r} is not a region's name")
        check_endpoint(self.endpoint)

    @property
    def base(self) -> str:
        """Address of the service, with the bucket in it when it is addressed by host; no slash at the end."""
        endpoint = self.endpoint.rstrip("/") or f"https://s3.{self.region}.amazonaws.com"
        if not self.virtual:
            return endpoint
        scheme, _, host = endpoint.partition("://")
        return f"{scheme}://{self.name}.{host}"

    def path(self, key: str) -> str:
        """The path of an object (empty key: of the bucket), percent-encoded as it is signed."""
        bucket = "" if self.virtual else "/" + self.name
        return f"{bucket}/{encode(key, keep='/')}" if key or self.virtual else bucket

    def __str__(self) -> str:
        return f"s3://{self.name}"


def check_endpoint(endpoint: str) -> None:
    """Raises Fault(INVALID), naming the field, unless it is empty or `http(s)://host[:port]`."""
    if not endpoint:
        return
    try:
        parts = urlsplit(endpoint)
        whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        whole = False
    if not whole or parts.path.strip("/") or parts.query or parts.fragment or parts.username or "\\" in endpoint:
        raise Fault(Code.INVALID, f"endpoint: expected http(s)://host[:port], got {endpoint!r}")


def check_key(key: str) -> None:
    """Raises Fault(INVALID) unless it can be an object's key."""
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        size = 0
    if not 0 < size <= KEY_BYTES_MAX or "\0" in key:
        raise Fault(Code.INVALID, f"object_id: an object's key has 1 to {KEY_BYTES_MAX} bytes of UTF-8 and no NUL")


def encode(text: str, keep: str = "") -> str:
    """Percent-encoded as SigV4 wants it: everything but unreserved characters (and `keep`)."""
    return quote(text, safe=_UNRESERVED + keep)
