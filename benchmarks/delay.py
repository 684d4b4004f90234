"""A proxy that makes a network out of the loopback: every byte arrives half a round trip later, in order, unhindered.

`python -m benchmarks.delay PORT HOST:PORT MS` runs one by hand.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

_CHUNK = 256 * 1024
_UNREAD = 64 * 1024 * 1024  # what one direction may hold back: bandwidth is not what is measured


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, half_s: float) -> None:
    """One direction: read at once, write when the bytes would have arrived."""
    loop = asyncio.get_running_loop()
    late: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_UNREAD // _CHUNK)

    async def deliver() -> None:
        while True:
            due_s, data = await late.get()
            await asyncio.sleep(max(0.0, due_s - loop.time()))
            if not data:
                break
            writer.write(data)
            await writer.drain()
        writer.close()

    task = asyncio.ensure_future(deliver())
    try:
        while True:
            data = await reader.read(_CHUNK)
            await late.put((loop.time() + half_s, data))
            if not data:
                break
        await task
    except OSError:
        writer.close()
        task.cancel()


async def serve(port: int, host: str, target_port: int, round_trip_ms: float) -> asyncio.Server:
    """Listen on a port of the loopback (0: any) and pass on to host and port."""

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(host, target_port)
        except OSError:
            writer.close()
            return
        half_s = round_trip_ms / 2000
        with suppress(asyncio.CancelledError):
            await asyncio.gather(_pass_on(reader, far_writer, half_s), _pass_on(far_reader, writer, half_s))

    return await asyncio.start_server(accept, "127.0.0.1", port, limit=_CHUNK)


@contextmanager
def delayed(url: str, round_trip_ms: float) -> Iterator[str]:
    """The hub's URL with a round trip of that many ms in front of it. Signed URLs follow, for they name the proxy."""
    target = urlsplit(url)
    assert target.hostname and target.port
    host, port = target.hostname, target.port
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="delay", daemon=True)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(serve(0, host, port, round_trip_ms), loop).result()
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        asyncio.run_coroutine_threadsafe(_end(server), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _end(server: asyncio.Server) -> None:
    server.close()
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _main() -> None:
    host, _, port = sys.argv[2].rpartition(":")
    server = await serve(int(sys.argv[1]), host, int(port), float(sys.argv[3]))
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main())
