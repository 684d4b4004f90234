"""Programs of a server under test: daemons as children that end with us, and commands beside them."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path

PLACES = ("/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin")  # looked at after PATH
_COMMAND_S = 60.0
_STOP_S = 4.0  # from SIGTERM to SIGKILL
_POLL_S = 0.5  # between two looks at the daemons while a command runs
_TAIL_BYTES = 4096  # of each log, shown when something ends


class PortTakenError(RuntimeError):
    """Somebody took a port between our look and the start."""


class Daemons:
    """The running programs of one server. Not for several threads at once.

    Args:
        folder: where they log (*.log, *.out).

    Attributes:
        running: each daemon by its program's name, in the order of their starts.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def stop(self) -> None:
        """SIGTERM to the last one, when it is gone to the one before, and so on; SIGKILL to who takes too long."""
        while self.running:
            name, daemon = list(self.running.items())[-1]
            daemon.terminate()
            try:
                daemon.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
            del self.running[name]

    def launch(self, program: str, *arguments: str) -> None:
        """Start a daemon in the foreground, in a session of its own: Ctrl-C is for the tests, which then stop it."""
        command = [*_tied(), find_program(program), *arguments]
        with open(self._folder / f"{program}.out", "wb") as output:
            self.running[program] = subprocess.Popen(
                command,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def run(self, program: str, *arguments: str, until: float | None = None) -> str:
        """What a program prints, while the daemons live; `until` is the time of the monotonic clock by which it ends.

        Raises:
            RuntimeError: it failed or took too long, or a daemon ended.
        """
        command = [*_tied(), find_program(program), *arguments]
        end = until or time.monotonic() + _COMMAND_S
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(
                command, env=_environment(), stdin=subprocess.DEVNULL, stdout=output, stderr=errors
            )
            try:
                while True:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(_POLL_S)
                        break
                    self.check(end)
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()
            errors.seek(0)
            if process.returncode:
                said = errors.read()[-_TAIL_BYTES:].decode(errors="replace")
                raise RuntimeError(f"{program} {' '.join(arguments)} ended with {process.returncode}:\n{said}")
            output.seek(0)
            return output.read().decode()

    def check(self, end: float) -> None:
        """That all daemons run and the monotonic clock is not at `end`.

        Raises:
            RuntimeError: one ended, or time is up; with the ends of their logs.
        """
        for name, daemon in self.running.items():
            if daemon.poll() is not None:
                said = self._tails()
                kind = PortTakenError if "already in use" in said or "unable to bind" in said else RuntimeError
                raise kind(f"{name} ended with {daemon.returncode}; the S3 server wrote:\n{said}")
        if time.monotonic() > end:
            raise RuntimeError(f"the S3 server did not answer in time; it wrote:\n{self._tails()}")

    def _tails(self) -> str:
        """The ends of all logs."""
        texts = []
        for path in sorted([*self._folder.glob("*.log"), *self._folder.glob("*.out")]):
            text = path.read_bytes()[-_TAIL_BYTES:].decode(errors="replace")
            texts.append(f"--- {path.name}\n{text}")
        return "\n".join(texts)


def find_program(name: str) -> str:
    """The path of an executable, or nothing."""
    return shutil.which(name) or shutil.which(name, path=os.pathsep.join(PLACES)) or ""


def _tied() -> list[str]:
    """What to put before a command so that the system kills it when this process dies, where it can.

    The kernel takes the end of the thread that started it for the end of the process, hence the main thread only.
    """
    setpriv = find_program("setpriv") if threading.current_thread() is threading.main_thread() else ""
    return [setpriv, "--pdeathsig", signal.Signals.SIGKILL.name.removeprefix("SIG"), "--"] if setpriv else []


def _environment() -> dict[str, str]:
    """Ours, without what would point Ceph's programs to another cluster."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CEPH_")}
