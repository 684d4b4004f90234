"""What every `Database` must do with sessions, replies, locks, accounts, filespaces, grants and settings."""

from __future__ import annotations

import pytest

from lucidfs.errors import Code, Fault
from lucidfs.hub.database.base import (
    CONDEMNED,
    SPENT,
    AccountRow,
    FilespaceRow,
    GrantRow,
    MoveRow,
    ObjectRow,
    SessionRow,
    StoreRow,
    Tx,
    WorkspaceRow,
)
from lucidfs.namespace.tree import root_of
from lucidfs.testing.database_rows import EVERYTHING, FILESPACE, ROOT, account, extent, file, folder, lock


class ServiceSuite:
    """The part of `DatabaseSuite` beside the tree; it uses that suite's fixture `tx`."""

    # --- sessions, replies, locks

    def test_sessions_live_and_end(self, tx: Tx) -> None:
        rows = [SessionRow(number, 2, FILESPACE, 5) for number in (21, 22)]
        for row in rows:
            tx.insert_session(row)
        assert tx.live_sessions() == rows and tx.session(21) == rows[0] and tx.session(23) is None
        tx.end_session(21, 9)
        tx.end_session(21, 12)
        tx.end_session(23, 9)
        assert tx.live_sessions() == rows[1:]
        assert tx.session(21) == rows[0]._replace(ended_ns=9)
        with pytest.raises(Fault) as refused:
            tx.insert_session(rows[1])
        assert refused.value.code == Code.EXISTS

    def test_old_sessions_go_with_their_replies(self, tx: Tx) -> None:
        for number in (21, 22, 23, 24):
            tx.insert_session(SessionRow(number, 2, FILESPACE, 5))
            tx.put_reply(number, 1, b"r")
        for number in (21, 22, 23):
            tx.end_session(number, number)
        assert tx.delete_sessions(23, 1) == 1
        assert tx.delete_sessions(23, 9) == 1
        assert tx.delete_sessions(23, 9) == 0
        assert [tx.reply(number, 1) for number in (21, 22, 23, 24)] == [None, None, b"r", b"r"]

    def test_replies_are_kept_until_forgotten(self, tx: Tx) -> None:
        for seq in (1, 2, 3):
            tx.put_reply(21, seq, bytes([seq]))
        tx.put_reply(22, 1, b"other")
        assert tx.reply(21, 2) == b"\2" and tx.reply(21, 4) is None
        assert tx.replies(21) == [(1, b"\1"), (2, b"\2"), (3, b"\3")]
        tx.forget_replies(21, 2)
        assert tx.replies(21) == [(3, b"\3")]
        assert tx.replies(22) == [(1, b"other")]

    def test_locks_in_the_order_of_their_grants(self, tx: Tx) -> None:
        rows = [lock(31, 21, since_ns=2), lock(30, 22, since_ns=3), lock(2**63 - 1, 21, since_ns=4)]
        for row in reversed(rows):
            tx.insert_lock(row)
        assert tx.locks() == rows
        tx.delete_lock(30)
        tx.delete_lock(29)
        assert tx.locks() == [rows[0], rows[2]]

    def test_the_locks_of_a_session_end_with_it(self, tx: Tx) -> None:
        tx.insert_lock(lock(30, 21))
        tx.insert_lock(lock(31, 22))
        tx.end_session(21, 5)
        assert tx.locks() == [lock(31, 22)]

    # --- accounts, filespaces, grants, settings

    def test_workspaces(self, tx: Tx) -> None:
        assert tx.workspace(1) == WorkspaceRow(1, "demo", 5)
        tx.insert_workspace(WorkspaceRow(2, "a", 6))
        assert [row.name for row in tx.workspaces()] == ["a", "demo"]
        with pytest.raises(Fault, match="EXISTS"):
            tx.insert_workspace(WorkspaceRow(3, "demo", 6))

    def test_accounts_are_found_by_id_key_and_name(self, tx: Tx) -> None:
        ann, bob = account(2, "ann", "a" * 16), account(3, "bob", "b" * 16)
        tx.insert_account(bob)
        tx.insert_account(ann)
        assert tx.account(2) == tx.account_by_key("a" * 16) == tx.account_by_name(1, "ann") == ann
        assert tx.account(9) is tx.account_by_key("c" * 16) is tx.account_by_name(2, "ann") is None
        assert tx.accounts(1) == [ann, bob] and tx.accounts(2) == []

    @pytest.mark.parametrize(
        "twin", [account(2, "cat", "c" * 16), account(4, "ann", "c" * 16), account(4, "cat", "a" * 16)]
    )
    def test_account_ids_names_and_keys_are_unique(self, tx: Tx, twin: AccountRow) -> None:
        tx.insert_account(account(2, "ann", "a" * 16))
        with pytest.raises(Fault, match="EXISTS"):
            tx.insert_account(twin)
        assert len(tx.accounts(1)) == 1

    def test_an_account_is_updated(self, tx: Tx) -> None:
        tx.insert_account(account(2, "ann", "a" * 16))
        tx.insert_account(account(3, "bob", "b" * 16))
        row = AccountRow(2, 1, "anna", "c" * 16, b"L" * 32, b"S" * 32, True, 5, 9)
        tx.update_account(row)
        assert tx.account(2) == row and tx.account_by_key("a" * 16) is None
        with pytest.raises(Fault, match="EXISTS"):
            tx.update_account(row._replace(name="bob"))
        assert tx.account(2) == row

    def test_filespaces(self, tx: Tx) -> None:
        other = FilespaceRow(78, 1, "archive", 99, 6)
        tx.insert_filespace(other)
        assert tx.filespace(78) == tx.filespace_by_name(1, "archive") == other
        assert [row.name for row in tx.filespaces(1)] == ["archive", "data"]
        for twin in (other, other._replace(id=79)):
            with pytest.raises(Fault, match="EXISTS"):
                tx.insert_filespace(twin)
        tx.rename_filespace(78, "old")
        assert tx.filespace_by_name(1, "archive") is None and tx.filespace_by_name(1, "old") is not None
        with pytest.raises(Fault, match="EXISTS"):
            tx.rename_filespace(78, "data")

    def test_a_deleted_filespace_leaves_only_dead_objects(self, tx: Tx) -> None:
        tx.insert_account(account(2, "ann", "a" * 16))
        tx.put_grant(GrantRow(FILESPACE, 2, 3, b"k"))
        tx.insert_filespace(FilespaceRow(78, 1, "archive", 99, 6))
        tx.insert_node(root_of(78, 99, 5))
        tx.insert_node(folder(11))
        tx.insert_node(file(12, parent=11))
        tx.replace_extents(12, [], [extent(0, 1)])
        tx.replace_extents(99, [], [extent(0, 1)])
        tx.insert_object(ObjectRow(50, FILESPACE, 100, 100, 0), b"")
        tx.insert_object(ObjectRow(51, FILESPACE, 100, 0, 3), b"")
        tx.insert_object(ObjectRow(52, 78, 100, 100, 0), b"")
        tx.insert_lock(lock(30, 21))
        tx.delete_filespace(FILESPACE, 7)
        assert tx.filespace(FILESPACE) is None and tx.node(ROOT) is tx.node(11) is tx.node(12) is None
        assert tx.extents(12, 0, EVERYTHING) == [] and tx.grants_of_account(2) == [] and tx.locks() == []
        assert tx.object(50) == ObjectRow(50, FILESPACE, 100, 0, 7)
        assert tx.object(51) == ObjectRow(51, FILESPACE, 100, 0, 3)
        assert tx.object(52) == ObjectRow(52, 78, 100, 100, 0)
        assert tx.node(99) is not None and tx.extents(99, 0, EVERYTHING) != []

    def test_grants(self, tx: Tx) -> None:
        tx.insert_account(account(2, "ann", "a" * 16))
        tx.insert_account(account(3, "bob", "b" * 16))
        rows = [GrantRow(FILESPACE, 2, 1, b"k2"), GrantRow(FILESPACE, 3, 3, b"k3")]
        for row in rows:
            tx.put_grant(row)
        assert tx.grants_of_filespace(FILESPACE) == rows and tx.grants_of_account(3) == rows[1:]
        tx.put_grant(rows[0]._replace(role=2, sealed_key=b"new"))
        assert tx.grant(FILESPACE, 2) == GrantRow(FILESPACE, 2, 2, b"new")
        tx.delete_grant(FILESPACE, 2)
        tx.delete_grant(FILESPACE, 9)
        assert tx.grant(FILESPACE, 2) is None and tx.grants_of_filespace(FILESPACE) == rows[1:]

    # --- where objects are

    def test_buckets_of_filespaces(self, tx: Tx) -> None:
        assert tx.object_store(FILESPACE) is None and tx.object_stores() == []
        other = StoreRow(3, "other", "", "eu-west-1", "https://s3.example", True, False, "id", b"sealed too")
        rows = [other, StoreRow(FILESPACE, "bucket", "a/b/", "us-east-1", "", False, True, "id", b"sealed")]
        for row in rows:
            tx.put_object_store(row)
        assert tx.object_store(FILESPACE) == rows[1] and tx.object_stores() == rows
        tx.put_object_store(other._replace(sealed_secret=b"anew"))
        assert tx.object_store(3) == other._replace(sealed_secret=b"anew")
        assert tx.object_filespaces() == [3, FILESPACE]
        tx.delete_object_store(3)
        tx.delete_object_store(3)
        assert tx.object_stores() == rows[1:]

    def test_a_bucket_outlives_its_filespace(self, tx: Tx) -> None:
        row = StoreRow(FILESPACE, "bucket", "", "us-east-1", "", False, True, "id", b"sealed")
        tx.put_object_store(row)
        tx.insert_object(ObjectRow(50, FILESPACE, 100, 100, 0), b"")
        tx.delete_filespace(FILESPACE, 7)
        assert tx.object_store(FILESPACE) == row._replace(gone_ns=7)
        assert tx.object_filespaces() == [FILESPACE] and tx.strays() == []

    @pytest.mark.parametrize("near", [False, True])
    def test_moves_of_objects(self, tx: Tx, near: bool) -> None:
        bucket = StoreRow(FILESPACE, "bucket", "a/", "us-east-1", "", True, False, "id", b"sealed")
        row = MoveRow(FILESPACE, None if near else bucket, 5)
        assert tx.object_move(FILESPACE) is None and tx.object_moves() == []
        tx.put_object_move(row)
        assert tx.object_move(FILESPACE) == row and tx.object_moves() == [row]
        tx.put_object_move(row._replace(switched_ns=9))
        assert tx.object_moves() == [row._replace(switched_ns=9)]
        tx.delete_object_move(FILESPACE)
        assert tx.object_move(FILESPACE) is None

    def test_what_still_has_bytes_somewhere(self, tx: Tx) -> None:
        assert not tx.has_objects(FILESPACE)
        for number, live in ((50, SPENT), (51, CONDEMNED)):
            tx.insert_object(ObjectRow(number, FILESPACE, 100, live, 3), b"")
            assert tx.has_objects(FILESPACE) == (live == CONDEMNED)
        assert not tx.has_objects(3)

    def test_settings(self, tx: Tx) -> None:
        assert tx.setting("key") is None
        tx.put_setting("key", b"1")
        tx.put_setting("key", b"2")
        assert tx.setting("key") == b"2"
