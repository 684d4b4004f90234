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
from lucidfs.cli.resume import Record
from lucidfs.cli.sides import LocalSide, RemoteSide
from lucidfs.cli.transfer import Done, Place, Plan, plan, run

EXAMPLES = """\b
Examples:
  lucid cp report.pdf lucidlink://demo/production-data/reports/
  lucid cp lucidlink://demo/production-data/report.pdf .
  lucid cp -r ./photos lucidlink://demo/production-data/photos
  lucid cp -r lucidlink://demo/production-data/photos ./copy
  lucid cp -r -j 16 lucidlink://demo/production-data/photos lucidlink://demo/archive/photos

A folder that exists as the target receives the copies inside it, as with `cp`.
After a copy that was interrupted or failed, the same command goes on: files that it had copied, and that changed on
neither side since, are skipped. It starts over with --no-resume."""


def cp(
    sources: Annotated[list[str], typer.Argument(metavar="SOURCE", help="Local paths, or lucidlink:// ones.")],
    target: Annotated[str, typer.Argument(metavar="TARGET", help="The same: the new place, or a folder to copy into.")],
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="Folders with everything in them.")] = False,
    jobs: options.JobsOption = options.JOBS_DEFAULT,
    resume: Annotated[bool, typer.Option(help="With -r, skip what an unfinished run of this command copied.")] = True,
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
            record = _record(hub, paths, resume) if recursive else Record(None)
            complete = False
            try:
                goal = _resolve(remote, target).place
                into = record.into if record.into is not None else goal.side.kind(goal.path) == "dir"
                work = plan(_pairs(remote, sources, target, goal, into, recursive), jobs)
                record.begin(into)
                with _progress(work, show=on_terminal() and not json) as advance:
                    done = run(work, jobs, advance, record)
                complete = not done.failed
            finally:
                record.close(complete)
        _finish(work, done, json)


def _record(hub: str, paths: list[str], resume: bool) -> Record:
    """Of an unfinished run of this command, from whichever working folder; without `resume` an empty one."""
    command = [hub, *(str(parse_in_filespace(path)) if is_remote(path) else _absolute(path) for path in paths)]
    record = Record.of(command)
    if not resume:
        record.close(complete=True)
        record = Record.of(command)
    return record


def _absolute(path: str) -> str:
    """Without the `/.` at its end, which says what is copied, it is another path."""
    return os.path.join(os.path.abspath(os.path.dirname(path)), os.path.basename(path))


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


def _pairs(
    remote: Remote, sources: list[str], target: str, goal: Place, into: bool, recursive: bool
) -> list[tuple[Place, Place]]:
    """Each source with its new place: in `goal`, which is what `target` says, or as it. Raises UsageError, …"""
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


def _finish(work: Plan, done: Done, json: bool) -> None:
    """Say what failed, and what was skipped. A lone file's failure is the command's own."""
    failed = done.failed
    if len(failed) == 1 and len(work.files) + len(work.folders) + len(work.links) == 1:
        raise failed[0].error
    if json:
        print_json(
            {
                "files": len(work.files),
                "folders": len(work.folders),
                "links": len(work.links),
                "bytes": work.bytes,
                "skipped": done.skipped,
                "failed": [{"path": item.path, "message": explain(item.error)} for item in failed],
            }
        )
    elif done.skipped:
        files = f"{done.skipped} file{'s' * (done.skipped != 1)}"
        sys.stderr.write(f"lucid: went on with an unfinished copy: {files} that it had copied were skipped\n")
    for item in failed if not json else ():
        sys.stderr.write(f"lucid: not copied: {shown(item.path)}: {shown(explain(item.error))}\n")
    if failed:
        raise typer.Exit(Exit.FAILED)
