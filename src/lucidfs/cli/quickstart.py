"""`lucid quickstart`: a hub, a filespace, an account, and a tour of the SDK that shows each line it runs."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from lucidfs.cli import options
from lucidfs.cli.admin import administering
from lucidfs.cli.exits import reporting
from lucidfs.cli.hub import ADMIN_NAME, first_start, hub_module, parse_address
from lucidfs.cli.output import print_json
from lucidfs.cli.serving import ServingHub
from lucidfs.cli.tour import FILESPACE, STEPS, Told, Tour
from lucidfs.types import Role

EXAMPLES = """\b
Examples:
  lucid quickstart
  lucid quickstart --serve          # then paste the two exports into another terminal"""

WORKSPACE = "demo"
ACCOUNT = "quickstart"


def quickstart(
    serve: Annotated[bool, typer.Option("--serve", help="Keep the hub running afterwards, until Ctrl-C.")] = False,
    listen: Annotated[
        str, typer.Option("--listen", metavar="HOST:PORT", help="Where the hub serves; port 0 picks a free one.")
    ] = "127.0.0.1:0",
    json: options.JsonOption = False,
) -> None:
    """Try everything in one minute. Needs nothing, and leaves nothing behind.

    Starts a hub in a temporary folder, makes the workspace `demo`, the filespace `production-data` and an account, and
    runs a tour of the Python SDK against it, showing each line of code. With --serve the hub stays.
    """
    with reporting(json):
        host, port = parse_address(listen)
        with _ending_on_sigterm(), tempfile.TemporaryDirectory(prefix="lucid-quickstart-") as folder:
            data = Path(folder) / "hub"
            admin = first_start(data, WORKSPACE)
            assert admin is not None, "the folder is new"
            with ServingHub(hub_module("serve"), data, host, port) as url:
                told = _Teller(quiet=json)
                token = _prepare(told, data, url, admin.text())
                _run_tour(told, url, token)
                _end(told, url, token, serve, json)
                if serve:
                    _wait()


class _Teller:
    """Prints steps as they happen and remembers them.

    Args:
        quiet: remember only.
    """

    def __init__(self, quiet: bool) -> None:
        self.steps: list[Told] = []
        self._quiet = quiet

    def say(self, step: Told, prompt: str = ">>> ") -> None:
        self.steps.append(step)
        if self._quiet:
            return
        more = "... " if prompt == ">>> " else prompt
        lines = step.code.splitlines()
        print(f"\n{len(self.steps)}. {step.says}")
        print("\n".join(f"   {prompt if number == 0 else more}{line}" for number, line in enumerate(lines)))
        print(textwrap.indent(step.output, "   "), end="", flush=True)


def _prepare(told: _Teller, data: Path, url: str, admin: str) -> str:
    """Make filespace and account as their commands would. Returns the account's token."""
    command = f"lucid hub start --data {data} --workspace {WORKSPACE}"
    says = f"Start a hub in a temporary folder, with a workspace `{WORKSPACE}` and an account `{ADMIN_NAME}`."
    told.say(Told(says, command, f"ready {url}\n"), "$ ")
    with administering(url, admin, allow_plaintext=True) as administration:
        made = administration.create_filespace(FILESPACE)
        says = "Make a filespace. Its key is made here; the hub never sees it."
        told.say(Told(says, f"lucid filespace create {FILESPACE}", f"filespace {made.name} ({made.id})\n"), "$ ")
        account = administration.create_account(ACCOUNT, {FILESPACE: Role.ADMIN})
        command = f"lucid account create {ACCOUNT} --filespace {FILESPACE} --role admin"
        says = "Make a service account for it. The filespace's key is sealed to its token."
        told.say(Told(says, command, f"{account.token}\n"), "$ ")
        return account.token.text()


def _run_tour(told: _Teller, url: str, token: str) -> None:
    os.environ["LUCIDLINK_HUB"] = url  # as the exports do for the reader: the steps' code takes it from there
    tour = Tour(token)
    try:
        for step in STEPS:
            told.say(tour.run(step))
    finally:
        tour.end()


def _end(told: _Teller, url: str, token: str, serve: bool, json: bool) -> None:
    """Say what to type next."""
    exports = {"LUCIDLINK_HUB": url, "LUCIDLINK_TOKEN": token}
    if json:
        about: dict[str, Any] = {"workspace": WORKSPACE, "filespace": FILESPACE, "serving": serve, "exports": exports}
        steps = [step._asdict() for step in told.steps]
        if serve:  # a stream goes on: one line
            print(msgspec.json.encode({**about, "steps": steps}).decode(), flush=True)
        else:
            print_json({**about, "steps": steps})
        return
    place = f"lucidlink://{WORKSPACE}/{FILESPACE}"
    if not serve:
        print(_NEXT)
        return
    print("\nThe hub goes on until Ctrl-C. In another terminal, type:\n")
    for name, value in exports.items():
        print(f"export {name}={value}")
    print(f"lucid ls -l {place}")
    print(f"echo shared > note.txt && lucid cp note.txt {place}/")
    print(f"lucid account create friend --filespace {FILESPACE} --role read", flush=True)


_NEXT = """
Done; the temporary folder goes now. What to type next:

   lucid quickstart --serve             # the same, and it stays: try it from other terminals
   lucid hub start                      # a hub of your own; prints its admin's token once
   lucid --help                         # all commands
"""


def _wait() -> None:
    """Until Ctrl-C."""
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        sys.stderr.write("\nstopped; the temporary folder is gone\n")


@contextmanager
def _ending_on_sigterm() -> Iterator[None]:
    """SIGTERM unwinds like an exception, so that the folder goes."""
    before = signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
