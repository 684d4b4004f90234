"""Rules of the lock table, one each."""

from __future__ import annotations

import itertools

import pytest

from lucidfs.errors import Code, Fault
from lucidfs.hub import locks as locks_module
from lucidfs.hub.exclusion import END, Held, Need, Owner, Waiter
from lucidfs.hub.locks import Asking, LockTable
from lucidfs.types import Access, LockMode

NODE = 7
SHARED, EXCLUSIVE = LockMode.SHARED, LockMode.EXCLUSIVE
ids = itertools.count(1000)


def table() -> LockTable:
    return LockTable(lambda: next(ids))


def wish(
    session: int, handle: int = 1, mode: LockMode = EXCLUSIVE, start: int = 0, end: int = END, node: int = NODE
) -> Held:
    return Held(next(ids), 1, node, Owner(session, handle), mode, start, end, f"account {session}", 5)


def commit(locks: LockTable) -> list[Waiter]:
    locks.committed()
    return locks.advance()


def test_a_free_lock_is_granted_at_once_and_journalled() -> None:
    locks = table()
    asked = wish(1)
    assert locks.acquire(asked).ready
    assert locks.holds(1, asked.lock)
    assert not locks.holds(2, asked.lock)
    assert [(lock, row is not None) for lock, row in locks.journal] == [(asked.lock, True)]


def test_exclusive_excludes_other_handles_of_the_same_session_too() -> None:
    locks = table()
    locks.acquire(wish(1, handle=1))
    assert not locks.acquire(wish(1, handle=2)).ready


def test_shared_locks_are_held_together_and_disjoint_ranges_do_not_meet() -> None:
    locks = table()
    assert locks.acquire(wish(1, mode=SHARED)).ready
    assert locks.acquire(wish(2, mode=SHARED)).ready
    assert locks.acquire(wish(1, start=0, end=10, node=8)).ready
    assert locks.acquire(wish(2, start=10, end=20, node=8)).ready


def test_a_release_frees_only_once_it_is_on_disk() -> None:
    locks = table()
    locks.acquire(wish(1))
    waiter = locks.acquire(wish(2))
    assert locks.release(NODE, Owner(1, 1)) == []
    assert locks.advance() == []
    assert locks.blocked(NODE, 3, Access.READ)
    assert commit(locks) == [waiter]
    assert waiter.ready


def test_lines_are_first_come_first_served() -> None:
    locks = table()
    locks.acquire(wish(1))
    waiters = [locks.acquire(wish(session)) for session in (2, 3, 4)]
    for holder, waiter in zip((1, 2, 3), waiters, strict=True):
        locks.release(NODE, Owner(holder, 1))
        assert commit(locks) == [waiter]


def test_readers_do_not_starve_a_waiting_writer() -> None:
    locks = table()
    locks.acquire(wish(1, mode=SHARED))
    writer = locks.acquire(wish(2))
    late_reader = locks.acquire(wish(3, mode=SHARED))
    assert not late_reader.ready
    locks.release(NODE, Owner(1, 1))
    assert commit(locks) == [writer]
    locks.release(NODE, Owner(2, 1))
    assert commit(locks) == [late_reader]


def test_nobody_waits_behind_one_who_waits_for_him() -> None:
    locks = table()
    locks.acquire(wish(1, start=0, end=10))
    waiting = locks.acquire(wish(2, start=0, end=20))
    assert not waiting.ready
    assert locks.acquire(wish(1, start=10, end=20)).ready


def test_upgrade_waits_for_the_other_reader_and_keeps_the_shared_lock() -> None:
    locks = table()
    first = wish(1, mode=SHARED)
    locks.acquire(first)
    locks.acquire(wish(2, mode=SHARED))
    upgrade = locks.acquire(wish(1))
    assert not upgrade.ready
    assert locks.holds(1, first.lock)
    locks.release(NODE, Owner(2, 1))
    assert commit(locks) == [upgrade]
    assert not locks.holds(1, first.lock)


def test_downgrade_lets_readers_in_when_it_is_on_disk() -> None:
    locks = table()
    locks.acquire(wish(1))
    reader = locks.acquire(wish(2, mode=SHARED))
    assert locks.acquire(wish(1, mode=SHARED)).ready, "the reader in line waits for this very handle"
    assert locks.advance() == []
    assert commit(locks) == [reader]


def test_a_downgrade_that_waited_in_line_lets_readers_in_with_the_next_commit() -> None:
    """Granted by the same advance as the lock that it weakens: what that releases is not on disk yet."""
    locks = table()
    locks.acquire(wish(3, mode=SHARED))
    strong = locks.acquire(wish(2))
    reader = locks.acquire(wish(1, mode=SHARED))
    writer = locks.acquire(wish(1))
    weak = locks.acquire(wish(2, mode=SHARED))
    locks.release(NODE, Owner(3, 1))
    assert commit(locks) == [strong, weak]
    assert locks.journal, "so that a commit follows"
    assert commit(locks) == [reader]
    assert not writer.ready


def test_unlock_in_the_middle_leaves_two_pieces() -> None:
    locks = table()
    asked = wish(1, start=0, end=100)
    locks.acquire(asked)
    remaining = locks.release(NODE, Owner(1, 1), 40, 60)
    assert remaining[0] == asked.lock
    assert len(remaining) == 2
    commit(locks)
    pieces = sorted((each.offset, each.length) for each in locks.listing(1))
    assert pieces == [(0, 40), (60, 40)]
    assert locks.acquire(wish(2, start=40, end=60)).ready
    assert not locks.acquire(wish(2, start=60, end=61)).ready


def test_a_new_lock_replaces_what_it_overlaps() -> None:
    locks = table()
    old = wish(1, mode=SHARED, start=0, end=100)
    locks.acquire(old)
    new = wish(1, start=50, end=150)
    assert locks.acquire(new).ready
    assert sorted((each.offset, each.length, each.mode) for each in locks.listing(1)) == [
        (0, 50, SHARED),
        (50, 100, EXCLUSIVE),
    ]
    assert locks.holds(1, old.lock)


def test_asking_again_for_what_is_held_is_granted_and_a_used_id_is_refused() -> None:
    locks = table()
    asked = wish(1)
    locks.acquire(asked)
    assert locks.acquire(asked).ready
    assert locks.held_count == 1
    with pytest.raises(Fault) as caught:
        locks.acquire(Held(asked.lock, 1, NODE, Owner(2, 1), EXCLUSIVE, 0, END, "other", 5))
    assert caught.value.code is Code.ID_TAKEN


@pytest.mark.parametrize(
    ("held", "access", "ranges", "blocked"),
    [
        (wish(1), Access.READ, (), True),
        (wish(1, mode=SHARED), Access.READ, (), False),
        (wish(1, start=0, end=10), Access.READ, (), False),
        (wish(1, start=1), Access.READ, (), False),
        (wish(1, mode=SHARED), Access.WRITE, ((0, 1),), True),
        (wish(1, start=10, end=20), Access.WRITE, ((0, 10), (20, 30)), False),
        (wish(1, start=10, end=20), Access.WRITE, ((0, 11),), True),
        (wish(1, start=10, end=20), Access.WRITE, (), True),
        (wish(1, start=10, end=20), Access.WRITE, None, False),
        (wish(1, mode=SHARED), Access.WRITE, None, True),
        (wish(1), Access.NONE, (), False),
    ],
)
def test_what_plain_use_meets(held: Held, access: Access, ranges: tuple[tuple[int, int], ...], blocked: bool) -> None:
    locks = table()
    locks.acquire(held)
    assert locks.blocked(NODE, 2, access, ranges) is blocked
    assert not locks.blocked(NODE, 1, access, ranges), "a session's own locks are never in its way"


def test_any_lock_is_one_of_another_session() -> None:
    locks = table()
    locks.acquire(wish(1, start=5, end=6, mode=SHARED))
    assert locks.any_lock(NODE, 2)
    assert not locks.any_lock(NODE, 1)
    assert not locks.any_lock(8, 2)


def test_a_parked_request_is_woken_and_is_not_starved_by_later_locks() -> None:
    locks = table()
    locks.acquire(wish(1, mode=SHARED))
    parked = locks.park(2, [Need(NODE, Access.WRITE, ())])
    later = locks.acquire(wish(3, mode=SHARED))
    assert not later.ready, "it would block the request that came before it"
    locks.release(NODE, Owner(1, 1))
    assert commit(locks) == [parked]
    locks.leave(parked)
    assert locks.advance() == [later]


def test_a_parked_request_that_is_blocked_again_keeps_its_place() -> None:
    locks = table()
    locks.acquire(wish(1, node=1))
    locks.acquire(wish(1, node=2))
    parked = locks.park(2, [Need(1, None)])
    later = locks.acquire(wish(3, node=2))
    locks.release(1, Owner(1, 1))
    assert commit(locks) == [parked]
    locks.park_again(parked, [Need(2, None)])
    locks.release(2, Owner(1, 1))
    assert commit(locks) == [parked], "it came before the lock request on node 2"
    locks.leave(parked)
    assert locks.advance() == [later]


def test_a_lock_that_would_not_block_it_passes_a_parked_request() -> None:
    locks = table()
    locks.acquire(wish(1))
    locks.park(2, [Need(NODE, Access.READ, ())])
    locks.release(NODE, Owner(1, 1), 0, 10)
    commit(locks)
    assert locks.acquire(wish(3, start=0, end=10)).ready


def test_who_leaves_the_line_lets_others_go_on() -> None:
    locks = table()
    locks.acquire(wish(1, mode=SHARED))
    writer = locks.acquire(wish(2))
    reader = locks.acquire(wish(3, mode=SHARED))
    locks.leave(writer)
    assert locks.advance() == [reader]


def test_the_end_of_a_session_releases_all_and_returns_its_waiters() -> None:
    locks = table()
    locks.acquire(wish(1))
    mine = locks.acquire(wish(1, handle=2))
    other = locks.acquire(wish(2))
    locks.reserve(1, b"name", 1)
    assert locks.end_session(1) == [mine]
    assert locks.end_session(1) == []
    assert commit(locks) == [other]
    assert not locks.reserved(1, b"name", 2)
    assert locks.locks_of(1) == []


def test_reservations_exclude_other_sessions_only() -> None:
    locks = table()
    locks.reserve(1, b"name", 1)
    locks.reserve(1, b"name", 1)
    assert locks.reserved(1, b"name", 2)
    assert not locks.reserved(1, b"name", 1)
    with pytest.raises(Fault) as caught:
        locks.reserve(1, b"name", 2)
    assert caught.value.code is Code.EXISTS
    locks.unreserve(1, b"name", 2)
    assert locks.reserved(1, b"name", 2)
    locks.unreserve(1, b"name", 1)
    assert not locks.reserved(1, b"name", 2)


def test_journal_rows_bring_the_same_table_back() -> None:
    locks = table()
    for asked in (wish(1, start=0, end=100), wish(1, handle=2, start=200), wish(2, node=9)):
        locks.acquire(asked)
    locks.release(NODE, Owner(1, 1), 20, 30)
    rows: dict[int, object] = {}
    for lock, row in locks.journal:
        if row is None:
            del rows[lock]
        else:
            rows[lock] = row
    again = table()
    again.load(rows.values())  # type: ignore[arg-type]
    assert sorted(again.listing(1), key=repr) == sorted(locks.listing(1), key=repr)


def test_a_journal_survives_a_rollback() -> None:
    locks = table()
    locks.acquire(wish(1))
    before = list(locks.journal)
    locks.acquire(wish(2, node=8))
    assert locks.journal[: len(before)] == before
    locks.committed()
    assert locks.journal == []


def test_listing_tells_holders_then_waiters_of_one_filespace() -> None:
    locks = table()
    locks.acquire(wish(1))
    locks.acquire(wish(2, handle=5, mode=SHARED, start=3, end=9))
    held, waiting = locks.listing(1, NODE)
    assert (held.session, held.offset, held.length, held.waiting, held.account) == (1, 0, 0, False, "account 1")
    assert (waiting.session, waiting.handle, waiting.offset, waiting.length, waiting.waiting) == (2, 5, 3, 6, True)
    assert locks.listing(2) == []
    assert locks.listing(1, 99) == []


def test_locks_are_limited_per_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks_module, "LOCKS_PER_SESSION_MAX", 3)
    locks = table()
    for start in (0, 10):
        locks.acquire(wish(1, start=start, end=start + 5))
    locks.reserve(1, b"name", 1)
    for more in (
        lambda: locks.acquire(wish(1, start=50, end=60)),
        lambda: locks.reserve(1, b"other", 1),
        lambda: locks.park(1, [Need(NODE, None)]),
        lambda: locks.release(NODE, Owner(1, 1), 2, 3),
    ):
        with pytest.raises(Fault) as caught:
            more()
        assert caught.value.code is Code.TOO_MANY
    locks.unreserve(1, b"name", 1)
    assert locks.acquire(wish(1, start=50, end=60)).ready


def test_asking_remembers_what_was_in_the_way() -> None:
    locks = table()
    locks.acquire(wish(1))
    asking = Asking(locks)
    assert asking.blocked(NODE, 2, Access.READ, ())
    assert not asking.blocked(8, 2, Access.READ, ())
    assert asking.any_lock(NODE, 2)
    assert asking.needs == [Need(NODE, Access.READ, ()), Need(NODE, None)]
