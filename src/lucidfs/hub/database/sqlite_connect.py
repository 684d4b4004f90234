"""Data stores and external files in SQLite."""

from __future__ import annotations

from lucidfs.hub.database.base import DataStoreRow
from lucidfs.hub.database.sqlite_rows import Row, Statements
from lucidfs.namespace.tree import ExternalRow

_STORE = (
    "SELECT id, filespace, name, access_key, sealed_secret, bucket, region, endpoint, url_minutes, virtual, key_id,"
    " created_ns, links FROM data_store "
)
_EXTERNAL = "SELECT node, store, place, etag FROM external "


class SqliteConnect:
    """What is linked from elsewhere, on one connection."""

    _run: Statements

    def insert_data_store(self, row: DataStoreRow) -> None:
        sql = "INSERT INTO data_store VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        self._run.do_unique(f"the data store {row.name!r}", sql, _columns(row))

    def data_store(self, store: int) -> DataStoreRow | None:
        return _store_of(self._run.one(_STORE + "WHERE id = ?", (store,)))

    def data_store_by_name(self, filespace: int, name: str) -> DataStoreRow | None:
        return _store_of(self._run.one(_STORE + "WHERE filespace = ? AND name = ?", (filespace, name)))

    def data_stores(self, filespace: int) -> list[DataStoreRow]:
        rows = self._run.all(_STORE + "WHERE filespace = ? ORDER BY name", (filespace,))
        return [row for row in map(_store_of, rows) if row is not None]

    def rekey_data_store(self, store: int, access_key: str, sealed_secret: bytes, key_id: str) -> None:
        sql = "UPDATE data_store SET access_key = ?, sealed_secret = ?, key_id = ? WHERE id = ?"
        self._run.do(sql, (access_key, sealed_secret, key_id, store))

    def delete_data_store(self, store: int) -> None:
        self._run.do("DELETE FROM data_store WHERE id = ?", (store,))

    def external(self, node: int) -> ExternalRow | None:
        row = self._run.one(_EXTERNAL + "WHERE node = ?", (node,))
        return None if row is None else ExternalRow._make(row)

    def insert_external(self, row: ExternalRow) -> None:
        self._run.do("INSERT INTO external VALUES (?, ?, ?, ?)", row)
        self._count_links(row.store, 1)

    def update_external(self, row: ExternalRow) -> None:
        self._run.do("UPDATE external SET place = ?, etag = ? WHERE node = ?", (row.place, row.etag, row.node))

    def delete_external(self, node: int) -> None:
        row = self.external(node)
        if row is not None:
            self._run.do("DELETE FROM external WHERE node = ?", (node,))
            self._count_links(row.store, -1)

    def externals(self, store: int, after: int, limit: int) -> list[ExternalRow]:
        sql = _EXTERNAL + "WHERE store = ? AND store > 0 AND node > ? ORDER BY node LIMIT ?"
        return [ExternalRow._make(row) for row in self._run.all(sql, (store, after, limit))]

    def count_externals(self, store: int) -> int:
        row = self._run.one("SELECT count(*) FROM external WHERE store = ? AND store > 0", (store,))
        assert row is not None
        return int(row[0])

    def _count_links(self, store: int, delta: int) -> None:
        if store:
            self._run.do("UPDATE data_store SET links = links + ? WHERE id = ?", (delta, store))


def _columns(row: DataStoreRow) -> Row:
    return (*row[:9], int(row.virtual), *row[10:])


def _store_of(row: Row | None) -> DataStoreRow | None:
    return None if row is None else DataStoreRow._make((*row[:9], bool(row[9]), *row[10:]))
