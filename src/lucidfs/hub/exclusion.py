"""What stands in whose way: locks, plain requests and their places in line, as values with pure rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from lucidfs.hub.database.base import LockRow
from lucidfs.types import Access, LockMode
from lucidfs.wire.messages import LockInfo

END = 2**63  # end of a range that reaches to the end of the file, however far

Ranges = Sequence[tuple[int, int]] | None  # see `operations.scene.LockView.blocked`


class Owner(NamedTuple):
    """Who a lock belongs to: a handle of a session."""

    session: int
    handle: int


@dataclass(eq=False)
class Held:
    """A lock that is held, or was released in the transaction under way."""

    lock: int
    filespace: int
    node: int
    owner: Owner
    mode: LockMode
    start: int
    end: int
    account: str
    since_ns: int

    def overlaps(self, start: int, end: int) -> bool:
        return self.start < end and start < self.end

    def asks_the_same(self, other: Held) -> bool:
        """Whether the two are one wish, made twice."""
        return (self.node, self.owner, self.mode, self.start, self.end) == (
            other.node, other.owner, other.mode, other.start, other.end
        )  # fmt: skip

    @property
    def whole(self) -> bool:
        """Whether it covers every byte that the file can ever have."""
        return self.start == 0 and self.end == END

    def excludes(self, other: Held) -> bool:
        """Whether the two cannot be held together. Symmetric."""
        return (
            self.owner != other.owner
            and LockMode.EXCLUSIVE in (self.mode, other.mode)
            and self.overlaps(other.start, other.end)
        )


class Need(NamedTuple):
    """A question of a plain request that was answered with "blocked". `access` None: no lock at all is allowed."""

    node: int
    access: Access | None
    ranges: Ranges = ()

    def blocked_by(self, held: Held) -> bool:
        """Whether a lock of another session is in the way."""
        if self.access is None:
            return True
        if self.access is Access.READ:
            return held.mode is LockMode.EXCLUSIVE and held.whole
        if self.access is Access.WRITE:
            if self.ranges is None:
                return held.whole
            return not self.ranges or any(held.overlaps(start, end) for start, end in self.ranges)
        return False


@dataclass(eq=False)
class Waiter:
    """A place in line: for a lock (`wish`), or of a plain request (`needs`)."""

    order: int
    session: int
    nodes: tuple[int, ...]
    wish: Held | None = None
    needs: list[Need] = field(default_factory=list)
    ready: bool = False  # granted; or nothing was in the way when the line last moved
    on_ready: Callable[[], None] | None = None  # for the owner of the table: called by whoever runs `advance`


def would_block(lock: Held, waiter: Waiter) -> bool:
    """Whether `lock`, held, is in the way of a waiter."""
    if waiter.wish is not None:
        return lock.excludes(waiter.wish)
    if lock.owner.session == waiter.session:
        return False
    return any(need.node == lock.node and need.blocked_by(lock) for need in waiter.needs)


def row_of(held: Held) -> LockRow:
    """A lock as the database keeps it."""
    length = 0 if held.end == END else held.end - held.start
    session, handle = held.owner
    return LockRow(
        held.lock,
        held.filespace,
        session,
        held.node,
        handle,
        int(held.mode),
        held.start,
        length,
        held.account,
        held.since_ns,
    )


def held_of(row: LockRow) -> Held:
    """A lock as the database kept it."""
    end = row.offset + row.length if row.length else END
    owner = Owner(row.session, row.handle)
    return Held(
        row.id, row.filespace, row.node, owner, LockMode(row.mode), row.offset, end, row.account, row.since_ns
    )  # fmt: skip


def info_of(held: Held, *, waiting: bool = False) -> LockInfo:
    """A lock, or a wish for one, as clients see it."""
    length = 0 if held.end == END else held.end - held.start
    session, handle = held.owner
    return LockInfo(
        held.lock, held.node, handle, session, held.account, held.mode, held.start, length, waiting, held.since_ns
    )
