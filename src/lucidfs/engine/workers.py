"""Where bodies are worked on: a few threads that seal, open and move bytes, so that none of it touches the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Runner(Protocol):
    """Runs blocking functions for coroutines."""

    async def run(self, fn: Callable[..., T], *args: Any) -> T:
        """The result of `fn(*args)`; what it raises is raised here."""
        ...

    def close(self) -> None:
        """Let running work end; nothing runs afterwards."""
        ...


class Workers:
    """Threads of their own. They spend their time in ciphers, compressors and sockets, outside the GIL.

    Args:
        count: number of threads.
    """

    def __init__(self, count: int) -> None:
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="lucid-worker")

    async def run(self, fn: Callable[..., T], *args: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, fn, *args)

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)


class InlineWorkers:
    """No threads: the work is done where it is awaited, so that a simulation is one thread and one order."""

    async def run(self, fn: Callable[..., T], *args: Any) -> T:
        await asyncio.sleep(0)  # a real worker always yields to the loop; code must not come to rely on less
        return fn(*args)

    def close(self) -> None:
        pass
