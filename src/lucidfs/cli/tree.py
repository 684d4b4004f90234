"""`lucid tree`: a folder with everything below it, drawn."""

from __future__ import annotations

import posixpath
from typing import Annotated, Any

import typer

from lucidfs.cli import options
from lucidfs.cli.entries import entry_json, marked
from lucidfs.cli.exits import reporting
from lucidfs.cli.location import parse_in_filespace
from lucidfs.cli.output import print_json, shown
from lucidfs.cli.remote import Remote
from lucidfs.cli.walk import Found, walk

EXAMPLES = """\b
Examples:
  lucid tree lucidlink://demo/production-data
  lucid tree -L 2 lucidlink://demo/production-data/projects"""


def tree(
    url: Annotated[str, typer.Argument(metavar="URL", help="A folder.")],
    depth: Annotated[
        int | None, typer.Option("--depth", "-L", min=1, help="Levels to show.", show_default="all")
    ] = None,
    jobs: options.JobsOption = options.JOBS_DEFAULT,
    hub: options.HubOption = options.HUB_DEFAULT,
    token: options.TokenOption = "",
    allow_plaintext: options.PlaintextOption = False,
    json: options.JsonOption = False,
) -> None:
    """Show a folder with everything below it. Links are shown, not followed."""
    with reporting(json):
        location = parse_in_filespace(url)
        with Remote(hub, token, allow_plaintext) as remote:
            found = list(walk(remote.fs(location), location.path, jobs, depth))
        children: dict[str, list[Found]] = {}
        for item in found:
            children.setdefault(posixpath.dirname(item.relative), []).append(item)
        if json:
            print_json({"url": str(location), "type": "dir", "children": _nested(str(location), children, "")})
            return
        print(shown(str(location)))
        _draw(children, "", "")
        folders = sum(item.entry.is_dir() for item in found)
        print(f"\n{folders} folders, {len(found) - folders} files")


def _nested(base: str, children: dict[str, list[Found]], folder: str) -> list[dict[str, Any]]:
    items = []
    for item in children.get(folder, []):
        value = entry_json(item.entry, posixpath.join(base, item.relative))
        if item.entry.is_dir():
            value["children"] = _nested(base, children, item.relative)
        items.append(value)
    return items


def _draw(children: dict[str, list[Found]], folder: str, indent: str) -> None:
    items = children.get(folder, [])
    for number, item in enumerate(items):
        last = number == len(items) - 1
        print(f"{indent}{'└── ' if last else '├── '}{marked(item.entry)}")
        if item.entry.is_dir():
            _draw(children, item.relative, indent + ("    " if last else "│   "))
