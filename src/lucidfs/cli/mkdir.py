"""`lucid mkdir`: makes folders, missing parents too."""

from __future__ import annotations

from typing import Annotated

import typer

from lucidfs.cli import options
from lucidfs.cli.exits import reporting
from lucidfs.cli.location import Location, parse_in_filespace
from lucidfs.cli.output import print_json
from lucidfs.cli.remote import Remote

EXAMPLES = """\b
Examples:
  lucid mkdir lucidlink://demo/production-data/projects/2024
  lucid mkdir -p lucidlink://demo/production-data/projects     # no error when it is there"""


def mkdir(
    urls: Annotated[list[str], typer.Argument(metavar="URL", help="Folders to make.")],
    parents: Annotated[bool, typer.Option("--parents", "-p", help="What is there already is no error.")] = False,
    hub: options.HubOption = options.HUB_DEFAULT,
    token: options.TokenOption = "",
    allow_plaintext: options.PlaintextOption = False,
    json: options.JsonOption = False,
) -> None:
    """Make folders with their missing parents, each all or nothing."""
    with reporting(json):
        locations = [parse_in_filespace(url) for url in urls]
        with Remote(hub, token, allow_plaintext) as remote:
            made = [str(location) for location in locations if _make(remote, location, parents)]
        if json:
            print_json({"made": made})


def _make(remote: Remote, location: Location, parents: bool) -> bool:
    fs = remote.fs(location)
    try:
        fs.create_dir(location.path)
    except FileExistsError:
        if parents and fs.dir_exists(location.path):
            return False
        raise
    return True
