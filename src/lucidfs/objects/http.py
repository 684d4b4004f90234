"""HTTP for object stores: one pool of connections, and what goes wrong as builtins. The one door to urllib3 for bodies.

Nothing here shows a URL or a body of an answer in a message: the one is signed, the other may say anything.
"""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, LocationParseError, NewConnectionError
from urllib3.exceptions import TimeoutError as HTTPTimeout

from lucidfs.errors import Code, Fault
from lucidfs.limits import CONNECT_TIMEOUT_S, OBJECT_BYTES_MAX, STORE_READ_TIMEOUT_S, STORE_REQUESTS_MAX

Body = bytes | bytearray | memoryview | list[bytes]

LATER = (408, 425, 429)  # the server asks to come back


class _WithoutSignatures(logging.Filter):
    """Takes the query off signed URLs in urllib3's own log: at DEBUG it tells each request's, good for minutes yet."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(map(_unsigned, record.args))
        return True


def _unsigned(argument: object) -> object:
    if isinstance(argument, str) and "signature=" in argument.lower():
        return argument.partition("?")[0] + "?…"
    return argument


logging.getLogger("urllib3.connectionpool").addFilter(_WithoutSignatures())


class Busy(OSError):
    """A server that asks to come back later; passing.

    Args:
        message: what it answered.
        retry_after_s: how long it asked to wait; 0: it did not say.
    """

    def __init__(self, message: str, retry_after_s: float = 0.0) -> None:
        super().__init__(errno.EAGAIN, message)
        self.retry_after_s = retry_after_s


class Answer:
    """The answer to one request, its body not read yet."""

    def __init__(self, response: urllib3.BaseHTTPResponse) -> None:
        self._response = response
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers

    @property
    def length(self) -> int | None:
        """Bytes of the body as announced; None when the server does not say."""
        text = self.headers.get("Content-Length", "")
        return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else None

    def read(self, bytes_max: int = OBJECT_BYTES_MAX) -> bytes:
        """The whole body.

        Raises:
            Fault: TOO_LARGE when it does not say its length or is longer than `bytes_max`.
        """
        if self.length is None or self.length > bytes_max:
            raise Fault(Code.TOO_LARGE, f"the object store sent a body of {self.length or 'unknown'} bytes")
        return self._response.read()

    def read_some(self, bytes_max: int) -> bytes:
        """Up to `bytes_max` bytes of the body, of whatever length: for errors."""
        return self._response.read(bytes_max)

    def check_passing(self) -> None:
        """Raises Busy for a status that a later attempt may not meet."""
        if (self.status >= 500 and self.status not in (501, 505, 507)) or self.status in LATER:
            raise Busy(f"the object store answered {self.status}", _seconds(self.headers.get("Retry-After", "")))


class Http:
    """Connections to object stores. Thread-safe; a call moves its bytes in the calling thread.

    Args:
        connections_max: connections kept per server.
        read_timeout_s: silence after which a connection is given up.
        check_address: called with the IP address of each new connection before anything is sent on it; what it
            raises (a Fault) goes through. None: any address will do.
    """

    def __init__(
        self,
        connections_max: int = STORE_REQUESTS_MAX,
        read_timeout_s: float = STORE_READ_TIMEOUT_S,
        check_address: Callable[[str], None] | None = None,
    ) -> None:
        timeout = urllib3.Timeout(connect=CONNECT_TIMEOUT_S, read=read_timeout_s)
        self._pool = urllib3.PoolManager(maxsize=connections_max, retries=False, timeout=timeout)
        if check_address is not None:
            self._pool.pool_classes_by_scheme = _checking(check_address)

    @contextmanager
    def request(self, method: str, url: str, headers: Mapping[str, str], body: Body | None = None) -> Iterator[Answer]:
        """Send one request, once; no redirect is followed. A body that is not read to its end costs the connection.

        Args:
            method: of HTTP.
            url: whole.
            headers: with a Content-Length for a body.
            body: any buffer, or buffers in order.

        Raises:
            ConnectionRefusedError, ConnectionResetError, TimeoutError: passing.
            Fault: INVALID for a URL that is none.
        """
        with _door():
            response = self._pool.request(
                method,
                url,
                headers=dict(headers),
                body=body,  # type: ignore[arg-type]  # any buffer or list of buffers, its length is in the headers
                preload_content=False,
                decode_content=False,
                redirect=False,
            )
            try:
                yield Answer(response)
            except BaseException:
                response.close()  # something of the body may be left: the connection is of no more use
                raise
            if method == "HEAD":
                response.read()  # nothing, but it ends the answer
            if response.closed:
                response.release_conn()
            else:
                response.close()

    def close(self) -> None:
        """Close the idle connections."""
        self._pool.clear()


def _checking(check_address: Callable[[str], None]) -> dict[str, Any]:
    """Pools whose connections look at where they lead: a name may resolve to something else than it did before."""

    def checked(connection: socket.socket) -> socket.socket:
        try:
            check_address(connection.getpeername()[0])
        except BaseException:
            connection.close()
            raise
        return connection

    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return checked(super()._new_conn())

    class Encrypted(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return checked(super()._new_conn())

    class PlainPool(urllib3.HTTPConnectionPool):
        ConnectionCls = Plain

    class EncryptedPool(urllib3.HTTPSConnectionPool):
        ConnectionCls = Encrypted

    return {"http": PlainPool, "https": EncryptedPool}


@contextmanager
def _door() -> Iterator[None]:
    """urllib3's exceptions as builtins; their texts hold the signed URL, so they are not repeated."""
    try:
        yield
    except LocationParseError:
        raise Fault(Code.INVALID, "the URL of an object is not one") from None
    except NewConnectionError:  # to urllib3 it is a kind of timeout
        raise ConnectionRefusedError(errno.ECONNREFUSED, "the object store cannot be reached") from None
    except HTTPTimeout:
        raise TimeoutError(errno.ETIMEDOUT, "the object store did not answer in time") from None
    except HTTPError as error:
        raise ConnectionResetError(errno.ECONNRESET, f"the object store broke off: {type(error).__name__}") from None


def _seconds(text: str) -> float:
    """Of a Retry-After header that counts seconds; a date is not worth a parser here."""
    return float(text) if text.isascii() and text.isdecimal() and len(text) < 6 else 0.0
