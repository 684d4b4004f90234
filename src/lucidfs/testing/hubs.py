"""Real hubs for tests: in a thread of this process, or as a process of their own that can be killed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from lucidfs.clock import SystemClock
from lucidfs.crypto.account import AccountKeys
from lucidfs.crypto.token import Token
from lucidfs.hub.bootstrap import bootstrap
from lucidfs.hub.hub import Hub
from lucidfs.hub.serve import running
from lucidfs.hub.settings import HubSettings

WORKSPACE = "demo"
ADMIN = "admin"
T = TypeVar("T")
ALLOWED = "LUCID_HUB_ALLOW_PRIVATE_ENDPOINTS"  # `lucid hub start` reads it too
_START_S = 30.0


class HubThread:
    """A hub with real sockets on a free port, on a loop in a background thread.

    Args:
        data: a bootstrapped folder.
        settings: see `HubSettings`; private endpoints are allowed too if the variable ALLOWED is set.
        port: 0 picks a free one.

    Attributes:
        url: where it serves.
        hub: to look inside; touch it through `run` only.
    """

    hub: Hub

    def __init__(self, data: Path, *, settings: HubSettings | None = None, port: int = 0) -> None:
        self.data = data
        self.url = ""
        given = settings or HubSettings()
        self._settings = replace(given, allow_private_endpoints=given.allow_private_endpoints or ALLOWED in os.environ)
        self._port = port
        self._ready: Future[None] = Future()
        self._thread = threading.Thread(target=self._main, name="test hub", daemon=True)
        self._thread.start()
        self._ready.result(_START_S)

    def run(self, work: Callable[[Hub], Awaitable[T]]) -> T:
        """Run something on the hub's own loop, and return what it returned."""

        async def main() -> T:
            return await work(self.hub)

        return asyncio.run_coroutine_threadsafe(main(), self._loop).result()

    def stop(self) -> None:
        """End it in order, as SIGTERM does. Once more: nothing happens."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._told.set)
            self._thread.join()

    def _main(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._told = asyncio.Event()
        try:
            async with running(self.data, "127.0.0.1", self._port, settings=self._settings) as (self.hub, self.url):
                self._ready.set_result(None)
                await self._told.wait()
        except BaseException as error:
            if self._ready.done():
                raise
            self._ready.set_exception(error)


class ProcessHub:
    """A hub in a process of its own: `lucid hub start`.

    Args:
        data: a bootstrapped folder.
    """

    def __init__(self, data: Path) -> None:
        self.data = data
        self.url = ""
        self._listen = "127.0.0.1:0"
        self._process: subprocess.Popen[str] | None = None
        self.start()

    def start(self) -> None:
        """Start it, on the same port as before if there was one; returns when it serves."""
        command = [sys.executable, *self.arguments(self._listen)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("ready "):
                self.url = line.split()[1]
                self._listen = self.url.removeprefix("http://")
                return
        self.stop()
        raise RuntimeError("the hub process ended before it was ready")

    def arguments(self, listen: str) -> list[str]:
        """What follows the interpreter on its command line; it must print a line `ready URL`."""
        return ["-m", "lucidfs.cli", "hub", "start", "--data", str(self.data), "--listen", listen]

    @property
    def pid(self) -> int:
        """Of the process."""
        assert self._process is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it runs, or is stopped by a signal."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """SIGKILL: no courtesy, no cleaning up."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        return self._end(signal.SIGTERM)

    def restart(self) -> None:
        """Kill it and start it again on the same port and data."""
        self.kill()
        self.start()

    def _end(self, number: signal.Signals) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(number)
        if process.stdout is not None:
            process.stdout.close()
        return process.wait(_START_S)


def new_data(folder: Path) -> tuple[Path, str]:
    """A bootstrapped data folder below `folder`, and the admin's token."""
    token = Token.generate(os.urandom)
    keys = AccountKeys(token)
    data = folder / "hub"
    bootstrap(
        data,
        WORKSPACE,
        ADMIN,
        keys.key_id,
        keys.login_public,
        keys.sealing_public,
        clock=SystemClock(),
        random=os.urandom,
    )
    return data, token.text()


def new_hub(folder: Path, *, settings: HubSettings | None = None) -> tuple[HubThread, str]:
    """A running hub with its data below `folder`, and the token of its workspace admin."""
    data, token = new_data(folder)
    return HubThread(data, settings=settings), token
