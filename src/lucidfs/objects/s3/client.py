"""A client of one bucket: the few requests that the project needs, each signed in its URL, none repeated here."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import NamedTuple
from urllib.parse import unquote_plus

from lucidfs.clock import Clock
from lucidfs.errors import Code, Fault
from lucidfs.limits import S3_PAGE_BYTES_MAX, SIGNED_REQUEST_S
from lucidfs.objects.http import Answer, Body, Busy, Http
from lucidfs.objects.s3.bucket import S3Bucket, S3Keys
from lucidfs.objects.s3.refusals import Refusal, read_refusal, refused
from lucidfs.objects.s3.sigv4 import presign

_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19}|\*)")


class S3Object(NamedTuple):
    """One object, as a listing or a HEAD tells it."""

    key: str
    size: int  # bytes
    etag: str  # without quotes
    mtime_ns: int


class S3Client:
    """Requests at one bucket. Thread-safe. Methods raise as `refused` tells, and passing errors as `Http.request`.

    Args:
        bucket: where.
        keys: to sign with.
        clock: tells the time that is signed.
        http: connections; made and closed by the caller.
    """

    def __init__(self, bucket: S3Bucket, keys: S3Keys, clock: Clock, http: Http) -> None:
        self.bucket = bucket
        self._keys = keys
        self._clock = clock
        self._http = http

    def url(self, method: str, key: str, query: dict[str, str] | None = None, expires_s: int = SIGNED_REQUEST_S) -> str:
        """A URL for one request, signed from now on for `expires_s` seconds."""
        now_s = self._clock.now_ns() // 1_000_000_000
        return presign(self.bucket, self._keys, method, key, now_s=now_s, expires_s=expires_s, query=query)

    def check(self) -> None:
        """See whether the bucket answers to these keys: lists one key of it. Raises as the class says."""
        self._page("", "", 1)

    def head(self, key: str) -> S3Object:
        """Size, ETag and time of an object. Raises Fault NOT_FOUND without one, and as the class says."""
        with self._http.request("HEAD", self.url("HEAD", key), {}) as answer:
            if answer.status != 200:  # without a body: ask again with one, for the reason
                raise self._why(key, answer)
            return object_of(key, answer)

    def get(self, key: str, offset: int, length: int) -> bytes:
        """Bytes [offset, offset + length). Raises EOFError when it ends before, and as the class says."""
        headers = {"Range": f"bytes={offset}-{offset + length - 1}"}
        with self._http.request("GET", self.url("GET", key), headers) as answer:
            return ranged_body(answer, offset, length, self._named(key))

    def put(self, key: str, data: Body, *, if_absent: bool = False) -> None:
        """Store an object; durable when it returns.

        Raises:
            FileExistsError: `if_absent`, and there is one.
        """
        size = sum(map(len, data)) if isinstance(data, list) else len(data)
        headers = {"Content-Length": str(size), "Content-Type": "application/octet-stream"}
        if if_absent:
            headers["If-None-Match"] = "*"
        with self._http.request("PUT", self.url("PUT", key), headers, data) as answer:
            if answer.status == 412 and if_absent:
                raise FileExistsError(f"{self._named(key)} is there already")
            if answer.status == 409 and if_absent:
                raise Busy(f"{self._named(key)}: another put of it is under way")
            self._check(answer, key)

    def delete(self, key: str) -> None:
        """Delete an object; one that is not there counts as deleted, unless the whole bucket is not there."""
        with self._http.request("DELETE", self.url("DELETE", key), {}) as answer:
            if answer.status != 404:
                self._check(answer, key)
                return
            refusal = read_refusal(answer)
            if refusal.code == "NoSuchBucket":
                raise refused(refusal, self._named(key))

    def list(self, prefix: str = "", after: str = "") -> Iterator[S3Object]:
        """Objects whose keys begin with `prefix` and come after `after`, in the order of their keys, page by page."""
        token = ""
        while True:
            root = self._page(prefix, after, 1000, token)
            for item in root.iter("Contents"):
                yield S3Object(
                    unquote_plus(item.findtext("Key", "")),
                    int(item.findtext("Size", "0")),
                    item.findtext("ETag", "").strip('"'),
                    _time_ns(item.findtext("LastModified", "")),
                )
            token = root.findtext("NextContinuationToken", "")
            if root.findtext("IsTruncated") != "true" or not token:
                return

    def _page(self, prefix: str, after: str, keys_max: int, token: str = "") -> ElementTree.Element:
        query = {"list-type": "2", "max-keys": str(keys_max), "encoding-type": "url", "prefix": prefix}
        if token:
            query["continuation-token"] = token
        elif after:
            query["start-after"] = after
        with self._http.request("GET", self.url("GET", "", query), {}) as answer:
            if answer.status != 200:
                answer.check_passing()
                raise refused(read_refusal(answer), str(self.bucket))
            return parse_xml(answer.read_some(S3_PAGE_BYTES_MAX))

    def _check(self, answer: Answer, key: str) -> None:
        if 200 <= answer.status < 300:
            answer.read_some(S3_PAGE_BYTES_MAX)  # to the end, so that the connection can be used again
            return
        answer.check_passing()
        raise refused(read_refusal(answer), self._named(key))

    def _why(self, key: str, head: Answer) -> Exception:
        """Why a HEAD was refused: a GET of one byte is told in words."""
        head.check_passing()
        with self._http.request("GET", self.url("GET", key), {"Range": "bytes=0-0"}) as answer:
            told = read_refusal(answer) if answer.status >= 300 else Refusal(head.status, "", "")
        return refused(told, self._named(key))

    def _named(self, key: str) -> str:
        return f"{self.bucket}/{key}"


def head_signed(http: Http, url: str, key: str, what: str) -> S3Object:
    """Size and ETag of an object, by a URL that is signed for HEAD. Raises as `S3Client`; `what` is for messages."""
    with http.request("HEAD", url, {}) as answer:
        if answer.status != 200:
            answer.check_passing()
            raise refused(Refusal(answer.status, "", answer.headers.get("x-amz-bucket-region", "")), what)
        return object_of(key, answer)


def object_of(key: str, answer: Answer) -> S3Object:
    """What the headers of an answer tell of an object. Raises Fault(INVALID) when they do not tell its size."""
    if answer.length is None:
        raise Fault(Code.INVALID, f"{key}: the server does not tell the object's size")
    try:
        modified = parsedate_to_datetime(answer.headers.get("Last-Modified", ""))
        mtime_ns = int(modified.timestamp()) * 1_000_000_000
    except (ValueError, TypeError, OverflowError):
        mtime_ns = 0
    return S3Object(key, answer.length, answer.headers.get("ETag", "").strip('"'), mtime_ns)


def ranged_body(answer: Answer, offset: int, length: int, what: str, size: int | None = None) -> bytes:
    """The body of an answer to a request for a range, which must be that range.

    Args:
        answer: to a GET with a Range.
        offset, length: bytes that were asked for.
        what: for messages.
        size: bytes of the whole object, where known: another size is another object.

    Raises:
        EOFError: the object ends before the range does.
        Fault: REPLACED (the object has another size), CORRUPT (other bytes than asked for); and as `refused` tells.
    """
    if answer.status == 200 and not _is_part(answer):  # a server that knows no ranges sends the whole object
        if answer.length is not None and size is not None and answer.length != size:
            raise Fault(Code.REPLACED, f"{what}: it has {answer.length} bytes, no longer {size}; link it again")
        body = answer.read()[offset : offset + length]
    elif answer.status in (200, 206):
        span = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
        if span is not None and size is not None and span[3] not in ("*", str(size)):
            raise Fault(Code.REPLACED, f"{what}: it has {span[3]} bytes, no longer {size}; link it again")
        last = offset + length - 1
        if span is None or int(span[1]) != offset or int(span[2]) > last or (size is not None and int(span[2]) < last):
            raise Fault(Code.CORRUPT, f"{what}: the server sent other bytes than it was asked for")
        body = answer.read()
    else:
        answer.check_passing()
        raise refused(read_refusal(answer), what)
    if len(body) < length:
        raise EOFError(f"{what} ends {length - len(body)} bytes before {offset + length}")
    if len(body) > length:
        raise Fault(Code.CORRUPT, f"{what}: the server sent more bytes than it was asked for")
    return body


def _is_part(answer: Answer) -> bool:
    """Whether a 200 has the range that its headers tell: `rclone serve s3` says 200 where others say 206."""
    span = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    return span is not None and answer.length == int(span[2]) - int(span[1]) + 1


def parse_xml(body: bytes) -> ElementTree.Element:
    """An answer of S3 without its namespace. Raises Fault(INVALID) for what is none, or declares entities."""
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:  # the one danger of this parser
        raise Fault(Code.INVALID, "the object store answered with a document that S3 never sends")
    try:
        root = ElementTree.fromstring(body)
    except ElementTree.ParseError:
        raise Fault(Code.INVALID, "the object store answered with something that is not S3's XML") from None
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def _time_ns(text: str) -> int:
    """Of S3's listing: 2026-01-31T09:15:00.000Z."""
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return 0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return int(moment.timestamp() * 1000) * 1_000_000
