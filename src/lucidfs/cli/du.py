"""`lucid du`: how many bytes the files below a folder hold."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import Annotated, NamedTuple

import typer

from lucidfs.cli import options
from lucidfs.cli.exits import reporting
from lucidfs.cli.location import Location, parse_in_filespace
from lucidfs.cli.output import print_json, shown, size_text
from lucidfs.cli.remote import Remote
from lucidfs.cli.walk import walk

EXAMPLES = """\b
Examples:
  lucid du lucidlink://demo/production-data             # each folder
  lucid du -s --human lucidlink://demo/production-data/projects"""


class Sum(NamedTuple):
    """Files below one folder."""

    url: str
    bytes: int
    files: int


def du(
    urls: Annotated[list[str], typer.Argument(metavar="URL", help="Folders or files.")],
    summary: Annotated[bool, typer.Option("--summary", "-s", help="Only a total for each argument.")] = False,
    human: Annotated[bool, typer.Option("--human", "-H", help="Sizes as 5.2M instead of bytes.")] = False,
    jobs: options.JobsOption = options.JOBS_DEFAULT,
    hub: options.HubOption = options.HUB_DEFAULT,
    token: options.TokenOption = "",
    allow_plaintext: options.PlaintextOption = False,
    json: options.JsonOption = False,
) -> None:
    """Sum up file sizes below folders. Counts the bytes that files hold, before compression; links count nothing."""
    with reporting(json):
        locations = [parse_in_filespace(url) for url in urls]
        with Remote(hub, token, allow_plaintext) as remote:
            sums = [item for location in locations for item in _sums(remote, location, summary, jobs)]
        if json:
            print_json([item._asdict() for item in sums])
            return
        texts = [size_text(item.bytes) if human else str(item.bytes) for item in sums]
        width = max(len(text) for text in texts)
        for text, item in zip(texts, sums, strict=True):
            print(f"{text:>{width}}  {shown(item.url)}")


def _sums(remote: Remote, location: Location, summary: bool, jobs: int) -> list[Sum]:
    """Sums of a folder and each folder below it in order of path, the folder itself last."""
    fs = remote.fs(location)
    if location.path != "/" and not (entry := fs.get_entry(location.path)).is_dir():
        return [Sum(str(location), entry.size if entry.is_file() else 0, 1)]
    sizes, counts = {"": 0}, {"": 0}
    for item in walk(fs, location.path, jobs):
        if item.entry.is_dir():
            sizes[item.relative] = counts[item.relative] = 0
        elif item.entry.is_file():
            for folder in _above(item.relative):
                sizes[folder] += item.entry.size
                counts[folder] += 1
    wanted = [""] if summary else sorted(sizes, key=lambda folder: (folder == "", folder.split("/")))
    return [Sum(str(location.join(folder)), sizes[folder], counts[folder]) for folder in wanted]


def _above(relative: str) -> Iterator[str]:
    """The folders that a path is in, up to the walked one."""
    while relative:
        relative = posixpath.dirname(relative)
        yield relative
