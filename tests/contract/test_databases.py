"""The databases that are shipped keep the contract of `hub/database/base.py`."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from lucidfs.errors import Code, Fault
from lucidfs.hub.database import sqlite_tree
from lucidfs.hub.database.base import Database
from lucidfs.hub.database.sqlite import SqliteDatabase
from lucidfs.testing.database_rows import FILESPACE, ROOT, folder, found
from lucidfs.testing.database_suite import DatabaseSuite


class TestSqlite(DatabaseSuite):
    @pytest.fixture(autouse=True)
    def _place(self, tmp_path: Path) -> None:
        self.path = tmp_path / "hub.db"
        self.opened: list[SqliteDatabase] = []

    @pytest.fixture
    def database(self) -> Iterator[Database]:
        yield self.open()
        for database in self.opened:
            database.close()

    def open(self) -> SqliteDatabase:
        self.opened.append(SqliteDatabase(self.path, durable=False))
        return self.opened[-1]

    def reopened(self, database: Database) -> Database:
        database.close()
        return self.open()

    def test_a_second_opening_is_refused(self, database: Database) -> None:
        with pytest.raises(Fault, match="another hub") as refused:
            SqliteDatabase(self.path)
        assert refused.value.code == Code.UNAVAILABLE

    def test_a_killed_process_loses_only_what_was_not_committed(self, database: Database, tmp_path: Path) -> None:
        found(database.begin())
        database.commit()
        database.begin().insert_node(folder(11))
        (tmp_path / "copy").mkdir()
        for name in ("hub.db", "hub.db-wal"):  # the files as they are at the moment of death
            shutil.copy(tmp_path / name, tmp_path / "copy" / name)
        database.rollback()
        survivor = SqliteDatabase(tmp_path / "copy" / "hub.db")
        with survivor.read() as reading:
            assert reading.node(ROOT) is not None and reading.node(11) is None
            assert reading.filespace(FILESPACE) is not None
        survivor.close()

    @pytest.mark.parametrize(
        ("statement", "index"),
        [
            (sqlite_tree._SMALL, "node_small"),
            (sqlite_tree._HELD, "object_held"),
            (sqlite_tree._SPARSE, "object_sparse"),
            (sqlite_tree._EXTENTS_IN, "extent_object"),
        ],
    )
    def test_what_may_be_packed_is_found_by_an_index(self, database: Database, statement: str, index: str) -> None:
        connection = apsw.Connection(str(self.path))
        plan = connection.execute(f"EXPLAIN QUERY PLAN {statement}", (1,) * statement.count("?")).fetchall()
        connection.close()
        assert index in str(plan[0]) and "TEMP B-TREE" not in str(plan)  # nothing is sorted

    def test_a_commit_is_synced(self) -> None:
        database = SqliteDatabase(self.path)
        self.opened.append(database)
        for pragma, value in (("synchronous", 2), ("journal_mode", "wal")):  # 2 is FULL: each commit syncs the log
            assert database._writer.execute(f"PRAGMA {pragma}").fetchall() == [(value,)]
        database.close()

    def test_a_database_of_a_later_release_is_refused(self, database: Database) -> None:
        database.close()
        connection = apsw.Connection(str(self.path))
        connection.execute("PRAGMA user_version = 999")
        connection.close()
        with pytest.raises(Fault, match="999") as refused:
            SqliteDatabase(self.path)
        assert refused.value.code == Code.VERSION
        with pytest.raises(Fault, match="999"):  # and it was not left locked
            SqliteDatabase(self.path)

    def test_another_programs_database_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "other.db"
        connection = apsw.Connection(str(path))
        connection.execute("CREATE TABLE node (id); PRAGMA user_version = 1")
        connection.close()
        with pytest.raises(OSError, match="not a hub's database"):
            SqliteDatabase(path)

    def test_no_database_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "text.db"
        path.write_bytes(b"this is a text, and a long one at that; no database at all" * 100)
        with pytest.raises(OSError):
            SqliteDatabase(path)
