"""The checker's part outside of the database: object folder and buckets against the rows, and the whole check."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from lucidfs.clock import SystemClock
from lucidfs.errors import Fault
from lucidfs.hub.bootstrap import DATABASE_FILE, OBJECTS_FOLDER
from lucidfs.hub.database.base import Tx
from lucidfs.hub.database.sqlite_copy import snapshot
from lucidfs.hub.fsck import Checked, Checker, Problem, objects_of, usable
from lucidfs.hub.hold import Hold
from lucidfs.hub.secrets import read_secrets
from lucidfs.hub.stores import Stores, where_of
from lucidfs.hub.sweeper import unused_of
from lucidfs.limits import REAP_BATCH
from lucidfs.objects.base import ObjectStat
from lucidfs.objects.local import LocalStore
from lucidfs.types import FilespaceId


class Report(NamedTuple):
    """What a check found. Uploads that no commit uses are no problem: clients put first and commit later."""

    problems: list[Problem]
    checked: Checked
    stored: int = 0  # objects in the folder and in buckets
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
        local, secrets = LocalStore(data / OBJECTS_FOLDER), read_secrets(data)
        problems += [Problem("folder", f"{path} is no object in its place") for path in local.strangers()]
        # The hub saw to it that accounts name no private addresses, unless it was allowed.
        stores = Stores(local, partial(where_of, tx), secrets, clock=SystemClock(), random=bytes, private=True)
        try:
            report = _check_objects(tx, stores, problems)
        finally:
            stores.close()
        return report._replace(checked=checker.checked)


def _check_objects(tx: Tx, stores: Stores, problems: list[Problem]) -> Report:
    there: dict[int, ObjectStat] = {}
    unknown: set[int] = set()  # filespaces whose bucket does not answer
    total = Report(problems, Checked())
    for filespace in tx.object_filespaces():
        try:
            for page in _pages(stores.list(FilespaceId(filespace))):
                total = _counted(tx, page, total)
                there.update((stat.name.object, stat) for stat in page)
        except (OSError, Fault) as error:
            if stores.is_local(filespace):
                raise
            unknown.add(filespace)
            problems.append(Problem("bucket", f"the objects of filespace {filespace:016x} cannot be listed: {error}"))
    for row in objects_of(tx):
        if row.held or not usable(row) or row.filespace in unknown:
            continue
        stat = there.get(row.id)
        if stat is None or stat.name.filespace != row.filespace:
            problems.append(Problem("missing", f"object {row.id:016x} of filespace {row.filespace:016x}"))
        elif stat.size != row.size:
            problems.append(Problem("short", f"object {row.id:016x} has {stat.size} bytes, not {row.size}"))
    return total


def _counted(tx: Tx, page: list[ObjectStat], total: Report) -> Report:
    unused = unused_of(tx, page)
    return total._replace(
        stored=total.stored + len(page),
        stored_bytes=total.stored_bytes + sum(stat.size for stat in page),
        uploads=total.uploads + len(unused),
        upload_bytes=total.upload_bytes + sum(each.stat.size for each in unused),
        leftover=total.leftover + sum(not each.wanted for each in unused),
    )


def _pages(listing: Iterator[ObjectStat]) -> Iterator[list[ObjectStat]]:
    while page := list(islice(listing, REAP_BATCH)):
        yield page
