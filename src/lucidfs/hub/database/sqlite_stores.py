"""Where the objects of filespaces are, in SQLite."""

from __future__ import annotations

from lucidfs.hub.database.base import MoveRow, StoreRow
from lucidfs.hub.database.sqlite_rows import Row, Statements

_STORE = (
    "SELECT filespace, bucket, prefix, region, endpoint, virtual, conditional, access_key, sealed_secret, gone_ns"
    " FROM object_store "
)

_MOVE = (
    "SELECT filespace, bucket, prefix, region, endpoint, virtual, conditional, access_key, sealed_secret, started_ns,"
    " switched_ns FROM object_move "
)


class SqliteStores:
    """The buckets of filespaces, on one connection."""

    _run: Statements

    def put_object_store(self, row: StoreRow) -> None:
        columns = (*row[:5], int(row.virtual), int(row.conditional), *row[7:])
        self._run.do("INSERT OR REPLACE INTO object_store VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", columns)

    def object_store(self, filespace: int) -> StoreRow | None:
        row = self._run.one(_STORE + "WHERE filespace = ?", (filespace,))
        return None if row is None else _store_of(row)

    def object_stores(self) -> list[StoreRow]:
        return [_store_of(row) for row in self._run.all(_STORE + "ORDER BY filespace")]

    def delete_object_store(self, filespace: int) -> None:
        self._run.do("DELETE FROM object_store WHERE filespace = ?", (filespace,))

    def put_object_move(self, row: MoveRow) -> None:
        place = row.place or StoreRow(row.filespace, "", "", "", "", False, False, "", b"")
        columns = (row.filespace, *place[1:5], int(place.virtual), int(place.conditional), *place[7:9])
        sql = "INSERT OR REPLACE INTO object_move VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        self._run.do(sql, (*columns, row.started_ns, row.switched_ns))

    def object_move(self, filespace: int) -> MoveRow | None:
        row = self._run.one(_MOVE + "WHERE filespace = ?", (filespace,))
        return None if row is None else _move_of(row)

    def object_moves(self) -> list[MoveRow]:
        return [_move_of(row) for row in self._run.all(_MOVE + "ORDER BY filespace")]

    def delete_object_move(self, filespace: int) -> None:
        self._run.do("DELETE FROM object_move WHERE filespace = ?", (filespace,))

    def has_objects(self, filespace: int) -> bool:
        return bool(self._run.all("SELECT 1 FROM object WHERE filespace = ? AND live > -2 LIMIT 1", (filespace,)))


def _store_of(row: Row) -> StoreRow:
    return StoreRow._make((*row[:5], bool(row[5]), bool(row[6]), *row[7:]))


def _move_of(row: Row) -> MoveRow:
    place = _store_of((*row[:9], 0)) if row[1] else None
    return MoveRow(row[0], place, row[9], row[10])
