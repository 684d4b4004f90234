"""The `Transport` over WebSocket, client side: the one door to picows."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import logging
import socket
import ssl
from urllib.parse import urlsplit, urlunsplit

import picows

from lucidfs.errors import Code, Fault
from lucidfs.limits import CONNECT_TIMEOUT_S, MESSAGE_BYTES_MAX
from lucidfs.wire.transport import Connection, Receiver

WIRE_PATH = "/wire/v1"
_CLOSING_TURNS = 3  # of the loop: the end is read, the transport closed, its socket closed
_SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}

_LOG = logging.getLogger(__name__)


class _Told(logging.Handler):
    """Passes on what comes with a traceback, which is a mistake in our own callbacks. The rest picows also raises or
    reports by `on_ws_disconnected`: twice is noise on a user's terminal."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info is not None:
            _LOG.handle(record)


# A handler and no filter: picows logs through a child of this one for each connection, and filters are not inherited.
_LOGGER = logging.getLogger("lucidfs.wire.websocket.picows")
_LOGGER.propagate = False
_LOGGER.addHandler(_Told(logging.WARNING))


class WebSocketTransport:
    """Connections to the hub at one URL.

    Args:
        url: `http(s)://` or `ws(s)://` host, port and, behind a proxy, a path prefix.
        allow_plaintext: let `http://`/`ws://` reach other hosts than this one. Without it names and content stay
            sealed anyway, but sizes, times and the tree's shape would cross the network in the clear.
        tls: context to check the hub's certificate with; None: the system's certificates.

    Raises:
        ValueError: `url` is not such a URL.
        Fault: DENIED for an unencrypted URL to another host that was not allowed.
    """

    def __init__(self, url: str, allow_plaintext: bool = False, *, tls: ssl.SSLContext | None = None) -> None:
        parts = urlsplit(url)
        scheme = _SCHEMES.get(parts.scheme.lower())
        if scheme is None or not parts.hostname or parts.query or parts.fragment:
            raise ValueError(f"not a hub URL: {url!r} (expected http[s]://host:port)")
        if parts.username is not None or parts.password is not None:
            raise ValueError("a hub URL holds no user and password: log in with a token")
        _ = parts.port  # raises ValueError for what is no port
        if scheme == "ws" and not allow_plaintext and not is_loopback(parts.hostname):
            raise Fault(
                Code.DENIED,
                f"refusing an unencrypted connection to {parts.hostname}: use https://, or allow it with "
                "the option hub.allow_plaintext",
            )
        self.url = url
        self._tls = tls
        self._wire_url = urlunsplit((scheme, parts.netloc, parts.path.rstrip("/") + WIRE_PATH, "", ""))

    async def connect(self, receiver: Receiver) -> Connection:
        """Open a connection within CONNECT_TIMEOUT_S. Raises Fault(UNAVAILABLE) when that fails."""
        try:
            listener = await asyncio.wait_for(self._handshake(receiver), CONNECT_TIMEOUT_S)
        except (asyncio.TimeoutError, TimeoutError):
            raise Fault(
                Code.UNAVAILABLE, f"no answer from the hub at {self.url} within {CONNECT_TIMEOUT_S:g} s"
            ) from None
        except picows.WSError as error:
            raise Fault(Code.UNAVAILABLE, f"no hub speaks at {self.url}: {_first_line(error)}") from error
        except OSError as error:
            raise Fault(Code.UNAVAILABLE, f"cannot reach the hub at {self.url}: {_first_line(error)}") from error
        if not isinstance(listener, _Connection):  # picows: the connection was lost while it shook hands
            raise Fault(Code.UNAVAILABLE, f"the hub at {self.url} closed the connection while it was opened")
        return listener

    async def _handshake(self, receiver: Receiver) -> picows.WSListener:
        """Connect and shake hands; whatever ends it early, no socket stays open."""
        dialled: list[socket.socket] = []

        async def dial(url: picows.WSParsedURL) -> socket.socket:
            dialled.append(await _dial(url.host, url.port))
            return dialled[-1]

        try:
            _, listener = await picows.ws_connect(
                lambda: _Connection(receiver, self.url),
                self._wire_url,
                ssl_context=self._tls,
                websocket_handshake_timeout=CONNECT_TIMEOUT_S,
                max_frame_size=MESSAGE_BYTES_MAX,
                max_redirects=0,
                logger_name=_LOGGER,
                socket_factory=dial,
            )
        except BaseException:
            await _hang_up(dialled)
            raise
        return listener


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only be this machine."""
    if host.lower() == "localhost" or host.lower().endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _Connection(picows.WSListener):
    """One WebSocket as the wire's `Connection`. Only the loop's thread touches it."""

    def __init__(self, receiver: Receiver, peer: str) -> None:
        super().__init__()
        self._receiver = receiver
        self._peer = peer
        self._socket: picows.WSTransport | None = None
        self._reason = ""
        self._parts: list[bytes] = []
        self._parts_bytes = 0

    @property
    def peer(self) -> str:
        return self._peer

    def send(self, frame: bytes) -> None:
        socket = self._socket
        # The loss may be known to the transport one turn before it is to us; it logs each write after that.
        if socket is not None and not socket.underlying_transport.is_closing():
            socket.send(picows.WSMsgType.BINARY, frame)

    def close(self, reason: str = "") -> None:
        socket = self._socket
        if socket is None:
            return
        self._reason = self._reason or reason or "closed here"
        socket.send_close(picows.WSCloseCode.OK)
        # Not graceful: a peer that stopped reading must not keep the connection from ending.
        socket.disconnect(False)

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        self._socket = transport

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        kind = frame.msg_type
        if kind is picows.WSMsgType.BINARY and frame.fin:
            self._receiver.frame_received(frame.get_payload_as_bytes())
        elif kind is picows.WSMsgType.BINARY or kind is picows.WSMsgType.CONTINUATION:
            self._gather(frame.get_payload_as_bytes(), bool(frame.fin))
        elif kind is picows.WSMsgType.CLOSE:
            self._reason = self._reason or f"closed by the hub: {_first_line(frame.get_close_reason()) or 'no reason'}"
            transport.disconnect()
        elif kind is picows.WSMsgType.TEXT:
            self.close("the hub sent text")

    def _gather(self, part: bytes, last: bool) -> None:
        self._parts.append(part)
        self._parts_bytes += len(part)
        if self._parts_bytes > MESSAGE_BYTES_MAX:
            self.close("the hub sent a message over the size limit")
        elif last:
            whole = b"".join(self._parts)
            self._parts, self._parts_bytes = [], 0
            self._receiver.frame_received(whole)

    def on_ws_disconnected(self, transport: picows.WSTransport) -> None:
        self._socket = None
        self._receiver.connection_lost(self._reason or _broken(transport) or "the connection broke")
        # picows also keeps the reason in a future, about which asyncio complains when nobody asks.
        asyncio.get_running_loop().create_task(_ask(transport))


async def _dial(host: str, port: int) -> socket.socket:
    """A connected socket to the first address of a host that takes one. Raises OSError."""
    loop = asyncio.get_running_loop()
    refusal = OSError(errno.EADDRNOTAVAIL, f"{host} has no address")
    for family, kind, protocol, _, address in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        made = socket.socket(family, kind, protocol)
        try:
            made.setblocking(False)
            await loop.sock_connect(made, address)
        except OSError as error:
            made.close()
            refusal = error
        except BaseException:
            made.close()
            raise
        else:
            return made
    raise refusal


async def _hang_up(sockets: list[socket.socket]) -> None:
    """End what picows leaves open when it is interrupted between connection and handshake.

    Its transport belongs to nobody then. It ends by itself once it reads the end: give it the turns for that.
    """
    for each in sockets:
        with contextlib.suppress(OSError):  # it did end
            each.shutdown(socket.SHUT_RDWR)
    for _ in range(_CLOSING_TURNS):
        await asyncio.sleep(0)
    for each in sockets:
        each.close()  # what was reset before picows made a transport of it


def _broken(transport: picows.WSTransport) -> str:
    """What we told the hub when what it sent was no WebSocket; empty if it was not that."""
    closing = transport.close_handshake
    if closing is None or closing.sent is None or closing.sent.code in (None, picows.WSCloseCode.OK):
        return ""
    return f"what answers is no hub: {_first_line(closing.sent.reason) or 'it broke the WebSocket protocol'}"


async def _ask(transport: picows.WSTransport) -> None:
    with contextlib.suppress(picows.WSError, OSError):
        await transport.wait_disconnected()


def _first_line(what: object) -> str:
    text = str(what).strip()
    return text.splitlines()[0][:200] if text else ""
