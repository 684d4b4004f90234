"""Groups of changes: one transaction, isolation of the one that fails, nothing told before it is on disk."""

from __future__ import annotations

import asyncio
import errno
import logging
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lucidfs.errors import Code, Fault
from lucidfs.hub import committer as committer_module
from lucidfs.hub.committer import Committer, Parked
from lucidfs.hub.database.base import Tx
from lucidfs.hub.database.sqlite import SqliteDatabase
from lucidfs.hub.exclusion import END, Held, Owner
from lucidfs.hub.locks import LockTable
from lucidfs.types import LockMode


class Writes:
    """A job that writes one setting, or misbehaves."""

    def __init__(self, key: str, error: BaseException | None = None) -> None:
        self.key = key
        self.error = error
        self.runs = 0
        self.settled: list[Fault | None] = []

    def run(self, tx: Tx) -> None:
        self.runs += 1
        if isinstance(self.error, (Fault, Parked)):
            raise self.error
        tx.put_setting(self.key, b"written")
        if self.error is not None:
            raise self.error

    def settle(self, fault: Fault | None) -> None:
        self.settled.append(fault)


class Slow(SqliteDatabase):
    """Commits when it is let, or fails."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, durable=False)
        self.may_commit = threading.Event()
        self.may_commit.set()
        self.failures = 0
        self.refusals = 0
        self.reason = OSError("the disk is full")

    def begin(self) -> Tx:
        if self.refusals:
            self.refusals -= 1
            raise self.reason
        return super().begin()

    def commit(self) -> None:
        assert self.may_commit.wait(10)
        if self.failures:
            self.failures -= 1
            self.rollback()
            raise self.reason
        super().commit()


Scenario = Callable[[Slow, Committer, "list[int]"], Awaitable[None]]


def run(folder: Path, scenario: Scenario, table: LockTable | None = None) -> None:
    async def main() -> None:
        database, groups = Slow(folder / "hub.sqlite"), list[int]()
        with ThreadPoolExecutor(1) as executor:
            committer = Committer(database, table or LockTable(lambda: 1), executor, groups.append)
            try:
                await scenario(database, committer, groups)
            finally:
                database.may_commit.set()
                await committer.drain()
        database.close()

    asyncio.run(main())


def setting(database: SqliteDatabase, key: str) -> bytes | None:
    with database.read() as tx:
        return tx.setting(key)


def test_what_arrives_together_is_one_transaction(tmp_path: Path) -> None:
    async def scenario(database: Slow, committer: Committer, groups: list[int]) -> None:
        jobs = [Writes(str(number)) for number in range(10)]
        for job in jobs:
            committer.submit(job)
        await committer.drain()
        assert groups == [10]
        assert all(job.settled == [None] for job in jobs)

    run(tmp_path, scenario)


def test_nothing_is_told_or_seen_before_it_is_on_disk(tmp_path: Path) -> None:
    async def scenario(database: Slow, committer: Committer, groups: list[int]) -> None:
        database.may_commit.clear()
        first, second, refused = Writes("a"), Writes("b"), Writes("c", Fault(Code.EXISTS))
        committer.submit(first)
        committer.submit(refused)
        while not first.runs:
            await asyncio.sleep(0)
        committer.submit(second)
        await asyncio.sleep(0)
        assert (first.settled, refused.settled, second.runs) == ([], [], 0)
        assert setting(database, "a") is None
        database.may_commit.set()
        await committer.drain()
        assert (first.settled, second.settled) == ([None], [None])
        assert [fault.code for fault in refused.settled if fault] == [Code.EXISTS]
        assert setting(database, "a") == setting(database, "b") == b"written"

    run(tmp_path, scenario)


def test_refusals_alone_need_no_commit_and_parked_jobs_are_left_alone(tmp_path: Path) -> None:
    async def scenario(database: Slow, committer: Committer, groups: list[int]) -> None:
        refused, parked = Writes("a", Fault(Code.DENIED)), Writes("b", Parked())
        committer.submit(refused)
        committer.submit(parked)
        await committer.drain()
        assert groups == []
        assert (len(refused.settled), len(parked.settled)) == (1, 0)

    run(tmp_path, scenario)


def test_a_job_that_breaks_takes_nobody_with_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(database: Slow, committer: Committer, groups: list[int]) -> None:
        jobs = [Writes("a"), Writes("b"), Writes("bad", RuntimeError("a mistake")), Writes("c")]
        for job in jobs:
            committer.submit(job)
        await committer.drain()
        assert [job.settled[0] if job.settled[0] is None else job.settled[0].code for job in jobs] == [
            None, None, Code.INTERNAL, None
        ]  # fmt: skip
        assert all(len(job.settled) == 1 for job in jobs)
        assert [setting(database, key) for key in ("a", "b", "bad", "c")] == [b"written", b"written", None, b"written"]

    with caplog.at_level(logging.WARNING):
        run(tmp_path, scenario)
    assert "a mistake" in caplog.text


def test_a_failed_commit_is_tried_one_by_one(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(database: Slow, committer: Committer, groups: list[int]) -> None:
        database.failures = 2
        jobs = [Writes("a"), Writes("b"), Writes("c")]
        for job in jobs:
            committer.submit(job)
        await committer.drain()
        codes = [fault.code if fault else None for job in jobs for fault in job.settled]
        assert codes == [Code.INTERNAL, None, None]
        assert setting(database, "a") is None
        assert setting(database, "c") == b"written"

    run(tmp_path, scenario)
    assert "disk is full" in caplog.text


def test_everybody_hears_of_a_transaction_that_cannot_begin(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(database: Slow, committer: Committer, groups: list[int]) -> None:
        database.refusals = 2
        jobs = [Writes("a"), Writes("b"), Writes("c")]
        for job in jobs:
            committer.submit(job)
        await committer.drain()
        codes = [fault.code if fault else None for job in jobs for fault in job.settled]
        assert codes == [Code.INTERNAL, None, None]

    run(tmp_path, scenario)
    assert "disk is full" in caplog.text


def test_a_full_disk_is_told_as_such(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(database: Slow, committer: Committer, groups: list[int]) -> None:
        database.failures, database.reason = 1, OSError(errno.ENOSPC, "no space left for the database")
        job = Writes("a")
        committer.submit(job)
        await committer.drain()
        assert [fault.code for fault in job.settled if fault] == [Code.NO_SPACE]

    run(tmp_path, scenario)
    assert "no space left" in caplog.text


def test_lock_rows_go_out_with_the_next_transaction_after_a_failure(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    table = LockTable(lambda: 1)

    async def scenario(database: Slow, committer: Committer, groups: list[int]) -> None:
        database.failures = 1
        table.acquire(Held(9, 1, 2, Owner(3, 4), LockMode.SHARED, 0, END, "ci", 5))
        committer.submit(Writes("a"))
        await committer.drain()
        with database.read() as tx:
            assert tx.locks() == []
        committer.submit(Writes("b"))
        await committer.drain()
        with database.read() as tx:
            assert [row.id for row in tx.locks()] == [9]
        assert table.journal == []

    run(tmp_path, scenario, table)
    assert "disk is full" in caplog.text


def test_lines_move_only_between_commits(tmp_path: Path) -> None:
    table = LockTable(lambda: 1)
    woken: list[str] = []

    async def scenario(database: Slow, committer: Committer, groups: list[int]) -> None:
        table.acquire(Held(9, 1, 2, Owner(3, 4), LockMode.SHARED, 0, END, "ci", 5))
        writer = table.acquire(Held(10, 1, 2, Owner(5, 1), LockMode.EXCLUSIVE, 0, END, "ci", 5))
        reader = table.acquire(Held(11, 1, 2, Owner(6, 1), LockMode.SHARED, 0, END, "ci", 5))
        reader.on_ready = lambda: woken.append("reader")
        database.may_commit.clear()
        first = Writes("a")
        committer.submit(first)
        while not first.runs:
            await asyncio.sleep(0)
        table.leave(writer)
        committer.advance()
        assert woken == []
        database.may_commit.set()
        await committer.drain()
        assert woken == ["reader"]

    run(tmp_path, scenario, table)


def test_a_full_queue_refuses_all_but_urgent_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(committer_module, "QUEUE_MAX", 2)

    async def scenario(database: Slow, committer: Committer, groups: list[int]) -> None:
        jobs = [Writes(str(number)) for number in range(4)]
        for job in jobs[:3]:
            committer.submit(job)
        committer.submit(jobs[3], urgent=True)
        assert [fault.code for fault in jobs[2].settled if fault] == [Code.TOO_MANY]
        await committer.drain()
        assert jobs[3].settled == [None]

    run(tmp_path, scenario)


def test_groups_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(committer_module, "GROUP_MAX", 4)

    async def scenario(database: Slow, committer: Committer, groups: list[int]) -> None:
        for number in range(10):
            committer.submit(Writes(str(number)))
        await committer.drain()
        assert groups == [4, 4, 2]

    run(tmp_path, scenario)


def test_without_a_thread_it_commits_on_the_loop(tmp_path: Path) -> None:
    async def main() -> None:
        database = SqliteDatabase(tmp_path / "hub.sqlite", durable=False)
        committer = Committer(database, LockTable(lambda: 1), None, lambda size: None)
        job = Writes("a")
        committer.submit(job)
        await committer.drain()
        assert job.settled == [None]
        database.close()

    asyncio.run(main())
