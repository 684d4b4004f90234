"""`lucid cp`: copies between this machine and filespaces, and between filespaces; whole folders with -r."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, NamedTuple

import typer

from lucidfs.cli import options
from lucidfs.cli.exits import Exit, UsageError, explain, missing, reporting
from lucidfs.cli.location import is_remote, parse_in_filespace
from lucidfs.cli.output import on_terminal, print_json, shown
from lucidfs.cli.remote import Remote
from lucidfs.cli.sides import LocalSide, RemoteSide
from lucidfs.cli.transfer import Failed, Place, Plan, plan, run

EXAMPLES = """\b
Examples:
  lucid cp report.pdf lucidlink://demo/production-data/reports/
  lucid cp lucidlink://demo/production-data/report.pdf .
  lucid cp -r ./photos lucidlink://demo/production-data/photos
  lucid cp -r lucidlink://demo/production-data/photos ./copy
  lucid cp -r -j 16 lucidlink://demo/production-data/photos lucidlink://demo/archive/photos

A folder that exists as the target receives the copies inside it, as with `cp`."""


def cp(
    sources: Annotated[list[str], typer.Argument(metavar="SOURCE", help="Local paths, or lucidlink:// ones.")],
    target: Annotated[str, typer.Argument(metavar="TARGET", help="The same: the new place, or a folder to copy into.")],
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="Folders with everything in them.")] = False,
    jobs: options.JobsOption = options.JOBS_DEFAULT,
    hub: options.HubOption = options.HUB_DEFAULT,
    token: options.TokenOption = "",
    allow_plaintext: options.PlaintextOption = False,
    json: options.JsonOption = False,
) -> None:
    """Copy files, many at once. Files that exist are replaced, each at one point in time; links stay links.

    With a terminal there is a progress bar. If some files fail, the others are copied, and the exit code is 1.
    """
    with reporting(json):
        paths = [*sources, target]
        if not any(is_remote(path) for path in paths):
            raise UsageError("both are paths of this machine: one must be lucidlink://WORKSPACE/FILESPACE/PATH")
        for path in filter(is_remote, paths):
            parse_in_filespace(path)
        with Remote(hub, token, allow_plaintext) as remote:
            work = plan(_pairs(remote, sources, target, recursive), jobs)
            with _progress(work, show=on_terminal() and not json) as advance:
                failed = run(work, jobs, advance)
        _finish(work, failed, json)


class _Path(NamedTuple):
    place: Place
    name: str  # under which it is copied into a folder; empty: its entries are


def _resolve(remote: Remote, text: str) -> _Path:
    if is_remote(text):
        location = parse_in_filespace(text)
        return _Path(Place(RemoteSide(remote.fs(location)), location.path, str(location)), location.name)
    contents = text.rstrip("/").endswith(("/.", "/..")) or text.rstrip("/") in (".", "..")
    return _Path(
        Place(LocalSide(), os.path.abspath(text), text), "" if contents else os.path.basename(os.path.abspath(text))
    )


def _pairs(remote: Remote, sources: list[str], target: str, recursive: bool) -> list[tuple[Place, Place]]:
    """Each source with its new place. Raises UsageError, FileNotFoundError."""
    goal = _resolve(remote, target).place
    into = goal.side.kind(goal.path) == "dir"
    if len(sources) > 1 and not into:
        raise UsageError(f"{target} is not a folder: several sources need one")
    pairs = []
    for text in sources:
        source = _resolve(remote, text)
        kind = source.place.side.kind(source.place.path)
        if kind is None:
            raise missing(text)
        if kind == "dir" and not recursive:
            raise UsageError(f"{text} is a folder: use -r")
        if kind != "dir" and not into and target.endswith("/"):
            raise missing(target)
        place = goal.below(source.name) if into else goal
        if is_remote(text) == is_remote(target):
            _check_apart(source.place.shown, place.shown)
        pairs.append((source.place, place))
    return pairs


def _check_apart(source: str, target: str) -> None:
    """Two places of filespaces, as URLs: copying one over or into itself would never end."""
    if source == target or target.startswith(source.rstrip("/") + "/"):
        raise UsageError(f"{source} cannot be copied onto or into itself")


@contextmanager
def _progress(work: Plan, show: bool) -> Iterator[Callable[[int], None]]:
    """A bar of bytes on stderr; without `show` nothing."""
    if not show:
        yield lambda count: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(file=sys.stderr)) as bar:
        task = bar.add_task(f"{len(work.files)} file{'s' * (len(work.files) != 1)}", total=work.bytes)
        yield lambda count: bar.advance(task, count)


def _finish(work: Plan, failed: list[Failed], json: bool) -> None:
    """Say what failed. A lone file's failure is the command's own."""
    if len(failed) == 1 and len(work.files) + len(work.folders) + len(work.links) == 1:
        raise failed[0].error
    if json:
        print_json(
            {
                "files": len(work.files),
                "folders": len(work.folders),
                "links": len(work.links),
                "bytes": work.bytes,
                "failed": [{"path": item.path, "message": explain(item.error)} for item in failed],
            }
        )
    for item in failed if not json else ():
        sys.stderr.write(f"lucid: not copied: {shown(item.path)}: {shown(explain(item.error))}\n")
    if failed:
        raise typer.Exit(Exit.FAILED)
