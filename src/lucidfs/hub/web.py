"""The hub's doors on the network: the wire as a WebSocket, the object gateway, the management API, health, metrics."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address

from aiohttp import WSMsgType, web

from lucidfs.hub import api
from lucidfs.hub.gateway import Gateway
from lucidfs.hub.hub import Hub
from lucidfs.hub.metrics import CONTENT_TYPE
from lucidfs.limits import MESSAGE_BYTES_MAX, OUTBOX_BYTES_MAX, STORE_THREADS

WIRE_PATH = "/wire/v1"

_BINARY = 0x82  # first byte of a WebSocket frame: final, binary


def application(hub: Hub, knocks: Knocks | None = None) -> web.Application:
    """Everything that a hub serves over HTTP. The hub is started and stopped by the caller.

    Args:
        hub: what is served.
        knocks: told of each request; see `Knocks`.
    """
    app = web.Application(client_max_size=0, middlewares=[knocks.middleware] if knocks is not None else [])
    executor = ThreadPoolExecutor(STORE_THREADS, "lucid store")

    async def wire(request: web.Request) -> web.StreamResponse:
        return await _serve_wire(hub, request)

    async def health(request: web.Request) -> web.Response:
        return web.json_response({"serving": hub.serving}, status=200 if hub.serving else 503)

    async def metrics(request: web.Request) -> web.Response:
        return web.Response(body=hub.metrics.text(), headers={"Content-Type": CONTENT_TYPE})

    async def threads(app: web.Application) -> AsyncIterator[None]:
        yield
        executor.shutdown(wait=True)

    app.cleanup_ctx.append(threads)
    app.router.add_get(WIRE_PATH, wire)
    app.router.add_get("/healthz", health)
    app.router.add_get("/metrics", metrics)
    Gateway(hub, executor).mount(app)
    api.mount(app, hub)
    return app


class Knocks:
    """Ends connections on which no whole request head arrives in time: half of one would hold a descriptor for ever.

    Args:
        limit_s: how long a fresh connection may take for it.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._timers: dict[asyncio.BaseProtocol, asyncio.TimerHandle] = {}

    def expect(self, protocol: web.RequestHandler) -> web.RequestHandler:
        """A connection begins, served by this protocol; returns it."""
        timer = asyncio.get_running_loop().call_later(self._limit_s, self._give_up, protocol)
        self._timers[protocol] = timer
        return protocol

    def _give_up(self, protocol: web.RequestHandler) -> None:
        del self._timers[protocol]
        if protocol.transport is not None:
            protocol.transport.abort()

    @web.middleware
    async def middleware(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """A whole head arrived."""
        timer = self._timers.pop(request.protocol, None)
        if timer is not None:
            timer.cancel()
        return await handler(request)


async def _serve_wire(hub: Hub, request: web.Request) -> web.StreamResponse:
    """One WebSocket, from its first frame to its last."""
    socket = web.WebSocketResponse(compress=False, max_msg_size=MESSAGE_BYTES_MAX, autoclose=True)
    try:
        await socket.prepare(request)
    except ConnectionError:
        return web.Response()  # the client left during its handshake: nobody is told, and it is no error of ours
    connection = SocketConnection(request, socket)
    receiver = hub.accept(connection, f"{_scheme(request)}://{request.host}", _is_local(request))
    reason = "the client closed the connection"
    try:
        async for message in socket:
            if message.type is not WSMsgType.BINARY:
                reason = "only binary messages are spoken here"
                connection.close(reason)
                break
            receiver.frame_received(message.data)
    finally:
        connection.lost()
        receiver.connection_lost(reason)
    return socket


def _scheme(request: web.Request) -> str:
    """As the client sees it: a proxy that ends TLS says so. Decides only what that client's own URLs begin with."""
    told = request.headers.get("X-Forwarded-Proto", "")
    return told if told in ("http", "https") else request.scheme


def _is_local(request: web.Request) -> bool:
    """Whether the client seems to be on this machine; one that is not finds no use in what it is told then."""
    forwarded = any(name in request.headers for name in ("Forwarded", "X-Forwarded-For", "X-Forwarded-Proto"))
    try:
        return not forwarded and ip_address(request.remote or "").is_loopback
    except ValueError:
        return False


class SocketConnection:
    """The hub's side of a WebSocket.

    Frames go straight to the socket's transport, all of one turn of the loop in one write: aiohttp's own `send_bytes`
    is a coroutine and a system call for each, and nothing here may wait.

    Args:
        request: of the handshake.
        socket: prepared.
    """

    def __init__(self, request: web.Request, socket: web.WebSocketResponse) -> None:
        self._peer = request.remote or "unknown"
        self._socket = socket
        self._transport = request.transport
        self._loop = asyncio.get_running_loop()
        self._outbox: list[bytes] = []
        self._closing: asyncio.Task[bool] | None = None
        self._lost = False

    @property
    def peer(self) -> str:
        return self._peer

    def send(self, frame: bytes) -> None:
        if self._lost or self._closing is not None:
            return
        if not self._outbox:
            self._loop.call_soon(self._flush)
        self._outbox.append(_header(len(frame)))
        self._outbox.append(frame)

    def close(self, reason: str = "") -> None:
        if self._lost or self._closing is not None:
            return
        self._flush()
        # A close frame holds 125 bytes with its code; the reason is cut on a border of its UTF-8.
        message = reason.encode()[:120].decode("utf-8", "ignore").encode()
        self._closing = self._loop.create_task(self._socket.close(message=message))

    def lost(self) -> None:
        """The socket is closed."""
        self._lost = True

    def _flush(self) -> None:
        outbox, self._outbox = self._outbox, []
        transport = self._transport
        if not outbox or self._lost or transport is None or transport.is_closing():
            return
        assert isinstance(transport, asyncio.WriteTransport)
        if transport.get_write_buffer_size() > OUTBOX_BYTES_MAX:
            transport.abort()  # a client that asks and does not read
            return
        transport.write(b"".join(outbox))


def _header(length: int) -> bytes:
    """The head of an unmasked binary WebSocket frame (RFC 6455, 5.2)."""
    if length < 126:
        return bytes((_BINARY, length))
    if length < 65_536:
        return bytes((_BINARY, 126)) + length.to_bytes(2, "big")
    return bytes((_BINARY, 127)) + length.to_bytes(8, "big")
