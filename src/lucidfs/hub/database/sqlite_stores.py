"""Where the objects of filespaces are, in SQLite."""

from __future__ import annotations

from lucidfs.hub.database.base import ObjectStoreRow
from lucidfs.hub.database.sqlite_rows import Statements

_COLUMNS = "filespace, bucket, prefix, region, endpoint, virtual, access_key, sealed_secret"


class SqliteStores:
    """Object stores of filespaces, on one connection."""

    _run: Statements

    def put_object_store(self, row: ObjectStoreRow) -> None:
        columns = (*row[:5], int(row.virtual), *row[6:])
        self._run.do("INSERT OR REPLACE INTO object_store VALUES (?, ?, ?, ?, ?, ?, ?, ?)", columns)

    def object_store(self, filespace: int) -> ObjectStoreRow | None:
        row = self._run.one(f"SELECT {_COLUMNS} FROM object_store WHERE filespace = ?", (filespace,))
        return None if row is None else ObjectStoreRow._make((*row[:5], bool(row[5]), *row[6:]))

    def forget_object_stores(self) -> int:
        old = self._run.all(
            "SELECT filespace FROM object_store WHERE filespace NOT IN (SELECT id FROM filespace) AND NOT EXISTS"
            " (SELECT 1 FROM object WHERE object.filespace = object_store.filespace AND live > -2)"
        )
        self._run.do_many("DELETE FROM object_store WHERE filespace = ?", old)
        return len(old)
