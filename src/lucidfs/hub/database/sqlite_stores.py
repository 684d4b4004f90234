"""Where the objects of filespaces are, in SQLite."""

from __future__ import annotations

from lucidfs.hub.database.base import ObjectStoreRow
from lucidfs.hub.database.sqlite_rows import Statements

_COLUMNS = "filespace, bucket, prefix, region, endpoint, virtual, access_key, sealed_secret, gone_ns"


class SqliteStores:
    """Object stores of filespaces, on one connection."""

    _run: Statements

    def put_object_store(self, row: ObjectStoreRow) -> None:
        columns = (*row[:5], int(row.virtual), *row[6:])
        self._run.do("INSERT OR REPLACE INTO object_store VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", columns)

    def object_store(self, filespace: int) -> ObjectStoreRow | None:
        row = self._run.one(f"SELECT {_COLUMNS} FROM object_store WHERE filespace = ?", (filespace,))
        return None if row is None else ObjectStoreRow._make((*row[:5], bool(row[5]), *row[6:]))

    def forget_object_store(self, filespace: int, gone_before_ns: int) -> None:
        self._run.do(
            "DELETE FROM object_store WHERE filespace = ?1 AND gone_ns > 0 AND gone_ns < ?2 AND NOT EXISTS"
            " (SELECT 1 FROM object WHERE filespace = ?1 AND live > -2)",
            (filespace, gone_before_ns),
        )
