"""Runs the list, or those of some promises: breaks a copy of the code, and expects that a test fails."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.breakages.breakages import BREAKAGES, Breakage

ROOT = Path(__file__).resolve().parents[2]
_LIMIT_S = 600


def main() -> int:
    """The command; 0 when every breakage was noticed."""
    parser = argparse.ArgumentParser(prog="python -m tests.breakages", description=__doc__)
    parser.add_argument("promises", nargs="*", type=int, help="their numbers; none: all")
    wanted = parser.parse_args().promises
    unnoticed = 0
    for breakage in BREAKAGES:
        if wanted and breakage.promise not in wanted:
            continue
        failed = noticed_by(breakage)
        unnoticed += not failed
        print(f"promise {breakage.promise:2}: {breakage.what}: {failed or 'NOT NOTICED'}", flush=True)
    return 1 if unnoticed else 0


def noticed_by(breakage: Breakage) -> str:
    """The test that fails first with the breakage; empty when all pass."""
    with tempfile.TemporaryDirectory(prefix="breakage-") as folder:
        source = Path(folder) / "src"
        shutil.copytree(ROOT / "src", source, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        file = source / breakage.file
        text = file.read_text()
        assert text.count(breakage.old) == 1, f"{breakage.what}: its text stands {text.count(breakage.old)} times"
        file.write_text(text.replace(breakage.old, breakage.new))
        command = [sys.executable, "-m", "pytest", "-n0", "-x", "-q", "-p", "no:cacheprovider", *breakage.tests.split()]
        environment = {**os.environ, "PYTHONPATH": str(source)}
        ran = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=_LIMIT_S, check=False
        )
    lines = [line for line in ran.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return lines[0].split(" ")[1] if ran.returncode == 1 and lines else ""


if __name__ == "__main__":
    sys.exit(main())
