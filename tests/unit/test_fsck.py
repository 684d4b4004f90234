"""The checker finds each invariant when it is planted broken, names it, and nothing else; and nothing in sound data."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from lucidfs.clock import SystemClock
from lucidfs.errors import Code, Fault
from lucidfs.hub.bootstrap import DATABASE_FILE, OBJECTS_FOLDER
from lucidfs.hub.database.base import LockRow, SessionRow
from lucidfs.hub.database.sqlite import SqliteDatabase
from lucidfs.hub.fsck import INVARIANTS
from lucidfs.hub.fsck_folder import check_hub
from lucidfs.hub.operations import Caller, NoLocks, Scene, perform
from lucidfs.objects.base import ObjectName
from lucidfs.objects.local import LocalStore
from lucidfs.types import FilespaceId, Kind, ObjectId, Role
from lucidfs.wire import messages as m
from tests.hub_rig import ADMIN, FILESPACE, OTHER_FILESPACE, ROOT, fill
from tests.stage import MAC, SEALED, sealed, small, token

OUTER, INNER, SMALL, BIG, LINK, HELD = 200, 201, 202, 203, 204, 205  # nodes
USED, DEAD, INSIDE = 50, 51, 52  # objects
SESSION, ENDED = 31, 32


def build(data: Path) -> None:
    """A hub's data with one of everything."""
    data.mkdir()
    database, store = SqliteDatabase(data / DATABASE_FILE, durable=False), LocalStore(data / OBJECTS_FOLDER)
    fill(database)
    used = m.Extent(0, 2, BIG, 0, 1, USED, 0, [SEALED] * 2)
    dead = m.Extent(0, 1, 300, 0, 1, DEAD, 0, [SEALED])
    held = m.Extent(0, 1, HELD, 0, 1, INSIDE, 0, [40])
    requests: list[m.Message] = [
        m.CreateFolders(ROOT, [new(OUTER, Kind.FOLDER), new(INNER, Kind.FOLDER)]),
        m.Create(OUTER, new(SMALL, Kind.FILE), small()),
        m.Create(
            INNER, new(BIG, Kind.FILE), m.NewContent(100_000, 1, MAC, [used], b"", [m.NewObject(USED, 2 * SEALED)])
        ),
        m.Create(ROOT, new(LINK, Kind.LINK)),
        m.Create(
            ROOT, new(HELD, Kind.FILE), m.NewContent(6, 1, MAC, [held], b"", [m.NewObject(INSIDE, 40, b"h" * 40)])
        ),
        m.Create(ROOT, new(300, Kind.FILE), m.NewContent(65_536, 1, MAC, [dead], b"", [m.NewObject(DEAD, SEALED)])),
        m.Delete(m.Path(ROOT, [token("300")])),
    ]
    tx = database.begin()
    for request in requests:
        perform(Scene(tx, Caller(SESSION, ADMIN, "ann", FILESPACE, int(Role.ADMIN)), NoLocks(), 1_000), request)
    tx.insert_session(SessionRow(SESSION, ADMIN, FILESPACE, 1))
    tx.insert_session(SessionRow(ENDED, ADMIN, FILESPACE, 1, 2))
    tx.insert_lock(LockRow(1, FILESPACE, SESSION, BIG, 7, 2, 0, 100, "ann", 5))
    tx.insert_lock(LockRow(2, FILESPACE, SESSION, BIG, 8, 2, 100, 0, "ann", 6))
    tx.put_reply(ENDED, 1, b"r")
    database.commit()
    database.close()
    store.put(name(USED), b"u" * 2 * SEALED)
    store.put(name(DEAD), b"d" * SEALED)
    store.put(name(99), b"on its way")


def new(node: int, kind: Kind) -> m.NewNode:
    text = str(node)
    return m.NewNode(node, kind, token(text), sealed(text), b"target" if kind is Kind.LINK else b"")


def name(object: int) -> ObjectName:
    return ObjectName(FilespaceId(FILESPACE), ObjectId(object))


def sql(statement: str) -> Callable[[Path], None]:
    def plant(data: Path) -> None:
        connection = apsw.Connection(str(data / DATABASE_FILE))
        connection.execute(statement)
        connection.close()

    return plant


def file_of(data: Path, object: int) -> Path:
    return next((data / OBJECTS_FOLDER).rglob(f"{object:016x}"))


def misplace(data: Path) -> None:
    path = file_of(data, 99)
    (path.parent.parent / "zz").mkdir()
    path.rename(path.parent.parent / "zz" / path.name)


def foreign(data: Path) -> None:
    (data / OBJECTS_FOLDER / "README").write_text("not ours")


def shorten(data: Path) -> None:
    file_of(data, USED).write_bytes(b"u" * SEALED)


PLANTS: list[tuple[str, Callable[[Path], None]]] = [
    ("database", sql("INSERT INTO filespace_grant VALUES (3, 999, 1, x'00')")),
    ("strays", sql("DELETE FROM session WHERE id = 32")),
    ("strays", sql("UPDATE session SET ended_ns = 5 WHERE id = 31")),
    ("strays", sql("INSERT INTO counts VALUES (77, 0, 0, 0, 0, '0', 0, 0, 0)")),
    ("root", sql("UPDATE filespace SET root = 200 WHERE id = 3")),
    ("root", sql("DELETE FROM node WHERE id = 1004")),
    ("place", sql("UPDATE node SET parent = 202 WHERE id = 204")),
    ("place", sql("UPDATE node SET parent = 1004 WHERE id = 204")),
    ("place", sql("UPDATE node SET parent = 999 WHERE id = 204")),
    ("tree", sql("UPDATE node SET parent = 201 WHERE id = 200")),
    ("name", sql("UPDATE node SET token = x'0102' WHERE id = 204")),
    ("name", sql("UPDATE node SET token = x'01' WHERE id = 4")),
    ("kind", sql("UPDATE node SET target = x'0102' WHERE id = 202")),
    ("kind", sql("UPDATE node SET revision = 3 WHERE id = 200")),
    ("content", sql("UPDATE node SET mac = x'' WHERE id = 203")),
    ("content", sql("UPDATE node SET revision = 0 WHERE id = 203")),
    ("map", sql("UPDATE node SET size = 10 WHERE id = 203")),
    ("map", sql("UPDATE node SET map_bytes = map_bytes + 1 WHERE id = 203")),
    ("small", sql("UPDATE node SET small_bytes = small_bytes + 1 WHERE id = 202")),
    ("extent", sql("UPDATE extent SET start = 1 WHERE node = 203")),
    ("live", sql("UPDATE object SET live = live - 1 WHERE id = 50")),
    ("dead", sql("UPDATE object SET dead_since_ns = 0 WHERE id = 51")),
    ("dead", sql("UPDATE object SET dead_since_ns = 7 WHERE id = 50")),
    ("held", sql("UPDATE object SET data = x'00' WHERE id = 52")),
    ("held", sql("UPDATE object SET data = x'00' WHERE id = 50")),
    ("counters", sql("UPDATE counts SET files = files + 1 WHERE filespace = 3")),
    ("counters", sql("UPDATE counts SET storage_bytes = storage_bytes - 1 WHERE filespace = 3")),
    ("grants", sql("UPDATE filespace_grant SET role = 2 WHERE filespace = 5")),
    ("grants", sql("UPDATE account SET revoked_ns = 5 WHERE id = 12")),
    ("locks", sql("UPDATE lock SET start = 99 WHERE id = 2")),
    ("locks", sql("UPDATE lock SET filespace = 5 WHERE id = 2")),
    ("missing", lambda data: file_of(data, USED).unlink()),
    ("missing", lambda data: file_of(data, DEAD).unlink()),  # a commit may still use it
    ("short", shorten),
    ("strays", sql("INSERT INTO object_store VALUES (77, 'bucket', '', 'r', '', 0, 1, 'key', x'00', 0)")),
    ("store", sql("INSERT INTO object_store VALUES (5, 'bucket', '', 'r', '', 0, 1, 'key', x'00', 0)")),
    ("folder", misplace),
    ("folder", foreign),
]  # fmt: skip


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("fsck") / "data"
    build(data)
    return data


@pytest.fixture
def data(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "data"))


def test_sound_data_has_no_problems(data: Path) -> None:
    report = check_hub(data, clock=SystemClock(), random=os.urandom)
    assert report.problems == []
    assert report.checked == (2, 8, 3)
    assert (report.stored, report.uploads, report.leftover) == (3, 1, 0)
    assert report.stored_bytes == 3 * SEALED + len(b"on its way")


@pytest.mark.parametrize(("invariant", "plant"), PLANTS, ids=[f"{each[0]}-{i}" for i, each in enumerate(PLANTS)])
def test_what_is_planted_broken_is_found(data: Path, invariant: str, plant: Callable[[Path], None]) -> None:
    plant(data)
    found = check_hub(data, clock=SystemClock(), random=os.urandom).problems
    assert invariant in {problem.invariant for problem in found}, found
    assert all(str(problem).startswith(f"{problem.invariant}: ") for problem in found)


def test_a_root_is_missed(data: Path) -> None:
    sql("DELETE FROM node WHERE id = 4")(data)
    assert {"root", "place"} <= {
        problem.invariant for problem in check_hub(data, clock=SystemClock(), random=os.urandom).problems
    }


def test_an_object_of_another_filespace_is_no_help(data: Path) -> None:
    sql(f"UPDATE object SET filespace = {OTHER_FILESPACE} WHERE id = {USED}")(data)
    assert {"extent", "missing", "counters"} <= {
        problem.invariant for problem in check_hub(data, clock=SystemClock(), random=os.urandom).problems
    }


def test_an_object_that_is_being_deleted_may_be_gone(data: Path) -> None:
    sql(f"UPDATE object SET live = -1 WHERE id = {DEAD}")(data)
    assert check_hub(data, clock=SystemClock(), random=os.urandom).problems == []
    file_of(data, DEAD).unlink()
    assert check_hub(data, clock=SystemClock(), random=os.urandom).problems == []


def test_a_damaged_page_is_found(data: Path) -> None:
    path = data / DATABASE_FILE
    size = path.stat().st_size
    with open(path, "r+b") as file:
        file.seek(size - 4096)
        file.write(b"\xff" * 4096)
    try:
        found = {problem.invariant for problem in check_hub(data, clock=SystemClock(), random=os.urandom).problems}
    except OSError:
        return  # SQLite itself refuses to read on
    assert "database" in found


def test_every_invariant_is_planted_broken() -> None:
    assert {invariant for invariant, _ in PLANTS} == INVARIANTS.keys()


def test_it_needs_a_hubs_data(tmp_path: Path) -> None:
    with pytest.raises(Fault) as refused:
        check_hub(tmp_path, clock=SystemClock(), random=os.urandom)
    assert refused.value.code is Code.NOT_FOUND
