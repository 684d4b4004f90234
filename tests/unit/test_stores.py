"""Where objects are, without a server: the router, the two places of a move, and the rules of moving and rekeying."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lucidfs.clock import SystemClock
from lucidfs.errors import Code, Fault
from lucidfs.hub.database.base import AccountRow, MoveRow, ObjectStoreRow, Tx
from lucidfs.hub.database.sqlite import SqliteDatabase
from lucidfs.hub.operations import placing
from lucidfs.hub.operations.manage import Desk
from lucidfs.hub.secrets import KEY_BYTES, Secrets
from lucidfs.hub.stores import Moving, Stores, Where, place_of
from lucidfs.objects.base import ObjectName
from lucidfs.objects.memory import MemoryStore
from lucidfs.objects.s3.bucket import S3Bucket, S3Keys
from lucidfs.types import FilespaceId, ObjectId, id_text
from lucidfs.wire import management as m
from tests.hub_rig import ADMIN, FILESPACE, OTHER_FILESPACE, READER, fill

SECRETS = Secrets(bytes(range(KEY_BYTES)))
NAME = ObjectName(FilespaceId(FILESPACE), ObjectId(7))
KEY, SECRET = "the-access-key", "the-secret-key"
ROW = ObjectStoreRow(FILESPACE, "bucket", "a/", "us-east-1", "https://s3.example", False, KEY, b"")
SEALED = ROW._replace(sealed_secret=SECRETS.seal(SECRET, place_of(FILESPACE)))
BUCKET = m.BucketConfig(
    bucket="bucket", prefix="a", region="us-east-1", endpoint="https://s3.example", access_key="a", secret_key="s"
)
TRIED = S3Bucket("bucket", "us-east-1", "https://s3.example")


def stores(where: Where, local: MemoryStore, secrets: Secrets | None = SECRETS) -> Stores:
    return Stores(local, lambda filespace: where, secrets=secrets, clock=SystemClock(), random=bytes, private=False)


# --- the router ----------------------------------------------------------------------------------------------------


def test_without_a_row_objects_are_in_the_hubs_own_store() -> None:
    local = MemoryStore()
    router = stores(Where(None), local)
    router.put(NAME, b"body")
    assert local.get(NAME, 0, 4) == router.get(NAME, 0, 4) == b"body"
    assert [stat.name for stat in router.list(NAME.filespace)] == [NAME]
    assert router.remove_unfinished(0) == 0
    router.delete(NAME)
    assert not local.contents
    router.close()


def test_urls_are_signed_for_the_bucket_and_show_no_secret() -> None:
    router = stores(Where(SEALED), MemoryStore())
    url, ends_ns = router.url(SEALED, "GET", NAME)
    assert url.startswith(f"https://s3.example/bucket/a/{FILESPACE:016x}/{7:016x}?")
    store = router.at(SEALED)
    assert KEY in url and SECRET not in url + repr(store) + repr(vars(store)) + repr(SEALED)
    assert ends_ns > SystemClock().now_ns()
    assert router.at(SEALED) is store and router.at(SEALED._replace(prefix="b/")) is not store
    router.close()


@pytest.mark.parametrize("row", [ROW, SEALED._replace(filespace=OTHER_FILESPACE)], ids=["damaged", "of another"])
def test_a_secret_opens_for_its_filespace_only(row: ObjectStoreRow) -> None:
    router = stores(Where(row), MemoryStore())
    with pytest.raises(Fault) as refused:
        router.get(NAME, 0, 1)
    assert refused.value.code is Code.CORRUPT
    router.close()


def test_a_hub_without_secrets_has_no_buckets() -> None:
    router = stores(Where(SEALED), MemoryStore(), None)
    with pytest.raises(Fault, match="secrets is missing"):
        router.put(NAME, b"body")
    router.close()


# --- two places ----------------------------------------------------------------------------------------------------


class Away(MemoryStore):
    """A store that does not answer."""

    def get(self, name: ObjectName, offset: int, length: int) -> bytes:
        raise Fault(Code.UNAVAILABLE, "away")


def test_what_moves_is_put_to_the_new_place_and_found_in_either() -> None:
    old, new = MemoryStore(), MemoryStore()
    both, later = Moving(old, new), NAME._replace(object=ObjectId(8))
    old.put(NAME, b"old")
    both.put(later, b"new")
    assert set(old.contents) == {NAME} and set(new.contents) == {later}
    assert (both.get(NAME, 0, 3), both.get(later, 0, 3)) == (b"old", b"new")
    assert {stat.name for stat in both.list(NAME.filespace)} == {NAME, later}
    new.put(NAME, b"old")
    assert sorted(stat.name for stat in both.list(NAME.filespace)) == [NAME, later]
    both.delete(NAME)
    assert set(old.contents) == set() and set(new.contents) == {later}
    with pytest.raises(FileNotFoundError):
        both.get(NAME, 0, 1)
    with pytest.raises(EOFError):
        both.get(later, 0, 4)


def test_a_new_place_that_is_away_hides_nothing_of_the_old_one() -> None:
    old = MemoryStore()
    both = Moving(old, Away())
    old.put(NAME, b"old")
    assert both.get(NAME, 0, 3) == b"old"
    with pytest.raises(Fault, match="away"):  # it may be there
        both.get(NAME._replace(object=ObjectId(8)), 0, 1)


# --- rules ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def tx(tmp_path: Path) -> Iterator[Tx]:
    database = SqliteDatabase(tmp_path / "hub.sqlite", durable=False)
    fill(database)
    yield database.begin()
    database.close()


def desk(tx: Tx, account: int = ADMIN, tried: S3Bucket | None = None) -> Desk:
    row = tx.account(account)
    assert isinstance(row, AccountRow)
    return Desk(tx, row, 5, 6, secrets=SECRETS, tried=tried)


def move(tx: Tx, store: m.BucketConfig | None, tried: S3Bucket | None = None, account: int = ADMIN) -> m.MoveView:
    request = m.MoveStore(filespace=id_text(FILESPACE), store=store)
    reply = placing.move_store(desk(tx, account, tried), request).reply
    assert isinstance(reply, m.MoveView)
    return reply


def test_a_move_begins_once_and_can_go_back(tx: Tx) -> None:
    told = move(tx, BUCKET, TRIED)
    assert (told.state, told.place, told.other) == ("copying", "", "s3://bucket/a/")
    made = tx.object_move(FILESPACE)
    assert made is not None and made.place is not None and made.started_ns == 5
    assert made.place._replace(sealed_secret=b"") == ROW._replace(access_key="a")
    with pytest.raises(Fault) as refused:
        move(tx, BUCKET, TRIED)
    assert refused.value.code is Code.EXISTS
    told = move(tx, None)
    assert (told.state, told.place, told.other) == ("copying", "s3://bucket/a/", "")
    assert tx.object_store(FILESPACE) == made.place and tx.object_move(FILESPACE) == MoveRow(FILESPACE, None, 5)
    assert move(tx, BUCKET).place == ""  # and forth again
    assert tx.object_store(FILESPACE) is None


def test_no_move_begins_where_the_objects_are_or_while_the_old_place_is_not_empty(tx: Tx) -> None:
    with pytest.raises(Fault, match="there already"):
        move(tx, None)
    tx.put_object_store(SEALED)
    with pytest.raises(Fault, match="there already"):
        move(tx, BUCKET, TRIED)
    tx.put_object_move(MoveRow(FILESPACE, None, 1, 2))
    with pytest.raises(Fault, match="not empty yet") as refused:
        move(tx, None)
    assert refused.value.code is Code.EXISTS


def test_a_move_that_was_judged_otherwise_is_not_begun(tx: Tx) -> None:
    with pytest.raises(Fault) as refused:  # it was the way back when it was judged, so that no place was tried
        move(tx, BUCKET)
    assert refused.value.code is Code.STALE and tx.object_moves() == []


def test_only_workspace_admins_move_and_rekey(tx: Tx) -> None:
    tx.put_object_store(SEALED)
    rekey = m.RekeyStore(filespace=id_text(FILESPACE), access_key="a", secret_key="s")
    for call in (lambda: move(tx, None, account=READER), lambda: placing.rekeyed(desk(tx, READER), rekey)):
        with pytest.raises(Fault) as refused:
            call()
        assert refused.value.code is Code.DENIED
    assert repr(m.MoveStore(filespace=id_text(FILESPACE), store=BUCKET)).count("secret_key=***") == 1


def test_new_keys_are_for_the_bucket_that_was_tried(tx: Tx) -> None:
    rekey = m.RekeyStore(filespace=id_text(FILESPACE), access_key="a", secret_key="new")
    with pytest.raises(Fault, match="own folder"):
        placing.rekey_store(desk(tx, tried=TRIED), rekey)
    tx.put_object_store(SEALED)
    with pytest.raises(Fault, match="moved meanwhile"):
        placing.rekey_store(desk(tx, tried=S3Bucket("other", TRIED.region, TRIED.endpoint)), rekey)
    assert placing.rekeyed(desk(tx), rekey) == (TRIED, S3Keys("a", "new"), "a/")
    reply = placing.rekey_store(desk(tx, tried=TRIED), rekey).reply
    row = tx.object_store(FILESPACE)
    assert isinstance(reply, m.FilespaceView) and row is not None
    assert row._replace(sealed_secret=b"") == ROW._replace(access_key="a")
    assert SECRETS.open(row.sealed_secret, place_of(FILESPACE)) == "new"
