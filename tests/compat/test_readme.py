"""The README's example runs as it stands, and the two commands stand in it as written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.world import World

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")


def test_the_example_runs(world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    code = re.findall(r"```python\n(.*?)```", README, re.DOTALL)[0]  # the other one: tests/ecosystem
    code = code.replace("sa_live:your_token_here", world.token).replace("production-data", world.name)
    monkeypatch.setenv("LUCIDLINK_HUB", world.url)
    exec(compile(code, "README.md", "exec"), {})
    assert "data.bin: 10000000 bytes" in capsys.readouterr().out


def test_the_two_commands() -> None:
    assert "\n    pip install -e '.[all]' && lucid quickstart\n" in README
    assert "\n    pip install -e '.[test]' && pytest\n" in README


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (Path(__file__).resolve().parents[2] / target).exists(), target
