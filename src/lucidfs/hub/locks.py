"""Who holds which bytes, and who is next in line: a state machine without time, I/O or threads.

Everything happens on the hub's loop, inside one group of changes:
- `acquire`, `release`, `end_session` change the table at once and note rows in `journal`, which the committer writes
  in the same transaction. After a rollback the journal stays and goes out with the next transaction.
- What was released goes on blocking others until `committed` says that the release is on disk, so that nobody acts
  on a state that a crash could take back, or reads content older than the release.
- `advance` moves the lines on and returns who may go. A lock request is granted when it conflicts with no holder and
  with no earlier waiter; nobody waits behind one who waits for him (that would be a deadlock).
- A plain request (no lock of its own) that met a lock stands in the same line by `park`: later lock requests that
  would block it wait behind it, so it is not starved. It stays in line until `leave`, also while it is run again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from lucidfs.errors import Code, Fault
from lucidfs.hub.database.base import LockRow
from lucidfs.hub.exclusion import END, Held, Need, Owner, Ranges, Waiter, held_of, info_of, row_of, would_block
from lucidfs.limits import LOCKS_PER_SESSION_MAX
from lucidfs.types import Access
from lucidfs.wire.messages import LockInfo


class LockTable:
    """All locks, lines and reservations of a hub. Implements the operations' `LockView`.

    Args:
        new_id: makes a fresh lock id for the second half of a lock that was cut in the middle.
    """

    def __init__(self, new_id: Callable[[], int]) -> None:
        self._new_id = new_id
        self._held: dict[int, list[Held]] = {}  # by node, in the order granted
        self._by_id: dict[int, Held] = {}
        self._released: dict[int, list[Held]] = {}  # by node: not on disk yet
        self._line: dict[int, list[Waiter]] = {}  # by node, in the order of arrival
        self._moved: set[int] = set()  # nodes whose line may have moved
        self._reserved: dict[tuple[int, bytes], int] = {}  # (parent, token) -> session
        self._load: dict[int, int] = {}  # session -> locks, waiters and reservations
        self._arrivals = 0
        self.journal: list[tuple[int, LockRow | None]] = []  # (lock, row to insert | None: delete), in order

    # --- LockView: what operations ask ------------------------------------------------------------------------

    def blocked(self, node: int, session: int, access: Access, ranges: Ranges = ()) -> bool:
        """Whether locks of other sessions forbid plain use of a node now."""
        return self._meets(session, Need(node, access, ranges))

    def any_lock(self, node: int, session: int) -> bool:
        """Whether another session has a lock on any byte of the node."""
        return self._meets(session, Need(node, None))

    def holds(self, session: int, lock: int) -> bool:
        """Whether the session still holds this lock."""
        held = self._by_id.get(lock)
        return held is not None and held.owner.session == session

    def reserved(self, parent: int, token: bytes, session: int) -> bool:
        """Whether another session holds this free name."""
        return self._reserved.get((parent, token), session) != session

    # --- locks ------------------------------------------------------------------------------------------------

    def load(self, rows: Iterable[LockRow]) -> None:
        """Take over what was held when the hub last stopped."""
        for row in rows:
            self._insert(held_of(row))

    def acquire(self, wish: Held) -> Waiter:
        """Ask for a lock: `ready` if it was granted at once, else in line. Asking again for what is held is granted.

        Raises Fault(ID_TAKEN), Fault(TOO_MANY).
        """
        waiter = Waiter(self._next_order(), wish.owner.session, (wish.node,), wish)
        known = self._by_id.get(wish.lock)
        if known is not None:
            if known.asks_the_same(wish):
                waiter.ready = True
                return waiter
            raise Fault(Code.ID_TAKEN, "this lock id is in use")
        self._count(wish.owner.session)
        if self._obstructed(wish, waiter.order):
            self._join(waiter)
        else:
            self._grant(waiter)
        return waiter

    def release(self, node: int, owner: Owner, start: int = 0, end: int = END) -> list[int]:
        """Give back a handle's locks on a byte range; what lies outside stays. Returns the locks that remain.

        Raises Fault(TOO_MANY) when a lock would be cut in two and the session has no room for another.
        """
        if any(held.owner == owner and held.start < start and end < held.end for held in self._held.get(node, ())):
            self._count(owner.session)
            self._uncount(owner.session)
        self._cut(node, owner, start, end)
        return [held.lock for held in self._held.get(node, ()) if held.owner == owner]

    def park(self, session: int, needs: list[Need]) -> Waiter:
        """Put a plain request in line for what it met. Raises Fault(TOO_MANY)."""
        self._count(session)
        nodes = tuple(dict.fromkeys(need.node for need in needs))
        waiter = Waiter(self._next_order(), session, nodes, needs=needs)
        self._join(waiter)
        return waiter

    def park_again(self, waiter: Waiter, needs: list[Need]) -> None:
        """The request of `waiter` was run again and met locks again: it keeps its place."""
        self._remove(waiter)
        waiter.ready, waiter.needs = False, needs
        waiter.nodes = tuple(dict.fromkeys(need.node for need in needs))
        self._join(waiter)

    def leave(self, waiter: Waiter) -> None:
        """Out of the line: done, out of time, or gone. A lock that was granted stays held."""
        if self._remove(waiter):
            self._uncount(waiter.session)

    def committed(self) -> None:
        """The transaction with the whole journal is on disk: what was released is free."""
        self.journal.clear()
        self._moved.update(self._released)
        self._released.clear()

    def advance(self) -> list[Waiter]:
        """Move the lines on. Returns those who became ready, in order of arrival."""
        ready: list[Waiter] = []
        while self._moved:
            node = self._moved.pop()
            for waiter in list(self._line.get(node, ())):
                if waiter.ready:
                    continue
                if waiter.wish is None:
                    waiter.ready = not any(self._meets(waiter.session, need) for need in waiter.needs)
                elif not self._obstructed(waiter.wish, waiter.order):
                    self._remove(waiter)
                    self._grant(waiter)
                if waiter.ready:
                    ready.append(waiter)
        return sorted(ready, key=lambda waiter: waiter.order)

    # --- reservations -----------------------------------------------------------------------------------------

    def reserve(self, parent: int, token: bytes, session: int) -> None:
        """Hold a free name. Raises Fault(EXISTS) if another session holds it, Fault(TOO_MANY)."""
        holder = self._reserved.get((parent, token))
        if holder is None:
            self._count(session)
            self._reserved[parent, token] = session
        elif holder != session:
            raise Fault(Code.EXISTS, "another client is about to create this name")

    def unreserve(self, parent: int, token: bytes, session: int) -> None:
        """Give a name back; nothing happens if this session does not hold it."""
        if self._reserved.get((parent, token)) == session:
            del self._reserved[parent, token]
            self._uncount(session)

    # --- all of a session -------------------------------------------------------------------------------------

    def end_session(self, session: int) -> list[Waiter]:
        """Release everything of a session. Returns its waiters, which are out of line now."""
        if not self._load.get(session):
            return []
        for held in [held for held in self._by_id.values() if held.owner.session == session]:
            self._delete(held)
        for name in [name for name, holder in self._reserved.items() if holder == session]:
            del self._reserved[name]
        waiters = [waiter for waiter in self._waiters() if waiter.session == session]
        for waiter in waiters:
            self._remove(waiter)
        self._load.pop(session, None)
        return waiters

    def locks_of(self, session: int) -> list[int]:
        """Ids of all locks that a session holds."""
        return [lock for lock, held in self._by_id.items() if held.owner.session == session]

    def listing(self, filespace: int, node: int = 0) -> list[LockInfo]:
        """Locks held, then those waited for, on a node or (0) in the whole filespace."""
        nodes = [node] if node else list(self._held.keys() | self._line.keys())
        held = [held for at in nodes for held in self._held.get(at, ()) if held.filespace == filespace]
        waiters = sorted((waiter for at in nodes for waiter in self._line.get(at, ())), key=lambda each: each.order)
        wishes = [waiter.wish for waiter in waiters if waiter.wish is not None and waiter.wish.filespace == filespace]
        return [info_of(each) for each in held] + [info_of(each, waiting=True) for each in wishes]

    @property
    def held_count(self) -> int:
        return len(self._by_id)

    @property
    def waiting_count(self) -> int:
        return sum(len(line) for line in self._line.values())

    # --- inside -----------------------------------------------------------------------------------------------

    def _meets(self, session: int, need: Need) -> bool:
        """Whether a lock of another session (or one whose release is not on disk) blocks the need."""
        return any(
            held.owner.session != session and need.blocked_by(held)
            for table in (self._held, self._released)
            for held in table.get(need.node, ())
        )

    def _obstructed(self, wish: Held, order: int) -> bool:
        """Whether a wish must wait: for a holder, or behind an earlier waiter that does not wait for it."""
        if any(held.excludes(wish) for table in (self._held, self._released) for held in table.get(wish.node, ())):
            return True
        own = [held for held in self._held.get(wish.node, ()) if held.owner == wish.owner]
        for waiter in self._line.get(wish.node, ()):
            if waiter.order >= order:
                break
            if would_block(wish, waiter) and not any(would_block(held, waiter) for held in own):
                return True
        return False

    def _grant(self, waiter: Waiter) -> None:
        wish = waiter.wish
        assert wish is not None
        self._cut(wish.node, wish.owner, wish.start, wish.end)
        if wish.lock in self._by_id:  # two wishes with one id stood in line
            wish = waiter.wish = replace(wish, lock=self._new_id())
        self._insert(wish, counted=True)
        self.journal.append((wish.lock, row_of(wish)))
        waiter.ready = True

    def _cut(self, node: int, owner: Owner, start: int, end: int) -> None:
        """Take [start, end) out of a handle's locks. The left remainder keeps the id."""
        for held in [held for held in self._held.get(node, ()) if held.owner == owner and held.overlaps(start, end)]:
            self._delete(held)
            kept = held.lock
            for first, last in ((held.start, min(start, held.end)), (max(end, held.start), held.end)):
                if first < last:
                    rest = replace(held, lock=kept, start=first, end=last)
                    self._insert(rest)
                    self.journal.append((rest.lock, row_of(rest)))
                    kept = self._new_id()

    def _insert(self, held: Held, *, counted: bool = False) -> None:
        assert held.lock not in self._by_id, "a lock id is held twice"
        self._held.setdefault(held.node, []).append(held)
        self._by_id[held.lock] = held
        if not counted:
            self._load[held.owner.session] = self._load.get(held.owner.session, 0) + 1

    def _delete(self, held: Held) -> None:
        """No longer held, but in the way of others until the release is on disk."""
        del self._by_id[held.lock]
        _take_out(self._held, held.node, held)
        self._released.setdefault(held.node, []).append(held)
        self.journal.append((held.lock, None))
        self._uncount(held.owner.session)

    def _join(self, waiter: Waiter) -> None:
        for node in waiter.nodes:
            line = self._line.setdefault(node, [])
            line.append(waiter)
            line.sort(key=lambda each: each.order)

    def _remove(self, waiter: Waiter) -> bool:
        there = False
        for node in waiter.nodes:
            if waiter in self._line.get(node, ()):
                there = True
                _take_out(self._line, node, waiter)
                self._moved.add(node)
        return there

    def _waiters(self) -> list[Waiter]:
        return list(dict.fromkeys(waiter for line in self._line.values() for waiter in line))

    def _next_order(self) -> int:
        self._arrivals += 1
        return self._arrivals

    def _count(self, session: int) -> None:
        load = self._load.get(session, 0)
        if load >= LOCKS_PER_SESSION_MAX:
            raise Fault(Code.TOO_MANY, f"a client may hold {LOCKS_PER_SESSION_MAX} locks; release some")
        self._load[session] = load + 1

    def _uncount(self, session: int) -> None:
        load = self._load.get(session, 0) - 1
        if load > 0:
            self._load[session] = load
        else:
            self._load.pop(session, None)


class Asking:
    """A `LockView` for one run of one request that remembers which questions were answered with "blocked"."""

    def __init__(self, table: LockTable) -> None:
        self._table = table
        self.needs: list[Need] = []

    def blocked(self, node: int, session: int, access: Access, ranges: Ranges = ()) -> bool:
        """See LockTable.blocked."""
        return self._ask(session, Need(node, access, ranges), self._table.blocked(node, session, access, ranges))

    def any_lock(self, node: int, session: int) -> bool:
        """See LockTable.any_lock."""
        return self._ask(session, Need(node, None), self._table.any_lock(node, session))

    def holds(self, session: int, lock: int) -> bool:
        """See LockTable.holds."""
        return self._table.holds(session, lock)

    def reserved(self, parent: int, token: bytes, session: int) -> bool:
        """See LockTable.reserved."""
        return self._table.reserved(parent, token, session)

    def _ask(self, session: int, need: Need, blocked: bool) -> bool:
        if blocked:
            self.needs.append(need)
        return blocked


def _take_out(table: dict[int, list[Held]] | dict[int, list[Waiter]], node: int, item: Held | Waiter) -> None:
    items: list[Held] | list[Waiter] = table[node]
    items.remove(item)  # type: ignore[arg-type]
    if not items:
        del table[node]
