"""`lucid hub fsck`, `gc` and `backup`: looking after a hub's data folder, on the machine that has it."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from lucidfs.cli import options
from lucidfs.cli.exits import EXIT_CODES, Exit, UsageError, reporting
from lucidfs.cli.hub import app as hub
from lucidfs.cli.hub import default_data, no_hub
from lucidfs.cli.output import on_terminal, print_json, size_text
from lucidfs.clock import SystemClock
from lucidfs.errors import Code, Fault

FSCK_EXAMPLES = """\b
Examples:
  lucid hub fsck
  lucid hub fsck --data /srv/lucid --json
  lucid hub fsck --data /backup/lucid           # a backup is a data folder too
  lucid hub fsck --invariants                   # what is checked"""

GC_EXAMPLES = """\b
Examples:
  lucid hub gc --data /srv/lucid
  lucid hub gc --upload-grace 1d                # of clients that are gone; default 7d
  lucid hub gc --dead-grace 10m --json          # of files that were deleted or replaced; default 1h"""

BACKUP_EXAMPLES = """\b
Examples:
  lucid hub backup /backup/lucid                # again: only what is new is copied
  lucid hub backup /backup/lucid --data /srv/lucid --json
  cp -a /backup/lucid /srv/lucid2 && lucid hub start --data /srv/lucid2     # restore"""

__all__ = ["backup", "fsck", "gc", "hub", "seconds"]

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}

DataOption = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="DIR",
        envvar="LUCID_HUB_DATA",
        show_default="$XDG_DATA_HOME/lucid/hub, else ~/.local/share/lucid/hub",
        help="The hub's data folder.",
    ),
]


@hub.command(epilog=f"{FSCK_EXAMPLES}\n\n{EXIT_CODES}")
def fsck(
    data: DataOption = None,
    invariants: Annotated[bool, typer.Option("--invariants", help="Print what is checked, and check nothing.")] = False,
    allow_private_endpoints: options.PrivateEndpointsOption = False,
    json: options.JsonOption = False,
) -> None:
    """Check that everything a hub stores fits together: database, counters, locks, object folder and buckets.

    It works on a snapshot, so the hub may run. Nothing is changed. One line for each broken invariant; exit code 1
    when there is any. Uploads that no commit uses yet are counted, they are no fault. Whether names and contents open
    needs the keys of a client: reading the files checks that.
    """
    with reporting(json):
        with _at_the_hub():
            from lucidfs.hub.fsck import INVARIANTS
            from lucidfs.hub.fsck_folder import check_hub

            if invariants:
                _print_invariants(INVARIANTS, json)
                return
            report = check_hub(
                _folder(data), clock=SystemClock(), random=os.urandom, allow_private=allow_private_endpoints
            )
        about = {name: value for name, value in report._asdict().items() if name not in ("problems", "checked")}
        if json:
            problems = [problem._asdict() for problem in report.problems]
            checked_json: dict[str, int] = {**report.checked._asdict(), **about}
            print_json({"problems": problems, "checked": checked_json})
        else:
            for problem in report.problems:
                print(problem)
            checked = report.checked
            print(
                f"{len(report.problems)} problems in {checked.filespaces} filespaces, {checked.nodes} nodes and"
                f" {report.stored} stored objects ({size_text(report.stored_bytes)});"
                f" {report.uploads} uploads without a commit, {report.leftover} of them of clients that are gone"
            )
        if report.problems:
            raise typer.Exit(Exit.FAILED)


@hub.command(epilog=f"{GC_EXAMPLES}\n\n{EXIT_CODES}")
def gc(
    data: DataOption = None,
    dead_grace: Annotated[
        str, typer.Option("--dead-grace", metavar="TIME", help="Keep objects that no file uses for this long.")
    ] = "1h",
    upload_grace: Annotated[
        str, typer.Option("--upload-grace", metavar="TIME", help="Keep uploads of clients that are gone for this long.")
    ] = "7d",
    allow_private_endpoints: options.PrivateEndpointsOption = False,
    json: options.JsonOption = False,
) -> None:
    """Delete what nobody needs: objects of deleted files, uploads that were never committed.

    A running hub does this by itself (the first every minute, the second every quarter of an hour), so this is for a
    hub that does not run. TIME is a number with s, m, h or d. Uploads of clients that may come back, because their
    sessions live, stay however old they are. A client that comes back later than that gets an error when it commits,
    never a damaged file.
    """
    with reporting(json):
        dead_grace_s, upload_grace_s = seconds(dead_grace), seconds(upload_grace)
        with _at_the_hub():
            from lucidfs.hub.cleaning import clean_hub

            reaped, uploads = clean_hub(
                _folder(data),
                clock=SystemClock(),
                random=os.urandom,
                dead_grace_s=dead_grace_s,
                upload_grace_s=upload_grace_s,
                allow_private=allow_private_endpoints,
            )
        if json:
            print_json({"dead": reaped._asdict(), "uploads": uploads._asdict()})
            return
        print(f"{reaped.objects} dead objects deleted ({size_text(reaped.bytes)}), {reaped.failed} could not be")
        print(f"{uploads.swept} uploads deleted ({size_text(uploads.swept_bytes)}), {uploads.objects} kept")


@hub.command(epilog=f"{BACKUP_EXAMPLES}\n\n{EXIT_CODES}")
def backup(
    target: Annotated[Path, typer.Argument(metavar="DEST", help="An empty or new folder, or an earlier backup.")],
    data: DataOption = None,
    json: options.JsonOption = False,
) -> None:
    """Copy a hub's data while it runs. DEST is a whole backup at every moment: of now, or still of before.

    First the database as it is at one moment, then the objects that it names; meanwhile the hub deletes none. Run
    it again on the same DEST to renew it. To restore: copy DEST and start a hub on the copy. The administrator's
    token is not in it; contents and names are as sealed there as on the hub.

    Objects of filespaces in S3 buckets are not copied: they stay in their bucket, which the copied database names, with
    its keys. Do not run a hub on the backup beside the first hub then: each would delete what only the other one uses.
    """
    with reporting(json):
        with _at_the_hub():
            from lucidfs.hub.backup import backup_hub

            done = backup_hub(_folder(data), target, clock=SystemClock(), progress=_progress)
        if json:
            print_json(done._asdict())
        else:
            print(f"{done.objects} objects ({size_text(done.bytes)}), copied now {size_text(done.copied_bytes)}")
            if done.elsewhere:
                where = f"{done.elsewhere} objects ({size_text(done.elsewhere_bytes)})"
                print(f"not copied: {where} stay in their S3 buckets, which the backup names")
            for object in done.missing:
                print(f"missing: object {object} (`lucid hub fsck` tells more)")
        if done.missing:
            raise typer.Exit(Exit.FAILED)


def seconds(text: str) -> float:
    """The seconds of a time such as `90s`, `10m`, `1h`, `7d`. Raises UsageError."""
    number, unit = text[:-1], _UNITS.get(text[-1:])
    if unit is None or not number.isascii() or not number.isdigit():
        raise UsageError(f"{text!r} is no time: write a whole number with s, m, h or d, as in 7d")
    return float(int(number) * unit)


def _folder(data: Path | None) -> Path:
    return data if data is not None else default_data()


@contextmanager
def _at_the_hub() -> Iterator[None]:
    """Work that needs the extra `hub`; a folder that a hub has open is not the same as a hub that nobody reaches."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise no_hub(error) from None
    except Fault as fault:
        if fault.code is not Code.UNAVAILABLE:
            raise
        raise OSError(errno.EBUSY, f"{fault.message} (a running hub cleans up by itself)") from None


def _print_invariants(invariants: dict[str, str], json: bool) -> None:
    if json:
        print_json(invariants)
        return
    for name, text in invariants.items():
        print(f"{name:>9}  {text}")


def _progress(done: int, total: int) -> None:
    if on_terminal() and (done == total or not done % 64):
        typer.echo(f"\r{done}/{total} objects", err=True, nl=done == total)
