"""What an operation is given: the transaction, who asks, the locks of others, and the time. Nothing else exists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from lucidfs.hub.database.base import Tx
from lucidfs.hub.secrets import Secrets
from lucidfs.types import Access


class Caller(NamedTuple):
    """Whose request it is."""

    session: int
    account: int
    account_name: str
    filespace: int  # 0: a session of the workspace only
    role: int  # a Role; 0 without a filespace


class LockView(Protocol):
    """What operations ask of the locks. `session` is always the asking one; its own locks are never in its way."""

    def blocked(self, node: int, session: int, access: Access, ranges: Sequence[tuple[int, int]] | None) -> bool:
        """Whether locks of other sessions forbid plain use of a node now.

        Args:
            node: the file.
            session: who asks.
            access: READ is stopped by an exclusive lock on the whole file; WRITE by any lock that overlaps `ranges`.
            ranges: bytes [start, end) that are written; empty: all bytes; None: an open that has not written yet,
                which only a lock on the whole file stops.
        """
        ...

    def holds(self, session: int, lock: int) -> bool:
        """Whether the session holds this lock now."""
        ...

    def any_lock(self, node: int, session: int) -> bool:
        """Whether another session holds any lock on the node (it may not be deleted, moved or replaced)."""
        ...

    def reserved(self, parent: int, token: bytes, session: int) -> bool:
        """Whether another session holds this free name."""
        ...


class NoLocks:
    """A `LockView` without locks."""

    def blocked(self, node: int, session: int, access: Access, ranges: Sequence[tuple[int, int]] | None) -> bool:
        return False

    def holds(self, session: int, lock: int) -> bool:
        return False

    def any_lock(self, node: int, session: int) -> bool:
        return False

    def reserved(self, parent: int, token: bytes, session: int) -> bool:
        return False


class Scene(NamedTuple):
    """Everything that an operation may look at or change."""

    tx: Tx
    caller: Caller
    locks: LockView
    now_ns: int
    secrets: Secrets | None = None  # None: a hub without data stores
    private: bool = False  # HTTP links may lead into private networks


class Blocked(Exception):
    """Locks of other sessions are in the way. Nothing was written: run the request again when they change.

    Args:
        nodes: the nodes whose locks are in the way.
    """

    def __init__(self, nodes: Sequence[int]) -> None:
        super().__init__(tuple(nodes))
        self.nodes = tuple(nodes)
