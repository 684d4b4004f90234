"""Locks between sessions: waiting, time limits, plain requests in line, what a crash may and may not take back."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from lucidfs.errors import Code
from lucidfs.types import Access, LockMode
from lucidfs.wire import messages as m
from tests.hub_rig import OTHER_FILESPACE, ROOT, RawClient, Rig, name, refused, run

FILE = 101
EXCLUSIVE, SHARED = LockMode.EXCLUSIVE, LockMode.SHARED
LONG_MS = 60_000
BIG = 2**63  # the wire carries it, a database column does not


async def locked(rig: Rig, mode: LockMode = EXCLUSIVE, **span: int) -> tuple[RawClient, RawClient]:
    """A client that holds lock 9 on a file, and another one."""
    client, other = await rig.login(), await rig.login()
    await client.create(1)
    assert await client.call(m.Lock(9, FILE, 1, mode, **span)) == m.Locked(9)
    return client, other


def walk(access: Access, wait_ms: int = 0) -> m.Walk:
    return m.Walk(m.Path(ROOT, [name(1)]), access=access, wait=m.Wait(wait_ms))


def test_a_lock_waits_in_line_until_its_turn(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        client, other = await locked(rig)
        second = other.change(m.Lock(10, FILE, 1, EXCLUSIVE, wait_ms=LONG_MS))
        third = client.change(m.Lock(11, FILE, 2, EXCLUSIVE, wait_ms=LONG_MS))
        await asyncio.gather(client.settled(), other.settled())
        infos = (await client.call(m.ListLocks(FILE))).locks
        assert [(info.lock, info.waiting, info.account) for info in infos] == [
            (9, False, "account11"),
            (10, True, "account11"),
            (11, True, "account11"),
        ]
        assert await client.call(m.Unlock(FILE, 1)) == m.Unlocked([])
        assert await second == m.Locked(10)
        assert not third.done()
        await other.call(m.Unlock(FILE, 1))
        assert await third == m.Locked(11)

    run(tmp_path, scenario)


def test_no_time_to_wait_and_time_over(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        client, other = await locked(rig)
        for body in (
            m.Lock(10, FILE, 1, SHARED),
            m.Lock(10, FILE, 1, SHARED, wait_ms=1),
            walk(Access.READ),
            walk(Access.READ, 1),
            m.Delete(m.Path(ROOT, [name(1)])),
            m.Delete(m.Path(ROOT, [name(1)]), wait=m.Wait(1)),
        ):
            with refused(Code.LOCKED):
                await other.call(body)
        assert rig.hub is not None
        assert rig.hub.table.waiting_count == 0
        await client.call(walk(Access.WRITE))

    run(tmp_path, scenario)


@pytest.mark.parametrize("lost", ["unlock", "bye", "time limit of one before"])
def test_plain_requests_wait_and_go_on(tmp_path: Path, lost: str) -> None:
    async def scenario(rig: Rig) -> None:
        client, other = await locked(rig)
        reading = other.ask(walk(Access.READ, LONG_MS))
        deleting = other.change(m.Delete(m.Path(ROOT, [name(1)]), wait=m.Wait(LONG_MS)))
        await other.settled()
        if lost == "unlock":
            await client.call(m.Unlock(FILE, 1))
        elif lost == "bye":
            await client.ask(m.Bye())
        else:
            with refused(Code.LOCKED):
                await (await rig.login()).call(m.Lock(12, FILE, 1, EXCLUSIVE, wait_ms=1))
            await client.call(m.Unlock(FILE, 1))
        assert [entry.id for entry in (await reading).entries] == [FILE]
        assert await deleting == m.Done()
        assert await other.names() == []

    run(tmp_path, scenario)


def test_a_commit_waits_for_locks_on_its_bytes_only(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        _, other = await locked(rig, offset=0, length=10)
        content = m.NewContent(0, 5, b"m" * 16)
        await other.call(m.Commit(FILE, 0, content, touched=[(10, 20)]))
        with refused(Code.LOCKED):
            await other.call(m.Commit(FILE, 0, content, touched=[(9, 20)]))
        with refused(Code.LOCKED):
            await other.call(m.Commit(FILE, 0, content))
        await other.call(walk(Access.WRITE))

    run(tmp_path, scenario)


def test_a_change_that_relies_on_a_lost_lock_is_fenced(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        client, _ = await locked(rig)
        content = m.NewContent(0, 5, b"m" * 16)
        assert (await client.call(m.Commit(FILE, 0, content, wait=m.Wait(0, [9])))).revision == 1
        await client.call(m.Unlock(FILE, 1))
        with refused(Code.FENCED):
            await client.call(m.Commit(FILE, 0, content, wait=m.Wait(0, [9])))

    run(tmp_path, scenario)


def test_a_waiting_lock_survives_its_connection(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        client, other = await locked(rig)
        lock = m.Lock(10, FILE, 1, EXCLUSIVE, wait_ms=LONG_MS)
        other.ask(lock, seq=1)
        await other.settled()
        other.close()
        again = await rig.login(resume=other.welcome.session)
        waiting = again.ask(lock, seq=1)
        await again.settled()
        await client.call(m.Unlock(FILE, 1))
        assert await waiting == m.Locked(10)

    run(tmp_path, scenario)


def test_a_parked_read_ends_with_its_connection(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        assert rig.hub is not None
        _, other = await locked(rig)
        other.ask(walk(Access.READ, LONG_MS))
        await other.settled()
        assert rig.hub.table.waiting_count == 1
        other.close()
        await other.lost
        await (await rig.login()).settled()
        assert rig.hub.table.waiting_count == 0

    run(tmp_path, scenario)


def test_a_waiting_lock_is_asked_for_again_after_a_crash(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        client, other = await locked(rig)
        lock = m.Lock(10, FILE, 1, EXCLUSIVE, wait_ms=LONG_MS)
        other.ask(lock, seq=1)
        await other.settled()
        await rig.crash()
        other = await rig.login(resume=other.welcome.session)
        waiting = other.ask(lock, seq=1)
        client = await rig.login(resume=client.welcome.session)
        await client.ask(m.Unlock(FILE, 1), seq=3)
        assert await waiting == m.Locked(10)

    run(tmp_path, scenario)


def test_a_reserved_name_is_free_for_its_owner_only(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        client, other = await rig.login(), await rig.login()
        assert await client.call(m.Reserve(ROOT, name(1))) == m.Done()
        with refused(Code.EXISTS):
            await other.create(1)
        with refused(Code.EXISTS):
            await other.call(m.Reserve(ROOT, name(1)))
        await client.create(1)
        with refused(Code.EXISTS):
            await client.call(m.Reserve(ROOT, name(1)))
        await client.call(m.Delete(m.Path(ROOT, [name(1)])))
        await other.call(m.Reserve(ROOT, name(1)))  # creating it used the reservation up
        await other.call(m.Unreserve(ROOT, name(1)))
        await client.create(1)
        with refused(Code.NOT_A_FOLDER):
            await client.call(m.Reserve(FILE, name(1)))
        with refused(Code.NOT_FOUND):
            await client.call(m.Reserve(999, name(1)))
        with refused(Code.INVALID):
            await client.call(m.Reserve(ROOT, b"short"))

    run(tmp_path, scenario)


def test_locks_stay_inside_their_filespace(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        await locked(rig)
        stranger = await rig.login(filespace=OTHER_FILESPACE)
        with refused(Code.NOT_FOUND):
            await stranger.call(m.Lock(10, FILE, 1, SHARED))
        assert await stranger.call(m.ListLocks()) == m.Locks([])
        assert await stranger.call(m.Unlock(FILE, 1)) == m.Unlocked([])

    run(tmp_path, scenario)


@pytest.mark.parametrize(
    ("lock", "code"),
    [
        (m.Lock(10, ROOT, 1, SHARED), Code.IS_A_FOLDER),
        (m.Lock(10, 999, 1, SHARED), Code.NOT_FOUND),
        (m.Lock(10, FILE, 1, SHARED, -1, 0), Code.INVALID),
        (m.Lock(10, FILE, 1, SHARED, 0, -1), Code.INVALID),
        (m.Lock(0, FILE, 1, SHARED), Code.INVALID),
        (m.Lock(BIG, FILE, 1, SHARED), Code.INVALID),
        (m.Lock(10, BIG, 1, SHARED), Code.INVALID),
        (m.Lock(10, FILE, BIG, SHARED), Code.INVALID),
        (m.Lock(10, FILE, -1, SHARED), Code.INVALID),
        (m.Lock(10, FILE, 1, SHARED, BIG, 1), Code.INVALID),
        (m.Lock(10, FILE, 1, SHARED, 1, BIG), Code.INVALID),
        (m.Unlock(BIG, 1), Code.INVALID),
        (m.Unlock(FILE, BIG), Code.INVALID),
        (m.Reserve(BIG, name(1)), Code.INVALID),
        (m.Lock(9, FILE, 2, SHARED), Code.ID_TAKEN),
    ],
)
def test_locks_that_make_no_sense(tmp_path: Path, lock: m.Message, code: Code) -> None:
    async def scenario(rig: Rig) -> None:
        client, _ = await locked(rig)
        with refused(code):
            await client.call(lock)
        await client.create(2)  # the next transaction goes through

    run(tmp_path, scenario)
