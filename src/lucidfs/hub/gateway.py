"""The object gateway: bodies in and out of the hub's store, for whoever holds a signed URL. No session, no rules."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from typing import TypeVar

from aiohttp import web

from lucidfs.errors import MEANINGS, Code, Fault
from lucidfs.hub.hub import Hub
from lucidfs.limits import GATEWAY_BYTES_MAX, OBJECT_BYTES_MAX, STORE_READ_TIMEOUT_S, UPLOAD_BYTES_PER_S_MIN
from lucidfs.objects.base import ObjectName
from lucidfs.objects.signing import PATH, verify

log = logging.getLogger(__name__)
T = TypeVar("T")

_RANGE = re.compile(r"bytes=(\d{1,19})-(\d{1,19})")


class Gateway:
    """Serves `/objects/<filespace>/<object>`.

    Args:
        hub: its signing key, store and database.
        executor: threads that wait for the store.
    """

    def __init__(self, hub: Hub, executor: Executor) -> None:
        self._hub = hub
        self._executor = executor
        self._room = Room(GATEWAY_BYTES_MAX)

    def mount(self, app: web.Application) -> None:
        """Add the routes."""
        path = f"/{PATH}/{{filespace}}/{{object}}"
        app.router.add_get(path, self._get, allow_head=False)
        app.router.add_put(path, self._put)

    async def _get(self, request: web.Request) -> web.Response:
        try:
            name = self._verified(request)
            data, partial, total = await self._read(name, request.headers.get("Range", ""))
        except (Fault, OSError, EOFError) as error:
            return _refuse(error)
        self._hub.metrics.moved("get", len(data))
        headers = {"Content-Range": f"bytes {partial}/{total}"} if partial else {}
        return web.Response(
            body=data, status=206 if partial else 200, content_type="application/octet-stream", headers=headers
        )

    async def _put(self, request: web.Request) -> web.Response:
        try:
            name = self._verified(request)
            size = request.content_length
            if size is None:
                raise Fault(Code.INVALID, "an upload tells its length")
            if size > OBJECT_BYTES_MAX:
                raise Fault(Code.TOO_LARGE, f"an object has at most {OBJECT_BYTES_MAX} bytes")
            self._hub.check_open()
            async with self._room.for_bytes(size):
                limit_s = STORE_READ_TIMEOUT_S + size / UPLOAD_BYTES_PER_S_MIN
                chunks = await asyncio.wait_for(_body(request, size), limit_s)
                await self._in_thread(partial(self._hub.store.put, name, chunks))
        except asyncio.TimeoutError:
            return _refuse(Fault(Code.UNAVAILABLE, "the upload took too long"))
        except (Fault, OSError) as error:
            return _refuse(error)
        self._hub.metrics.moved("put", size)
        return web.Response()

    def _verified(self, request: web.Request) -> ObjectName:
        """The object that the URL's signature permits. Raises Fault(DENIED), saying nothing more."""
        return verify(
            self._hub.signing_key,
            request.method,
            request.match_info["filespace"],
            request.match_info["object"],
            request.query.get("expires", ""),
            request.query.get("signature", ""),
            self._hub.clock.now_ns() / 1e9,
        )

    async def _read(self, name: ObjectName, asked: str) -> tuple[bytes, str, str]:
        """The bytes, the range that they are ("" for all), and the object's size as far as it is known ("*")."""
        span = _RANGE.fullmatch(asked)
        if asked and span is None:
            raise Fault(Code.UNSUPPORTED, "one range `bytes=a-b` is served")
        first, last = (int(span[1]), int(span[2])) if span is not None else (0, -1)
        if span is not None and not first <= last < first + OBJECT_BYTES_MAX:
            raise EOFError("no such range")
        with self._hub.database.read() as tx:
            row = tx.object(name.object)
            known = row is not None and row.filespace == name.filespace
            data = tx.object_data(name.object) if known else None
        size = row.size if row is not None and known else None
        if span is None:
            if size is None:
                raise FileNotFoundError(f"object {name.object:016x} belongs to no file: read it by ranges")
            first, last = 0, size - 1
        if data is None:
            data = await self._in_thread(partial(self._hub.store.get, name, first, last - first + 1))
        elif last < len(data):
            data = data[first : last + 1]
        else:
            raise EOFError(f"the object has {len(data)} bytes")
        return data, f"{first}-{last}" if span is not None else "", "*" if size is None else str(size)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)


async def _body(request: web.Request, size: int) -> list[bytes]:
    """The whole body in pieces, as they came. Raises Fault(INVALID) when it ends early."""
    try:
        chunks = [chunk async for chunk in request.content.iter_any()]
    except OSError:  # the client went away
        chunks = []
    if sum(map(len, chunks)) != size:
        raise Fault(Code.INVALID, "the upload ended early")
    return chunks


class Room:
    """Bytes of memory that bodies may take; who finds no room waits in line.

    Args:
        size: bytes in all.
    """

    def __init__(self, size: int) -> None:
        self._free = size
        self._size = size
        self._changed = asyncio.Condition()

    def for_bytes(self, count: int) -> _Place:
        """An async context manager that holds `count` bytes."""
        return _Place(self, min(count, self._size))

    async def take(self, count: int) -> None:
        """Wait for `count` bytes."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._free >= count)
            self._free -= count

    async def give(self, count: int) -> None:
        """Give them back."""
        async with self._changed:
            self._free += count
            self._changed.notify_all()


class _Place:
    def __init__(self, room: Room, count: int) -> None:
        self._room = room
        self._count = count

    async def __aenter__(self) -> None:
        await self._room.take(self._count)

    async def __aexit__(self, *exception: object) -> None:
        await self._room.give(self._count)


def _refuse(error: Fault | OSError | EOFError) -> web.Response:
    """The status that `objects.signed` understands; the words help whoever reads a log."""
    if isinstance(error, Fault):
        return web.Response(status=MEANINGS[error.code].http_status, text=error.message)
    if isinstance(error, FileNotFoundError):
        return web.Response(status=404, text="no such object")
    if isinstance(error, FileExistsError):
        return web.Response(status=409, text="the object is there with other bytes")
    if isinstance(error, EOFError):
        return web.Response(status=416, text="the object ends before that")
    log.error("the object store failed", exc_info=error)
    return web.Response(status=503, text="the object store failed")
