"""The checker's part outside of the database: the object folder against the rows, and the whole check of a hub."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from lucidfs.hub.bootstrap import DATABASE_FILE, OBJECTS_FOLDER
from lucidfs.hub.database.base import Tx
from lucidfs.hub.database.sqlite_copy import snapshot
from lucidfs.hub.fsck import Checked, Checker, Problem, objects_of, usable
from lucidfs.hub.hold import Hold
from lucidfs.hub.sweeper import unused_of
from lucidfs.limits import REAP_BATCH
from lucidfs.objects.base import ObjectStat
from lucidfs.objects.local import LocalStore
from lucidfs.types import FilespaceId


class Report(NamedTuple):
    """What a check found. Uploads that no commit uses are no problem: clients put first and commit later."""

    problems: list[Problem]
    checked: Checked
    stored: int = 0  # objects in the folder
    stored_bytes: int = 0
    uploads: int = 0  # of those: no commit uses them (yet)
    upload_bytes: int = 0
    leftover: int = 0  # of those: no living session can have put them


def check_hub(data: Path) -> Report:
    """Check a hub's data folder, whether a hub runs on it or not.

    Nothing is deleted while it runs, so that what the snapshot names is there.

    Raises:
        Fault: NOT_FOUND, VERSION: see `snapshot`.
        OSError: the folder cannot be read.
    """
    with Hold(data).keeping(), snapshot(data / DATABASE_FILE) as tx:
        checker = Checker(tx)
        problems = list(checker.problems())
        report = _check_folder(tx, LocalStore(data / OBJECTS_FOLDER), problems)
        return report._replace(checked=checker.checked)


def _check_folder(tx: Tx, store: LocalStore, problems: list[Problem]) -> Report:
    problems += [Problem("folder", f"{path} is no object in its place") for path in store.strangers()]
    there: dict[int, ObjectStat] = {}
    stored = size = uploads = upload_bytes = leftover = 0
    for filespace in tx.object_filespaces():
        listing = store.list(FilespaceId(filespace))
        for page in _pages(listing):
            stored += len(page)
            size += sum(stat.size for stat in page)
            unused = unused_of(tx, page)
            uploads += len(unused)
            upload_bytes += sum(each.stat.size for each in unused)
            leftover += sum(not each.wanted for each in unused)
            there.update((stat.name.object, stat) for stat in page)
    for row in objects_of(tx):
        if row.held or not usable(row):
            continue
        stat = there.get(row.id)
        if stat is None or stat.name.filespace != row.filespace:
            problems.append(Problem("missing", f"object {row.id:016x} of filespace {row.filespace:016x}"))
        elif stat.size != row.size:
            problems.append(Problem("short", f"object {row.id:016x} has {stat.size} bytes, not {row.size}"))
    return Report(problems, Checked(), stored, size, uploads, upload_bytes, leftover)


def _pages(listing: Iterator[ObjectStat]) -> Iterator[list[ObjectStat]]:
    while page := list(islice(listing, REAP_BATCH)):
        yield page
