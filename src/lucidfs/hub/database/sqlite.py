"""The embedded database: one SQLite file in WAL mode, one writing connection, readers with connections of their own.

Threads: the writing connection belongs to whoever called `begin` until `commit` or `rollback`, and may change threads
between calls. Reading connections are taken from a list by any thread, used there, and given back.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from types import TracebackType

import apsw

from lucidfs.errors import Code, Fault
from lucidfs.hub.database.base import Database, Tx
from lucidfs.hub.database.sqlite_accounts import SqliteAccounts
from lucidfs.hub.database.sqlite_audit import SqliteAudit
from lucidfs.hub.database.sqlite_rows import as_os_errors
from lucidfs.hub.database.sqlite_service import SqliteService
from lucidfs.hub.database.sqlite_stores import SqliteStores
from lucidfs.hub.database.sqlite_tree import SqliteTree
from lucidfs.limits import DATABASE_CACHE_BYTES, DATABASE_CHECKPOINT_PAGES

APPLICATION_ID = 0x4C554344  # "LUCD": `file` and sqlite3 can tell what this database is
_STATEMENTS_CACHED = 256  # more than there are statements
_BUSY_MS = 5_000  # for the moments in which SQLite locks even readers out: recovery after a crash, the first opening


class SqliteTx(SqliteTree, SqliteService, SqliteAccounts, SqliteStores, SqliteAudit):
    """One transaction on one connection; see `Tx`."""


class SqliteDatabase:
    """A `Database` in one file, which one process at a time may open.

    Args:
        path: the file; made if it is not there. Beside it: `-wal`, `-shm` (SQLite's own) and `.lock`.
        durable: False leaves out the fsync, for tests that never lose power.

    Raises:
        Fault: UNAVAILABLE when another process has it open, VERSION when a later release wrote it.
        OSError: it cannot be opened, or is not a database of this kind.
    """

    def __init__(self, path: Path, *, durable: bool = True) -> None:
        self._path = path
        self._lock = _lock_file(path)
        try:
            with as_os_errors(f"opening {path}"):
                self._writer = connect(path)
                self._writer.execute(f"PRAGMA synchronous = {'FULL' if durable else 'OFF'}")
                _migrate(self._writer, path)
        except BaseException:
            self._lock.close()
            raise
        self._writing: SqliteTx | None = None
        self._write_tx = SqliteTx(self._writer)
        self._readers: list[_Reader] = []  # idle ones; append and pop are atomic
        self._all_readers: list[_Reader] = []
        self._closed = False

    def read(self) -> _Reader:
        try:
            return self._readers.pop()
        except IndexError:
            reader = _Reader(connect(self._path, reading=True), self._readers)
            self._all_readers.append(reader)
            return reader

    def begin(self) -> Tx:
        assert self._writing is None, "one write transaction at a time"
        with as_os_errors("beginning a transaction"):
            self._write_tx.execute("BEGIN IMMEDIATE")
        self._writing = self._write_tx
        return self._write_tx

    def commit(self) -> None:
        assert self._writing is not None, "no write transaction"
        try:
            with as_os_errors("committing"):
                self._writing.flush()
                self._writing.execute("COMMIT")
        except BaseException:
            self.rollback()
            raise
        self._writing = None

    def rollback(self) -> None:
        if self._writing is not None:
            self._writing.forget()
            self._writing = None
        if not self._closed and self._writer.in_transaction:  # SQLite itself rolls back after some errors
            self._write_tx.execute("ROLLBACK")

    def close(self) -> None:
        if self._closed:
            return
        self.rollback()
        self._closed = True
        for reader in self._all_readers:
            reader.close()
        self._all_readers.clear()
        self._readers.clear()
        self._writer.close()
        self._lock.close()


class _Reader:
    """A reading connection, as a context manager: a snapshot from its first use to the end of `with`."""

    def __init__(self, connection: apsw.Connection, idle: list[_Reader]) -> None:
        self._connection = connection
        self._tx = SqliteTx(connection)
        self._execute = self._tx.execute
        self._idle = idle

    def __enter__(self) -> Tx:
        self._execute("BEGIN")
        return self._tx

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._execute("COMMIT")
        self._idle.append(self)

    def close(self) -> None:
        self._connection.close()


def connect(path: Path, *, reading: bool = False) -> apsw.Connection:
    """A connection with the hub's settings; a reading one needs the file to be there."""
    flags = apsw.SQLITE_OPEN_READWRITE | (0 if reading else apsw.SQLITE_OPEN_CREATE)
    connection = apsw.Connection(str(path), flags=flags, statementcachesize=_STATEMENTS_CACHED)
    connection.set_busy_timeout(_BUSY_MS)
    connection.execute(f"PRAGMA cache_size = -{DATABASE_CACHE_BYTES // 1024}")
    if reading:
        connection.execute("PRAGMA query_only = 1")
    else:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {DATABASE_CHECKPOINT_PAGES}")
        connection.execute("PRAGMA foreign_keys = 1")
    return connection


def _lock_file(path: Path) -> apsw.Connection:
    """Hold a lock beside the database until the connection is closed or the process ends, however it ends."""
    with as_os_errors(f"locking {path}"):
        lock = apsw.Connection(f"{path}.lock")
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except apsw.BusyError:
            lock.close()
            raise Fault(Code.UNAVAILABLE, f"another hub has {path} open: stop it first") from None
    return lock


def _migrate(connection: apsw.Connection, path: Path) -> None:
    """Bring the schema up to date, each step with its number in one transaction."""
    version = pragma(connection, "user_version")
    if version and pragma(connection, "application_id") != APPLICATION_ID:
        raise OSError(22, "not a hub's database", str(path))
    scripts = migrations()
    if version > len(scripts):
        raise Fault(Code.VERSION, f"{path} has version {version}, this release knows {len(scripts)}: use a later one")
    for number, script in enumerate(scripts[version:], version + 1):
        with connection:
            connection.execute(script)
            connection.execute(f"PRAGMA user_version = {number}")
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def migrations() -> list[str]:
    """The scripts that make the schema, in order: the number of the last one is its version."""
    folder = resources.files(__package__) / "sql"
    names = sorted(item.name for item in folder.iterdir() if item.name.endswith(".sql"))
    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1)), "migrations are numbered without gaps"
    return [(folder / name).read_text(encoding="utf-8") for name in names]


def pragma(connection: apsw.Connection, name: str) -> int:
    """A number that SQLite keeps in the file."""
    row = connection.execute(f"PRAGMA {name}").fetchone()
    assert row is not None
    return int(row[0])


def _conforms(database: SqliteDatabase) -> Database:  # checked by mypy, never called
    return database
