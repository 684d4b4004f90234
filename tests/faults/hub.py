"""A hub in a process of its own with a short session limit: `python -m tests.faults.hub DATA PORT LIMIT_S`."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

from lucidfs.hub.serve import serve
from lucidfs.hub.settings import HubSettings

ROOT = Path(__file__).resolve().parents[2]
_START_S = 30.0


class FaultHub:
    """The parent's side: starts, kills and stops (as SIGSTOP does) the process, on one port and one data folder.

    Args:
        data: a bootstrapped folder.
        session_limit_s: silence after which the hub ends a session.
    """

    def __init__(self, data: Path, session_limit_s: float) -> None:
        self.data = data
        self.url = ""
        self.session_limit_s = session_limit_s
        self._process: subprocess.Popen[str] | None = None
        self.start()

    def start(self) -> None:
        """Start it; returns when it serves."""
        port = self.url.rpartition(":")[2] or "0"
        command = [sys.executable, "-m", "tests.faults.hub", str(self.data), port, str(self.session_limit_s)]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=pipe, text=True)
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        if not self.url:
            self.end(signal.SIGKILL)
            raise RuntimeError("the hub process ended before it was ready")

    def kill(self) -> None:
        """SIGKILL."""
        self.end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        return self.end(signal.SIGTERM)

    def signal(self, number: signal.Signals) -> None:
        """Any signal."""
        assert self._process is not None
        self._process.send_signal(number)

    @property
    def alive(self) -> bool:
        """Whether the process runs (or is stopped)."""
        return self._process is not None and self._process.poll() is None

    def end(self, number: signal.Signals) -> int:
        """A signal that ends it; the exit code."""
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(number)
        assert process.stdout is not None
        process.stdout.close()
        return process.wait(_START_S)


def main() -> None:
    data, port, limit_s = sys.argv[1:]
    settings = HubSettings(session_limit_s=float(limit_s), heartbeat_s=float(limit_s) / 4)
    work = serve(Path(data), "127.0.0.1", int(port), on_ready=lambda url: print(url, flush=True), settings=settings)
    asyncio.run(work)


if __name__ == "__main__":
    main()
