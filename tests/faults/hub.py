"""A hub in a process of its own with a short session limit: `python -m tests.faults.hub DATA HOST:PORT LIMIT_S`."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import SIGCONT, SIGSTOP

from lucidfs.hub.serve import serve
from lucidfs.hub.settings import HubSettings
from lucidfs.testing.hubs import ProcessHub

ROOT = Path(__file__).resolve().parents[2]


class FaultHub(ProcessHub):
    """The parent's side.

    Args:
        data: a bootstrapped folder.
        session_limit_s: silence after which the hub ends a session.
    """

    def __init__(self, data: Path, session_limit_s: float) -> None:
        self.session_limit_s = session_limit_s
        super().__init__(data)

    def arguments(self, listen: str) -> list[str]:
        return [str(Path(__file__)), str(self.data), listen, str(self.session_limit_s)]

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """While this lasts it does nothing at all, and its sockets stay open."""
        with stopped(self.pid):
            yield


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """SIGSTOP, then SIGCONT."""
    os.kill(pid, SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, SIGCONT)


def main() -> None:
    data, listen, limit_s = sys.argv[1:]
    host, _, port = listen.rpartition(":")
    settings = HubSettings(
        session_limit_s=float(limit_s),
        heartbeat_s=float(limit_s) / 4,
        allow_private_endpoints=True,  # a bucket of this machine, where tests run on one
    )

    def ready(url: str) -> None:
        print("ready", url, flush=True)

    asyncio.run(serve(Path(data), host, int(port), on_ready=ready, settings=settings))


if __name__ == "__main__":
    main()
