"""What every `Database` must do. Inherit `DatabaseSuite`, give it a database, and run it with pytest."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from lucidfs.hub.database.base import CONDEMNED, SPENT, Counts, Database, NodeRow, ObjectRow, SmallContent, Tx
from lucidfs.limits import PACK_SMALL_BYTES
from lucidfs.namespace.tree import root_of
from lucidfs.testing.database_connect_suite import ConnectSuite
from lucidfs.testing.database_rows import EVERYTHING, FILESPACE, ROOT, extent, file, folder, found, lock
from lucidfs.testing.database_service_suite import ServiceSuite
from lucidfs.wire.messages import Extent


class DatabaseSuite(ServiceSuite, ConnectSuite):
    """Conformance of one database. A subclass gives the fixture `database`: empty, closed by the fixture."""

    @pytest.fixture
    def database(self) -> Iterator[Database]:
        raise NotImplementedError("a subclass gives the database")

    def reopened(self, database: Database) -> Database:
        """The same database after `close` and a new start."""
        raise NotImplementedError("a subclass reopens")

    @pytest.fixture
    def tx(self, database: Database) -> Iterator[Tx]:
        """A write transaction with a workspace, a filespace and its root."""
        tx = database.begin()
        found(tx)
        yield tx
        database.rollback()

    # --- transactions

    def test_uncommitted_changes_are_seen_by_their_transaction_only(self, database: Database, tx: Tx) -> None:
        tx.insert_node(folder(11))
        assert tx.node(11) == folder(11)
        with database.read() as reading:
            assert reading.node(11) is None

    def test_a_commit_is_seen_by_the_next_read(self, database: Database, tx: Tx) -> None:
        tx.insert_node(folder(11))
        database.commit()
        with database.read() as reading:
            assert reading.node(11) == folder(11)

    def test_a_snapshot_stays_as_it_was(self, database: Database, tx: Tx) -> None:
        database.commit()
        with database.read() as before:
            assert before.node(11) is None
            database.begin().insert_node(folder(11))
            database.commit()
            assert before.node(11) is None
            with database.read() as after:
                assert after.node(11) is not None

    def test_every_read_sees_the_commit_before_it(self, database: Database, tx: Tx) -> None:
        database.commit()
        for number in range(1, 4):
            with database.read() as reading:
                root = reading.node(ROOT)  # found: its query must not hold the snapshot
                assert root is not None and root.version == number - 1
            database.begin().touch_folder(ROOT, 9)
            database.commit()
            with pytest.raises(KeyError), database.read() as reading:
                assert reading.node(ROOT) is not None
                raise KeyError

    def test_a_rollback_undoes_everything(self, database: Database, tx: Tx) -> None:
        database.commit()
        writing = database.begin()
        writing.insert_node(folder(11))
        writing.touch_folder(ROOT, 9)
        writing.count(FILESPACE, Counts(folders=1))
        database.rollback()
        again = database.begin()
        assert again.node(11) is None
        assert again.counts(FILESPACE) == Counts()
        database.commit()
        with database.read() as reading:
            root = reading.node(ROOT)
            assert root is not None and root.version == 0
            assert reading.counts(FILESPACE) == Counts()

    def test_rollback_without_a_transaction_does_nothing(self, database: Database) -> None:
        database.rollback()

    def test_commit_in_another_thread_while_reading(self, database: Database, tx: Tx) -> None:
        with database.read() as reading:
            assert reading.node(ROOT) is None
            thread = threading.Thread(target=database.commit)
            thread.start()
            assert reading.node(ROOT) is None
            thread.join()
        with database.read() as reading:
            assert reading.node(ROOT) is not None

    def test_reads_from_other_threads(self, database: Database, tx: Tx) -> None:
        database.commit()
        seen: list[bool] = []

        def look() -> None:
            with database.read() as reading:
                seen.append(reading.node(ROOT) is not None)

        threads = [threading.Thread(target=look) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert seen == [True] * 4

    def test_everything_committed_survives_a_restart(self, database: Database, tx: Tx) -> None:
        tx.insert_node(file(11), SmallContent([extent(0, 1, object=0)], b"x" * 100))
        tx.touch_folder(ROOT, 7)
        tx.count(FILESPACE, Counts(files=1))
        database.commit()
        with self.reopened(database).read() as reading:
            assert reading.node(11) == file(11)
            assert reading.small(11) == SmallContent([extent(0, 1, object=0)], b"x" * 100)
            assert reading.counts(FILESPACE) == Counts(files=1)

    # --- nodes

    def test_a_node_comes_back_as_it_was(self, tx: Tx) -> None:
        row = NodeRow(2**63 - 1, FILESPACE, ROOT, b"\0" * 16, 3, b"n", 2**62, 2, 3, 4, 5, b"m" * 16, b"t", 6, 7, 0)
        tx.insert_node(row)
        assert tx.node(row.id) == row
        assert tx.child(ROOT, row.token) == row
        assert tx.small(row.id) is None

    def test_roots_of_two_filespaces_stand_side_by_side(self, tx: Tx) -> None:
        tx.insert_node(root_of(78, 99, 5))
        assert tx.node(99) == root_of(78, 99, 5)

    def test_children_come_in_pages_by_token(self, tx: Tx) -> None:
        for number in (3, 1, 2):
            tx.insert_node(folder(10 + number, token=bytes([number]) * 16))
        tx.insert_node(folder(20, parent=11))
        assert [row.id for row in tx.children(ROOT, b"", 2)] == [11, 12]
        assert [row.id for row in tx.children(ROOT, bytes([2]) * 16, 2)] == [13]
        assert tx.children(ROOT, bytes([3]) * 16, 2) == []

    def test_a_moved_node_is_found_at_its_new_place_only(self, tx: Tx) -> None:
        tx.insert_node(folder(11))
        tx.insert_node(file(12, token=b"u" * 16))
        moved = file(12, parent=11, token=b"v" * 16)._replace(sealed_name=b"new")
        tx.move_node(moved)
        assert tx.child(ROOT, b"u" * 16) is None
        assert tx.child(11, b"v" * 16) == moved == tx.node(12)

    def test_a_deleted_node_is_gone(self, tx: Tx) -> None:
        tx.insert_node(file(11), SmallContent([], b"x"))
        tx.delete_node(file(11))
        assert tx.node(11) is None and tx.child(ROOT, b"t" * 16) is None and tx.small(11) is None

    def test_publishing_replaces_the_content(self, tx: Tx) -> None:
        tx.insert_node(file(11), SmallContent([], b"x"))
        row = file(11)._replace(size=5, mtime_ns=6, revision=2, generation=3, mac=b"m" * 16, map_bytes=4, small_bytes=1)
        tx.publish_node(row, SmallContent([extent(0, 1, object=0)], b"y"))
        assert tx.node(11) == row
        assert tx.small(11) == SmallContent([extent(0, 1, object=0)], b"y")
        tx.publish_node(row, None)
        assert tx.small(11) is None

    def test_touches_are_seen_at_once_by_every_primitive(self, database: Database, tx: Tx) -> None:
        tx.insert_node(folder(11))
        tx.touch_folder(11, 8)
        tx.touch_folder(11, 9)
        touched = folder(11)._replace(version=2, mtime_ns=9)
        assert tx.node(11) == touched == tx.child(ROOT, b"t" * 16)
        assert tx.children(ROOT, b"", 9) == [touched]
        database.commit()
        with database.read() as reading:
            assert reading.node(11) == touched

    def test_a_touched_folder_can_move_and_go(self, database: Database, tx: Tx) -> None:
        for node in (11, 12):
            tx.insert_node(folder(node, token=bytes([node]) * 16))
            tx.touch_folder(node, 9)
        row = tx.node(11)
        assert row is not None
        tx.move_node(row._replace(parent=12, token=b"v" * 16))
        assert tx.node(11) == row._replace(parent=12, token=b"v" * 16)
        tx.touch_folder(11, 10)
        tx.delete_node(folder(12))
        database.commit()
        with database.read() as reading:
            assert reading.node(12) is None
            assert reading.child(12, b"v" * 16) == folder(11, 12, b"v" * 16)._replace(version=2, mtime_ns=10)

    # --- extents

    def test_extents_that_overlap_a_range(self, tx: Tx) -> None:
        rows = [extent(0, 4), extent(4, 1), extent(10, 5)]
        tx.replace_extents(11, [], rows)
        tx.replace_extents(12, [], [extent(0, 100)])
        assert tx.extents(11, 0, EVERYTHING) == rows
        assert tx.extents(11, 0, EVERYTHING, 2) == rows[:2]
        assert tx.extents(11, 3, 4) == rows[:1]
        assert tx.extents(11, 3, 5) == rows[:2]
        assert tx.extents(11, 5, 10) == []
        assert tx.extents(11, 14, 15) == rows[2:]
        assert tx.extents(11, 15, EVERYTHING) == []
        assert tx.extents(13, 0, EVERYTHING) == []

    def test_extents_are_replaced(self, tx: Tx) -> None:
        tx.replace_extents(11, [], [extent(0, 4), extent(4, 4)])
        tx.replace_extents(11, [extent(0, 4)], [extent(0, 2), extent(2, 2, generation=2)])
        assert tx.extents(11, 0, EVERYTHING) == [extent(0, 2), extent(2, 2, generation=2), extent(4, 4)]

    def test_extents_hold_the_highest_numbers(self, tx: Tx) -> None:
        top = 2**63 - 1
        row = Extent(2**46 - 1, 1, top, 2**46, top, top, 2**62, [65_568])
        tx.replace_extents(11, [], [row])
        assert tx.extents(11, 0, EVERYTHING) == [row]

    # --- objects and counters

    def test_objects(self, tx: Tx) -> None:
        stored = ObjectRow(50, FILESPACE, 3, 3, 0)
        tx.insert_object(stored, b"")
        tx.insert_object(ObjectRow(51, FILESPACE, 3, 0, 9, True), b"abc")
        assert tx.object(50) == stored and tx.object_data(50) is None
        assert tx.object(51) == ObjectRow(51, FILESPACE, 3, 0, 9, True) and tx.object_data(51) == b"abc"
        assert tx.object(52) is None and tx.object_data(52) is None
        tx.update_object(50, 1, 0)
        assert tx.object(50) == ObjectRow(50, FILESPACE, 3, 1, 0)
        tx.delete_object(51)
        assert tx.object(51) is None

    def test_dead_objects_oldest_first(self, tx: Tx) -> None:
        for number, dead_since_ns in ((50, 30), (51, 10), (52, 0), (53, 20), (54, 40)):
            tx.insert_object(ObjectRow(number, FILESPACE, 1, 0 if dead_since_ns else 1, dead_since_ns), b"")
        tx.update_object(51, CONDEMNED, 10)
        assert [row.id for row in tx.dead_objects(40, 10)] == [51, 53, 50]
        assert [row.id for row in tx.dead_objects(40, 2)] == [51, 53]

    def test_spent_numbers_are_out_of_the_reapers_way_and_forgotten_late(self, tx: Tx) -> None:
        for number in (50, 51, 52):
            tx.insert_object(ObjectRow(number, FILESPACE, 1, 0, number), b"")
            tx.update_object(number, SPENT, number + 10)
        tx.insert_object(ObjectRow(53, FILESPACE, 1, CONDEMNED, 5), b"")
        assert [row.id for row in tx.dead_objects(100, 10)] == [53]
        assert tx.forget_spent(62, 1) == 1
        assert tx.forget_spent(62, 9) == 1
        assert [tx.object(number) is None for number in (50, 51, 52, 53)] == [True, True, False, False]

    # --- what may be packed

    def test_files_with_small_content_are_found_oldest_first(self, tx: Tx) -> None:
        least = PACK_SMALL_BYTES
        for number, mtime_ns, size in (
            (11, 30, least),
            (12, 10, least),
            (13, 20, least - 1),
            (14, 10, 0),
            (15, 10, 2 * least),
        ):
            row = file(number, token=b"%016d" % number)._replace(mtime_ns=mtime_ns, small_bytes=size)
            tx.insert_node(row, SmallContent([extent(0, 1, 0)], bytes(size)) if size else None)
        assert [row.id for row in tx.small_files(FILESPACE, 40, 9)] == [12, 15, 11]
        assert [row.id for row in tx.small_files(FILESPACE, 40, 1)] == [12]
        assert [row.id for row in tx.small_files(FILESPACE, 30, 9)] == [12, 15]
        assert tx.small_files(5, 40, 9) == []

    def test_objects_that_may_be_packed_are_found(self, tx: Tx) -> None:
        rows = [
            ObjectRow(50, FILESPACE, 10, 5, 0),  # half of it is used
            ObjectRow(51, FILESPACE, 10, 4, 0),
            ObjectRow(52, FILESPACE, 10, 1, 0),
            ObjectRow(53, FILESPACE, 10, 0, 9),  # dead
            ObjectRow(54, FILESPACE, 3, 1, 0, True),
            ObjectRow(55, FILESPACE, 3, 3, 0, True),
            ObjectRow(56, FILESPACE, 3, 0, 9, True),  # dead
            ObjectRow(57, FILESPACE, 10, SPENT, 9),
        ]
        for row in rows:
            tx.insert_object(row, b"abc" if row.held else b"")
        assert tx.sparse_objects(FILESPACE, 0, 9) == rows[1:3]
        assert tx.sparse_objects(FILESPACE, 51, 9) == rows[2:3] and tx.sparse_objects(FILESPACE, 0, 1) == rows[1:2]
        assert tx.held_objects(FILESPACE, 0, 9) == rows[4:6]
        assert tx.held_objects(FILESPACE, 54, 9) == rows[5:6] and tx.held_objects(FILESPACE, 0, 1) == rows[4:5]
        assert tx.sparse_objects(5, 0, 9) == [] and tx.held_objects(5, 0, 9) == []

    def test_what_uses_an_object_is_found(self, tx: Tx) -> None:
        tx.replace_extents(12, [], [extent(0, 1, 50), extent(1, 1, 51), extent(2, 2, 50)])
        tx.replace_extents(11, [], [extent(7, 1, 50)])
        assert tx.extents_in(50, 9) == [(11, extent(7, 1, 50)), (12, extent(0, 1, 50)), (12, extent(2, 2, 50))]
        assert tx.extents_in(50, 1) == [(11, extent(7, 1, 50))]
        tx.replace_extents(12, [extent(1, 1, 51)], [])
        assert tx.extents_in(51, 9) == []

    def test_everything_can_be_listed(self, tx: Tx) -> None:
        tx.insert_node(folder(12))
        tx.insert_node(folder(11, 12))
        tx.touch_folder(12, 9)
        rows = tx.all_nodes(0, 9)
        assert [row.id for row in rows] == [ROOT, 11, 12] and rows[2].mtime_ns == 9
        assert tx.all_nodes(10, 1) == [rows[1]] and tx.all_nodes(12, 9) == []
        objects = [ObjectRow(50, FILESPACE, 1, 1, 0), ObjectRow(51, 3, 2, 0, 5), ObjectRow(52, 4, 2, 0, 5)]
        for row in objects:
            tx.insert_object(row, b"")
        assert tx.all_objects(0, 9) == objects and tx.all_objects(50, 1) == objects[1:2]
        assert tx.object_filespaces() == [3, 4, FILESPACE]

    def test_sound_rows_are_neither_damaged_nor_stray(self, tx: Tx) -> None:
        assert tx.damage() == [] and tx.strays() == []

    def test_strays_are_told(self, tx: Tx) -> None:
        tx.put_reply(21, 1, b"r")
        tx.insert_lock(lock(31, 22))
        tx.replace_extents(11, [], [extent(0, 1)])
        tx.insert_node(folder(12)._replace(filespace=6))
        tx.insert_object(ObjectRow(50, 7, 1, 1, 0), b"")
        assert {number for _, number in tx.strays()} == {21, 22, 11, 6, 7}

    def test_counters_move_and_never_overflow(self, database: Database, tx: Tx) -> None:
        for _ in range(5):
            tx.count(FILESPACE, Counts(1, 2, 3, 4, 2**62, 6, 7, 8))
        expected = Counts(5, 10, 15, 20, 5 * 2**62, 30, 35, 40)
        assert tx.counts(FILESPACE) == expected
        database.commit()
        with database.read() as reading:
            assert reading.counts(FILESPACE) == expected
            assert reading.counts(78) == Counts()
