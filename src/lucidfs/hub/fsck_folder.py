"""The checker's part outside of the database: the object folder against the rows, and the whole check of a hub."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from lucidfs.clock import SystemClock
from lucidfs.errors import Code, Fault
from lucidfs.hub.bootstrap import DATABASE_FILE, OBJECTS_FOLDER
from lucidfs.hub.database.base import Tx
from lucidfs.hub.database.sqlite_copy import snapshot
from lucidfs.hub.fsck import Checked, Checker, Problem, objects_of, usable
from lucidfs.hub.hold import Hold
from lucidfs.hub.secrets import read_secrets
from lucidfs.hub.stores import open_bucket
from lucidfs.hub.sweeper import unused_of
from lucidfs.limits import REAP_BATCH
from lucidfs.objects.base import ObjectStat, ObjectStore
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
        report = _check_folder(tx, LocalStore(data / OBJECTS_FOLDER), problems, partial(_bucket_of, data, tx))
        return report._replace(checked=checker.checked)


def _bucket_of(data: Path, tx: Tx, filespace: int) -> ObjectStore | None:
    """The bucket that holds a filespace's objects; None: the folder does. Raises Fault when its keys do not open."""
    row = tx.object_store(filespace)
    if row is None:
        return None
    try:
        secrets = read_secrets(data)
    except OSError as error:
        raise Fault(Code.NOT_FOUND, f"the key of the hub's secrets cannot be read: {error}") from None
    return open_bucket(row, secrets, clock=SystemClock(), random=bytes, sleep=threading.Event().wait).store


def _check_folder(
    tx: Tx, store: LocalStore, problems: list[Problem], bucket_of: Callable[[int], ObjectStore | None]
) -> Report:
    problems += [Problem("folder", f"{path} is no object in its place") for path in store.strangers()]
    there: dict[int, ObjectStat] = {}
    stored = size = uploads = upload_bytes = leftover = 0
    unknown: set[int] = set()  # filespaces whose bucket does not answer
    for filespace in tx.object_filespaces():
        for page in _pages(_listing(store, filespace, bucket_of, unknown, problems)):
            stored += len(page)
            size += sum(stat.size for stat in page)
            unused = unused_of(tx, page)
            uploads += len(unused)
            upload_bytes += sum(each.stat.size for each in unused)
            leftover += sum(not each.wanted for each in unused)
            there.update((stat.name.object, stat) for stat in page)
    for row in objects_of(tx):
        if row.held or not usable(row) or row.filespace in unknown:
            continue
        stat = there.get(row.id)
        if stat is None or stat.name.filespace != row.filespace:
            problems.append(Problem("missing", f"object {row.id:016x} of filespace {row.filespace:016x}"))
        elif stat.size != row.size:
            problems.append(Problem("short", f"object {row.id:016x} has {stat.size} bytes, not {row.size}"))
    return Report(problems, Checked(), stored, size, uploads, upload_bytes, leftover)


def _listing(
    store: LocalStore,
    filespace: int,
    bucket_of: Callable[[int], ObjectStore | None],
    unknown: set[int],
    problems: list[Problem],
) -> Iterator[ObjectStat]:
    """The objects of a filespace, wherever they are."""
    bucket: ObjectStore | None = None
    try:
        bucket = bucket_of(filespace)
        yield from (bucket or store).list(FilespaceId(filespace))
    except (OSError, Fault) as error:
        if bucket is None and not isinstance(error, Fault):
            raise  # the hub's own folder
        unknown.add(filespace)
        problems.append(Problem("bucket", f"the objects of filespace {filespace:016x} cannot be listed: {error}"))
    finally:
        if bucket is not None:
            bucket.close()


def _pages(listing: Iterator[ObjectStat]) -> Iterator[list[ObjectStat]]:
    while page := list(islice(listing, REAP_BATCH)):
        yield page
