"""Every command's help teaches: examples, exit codes, and options that are the same everywhere."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from lucidfs.cli.exits import Exit
from lucidfs.cli.main import app

FILES = ["ls", "tree", "stat", "cat", "cp", "mv", "rm", "mkdir", "du"]
FILESPACE = [f"filespace {each}" for each in ("create", "list", "rename", "delete")]
ACCOUNT = [f"account {each}" for each in ("create", "list", "grant", "revoke", "rotate")]
WATCH = ["status", "locks"]
HUB = [f"hub {each}" for each in ("start", "fsck", "gc", "backup")]
REMOTE = FILES + FILESPACE + ACCOUNT + WATCH
GROUPS = ["hub", "filespace", "account"]


def help_of(command: str) -> str:
    result = CliRunner().invoke(app, [*command.split(), "--help"])
    assert result.exit_code == 0
    return result.output


@pytest.mark.parametrize("command", [*REMOTE, *GROUPS, *HUB, "quickstart"])
def test_help_has_examples_and_exit_codes(command: str) -> None:
    text = help_of(command)
    assert "Examples:\n" in text
    example = text.split("Examples:\n")[1].splitlines()[0]
    assert example.strip().startswith("lucid ")
    assert "Exit codes:\n" in text


@pytest.mark.parametrize("command", REMOTE)
def test_options_that_every_remote_command_takes(command: str) -> None:
    text = help_of(command)
    for option in ("--hub", "LUCIDLINK_HUB", "--token", "LUCIDLINK_TOKEN", "--allow-plaintext", "--json"):
        assert option in text


@pytest.mark.parametrize("command", ["quickstart", *HUB])
def test_json_is_everywhere(command: str) -> None:
    assert "--json" in help_of(command)


def test_the_front_page_names_every_command_and_code() -> None:
    text = help_of("")
    for command in [*FILES, *WATCH, *GROUPS, "quickstart"]:
        assert f"\n  {command} " in text
    for code in Exit:
        assert f"\n{int(code):>7}  " in text
