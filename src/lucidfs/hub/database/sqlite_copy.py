"""Looks at, and copies of, a database that a hub may have open: by another connection, on one snapshot."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from lucidfs.errors import Code, Fault
from lucidfs.hub.database.base import Tx
from lucidfs.hub.database.sqlite import APPLICATION_ID, SqliteTx, connect, migrations, pragma
from lucidfs.hub.database.sqlite_rows import as_os_errors

_PAGES = 4096  # 16 MiB: copied between two looks at signals


@contextmanager
def snapshot(path: Path) -> Iterator[Tx]:
    """A snapshot of committed state, whoever writes meanwhile.

    Raises:
        Fault: NOT_FOUND without a database, VERSION when another release wrote it.
        OSError: it cannot be read, or is not a hub's.
    """
    with _opened(path) as connection:
        tx = SqliteTx(connection)
        tx.execute("BEGIN")
        tx.setting("")  # the snapshot begins with the first read
        with as_os_errors(f"reading {path}"):  # a damaged page may be met at any read
            yield tx
        tx.execute("COMMIT")


def copy_database(path: Path, target: Path) -> None:
    """Copy a snapshot of a database into a new file, and sync that. Raises as `snapshot`."""
    target.unlink(missing_ok=True)
    with _opened(path) as source, as_os_errors(f"copying {path}"):
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM setting").fetchall()  # from here on later commits are not seen
        copy = apsw.Connection(str(target))
        try:
            with copy.backup("main", source, "main") as work:
                while not work.done:
                    work.step(_PAGES)
        finally:
            copy.close()
    os.chmod(target, 0o600)
    with open(target, "rb") as file:
        os.fsync(file.fileno())


@contextmanager
def _opened(path: Path) -> Iterator[apsw.Connection]:
    if not path.exists():
        raise Fault(Code.NOT_FOUND, f"there is no hub's data in {path.parent}")
    with as_os_errors(f"reading {path}"):
        connection = connect(path, reading=True)
        try:
            version = pragma(connection, "user_version")
            if pragma(connection, "application_id") != APPLICATION_ID:
                raise OSError(22, "not a hub's database", str(path))
        except BaseException:
            connection.close()
            raise
    try:
        if version != len(migrations()):
            raise Fault(Code.VERSION, f"{path} has version {version}, not {len(migrations())}: start its hub once")
        yield connection
    finally:
        connection.close()
