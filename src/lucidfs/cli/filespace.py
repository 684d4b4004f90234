"""`lucid filespace`: create, list, rename and delete filespaces."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from lucidfs.cli import options
from lucidfs.cli.admin import administering
from lucidfs.cli.exits import EXIT_CODES, UsageError, reporting
from lucidfs.cli.output import print_json, print_table
from lucidfs.wire.management import FilespaceView, is_filespace_name

EXAMPLES = """\b
Examples:
  lucid filespace create production-data
  lucid filespace list
  lucid filespace rename production-data archive-2024
  lucid filespace delete archive-2024 --yes"""

EPILOG = f"{EXAMPLES}\n\n{EXIT_CODES}"

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Make and end filespaces.", epilog=EPILOG)

_Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the filespace.")]


def filespace_json(view: FilespaceView, workspace: str) -> dict[str, Any]:
    """A filespace for programs; `role` is the asking account's, null when it has none."""
    full_name = f"{view.name}.{workspace}"
    return {"id": view.id, "name": view.name, "full_name": full_name, "created": view.created, "role": view.role}


@app.command(epilog=EPILOG)
def create(
    name: _Name,
    hub: options.HubOption = options.HUB_DEFAULT,
    token: options.TokenOption = "",
    allow_plaintext: options.PlaintextOption = False,
    json: options.JsonOption = False,
) -> None:
    """Make an empty filespace. Its key is made here and never leaves in the clear; your account becomes its admin."""
    with reporting(json), administering(hub, token, allow_plaintext) as administration:
        made = administration.create_filespace(_checked(name))
        if json:
            print_json(filespace_json(made, administration.workspace()))
        else:
            print(f"filespace {made.name} ({made.id}) in workspace {administration.workspace()}")


@app.command("list", epilog=EPILOG)
def list_(
    hub: options.HubOption = options.HUB_DEFAULT,
    token: options.TokenOption = "",
    allow_plaintext: options.PlaintextOption = False,
    json: options.JsonOption = False,
) -> None:
    """List the filespaces that this account may use; all of them for a workspace admin."""
    with reporting(json), administering(hub, token, allow_plaintext) as administration:
        views = administration.filespaces()
        if json:
            print_json([filespace_json(view, administration.workspace()) for view in views])
        elif views:
            rows = [("name", "id", "role", "created")]
            print_table(rows + [(view.name, view.id, view.role or "-", view.created) for view in views])


@app.command(epilog=EPILOG)
def rename(
    name: _Name,
    new_name: Annotated[str, typer.Argument(metavar="NEW_NAME", help="Its name from now on.")],
    hub: options.HubOption = options.HUB_DEFAULT,
    token: options.TokenOption = "",
    allow_plaintext: options.PlaintextOption = False,
    json: options.JsonOption = False,
) -> None:
    """Give a filespace another name. Its id stays, and clients that have it linked go on."""
    with reporting(json), administering(hub, token, allow_plaintext) as administration:
        renamed = administration.rename_filespace(name, _checked(new_name))
        if json:
            print_json(filespace_json(renamed, administration.workspace()))


@app.command(epilog=EPILOG)
def delete(
    name: _Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask. Needed where nobody can be asked.")] = False,
    hub: options.HubOption = options.HUB_DEFAULT,
    token: options.TokenOption = "",
    allow_plaintext: options.PlaintextOption = False,
    json: options.JsonOption = False,
) -> None:
    """Delete a filespace with every file in it. There is no way back."""
    with reporting(json), administering(hub, token, allow_plaintext) as administration:
        found = administration.filespace(name)
        if not yes:
            _ask(found.name)
        administration.delete_filespace(found.id)
        if json:
            print_json({"deleted": filespace_json(found, administration.workspace())})


def _checked(name: str) -> str:
    if not is_filespace_name(name):
        raise UsageError(f"{name!r} cannot be a filespace's name: letters, digits, - and _, at most 63, no dot")
    return name


def _ask(name: str) -> None:
    if not sys.stdin.isatty():
        raise UsageError(f"deleting {name} needs --yes where nobody can be asked")
    if input(f"Type the name of the filespace to delete it with everything in it ({name}): ") != name:
        raise UsageError("that is not its name: nothing deleted")
