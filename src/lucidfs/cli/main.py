"""`lucid`: every command in one place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from lucidfs.cli import (
    account,
    bench,
    cat,
    connect,
    cp,
    du,
    filespace,
    hub_care,
    locks,
    ls,
    mkdir,
    mv,
    quickstart,
    rm,
    stat,
    status,
    tree,
)
from lucidfs.cli.exits import EXIT_CODES

HELP = """A filespace behaves like one local disk that all its clients share, and nobody but those clients can read it.

Files are at lucidlink://WORKSPACE/FILESPACE/PATH. The hub is LUCIDLINK_HUB or --hub, the account is LUCIDLINK_TOKEN
or --token. Every command takes --json.
"""

START = """\b
Start here:
  lucid quickstart                     # a hub, a filespace and a tour, all in a temporary folder
  lucid quickstart --serve             # the same, and it stays for you to try
  lucid hub start                      # a hub of your own
  lucid COMMAND --help                 # examples of each command"""

app = typer.Typer(
    help=HELP,
    epilog=f"{START}\n\n{EXIT_CODES}",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        import importlib.metadata

        print(f"lucid {importlib.metadata.version('openlucid')}")
        raise typer.Exit


@app.callback(help=HELP)
def lucid(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Stands for options before a command; HELP is its text."""


def _add(name: str, command: Callable[..., None], examples: str) -> None:
    app.command(name, epilog=f"{examples}\n\n{EXIT_CODES}")(command)


_add("quickstart", quickstart.quickstart, quickstart.EXAMPLES)
app.add_typer(hub_care.hub, name="hub")
app.add_typer(filespace.app, name="filespace")
app.add_typer(account.app, name="account")
app.add_typer(connect.app, name="connect")
_add("ls", ls.ls, ls.EXAMPLES)
_add("tree", tree.tree, tree.EXAMPLES)
_add("stat", stat.stat, stat.EXAMPLES)
_add("cat", cat.cat, cat.EXAMPLES)
_add("cp", cp.cp, cp.EXAMPLES)
_add("mv", mv.mv, mv.EXAMPLES)
_add("rm", rm.rm, rm.EXAMPLES)
_add("mkdir", mkdir.mkdir, mkdir.EXAMPLES)
_add("du", du.du, du.EXAMPLES)
_add("bench", bench.bench, bench.EXAMPLES)
_add("status", status.status, status.EXAMPLES)
_add("locks", locks.locks, locks.EXAMPLES)


def main() -> None:
    """Entry point of the `lucid` command."""
    app(prog_name="lucid")
