"""`lucid rm`: deletes files and links, with -r folders."""

from __future__ import annotations

from typing import Annotated

import typer

from lucidfs.cli import options
from lucidfs.cli.exits import UsageError, reporting
from lucidfs.cli.location import Location, parse_in_filespace
from lucidfs.cli.output import print_json
from lucidfs.cli.remote import Remote

EXAMPLES = """\b
Examples:
  lucid rm lucidlink://demo/production-data/old.txt
  lucid rm -r lucidlink://demo/production-data/scratch     # a folder with all in it, atomically"""


def rm(
    urls: Annotated[list[str], typer.Argument(metavar="URL", help="Files, links; with -r folders.")],
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="Folders too, with everything in them.")] = False,
    force: Annotated[bool, typer.Option("--force", "-f", help="What is not there is no error.")] = False,
    hub: options.HubOption = options.HUB_DEFAULT,
    token: options.TokenOption = "",
    allow_plaintext: options.PlaintextOption = False,
    json: options.JsonOption = False,
) -> None:
    """Delete. There is no way back; a link is deleted, not what it leads to."""
    with reporting(json):
        locations = [parse_in_filespace(url) for url in urls]
        for location in locations:
            if location.path == "/":
                raise UsageError(f"{location} is a whole filespace: use `lucid filespace delete`")
        with Remote(hub, token, allow_plaintext) as remote:
            deleted = [str(location) for location in locations if _delete(remote, location, recursive, force)]
        if json:
            print_json({"deleted": deleted})


def _delete(remote: Remote, location: Location, recursive: bool, force: bool) -> bool:
    fs = remote.fs(location)
    try:
        if recursive and fs.get_entry(location.path).is_dir():
            fs.delete_dir(location.path, recursive=True)
        else:
            fs.delete(location.path)
    except FileNotFoundError:
        if not force:
            raise
        return False
    except IsADirectoryError as error:
        raise IsADirectoryError(
            error.errno, "that is a folder: use -r to delete it with all in it", location.path
        ) from None
    return True
