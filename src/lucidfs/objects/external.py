"""Objects that stay where they are: linked from a bucket or a URL, read by ranges, never written.

Looks like an `ObjectStore`, so that limits and retries are the same; an object's name is the number of its node.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from lucidfs.errors import Code, Fault
from lucidfs.limits import STORE_REQUESTS_MAX
from lucidfs.objects.base import ObjectName, ObjectStat
from lucidfs.objects.http import Body, Http
from lucidfs.objects.s3.client import ranged_body
from lucidfs.types import FilespaceId


class Source(NamedTuple):
    """Where an external object is read."""

    url: str
    etag: str  # without quotes; "": the server has none
    size: int  # bytes when it was linked
    what: str  # for messages: data store and key


class ExternalStore:
    """An `ObjectStore` that can only `get`.

    Args:
        source_of: tells where an object is read. Called in the thread of the call; what it raises goes through.
        connections_max: connections kept per server.
    """

    def __init__(self, source_of: Callable[[ObjectName], Source], connections_max: int = STORE_REQUESTS_MAX) -> None:
        self._source_of = source_of
        self._http = Http(connections_max)

    def get(self, name: ObjectName, offset: int, length: int) -> bytes:
        """Bytes of the object that was linked.

        Raises:
            Fault: NOT_FOUND (deleted), REPLACED (another ETag or size), DENIED, INVALID (another region), CORRUPT
                (other bytes than asked for); and what passes, as `Http.request`.
        """
        if not length:
            return b""  # HTTP has no empty ranges
        url, etag, size, what = self._source_of(name)
        headers = {"Range": f"bytes={offset}-{offset + length - 1}"}
        if etag:
            headers["If-Match"] = f'"{etag}"'
        with self._http.request("GET", url, headers) as answer:
            try:
                return ranged_body(answer, offset, length, what, size)
            except EOFError as error:
                raise Fault(Code.REPLACED, f"{error}: it is shorter than when it was linked; link it again") from None

    def put(self, name: ObjectName, data: Body) -> None:
        raise Fault(Code.DENIED, "external objects are read-only here")

    def delete(self, name: ObjectName) -> None:
        raise Fault(Code.DENIED, "external objects are read-only here")

    def list(self, filespace: FilespaceId) -> Iterator[ObjectStat]:
        raise Fault(Code.UNSUPPORTED, "external objects are listed by their data store")

    def close(self) -> None:
        """Close the idle connections."""
        self._http.close()
