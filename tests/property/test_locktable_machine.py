"""A lock table driven at random against a naive model: exclusion, order, wake-ups, and rows that match memory."""

from __future__ import annotations

import itertools

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from lucidfs.hub.database.base import LockRow
from lucidfs.hub.exclusion import END, Held, Need, Owner, Waiter, would_block
from lucidfs.hub.locks import LockTable
from lucidfs.types import Access, LockMode

SESSIONS = st.integers(1, 3)
HANDLES = st.integers(1, 2)
NODES = st.integers(1, 2)
MODES = st.sampled_from(list(LockMode))
EDGES = [0, 1, 2, 3, 5, 8, END]
RANGES = st.lists(st.sampled_from(EDGES), min_size=2, max_size=2, unique=True).map(lambda pair: tuple(sorted(pair)))


class LockMachine(RuleBasedStateMachine):
    """The model: for each byte of interest, who holds it how, computed by brute force from grants and releases."""

    waiting = Bundle("waiting")

    def __init__(self) -> None:
        super().__init__()
        self.ids = itertools.count(1)
        self.table = LockTable(lambda: next(self.ids))
        self.bytes: dict[tuple[int, int], dict[Owner, LockMode]] = {}  # (node, edge) -> holders
        self.rows: dict[int, LockRow] = {}  # what is on disk
        self.line: list[Waiter] = []  # everyone not ready, in order of arrival
        self.parked: list[Waiter] = []  # plain requests that were woken and are not done

    # --- the model --------------------------------------------------------------------------------------------

    def set_bytes(self, node: int, owner: Owner, start: int, end: int, mode: LockMode | None) -> None:
        for edge in EDGES[:-1]:
            if start <= edge < end:
                holders = self.bytes.setdefault((node, edge), {})
                holders.pop(owner, None)
                if mode is not None:
                    holders[owner] = mode

    def went(self, waiters: list[Waiter]) -> None:
        """Some are ready: granted locks enter the model."""
        for waiter in waiters:
            self.line.remove(waiter)
            if waiter.wish is not None:
                self.grant(waiter.wish)
            else:
                self.parked.append(waiter)

    def grant(self, wish: Held) -> None:
        for edge in EDGES[:-1]:
            if wish.start <= edge < wish.end:
                for owner, mode in self.bytes.get((wish.node, edge), {}).items():
                    assert owner == wish.owner or LockMode.EXCLUSIVE not in (mode, wish.mode), "two hold one byte"
        self.set_bytes(wish.node, wish.owner, wish.start, wish.end, wish.mode)

    # --- rules ------------------------------------------------------------------------------------------------

    @rule(target=waiting, session=SESSIONS, handle=HANDLES, node=NODES, mode=MODES, span=RANGES)
    def acquire(self, session: int, handle: int, node: int, mode: LockMode, span: tuple[int, int]) -> object:
        wish = Held(next(self.ids), 1, node, Owner(session, handle), mode, *span, "account", 0)
        own = [held for held in self.held(node) if held.owner == wish.owner]
        waiter = self.table.acquire(wish)
        if waiter.ready:
            for earlier in self.line + self.parked:
                waits_for_us = any(would_block(held, earlier) for held in own)
                in_line = node in earlier.nodes and would_block(wish, earlier)
                assert waits_for_us or not in_line, "it jumped the queue"
            self.grant(wish)
            return multiple()
        self.line.append(waiter)
        return waiter

    @rule(target=waiting, session=SESSIONS, node=NODES, access=st.sampled_from([Access.READ, Access.WRITE, None]))
    def plain(self, session: int, node: int, access: Access | None) -> object:
        asked = self.table.any_lock(node, session) if access is None else self.table.blocked(node, session, access, ())
        if not asked:
            return multiple()
        waiter = self.table.park(session, [Need(node, access)])
        self.line.append(waiter)
        return waiter

    @rule(session=SESSIONS, handle=HANDLES, node=NODES, span=RANGES)
    def release(self, session: int, handle: int, node: int, span: tuple[int, int]) -> None:
        owner = Owner(session, handle)
        remaining = self.table.release(node, owner, *span)
        self.set_bytes(node, owner, *span, None)
        assert set(remaining) == {held.lock for held in self.held(node) if held.owner == owner}

    @rule(waiter=consumes(waiting))
    def give_up(self, waiter: Waiter) -> None:
        if waiter in self.line or waiter in self.parked:
            (self.line if waiter in self.line else self.parked).remove(waiter)
            self.table.leave(waiter)

    @rule()
    def finish_parked(self) -> None:
        for waiter in self.parked:
            self.table.leave(waiter)
        self.parked.clear()

    @rule(session=SESSIONS)
    def end_session(self, session: int) -> None:
        gone = self.table.end_session(session)
        assert set(gone) == {waiter for waiter in self.line + self.parked if waiter.session == session}
        self.line = [waiter for waiter in self.line if waiter.session != session]
        self.parked = [waiter for waiter in self.parked if waiter.session != session]
        for holders in self.bytes.values():
            for owner in [owner for owner in holders if owner.session == session]:
                del holders[owner]

    @rule()
    def commit(self) -> None:
        for lock, row in self.table.journal:
            if row is None:
                self.rows.pop(lock, None)
            else:
                assert lock not in self.rows, "a row is inserted twice"
                self.rows[lock] = row
        self.table.committed()
        stored = {
            (row.id, row.node, row.session, row.handle, row.mode, row.offset, row.length) for row in self.rows.values()
        }
        known = {
            (info.lock, info.node, info.session, info.handle, int(info.mode), info.offset, info.length)
            for info in self.table.listing(1)
            if not info.waiting
        }
        assert stored == known, "memory and rows differ after a commit"
        self.went(self.table.advance())
        self.nobody_waits_in_vain()

    @rule()
    def advance(self) -> None:
        self.went(self.table.advance())

    # --- what always holds ------------------------------------------------------------------------------------

    def held(self, node: int) -> list[Held]:
        return self.table._held.get(node, [])

    def in_the_way(self, node: int) -> list[Held]:
        """What is held, and what was released by the advance (a handle's lock, by a grant of it in another mode)."""
        released = self.table._released.get(node, [])
        assert not released or self.table.journal, "nothing would bring the release to the disk"
        return self.held(node) + released

    def nobody_waits_in_vain(self) -> None:
        """After a commit and an advance: each who waits has a holder, or an earlier one in line, in the way."""
        for waiter in self.line:
            if waiter.wish is None:
                reasons = [
                    held for need in waiter.needs for held in self.in_the_way(need.node) if would_block(held, waiter)
                ]
                assert reasons, "a lost wake-up of a plain request"
            else:
                wish = waiter.wish
                holders = [held for held in self.in_the_way(wish.node) if held.excludes(wish)]
                earlier = [
                    other
                    for other in self.line + self.parked
                    if other.order < waiter.order and wish.node in other.nodes and would_block(wish, other)
                ]
                assert holders or earlier, "a lost wake-up of a lock request"

    @invariant()
    def bytes_agree(self) -> None:
        """The table holds exactly what was granted and not released."""
        for node in (1, 2):
            for edge in EDGES[:-1]:
                expected = self.bytes.get((node, edge), {})
                found = {held.owner: held.mode for held in self.held(node) if held.start <= edge < held.end}
                assert found == expected

    @invariant()
    def exclusion(self) -> None:
        """No byte has an exclusive holder and another one."""
        for node in (1, 2):
            for one, other in itertools.combinations(self.held(node), 2):
                assert not one.excludes(other)
                assert one.owner != other.owner or not one.overlaps(other.start, other.end)

    def teardown(self) -> None:
        """When everybody has gone, nothing is left."""
        for session in (1, 2, 3):
            self.table.end_session(session)
        self.table.committed()
        assert self.table.advance() == []
        assert (self.table.held_count, self.table.waiting_count, self.table.listing(1)) == (0, 0, [])
        assert self.table._load == {}


TestLockTable = LockMachine.TestCase
TestLockTable.settings = settings(max_examples=max(300, settings().max_examples), stateful_step_count=50)
