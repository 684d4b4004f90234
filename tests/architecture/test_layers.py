"""Layers point down and the hub stays blind: the import contracts of pyproject.toml, run as a test."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.modules import ROOT, imports, source_modules

VALUES = ("lucidfs.types", "lucidfs.ids", "lucidfs.errors", "lucidfs.limits", "lucidfs.clock")


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """import-linter over the packages and the pyproject.toml of a folder."""
    program = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    environment = {"PYTHONPATH": str(folder / "src"), "PATH": ""}
    command = [sys.executable, "-c", program]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_layers() -> None:
    result = lint(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("importer", "imported", "contract"),
    [
        ("lucidfs/hub/sessions.py", "lucidfs.crypto.keys", "the hub is blind"),
        ("lucidfs/namespace/tree.py", "lucidfs.crypto.keys", "layers point down"),
        ("lucidfs/engine/session.py", "lucidfs.hub.sessions", "the client does not reach into the hub"),
        ("lucidlink/daemon.py", "lucidfs.testing.model", "nothing that ships"),
    ],
)
def test_each_contract_breaks_when_it_is_broken(tmp_path: Path, importer: str, imported: str, contract: str) -> None:
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    packages = ["cli", "engine", "format", "crypto", "objects", "namespace", "wire", "hub", "testing"]
    for name in ["lucidlink", "lucidfs", *(f"lucidfs/{package}" for package in packages)]:
        (tmp_path / "src" / name).mkdir(parents=True)
        (tmp_path / "src" / name / "__init__.py").touch()
    for name in [*(value.partition(".")[2] for value in VALUES), "identity"]:
        (tmp_path / "src" / "lucidfs" / f"{name}.py").touch()
    (tmp_path / "src" / (imported.replace(".", "/") + ".py")).touch()
    (tmp_path / "src" / importer).touch()
    assert lint(tmp_path).returncode == 0
    (tmp_path / "src" / importer).write_text(f"import {imported}\n")
    result = lint(tmp_path)
    assert result.returncode == 1
    assert any(contract in line and "BROKEN" in line for line in result.stdout.splitlines()), result.stdout


def test_the_rules_of_the_tree_need_only_values_and_messages() -> None:
    allowed = (*VALUES, "lucidfs.namespace", "lucidfs.wire.messages")
    for module in source_modules():
        if module.within("lucidfs.namespace"):
            for name, line in imports(module):
                inside = name.startswith(("lucidfs.", "lucidlink")) and name != "lucidfs.wire"
                assert not inside or name.startswith(allowed), f"{module.name}:{line} imports {name}"
