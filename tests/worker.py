"""A client in a process of its own, told what to do line by line: `python -m tests.worker URL TOKEN FILESPACE`.

Each line on stdin is a JSON string with Python source: an expression is evaluated and its value printed as JSON
(bytes as text in latin-1), statements are run and null is printed. An exception is printed as {"error": …}.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

import lucidlink

ROOT = Path(__file__).resolve().parents[1]


class Worker:
    """The parent's side: starts the process, asks, kills.

    Args:
        url, token, filespace: of the world.
    """

    def __init__(self, url: str, token: str, filespace: str) -> None:
        self.folder = tempfile.TemporaryDirectory()  # what a killed process leaves behind goes with it
        environment = {**os.environ, "LUCIDLINK_HUB": url, "LUCIDLINK_TOKEN": token, "TMPDIR": self.folder.name}
        command = [sys.executable, "-m", "tests.worker", filespace]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=pipe, stdout=pipe, text=True)
        assert self.next_line() == "ready"

    def start(self, source: str) -> None:
        """Say what to do, without waiting for the answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(source) + "\n")
        self.process.stdin.flush()

    def next_line(self) -> Any:
        """What the process prints next. An error that it reports is raised."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise EOFError("the worker ended")
        answer = json.loads(line)
        if isinstance(answer, dict) and "error" in answer:
            raise RuntimeError(answer["error"])
        return answer

    def do(self, source: str) -> Any:
        """Run it there; its value."""
        self.start(source)
        return self.next_line()

    def kill(self) -> None:
        """SIGKILL: no clean-up of any kind."""
        self.process.kill()
        self._wait()

    def close(self) -> None:
        """End of input: it unlinks and ends."""
        if self.process.stdin is not None and not self.process.stdin.closed:
            self.process.stdin.close()
        self._wait()

    def _wait(self) -> None:
        self.process.wait()
        self.folder.cleanup()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def say(value: object) -> None:
    """One line to the parent."""
    print(json.dumps(value, default=lambda other: bytes(other).decode("latin-1")), flush=True)


def serve(scope: dict[str, Any]) -> None:
    """Do what each line says until there are no more."""
    for line in sys.stdin:
        source = json.loads(line)
        try:
            code = compile(source, "<told>", "eval")
        except SyntaxError:
            code = compile(source, "<told>", "exec")
        try:
            say(eval(code, scope))
        except Exception as error:  # noqa: BLE001 - the parent is told, whatever it is
            say({"error": f"{type(error).__name__}: {error}"})


def main() -> None:
    with lucidlink.create_daemon() as daemon:
        token = os.environ["LUCIDLINK_TOKEN"]
        workspace = daemon.authenticate(lucidlink.ServiceAccountCredentials(token=token))
        with workspace.link_filespace(name=sys.argv[1]) as filespace:
            say("ready")
            serve({"fs": filespace.fs, "filespace": filespace, "lucidlink": lucidlink, "os": os, "say": say})


if __name__ == "__main__":
    main()
