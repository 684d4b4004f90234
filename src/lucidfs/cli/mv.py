"""`lucid mv`: another place for a file or folder of one filespace, at one point in time."""

from __future__ import annotations

from typing import Annotated

import typer

from lucidfs.cli import options
from lucidfs.cli.exits import UsageError, reporting
from lucidfs.cli.location import parse_in_filespace
from lucidfs.cli.output import print_json
from lucidfs.cli.remote import Remote

EXAMPLES = """\b
Examples:
  lucid mv lucidlink://demo/production-data/old.txt lucidlink://demo/production-data/new.txt
  lucid mv lucidlink://demo/production-data/a.csv lucidlink://demo/production-data/archive   # into the folder"""


def mv(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="A file, folder or link.")],
    target: Annotated[str, typer.Argument(metavar="TARGET", help="Its new place, or a folder to move it into.")],
    hub: options.HubOption = options.HUB_DEFAULT,
    token: options.TokenOption = "",
    allow_plaintext: options.PlaintextOption = False,
    json: options.JsonOption = False,
) -> None:
    """Move or rename, atomically and without copying. An existing file is not replaced: that fails."""
    with reporting(json):
        old, new = parse_in_filespace(source), parse_in_filespace(target)
        if (old.workspace, old.filespace) != (new.workspace, new.filespace):
            raise UsageError("a move stays in one filespace: use `lucid cp -r`, then `lucid rm -r`")
        if old.path == "/":
            raise UsageError("the root of a filespace cannot be moved")
        with Remote(hub, token, allow_plaintext) as remote:
            fs = remote.fs(old)
            if fs.dir_exists(new.path):
                new = new.join(old.name)
            fs.move(old.path, new.path)
        if json:
            print_json({"source": str(old), "target": str(new)})
