"""Runs the real `lucid` command, as a shell would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from tests.other_store import environment_of_a_shell, options_of_create

COMMAND = [sys.executable, "-m", "lucidfs.cli"]
TIMEOUT_S = 60.0


class Ended(NamedTuple):
    """A command that ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def error(self) -> Any:
        """What `--json` printed on stderr."""
        return json.loads(self.err)["error"]


class Lucid:
    """A shell with LUCIDLINK_HUB and LUCIDLINK_TOKEN set.

    Args:
        hub, token: for the environment; empty: not set.
        folder: the working directory.
    """

    def __init__(self, hub: str, token: str, folder: Path) -> None:
        self.hub, self.token, self.folder = hub, token, folder

    def environment(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("LUCID", "XDG_DATA"))}
        temporary = self.folder.parent / "temporary"  # what a killed command leaves goes with the test's folder
        temporary.mkdir(exist_ok=True)
        kept |= {"TMPDIR": str(temporary), "XDG_STATE_HOME": str(temporary)}
        own = {"LUCIDLINK_HUB": self.hub, "LUCIDLINK_TOKEN": self.token, "HOME": str(self.folder)}
        own = {key: value for key, value in own.items() if value}
        return {**kept, **environment_of_a_shell(), **own, "PYTHONWARNINGS": "error"}

    def run(self, *arguments: str | Path) -> Ended:
        """Run a command to its end. Fails on any traceback."""
        done = subprocess.run(
            [*COMMAND, *map(str, arguments), *options_of_create(arguments)],
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        ended = Ended(done.returncode, done.stdout.decode(), done.stderr.decode())
        assert "Traceback" not in ended.err, ended.err
        return ended

    def ok(self, *arguments: str | Path) -> Ended:
        """Run a command that must succeed, without a word on stderr."""
        ended = self.run(*arguments)
        assert (ended.code, ended.err) == (0, ""), ended
        return ended

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        """Run a command that goes on."""
        return subprocess.Popen(
            [*COMMAND, *map(str, arguments)],
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
