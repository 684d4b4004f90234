"""A copy of a hub's data while it runs: the database first, then every object that this database names.

Objects are put before the commit that names them, and none is deleted while the backup holds them (`hub.hold`); so
all that the copied database names can be copied, however long that takes. The new database takes the place of an
older copy last, in one step: what stands in the target is always a whole backup, of now or of before. Objects never
change, so those that are there already are not copied again.

A backup is a data folder: a hub can be started on it, or on a copy of it. It holds no administrator's token, but the
key that opens the keys of S3 buckets: keep it as safe as the hub. Objects in buckets are not copied, the backup has
the keys to them: a hub on it must not run beside the first one, for each would delete what only the other one knows.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from lucidfs.clock import Clock
from lucidfs.errors import Code, Fault
from lucidfs.hub.bootstrap import DATABASE_FILE, OBJECTS_FOLDER
from lucidfs.hub.database.base import ObjectRow, Tx
from lucidfs.hub.database.sqlite import SqliteDatabase
from lucidfs.hub.database.sqlite_copy import copy_database, snapshot
from lucidfs.hub.fsck import objects_of, usable
from lucidfs.hub.hold import Hold
from lucidfs.hub.reaper import name_of
from lucidfs.hub.secrets import KEY_FILE
from lucidfs.hub.stores import Where, where_of
from lucidfs.objects.base import ObjectName
from lucidfs.objects.local import LocalStore
from lucidfs.types import FilespaceId

MARKER_FILE = "backup.json"  # tells a backup, which may be renewed, from a hub's own data, which must not
_PARTIAL = ".partial"
_BESIDE = ("-wal", "-shm", ".lock")


class BackedUp(NamedTuple):
    """What a backup holds, and what it took."""

    objects: int  # in the backup
    bytes: int
    copied: int  # of those: copied now
    copied_bytes: int
    missing: list[str]  # objects that the hub has lost: not in the backup either
    elsewhere: int = 0  # objects that stand in buckets of filespaces: they stay there, and are not copied


def backup_hub(
    data: Path, target: Path, *, clock: Clock, progress: Callable[[int, int], None] = lambda done, total: None
) -> BackedUp:
    """Make or renew a backup.

    Args:
        data: the hub's data folder; its hub may run.
        target: an empty or missing folder, or an earlier backup of the same hub.
        clock: tells when it was made.
        progress: told of objects done and in all.

    Raises:
        Fault: NOT_FOUND without a hub's data; EXISTS when the target is something else; UNAVAILABLE when it is in
            use; INVALID when one folder is inside the other; NO_SPACE, DENIED.
        OSError: a folder cannot be read or written.
    """
    _check_apart(data, target)
    owner = _owner(data / DATABASE_FILE)
    _check_target(target, owner)
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    _mark(target, {"hub": owner, "finished": None})
    partial = target / f"{DATABASE_FILE}{_PARTIAL}"
    _remove(partial)
    with Hold(data).keeping():
        copy_database(data / DATABASE_FILE, partial)
        store = LocalStore(target / OBJECTS_FOLDER)
        copied = SqliteDatabase(partial)
        try:
            _end_sessions(copied, clock.now_ns())
            with copied.read() as tx:
                done = _copy_objects(tx, LocalStore(data / OBJECTS_FOLDER), store, progress)
        finally:
            copied.close()
    _copy_key(data / KEY_FILE, target / KEY_FILE)
    _put_in_place(partial, target / DATABASE_FILE)
    _prune(target / DATABASE_FILE, store)
    _mark(target, {"hub": owner, "finished": clock.now_ns() // 10**9, "objects": done.objects, "bytes": done.bytes})
    return done


def _check_apart(data: Path, target: Path) -> None:
    one, other = data.resolve(), target.resolve()
    if one == other or one in other.parents or other in one.parents:
        raise Fault(Code.INVALID, f"{target} and {data} must not be inside of each other")


def _owner(database: Path) -> str:
    """Which hub a database belongs to: a fingerprint of its workspaces, which never change."""
    with snapshot(database) as tx:
        return hashlib.sha256(repr([row.id for row in tx.workspaces()]).encode()).hexdigest()[:16]


def _check_target(target: Path, owner: str) -> None:
    """Raise unless the target is free, or a backup of the same hub that nobody uses."""
    if not target.exists() or not any(target.iterdir()):
        return
    try:
        marker = json.loads((target / MARKER_FILE).read_bytes())
    except (OSError, ValueError):
        raise Fault(Code.EXISTS, f"{target} is neither empty nor a backup: nothing was written") from None
    if not isinstance(marker, dict) or marker.get("hub") != owner:
        raise Fault(Code.EXISTS, f"{target} is the backup of another hub: nothing was written")
    if (target / DATABASE_FILE).exists():
        SqliteDatabase(target / DATABASE_FILE).close()  # refused while a hub runs on it; and it leaves no log behind


def _end_sessions(copied: SqliteDatabase, now_ns: int) -> None:
    """The clients of now are not those of a restored hub: they come back with new sessions, and without locks.

    What was applied stays known, so that they do not apply it again.
    """
    tx = copied.begin()
    for session in tx.live_sessions():
        tx.end_session(session.id, now_ns)
    copied.commit()


def _copy_objects(tx: Tx, source: LocalStore, target: LocalStore, progress: Callable[[int, int], None]) -> BackedUp:
    there = {
        stat.name: stat.size for filespace in tx.object_filespaces() for stat in target.list(FilespaceId(filespace))
    }
    total = sum(1 for _ in _needed(tx))
    count = size = copied = copied_bytes = 0
    missing: list[str] = []
    elsewhere = sum(None not in where.places for _, where in _stored(tx))
    for number, row in enumerate(_needed(tx), 1):
        name = name_of(row)
        if there.get(name) != row.size:
            try:
                body = source.get(name, 0, row.size)
            except (FileNotFoundError, EOFError):
                if where_of(tx, row.filespace).moving:
                    elsewhere += 1
                else:
                    missing.append(f"{row.id:016x}")
                continue
            target.put(name, body)
            copied += 1
            copied_bytes += row.size
        count += 1
        size += row.size
        progress(number, total)
    return BackedUp(count, size, copied, copied_bytes, missing, elsewhere)


def _stored(tx: Tx) -> Iterator[tuple[ObjectRow, Where]]:
    """Objects that may be used, and where they are."""
    places = {filespace: where_of(tx, filespace) for filespace in tx.object_filespaces()}
    return ((row, places[row.filespace]) for row in objects_of(tx) if usable(row) and not row.held)


def _needed(tx: Tx) -> Iterator[ObjectRow]:
    """Those that the hub's own folder has, or may have because they are on the way."""
    return (row for row, where in _stored(tx) if None in where.places)


def _put_in_place(partial: Path, database: Path) -> None:
    """The new copy for the old one, in one step that is on disk when it returns."""
    for suffix in _BESIDE:
        Path(f"{partial}{suffix}").unlink(missing_ok=True)
        Path(f"{database}{suffix}").unlink(missing_ok=True)  # a log of the old one must not meet the new one
    with open(partial, "rb") as file:
        os.fsync(file.fileno())
    os.replace(partial, database)
    folder = os.open(database.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _copy_key(source: Path, target: Path) -> None:
    """The key of the hub's secrets; a hub that never ran has none."""
    if not source.exists():
        return
    partial = target.with_name(f".{target.name}")
    file = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(file, source.read_bytes())
        os.fsync(file)
    finally:
        os.close(file)
    os.replace(partial, target)


def _prune(database: Path, store: LocalStore) -> None:
    """Delete objects that only an earlier backup needed."""
    with snapshot(database) as tx:
        needed: set[ObjectName] = {name_of(row) for row in _needed(tx)}
        for filespace in tx.object_filespaces():
            for stat in store.list(FilespaceId(filespace)):
                if stat.name not in needed:
                    store.delete(stat.name)


def _mark(target: Path, about: dict[str, object]) -> None:
    (target / MARKER_FILE).write_text(json.dumps(about) + "\n")


def _remove(partial: Path) -> None:
    for suffix in ("", *_BESIDE):
        Path(f"{partial}{suffix}").unlink(missing_ok=True)
