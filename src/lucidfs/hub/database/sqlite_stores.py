"""Where the objects of filespaces are, and where they go, in SQLite."""

from __future__ import annotations

from lucidfs.hub.database.base import MoveRow, ObjectStoreRow
from lucidfs.hub.database.sqlite_rows import Row, Statements

_PLACE = "filespace, bucket, prefix, region, endpoint, virtual, access_key, sealed_secret"
_MOVE = f"SELECT {_PLACE}, started_ns, switched_ns FROM object_move "


class SqliteStores:
    """Object stores of filespaces, on one connection."""

    _run: Statements

    def put_object_store(self, row: ObjectStoreRow) -> None:
        self._run.do("INSERT OR REPLACE INTO object_store VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", _columns(row))

    def object_store(self, filespace: int) -> ObjectStoreRow | None:
        row = self._run.one(f"SELECT {_PLACE}, gone_ns FROM object_store WHERE filespace = ?", (filespace,))
        return None if row is None else _store_of(row)

    def delete_object_store(self, filespace: int) -> None:
        self._run.do("DELETE FROM object_store WHERE filespace = ?", (filespace,))

    def has_objects(self, filespace: int) -> bool:
        return bool(self._run.all("SELECT 1 FROM object WHERE filespace = ? AND live > -2 LIMIT 1", (filespace,)))

    def put_object_move(self, row: MoveRow) -> None:
        place = row.place or ObjectStoreRow(row.filespace, "", "", "", "", False, "", b"")
        columns = (*_columns(place)[:-1], row.started_ns, row.switched_ns)
        self._run.do("INSERT OR REPLACE INTO object_move VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", columns)

    def object_move(self, filespace: int) -> MoveRow | None:
        row = self._run.one(_MOVE + "WHERE filespace = ?", (filespace,))
        return None if row is None else _move_of(row)

    def object_moves(self) -> list[MoveRow]:
        return [_move_of(row) for row in self._run.all(_MOVE + "ORDER BY filespace")]

    def delete_object_move(self, filespace: int) -> None:
        self._run.do("DELETE FROM object_move WHERE filespace = ?", (filespace,))


def _columns(row: ObjectStoreRow) -> Row:
    return (*row[:5], int(row.virtual), *row[6:])


def _store_of(row: Row) -> ObjectStoreRow:
    return ObjectStoreRow._make((*row[:5], bool(row[5]), *row[6:]))


def _move_of(row: Row) -> MoveRow:
    *place, started_ns, switched_ns = row
    bucket = _store_of((*place, 0)) if place[1] else None
    return MoveRow(place[0], bucket, started_ns, switched_ns)
