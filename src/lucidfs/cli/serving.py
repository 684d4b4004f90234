"""A hub in a thread of this process, with real sockets: for the quick start."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Any


class ServingHub:
    """Serves a data folder while its context lasts.

    Args:
        serve: the module `lucidfs.hub.serve`.
        data: a folder that was bootstrapped.
        host, port: where to listen; port 0 picks a free one.
    """

    def __init__(self, serve: Any, data: Path, host: str, port: int) -> None:
        self._serve = serve
        self._where = (data, host, port)
        self._url: Future[str] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), name="lucid-hub", daemon=True)

    def __enter__(self) -> str:
        """Start it; returns its URL when it serves. Raises what kept it from serving."""
        self._thread.start()
        return self._url.result()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()

    async def _main(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        try:
            async with self._serve.running(*self._where) as (_, url):
                self._url.set_result(url)
                await self._end.wait()
        except BaseException as error:
            if self._url.done():
                raise
            self._url.set_exception(error)
