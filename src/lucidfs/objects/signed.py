"""Objects behind signed URLs: plain HTTP bodies moved by the calling thread.

Works with any server that takes PUT of whole bodies and GET of ranges: the hub's gateway, S3 and what speaks it.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator

from lucidfs.errors import Code, Fault
from lucidfs.limits import STORE_REQUESTS_MAX
from lucidfs.objects.base import ObjectName, ObjectStat
from lucidfs.objects.http import Answer, Body, Busy, Http
from lucidfs.types import FilespaceId

UrlFor = Callable[[str, ObjectName], str]

_PERMANENT = {
    401: Code.DENIED,
    403: Code.DENIED,
    405: Code.UNSUPPORTED,
    413: Code.TOO_LARGE,
    501: Code.UNSUPPORTED,
    507: Code.NO_SPACE,
}


class SignedStore:
    """An `ObjectStore` that can `put` and `get`; deleting and listing are the hub's (Fault(UNSUPPORTED)).

    Args:
        url_for: gives the URL for ("GET" or "PUT", object). Called in the thread of the call; what it raises goes
            through. A PUT may ask for a GET too: to see whether what is there already is the same.
        connections_max: connections kept per server.
    """

    def __init__(self, url_for: UrlFor, connections_max: int = STORE_REQUESTS_MAX) -> None:
        self._url_for = url_for
        self._http = Http(connections_max)

    def put(self, name: ObjectName, data: Body) -> None:
        size = sum(map(len, data)) if isinstance(data, list) else len(data)
        headers = {
            "Content-Length": str(size),
            "Content-Type": "application/octet-stream",
            "If-None-Match": "*",  # objects never change; without it S3 would let a second body replace the first
        }
        with self._http.request("PUT", self._url_for("PUT", name), headers, data) as answer:
            answer.read()  # to the end, so that the connection can be used again
            if answer.status != 412:
                _check(answer, name)
                return
        if self._up_to(name, size + 1) != (b"".join(data) if isinstance(data, list) else data):
            raise FileExistsError(errno.EEXIST, f"object {name.object:016x} is in the store with other bytes")

    def get(self, name: ObjectName, offset: int, length: int) -> bytes:
        if not length:
            return b""  # HTTP has no empty ranges
        headers = {"Range": f"bytes={offset}-{offset + length - 1}"}
        with self._http.request("GET", self._url_for("GET", name), headers) as answer:
            body = answer.read()
            _check(answer, name)
            if answer.status == 200:  # a server that knows no ranges sent the whole object
                body = body[offset : offset + length]
        if len(body) != length:
            raise EOFError(f"object {name.object:016x} ends {length - len(body)} bytes before {offset + length}")
        return body

    def _up_to(self, name: ObjectName, length: int) -> bytes:
        """The first `length` bytes of an object, or all where it is shorter."""
        headers = {"Range": f"bytes=0-{length - 1}"}
        with self._http.request("GET", self._url_for("GET", name), headers) as answer:
            body = answer.read()
            _check(answer, name)
        return body[:length]

    def delete(self, name: ObjectName) -> None:
        raise Fault(Code.UNSUPPORTED, "objects are deleted by the hub, not through signed URLs")

    def list(self, filespace: FilespaceId) -> Iterator[ObjectStat]:
        raise Fault(Code.UNSUPPORTED, "objects are listed by the hub, not through signed URLs")

    def close(self) -> None:
        """Close the idle connections."""
        self._http.close()


def _check(answer: Answer, name: ObjectName) -> None:
    """Raise what a status means; its body is never shown, it may say anything."""
    status = answer.status
    if 200 <= status < 300:
        return
    if status == 404:
        raise FileNotFoundError(errno.ENOENT, f"no object {name.object:016x} in the store")
    if status == 409 and "x-amz-request-id" in answer.headers:  # S3: another put of it is under way
        raise Busy("the object store answered 409 to two puts at once")
    if status == 409:
        raise FileExistsError(errno.EEXIST, f"object {name.object:016x} is in the store with other bytes")
    if status == 416:
        raise EOFError(f"object {name.object:016x} ends before the range does")
    if status in _PERMANENT:
        raise Fault(_PERMANENT[status], f"the object store answered {status} for object {name.object:016x}")
    answer.check_passing()
    raise Fault(Code.INVALID, f"the object store answered {status} for object {name.object:016x}")
