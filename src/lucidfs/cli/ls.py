"""`lucid ls`: what is in a folder; above filespaces, which ones there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from lucidfs.cli import options
from lucidfs.cli.entries import entry_json, marked
from lucidfs.cli.exits import reporting
from lucidfs.cli.location import SCHEME, Location, parse
from lucidfs.cli.output import print_json, print_table, shown, size_text, time_text
from lucidfs.cli.remote import Remote

if TYPE_CHECKING:
    from lucidlink import DirEntry

    _Entries = list[DirEntry] | list[str]

EXAMPLES = """\b
Examples:
  lucid ls lucidlink://demo/production-data
  lucid ls -l lucidlink://demo/production-data/reports
  lucid ls lucidlink://demo                 # the filespaces of a workspace
  lucid ls --json lucidlink://demo/production-data | jq -r '.[].name'"""


def ls(
    urls: Annotated[list[str], typer.Argument(metavar="URL", help="Folders, files, or a workspace.")],
    long: Annotated[bool, typer.Option("--long", "-l", help="With type, size and time (UTC).")] = False,
    hub: options.HubOption = options.HUB_DEFAULT,
    token: options.TokenOption = "",
    allow_plaintext: options.PlaintextOption = False,
    json: options.JsonOption = False,
) -> None:
    """List a folder, sorted by name."""
    with reporting(json):
        locations = [parse(url) for url in urls]
        with Remote(hub, token, allow_plaintext) as remote:
            listings = [(location, _list(remote, location)) for location in locations]
        if json:
            print_json([item for location, entries in listings for item in _as_json(location, entries)])
            return
        for number, (location, entries) in enumerate(listings):
            if len(listings) > 1:
                print(f"{'' if number == 0 else chr(10)}{shown(str(location))}:")
            _print(entries, long)


def _list(remote: Remote, location: Location) -> _Entries:
    """Entries of a folder, the one entry of a file, or names of what is above filespaces."""
    if not location.workspace:
        return [remote.workspace]
    if not location.filespace:
        return sorted(info.name for info in remote.filespaces(location.workspace))
    fs = remote.fs(location)
    if location.path == "/":
        return fs.read_dir("/")
    try:
        return fs.read_dir(location.path)
    except (NotADirectoryError, FileNotFoundError):  # a file, a link that leads nowhere, or nothing
        return [fs.get_entry(location.path)]


def _as_json(location: Location, entries: _Entries) -> list[dict[str, Any]]:
    found = []
    for entry in entries:
        if isinstance(entry, str):
            kind = "filespace" if location.workspace else "workspace"
            found.append(
                {"name": entry, "url": f"{SCHEME}{'/'.join(filter(None, (location.workspace, entry)))}", "type": kind}
            )
        else:
            place = location if location.name == entry.name else location.join(entry.name)
            found.append(entry_json(entry, str(place)))
    return found


def _print(entries: _Entries, long: bool) -> None:
    if not long or not entries:
        for entry in entries:
            print(entry if isinstance(entry, str) else marked(entry))
        return
    rows = [("type", "size", "modified", "name")]
    for entry in entries:
        if isinstance(entry, str):
            rows.append(("", "", "", entry))
        else:
            rows.append((entry.type, size_text(entry.size), time_text(entry.mtime), marked(entry)))
    print_table(rows, right=frozenset({1}))
