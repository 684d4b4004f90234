"""Sessions outlive connections: who is linked, what was answered, and when silence ends it.

Live sessions are in memory, with a row each so that they survive the hub; ended ones are rows only, kept for clients
that ask what was applied. Ending is immediate here (nothing more is applied: fencing) and durable a group later.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lucidfs.clock import Clock
from lucidfs.hub.database.base import SessionRow, Tx
from lucidfs.hub.operations.scene import Caller

if TYPE_CHECKING:
    from lucidfs.hub.connection import HubConnection
    from lucidfs.hub.requests import Change


@dataclass(eq=False)
class Session:
    """One live session."""

    caller: Caller
    seen_s: float  # monotonic time of the last request
    connection: HubConnection | None = None
    running: dict[int, Change] = field(default_factory=dict)  # by sequence number
    replies: dict[int, bytes] = field(default_factory=dict)  # applied and durable, not acked
    acked: int = 0
    forgotten: int = 0  # replies up to here are deleted, or will be with the group under way
    ended: str = ""  # why; not empty: nothing of it is applied any more

    @property
    def id(self) -> int:
        return self.caller.session

    def acknowledge(self, acked: int) -> None:
        """The client has seen every reply up to `acked`."""
        if acked > self.acked:
            self.acked = acked
            for seq in [seq for seq in self.replies if seq <= acked]:
                del self.replies[seq]


class Sessions:
    """The live sessions of a hub. Used on the loop only.

    Args:
        clock: tells silence.
        limit_s: silence after which a session is expired.
    """

    def __init__(self, clock: Clock, limit_s: float) -> None:
        self._clock = clock
        self._limit_s = limit_s
        self._live: dict[int, Session] = {}
        self._swept_s = clock.monotonic_s()

    def __len__(self) -> int:
        return len(self._live)

    def __iter__(self) -> Iterator[Session]:
        return iter(list(self._live.values()))

    def load(self, tx: Tx) -> list[SessionRow]:
        """Take over the sessions of an earlier run; each has the full limit to come back.

        Returns those whose account may no longer use them: they must be ended.
        """
        unusable = []
        for row in tx.live_sessions():
            caller = _caller_of(tx, row)
            if caller is None:
                unusable.append(row)
                continue
            session = self.add(caller)
            session.replies = dict(tx.replies(row.id))
        return unusable

    def add(self, caller: Caller) -> Session:
        """A session that has a row."""
        session = self._live[caller.session] = Session(caller, self._clock.monotonic_s())
        return session

    def find(self, session: int) -> Session | None:
        """The live session of this id."""
        return self._live.get(session)

    def of(self, account: int, filespace: int = 0) -> Iterable[Session]:
        """Live sessions of an account, in one filespace or (0) all."""
        return [
            session
            for session in self
            if session.caller.account == account and filespace in (0, session.caller.filespace)
        ]

    def seen(self, session: Session) -> None:
        """It gave a sign of life."""
        session.seen_s = self._clock.monotonic_s()

    def remove(self, session: Session) -> None:
        """It ended."""
        self._live.pop(session.id, None)

    def silent(self) -> list[Session]:
        """Sessions that were silent for the limit. To be asked every `limit_s / 8` or so.

        When the hub itself was away (stopped, suspended, starved) it could not hear anybody: that time does not
        count, else all clients would be expired at once for a fault that is not theirs.
        """
        now_s = self._clock.monotonic_s()
        pause_s, self._swept_s = now_s - self._swept_s, now_s
        if pause_s > self._limit_s / 4:
            for session in self:
                session.seen_s = min(now_s, session.seen_s + pause_s)
        return [session for session in self if now_s - session.seen_s >= self._limit_s]


def _caller_of(tx: Tx, row: SessionRow) -> Caller | None:
    account = tx.account(row.account)
    if account is None or account.revoked_ns:
        return None
    if not row.filespace:
        return Caller(row.id, account.id, account.name, 0, 0)
    grant = tx.grant(row.filespace, account.id)
    if grant is None:
        return None
    return Caller(row.id, account.id, account.name, row.filespace, grant.role)
