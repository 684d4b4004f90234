"""`lucid stat`: all that is known of a file, folder or link."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from lucidfs.cli import options
from lucidfs.cli.entries import entry_json
from lucidfs.cli.exits import reporting
from lucidfs.cli.location import Location, parse_in_filespace
from lucidfs.cli.output import print_json, shown, size_text
from lucidfs.cli.remote import Remote

EXAMPLES = """\b
Examples:
  lucid stat lucidlink://demo/production-data/report.pdf
  lucid stat --json lucidlink://demo/production-data/report.pdf | jq '.[0].size'"""


def stat(
    urls: Annotated[list[str], typer.Argument(metavar="URL", help="Files, folders or links.")],
    hub: options.HubOption = options.HUB_DEFAULT,
    token: options.TokenOption = "",
    allow_plaintext: options.PlaintextOption = False,
    json: options.JsonOption = False,
) -> None:
    """Show type, size, times and id. Links are shown themselves, with their target."""
    with reporting(json):
        locations = [parse_in_filespace(url) for url in urls]
        with Remote(hub, token, allow_plaintext) as remote:
            known = [_about(remote, location) for location in locations]
        if json:
            print_json(known)
            return
        for number, about in enumerate(known):
            if number:
                print()
            for key, value in about.items():
                text = f"{value} ({size_text(value)})" if key == "size" and value >= 1024 else shown(str(value))
                print(f"{key:>9}  {text}")


def _about(remote: Remote, location: Location) -> dict[str, Any]:
    fs = remote.fs(location)
    entry = fs.get_entry(location.path)
    about = entry_json(entry, str(location))
    if entry.is_link():
        about["target"] = fs.read_symlink(location.path)
    return about
