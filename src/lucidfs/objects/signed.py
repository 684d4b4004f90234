"""Objects behind signed URLs: plain HTTP bodies moved by the calling thread. The one door to urllib3 for bodies.

Works with any server that takes PUT of whole bodies and GET of ranges: the hub's gateway, S3 and what speaks it.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import urllib3
from urllib3.exceptions import HTTPError, LocationParseError, NewConnectionError
from urllib3.exceptions import TimeoutError as HTTPTimeout

from lucidfs.errors import Code, Fault
from lucidfs.limits import CONNECT_TIMEOUT_S, OBJECT_BYTES_MAX, STORE_READ_TIMEOUT_S, STORE_REQUESTS_MAX
from lucidfs.objects.base import ObjectName, ObjectStat
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
_LATER = (408, 425, 429)  # the server asks to come back


class SignedStore:
    """An `ObjectStore` that can `put` and `get`; deleting and listing are the hub's (Fault(UNSUPPORTED)).

    Args:
        url_for: gives the URL for ("GET" or "PUT", object). Called in the thread of the call; what it raises goes
            through.
        connections_max: connections kept per server.
    """

    def __init__(self, url_for: UrlFor, connections_max: int = STORE_REQUESTS_MAX) -> None:
        self._url_for = url_for
        timeout = urllib3.Timeout(connect=CONNECT_TIMEOUT_S, read=STORE_READ_TIMEOUT_S)
        self._pool = urllib3.PoolManager(maxsize=connections_max, retries=False, timeout=timeout)

    def put(self, name: ObjectName, data: bytes | bytearray | memoryview | list[bytes]) -> None:
        size = sum(map(len, data)) if isinstance(data, list) else len(data)
        headers = {"Content-Length": str(size), "Content-Type": "application/octet-stream"}
        with _door(name), self._request("PUT", name, headers, data) as response:
            _read_body(response)  # to the end, so that the connection can be used again
            _check(response, name)

    def get(self, name: ObjectName, offset: int, length: int) -> bytes:
        if not length:
            return b""  # HTTP has no empty ranges
        headers = {"Range": f"bytes={offset}-{offset + length - 1}"}
        with _door(name), self._request("GET", name, headers, None) as response:
            body = _read_body(response)
            _check(response, name)
            if response.status == 200:  # a server that knows no ranges sent the whole object
                body = body[offset : offset + length]
        if len(body) != length:
            raise EOFError(f"object {name.object:016x} ends {length - len(body)} bytes before {offset + length}")
        return body

    def delete(self, name: ObjectName) -> None:
        raise Fault(Code.UNSUPPORTED, "objects are deleted by the hub, not through signed URLs")

    def list(self, filespace: FilespaceId) -> Iterator[ObjectStat]:
        raise Fault(Code.UNSUPPORTED, "objects are listed by the hub, not through signed URLs")

    def close(self) -> None:
        """Close the idle connections."""
        self._pool.clear()

    @contextmanager
    def _request(
        self, method: str, name: ObjectName, headers: dict[str, str], body: object
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        response = self._pool.request(
            method,
            self._url_for(method, name),
            headers=headers,
            body=body,  # type: ignore[arg-type]  # any buffer or list of buffers, its length is in the headers
            preload_content=False,
            decode_content=False,
            redirect=False,
        )
        try:
            yield response
        except BaseException:
            response.close()  # something of the body may be left: the connection is of no more use
            raise
        response.release_conn()


def _read_body(response: urllib3.BaseHTTPResponse) -> bytes:
    """The whole body, which must say its length and be no longer than an object."""
    length = response.headers.get("Content-Length", "")
    if not length.isdecimal() or int(length) > OBJECT_BYTES_MAX:
        raise Fault(Code.TOO_LARGE, f"the object store sent a body of {length or 'unknown'} bytes")
    return response.read()


def _check(response: urllib3.BaseHTTPResponse, name: ObjectName) -> None:
    """Raise what a status means; its body is never shown, it may say anything."""
    status = response.status
    if 200 <= status < 300:
        return
    if status == 404:
        raise FileNotFoundError(errno.ENOENT, f"no object {name.object:016x} in the store")
    if status == 409:
        raise FileExistsError(errno.EEXIST, f"object {name.object:016x} is in the store with other bytes")
    if status == 416:
        raise EOFError(f"object {name.object:016x} ends before the range does")
    if status in _PERMANENT:
        raise Fault(_PERMANENT[status], f"the object store answered {status} for object {name.object:016x}")
    if status >= 500 or status in _LATER:
        raise OSError(errno.EAGAIN, f"the object store answered {status}")
    raise Fault(Code.INVALID, f"the object store answered {status} for object {name.object:016x}")


@contextmanager
def _door(name: ObjectName) -> Iterator[None]:
    """urllib3's exceptions as builtins; their texts hold the signed URL, so they are not repeated."""
    try:
        yield
    except LocationParseError:
        raise Fault(Code.INVALID, f"the URL of object {name.object:016x} is not one") from None
    except NewConnectionError:  # to urllib3 it is a kind of timeout
        raise ConnectionRefusedError(errno.ECONNREFUSED, "the object store cannot be reached") from None
    except HTTPTimeout:
        raise TimeoutError(errno.ETIMEDOUT, "the object store did not answer in time") from None
    except HTTPError as error:
        raise ConnectionError(errno.ECONNRESET, f"the object store broke off: {type(error).__name__}") from None
