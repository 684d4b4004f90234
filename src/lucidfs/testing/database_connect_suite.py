"""What every `Database` must do with data stores, external files and object stores."""

from __future__ import annotations

import pytest

from lucidfs.errors import Code, Fault
from lucidfs.hub.database.base import DataStoreRow, ExternalRow, MoveRow, ObjectRow, ObjectStoreRow, Tx
from lucidfs.testing.database_rows import FILESPACE

FILMS = DataStoreRow(70, FILESPACE, "films", "key", b"sealed", "bucket", "eu", "http://host", 4320, True, "id", 5)
MUSIC = FILMS._replace(id=71, name="Music", virtual=False)
ELSEWHERE = FILMS._replace(id=72, filespace=5)


class ConnectSuite:
    """The part of `DatabaseSuite` about what lies outside; it uses that suite's fixture `tx`."""

    def test_data_stores(self, tx: Tx) -> None:
        for row in (MUSIC, FILMS, ELSEWHERE):
            tx.insert_data_store(row)
        assert tx.data_store(70) == FILMS
        assert tx.data_store(73) is None
        assert tx.data_store_by_name(FILESPACE, "films") == FILMS
        assert tx.data_store_by_name(FILESPACE, "nothing") is None
        assert sorted(tx.data_stores(FILESPACE)) == [FILMS, MUSIC]
        with pytest.raises(Fault) as refused:
            tx.insert_data_store(FILMS._replace(id=73))
        assert refused.value.code is Code.EXISTS
        tx.rekey_data_store(70, "other", b"resealed", "id2")
        assert tx.data_store(70) == FILMS._replace(access_key="other", sealed_secret=b"resealed", key_id="id2")
        assert tx.data_store(71) == MUSIC
        tx.delete_data_store(70)
        tx.delete_data_store(99)
        assert tx.data_stores(FILESPACE) == [MUSIC]

    def test_external_files_count_in_their_data_store(self, tx: Tx) -> None:
        tx.insert_data_store(FILMS)
        rows = [ExternalRow(node, 70, f"key {node}".encode(), "etag") for node in (301, 302, 303)]
        web = ExternalRow(304, 0, b"sealed url", "")
        for row in [*rows, web]:
            tx.insert_external(row)
        assert tx.external(302) == rows[1]
        assert tx.external(304) == web
        assert tx.external(305) is None
        assert tx.externals(70, 0, 2) == rows[:2]
        assert tx.externals(70, 302, 9) == rows[2:]
        assert tx.externals(0, 0, 9) == []
        found = tx.data_store(70)
        assert found is not None
        assert found.links == tx.count_externals(70) == 3
        changed = rows[0]._replace(place=b"other", etag="new")
        tx.update_external(changed)
        assert tx.external(301) == changed
        tx.delete_external(302)
        tx.delete_external(302)
        tx.delete_external(304)
        found = tx.data_store(70)
        assert found is not None
        assert found.links == tx.count_externals(70) == 2
        assert tx.external(302) is None

    def test_object_stores_outlive_their_filespace(self, tx: Tx) -> None:
        row = ObjectStoreRow(9, "bucket", "prefix/", "eu", "", True, "key", b"sealed")
        tx.put_object_store(row)
        assert tx.object_store(9) == row
        assert tx.object_store(FILESPACE) is None
        assert not tx.has_objects(9)
        tx.insert_object(ObjectRow(50, 9, 10, 0, 5), b"")
        tx.delete_filespace(9, 7)
        assert tx.object_store(9) == row._replace(gone_ns=7)
        assert tx.has_objects(9)
        tx.update_object(50, -2, 5)
        assert not tx.has_objects(9)
        tx.forget_spent(100, 10)
        assert 9 in tx.object_filespaces()
        tx.delete_object_store(9)
        assert tx.object_store(9) is None
        assert 9 not in tx.object_filespaces()

    @pytest.mark.parametrize("local", [True, False], ids=["to the hub", "to a bucket"])
    def test_moves_of_objects(self, tx: Tx, local: bool) -> None:
        bucket = ObjectStoreRow(9, "bucket", "prefix/", "eu", "http://s3.example", True, "key", b"sealed")
        row = MoveRow(9, None if local else bucket, 5)
        assert tx.object_move(9) is None
        assert tx.object_moves() == []
        tx.put_object_move(row)
        assert tx.object_move(9) == row
        assert 9 in tx.object_filespaces()
        tx.put_object_move(row._replace(switched_ns=9))
        assert tx.object_moves() == [row._replace(switched_ns=9)]
        tx.delete_object_move(9)
        assert tx.object_moves() == []
        assert 9 not in tx.object_filespaces()
