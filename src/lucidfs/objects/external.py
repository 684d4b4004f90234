"""Objects that stay where they are: linked from a bucket or a URL, read by ranges, never written.

Looks like an `ObjectStore`, so that limits and retries are the same; an object's name is the number of its node.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple
from urllib.parse import urljoin

from lucidfs.errors import Code, Fault
from lucidfs.limits import STORE_REQUESTS_MAX, URL_CHARACTERS_MAX
from lucidfs.objects.addresses import check_literal, check_outside, check_url
from lucidfs.objects.base import ObjectName, ObjectStat
from lucidfs.objects.http import Answer, Body, Http
from lucidfs.objects.s3.client import ranged_body
from lucidfs.types import FilespaceId


class Source(NamedTuple):
    """Where an external object is read."""

    url: str
    etag: str  # without quotes; "": the server has none
    size: int  # bytes when it was linked
    what: str  # for messages: data store and key
    redirects: int = 0  # so many are followed
    private: bool = False  # they may lead into private networks


class Probed(NamedTuple):
    """What a server tells of what a URL gives."""

    size: int  # bytes
    etag: str  # without quotes; "": it has none that tells one content from another


def probe(http: Http, source: Source) -> Probed:
    """Ask a server for the first byte: whether it serves ranges, and how long the whole is.

    Raises:
        Fault: INVALID, saying what the server cannot do; NOT_FOUND, DENIED; and what passes, as `Http.request`.
    """
    with requested(http, source, {"Range": "bytes=0-0"}) as answer:
        etag = answer.headers.get("ETag", "")
        etag = "" if etag.startswith("W/") else etag.strip('"')
        answer.check_passing()
        if answer.status == 416 and answer.headers.get("Content-Range", "").endswith("/0"):
            return Probed(0, etag)
        if answer.status == 200 and answer.length == 0:
            return Probed(0, etag)
        if answer.status == 200:
            raise Fault(Code.INVALID, "url: its server serves no ranges, so that only the whole could be read")
        if answer.status != 206:
            raise {
                404: Fault(Code.NOT_FOUND, "url: there is nothing there (404)"),
                401: Fault(Code.DENIED, "url: its server asks for a login (401)"),
                403: Fault(Code.DENIED, "url: its server forbids it (403)"),
            }.get(answer.status, Fault(Code.INVALID, f"url: its server answered {answer.status}"))
        total = answer.headers.get("Content-Range", "").rpartition("/")[2]
        if not total.isascii() or not total.isdecimal() or len(total) > 18:
            raise Fault(Code.INVALID, "url: its server does not tell how long it is")
        answer.read_some(1024)
        return Probed(int(total), etag)


@contextmanager
def requested(http: Http, source: Source, headers: dict[str, str]) -> Iterator[Answer]:
    """The answer to a GET, redirects followed as far as the source allows.

    Raises:
        Fault: INVALID for too many redirects, or one that gives up encryption; DENIED for one into a private network.
    """
    url = source.url
    for _ in range(source.redirects + 1):
        with http.request("GET", url, headers) as answer:
            target = answer.headers.get("Location", "") if answer.status in _REDIRECTS and source.redirects else ""
            if not target:
                yield answer
                return
        before, url = url, urljoin(url, target)
        host = check_url(url, URL_CHARACTERS_MAX)
        if before.startswith("https:") and not url.startswith("https:"):
            raise Fault(Code.INVALID, "url: its server redirects from https to http")
        if not source.private:
            check_outside(host)
    raise Fault(Code.INVALID, f"url: more than {source.redirects} redirects")


_REDIRECTS = (301, 302, 303, 307, 308)


def _check_same(answer: Answer, source: Source) -> None:
    """Raises Fault(REPLACED) when bytes of another object come, from a server that does not know If-Match."""
    etag = answer.headers.get("ETag", "").removeprefix("W/").strip('"')
    if answer.status in (200, 206) and source.etag and etag and etag != source.etag:
        raise Fault(Code.REPLACED, f"{source.what}: the object was replaced; link it again")


class ExternalStore:
    """An `ObjectStore` that can only `get`.

    Args:
        source_of: tells where an object is read. Called in the thread of the call; what it raises goes through.
        connections_max: connections kept per server.
    """

    def __init__(self, source_of: Callable[[ObjectName], Source], connections_max: int = STORE_REQUESTS_MAX) -> None:
        self._source_of = source_of
        self._http = Http(connections_max)
        self._guarded = Http(connections_max, check_literal)  # for URLs that somebody else gave

    def get(self, name: ObjectName, offset: int, length: int) -> bytes:
        """Bytes of the object that was linked.

        Raises:
            Fault: NOT_FOUND (deleted), REPLACED (another ETag or size), DENIED, INVALID (another region), CORRUPT
                (other bytes than asked for); and what passes, as `Http.request`.
        """
        if not length:
            return b""  # HTTP has no empty ranges
        source = self._source_of(name)
        headers = {"Range": f"bytes={offset}-{offset + length - 1}"}
        if source.etag:
            headers["If-Match"] = f'"{source.etag}"'
        http = self._guarded if source.redirects and not source.private else self._http
        with requested(http, source, headers) as answer:
            _check_same(answer, source)
            try:
                return ranged_body(answer, offset, length, source.what, source.size)
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
        self._guarded.close()
