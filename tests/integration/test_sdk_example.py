"""The example that uses all of the API runs, and is typed for whoever installs the package."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import lucidlink
from tests.sdk import World

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "everything.py"


def test_it_runs(shared: World, tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLE), "data"],
        env={"LUCIDLINK_HUB": shared.hub.url, "LUCIDLINK_TOKEN": shared.tokens["writer"], "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert result.stderr == ""
    assert result.stdout.endswith("everything works\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_it_is_typed(tmp_path: Path) -> None:
    """mypy --strict, and not in vain: a wrong line is found."""
    (tmp_path / "right.py").write_text(EXAMPLE.read_text())
    (tmp_path / "wrong.py").write_text(EXAMPLE.read_text() + "\nlucidlink.create_daemon().authenticate('token')\n")
    command = [sys.executable, "-m", "mypy", "--strict", "--python-version", "3.10", "--no-error-summary"]
    command += ["--config-file", "", "--cache-dir", str(ROOT / ".mypy_cache")]
    outcome = {
        name: subprocess.run(
            [*command, str(tmp_path / name)],
            cwd=tmp_path,
            env={"MYPYPATH": str(ROOT / "src"), "PATH": ""},
            capture_output=True,
            text=True,
            check=False,
        )
        for name in ("right.py", "wrong.py")
    }
    assert (outcome["right.py"].returncode, outcome["right.py"].stdout) == (0, "")
    assert 'incompatible type "str"; expected "ServiceAccountCredentials"' in outcome["wrong.py"].stdout


def test_it_leaves_nothing_out() -> None:
    """Every public method of what a program holds is called there."""
    text = EXAMPLE.read_text()
    shown = (lucidlink.Daemon, lucidlink.Workspace, lucidlink.Filespace, lucidlink.Filesystem, lucidlink.Client)
    inner = {"open_binary", "sync_mode", "root_path"}  # what `open` and the models show
    for kind in (*shown, lucidlink.FsUtils, lucidlink.FileHandle):
        for name in dir(kind):
            if not name.startswith("_") and name not in inner:
                assert re.search(rf"\.{name}\b", text), f"{kind.__name__}.{name}"
