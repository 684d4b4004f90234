"""Cleaning that is cut off at every step leaves a sound hub, and the next round finishes it."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from lucidfs.clock import SystemClock
from lucidfs.errors import Code, Fault
from lucidfs.hub.bootstrap import DATABASE_FILE, OBJECTS_FOLDER
from lucidfs.hub.cleaning import clean_hub
from lucidfs.hub.database.base import SPENT, Tx
from lucidfs.hub.database.sqlite import SqliteDatabase
from lucidfs.hub.deleter import Deleter
from lucidfs.hub.fsck_folder import check_hub
from lucidfs.hub.hold import Hold
from lucidfs.hub.reaper import Reaper
from lucidfs.hub.sweeper import Sweeper
from lucidfs.objects.base import ObjectName
from lucidfs.objects.local import LocalStore
from tests.unit.test_fsck import DEAD, SESSION, USED, build, sql

T = TypeVar("T")
UPLOAD = 99  # as `build` puts it


class Crash(Exception):
    """The power goes."""


class Later(SystemClock):
    """A month from now, and some hours."""

    def __init__(self, hours: int = 0) -> None:
        self._ahead_ns = (30 * 24 + hours) * 3600 * 10**9

    def now_ns(self) -> int:
        return time.time_ns() + self._ahead_ns


class Fuse:
    """Ends everything at a step: before it happens, or right after."""

    def __init__(self, step: int, after: bool) -> None:
        self._left = step
        self._after = after
        self.steps = 0

    def burn(self, work: Callable[[], T]) -> T:
        self.steps += 1
        self._left -= 1
        if self._left == 0 and not self._after:
            raise Crash
        result = work()
        if self._left == 0:
            raise Crash
        return result


class Fused(LocalStore):
    """A folder whose deletions are steps."""

    fuse: Fuse

    def delete(self, name: ObjectName) -> None:
        self.fuse.burn(lambda: LocalStore.delete(self, name))


class Direct:
    """Changes as steps: each is on disk or is not."""

    def __init__(self, database: SqliteDatabase, fuse: Fuse) -> None:
        self._database = database
        self._fuse = fuse

    async def change(self, apply: Callable[[Tx], T]) -> T:
        def work() -> T:
            result = apply(self._database.begin())
            self._database.commit()
            return result

        return self._fuse.burn(work)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    data = tmp_path / "data"
    build(data)
    sql(f"UPDATE session SET ended_ns = 3 WHERE id = {SESSION}; DELETE FROM lock")(data)  # its client has gone
    return data


def clean(data: Path, fuse: Fuse, hours: int = 0) -> None:
    """What `clean_hub` does, with a fuse."""
    database = SqliteDatabase(data / DATABASE_FILE, durable=False)
    try:
        store, writer, clock = Fused(data / OBJECTS_FOLDER), Direct(database, fuse), Later(hours)
        store.fuse = fuse
        deleter = Deleter(store, None, Hold(data))
        asyncio.run(Reaper(writer, deleter, clock=clock).round())
        asyncio.run(Sweeper(writer, database, store, deleter, clock=clock).round())
    finally:
        database.close()


def objects(data: Path) -> dict[int, int]:
    """The objects' rows: number and live."""
    database = SqliteDatabase(data / DATABASE_FILE)
    with database.read() as tx:
        rows = {row.id: row.live for row in tx.all_objects(0, 100)}
    database.close()
    return rows


def files(data: Path) -> set[str]:
    return {path.name for path in (data / OBJECTS_FOLDER).rglob("*") if path.is_file()}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_it_may_be_cut_off_at_every_step(data: Path, tmp_path: Path, after: bool) -> None:
    step = 1
    while True:
        copy = Path(shutil.copytree(data, tmp_path / f"{step}"))
        fuse = Fuse(step, after)
        try:
            clean(copy, fuse)
        except Crash:
            assert check_hub(copy, clock=Later(), random=os.urandom).problems == [], f"step {step}"
            clean(copy, Fuse(0, False), hours=2)  # what is condemned waits for its grace
        assert check_hub(copy, clock=Later(), random=os.urandom).problems == []
        assert files(copy) == {f"{USED:016x}"}
        rows = objects(copy)
        assert rows.pop(UPLOAD) == rows.pop(DEAD) == SPENT
        if fuse.steps < step:
            break
        step += 1
    assert step > 8  # two objects: condemned, deleted, spent; and what is forgotten


def test_a_folder_is_cleaned_in_one_call(data: Path) -> None:
    done = clean_hub(data, clock=Later(), random=os.urandom)
    assert (done.reaped.objects, done.uploads.swept, done.uploads.objects) == (1, 1, 0)
    assert files(data) == {f"{USED:016x}"}
    again = clean_hub(data, clock=Later(), random=os.urandom)
    assert (again.reaped.objects, again.uploads.swept) == (0, 0)


def test_it_refuses_a_folder_that_is_none_or_in_use(data: Path, tmp_path: Path) -> None:
    with pytest.raises(Fault) as refused:
        clean_hub(tmp_path / "nothing", clock=Later(), random=os.urandom)
    assert refused.value.code is Code.NOT_FOUND
    hub = SqliteDatabase(data / DATABASE_FILE)
    with pytest.raises(Fault) as refused:
        clean_hub(data, clock=Later(), random=os.urandom)
    assert refused.value.code is Code.UNAVAILABLE
    hub.close()
