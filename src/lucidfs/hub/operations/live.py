"""What a hub knows beside its database, as the rules of observation are given it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from lucidfs.hub.operations.scene import Caller
from lucidfs.hub.sweeper import Uploads
from lucidfs.wire.messages import LockInfo


class Progress(NamedTuple):
    """How far the copying of a filespace's objects to another store is."""

    objects: int = 0  # of those in the old place: in the new one too
    objects_total: int = 0
    bytes: int = 0
    bytes_total: int = 0
    failing: str = ""  # why it does not go on at the moment


class Live(NamedTuple):
    """One moment of a hub.

    Args:
        started_ns: when it started.
        sessions: each live session's caller, and whether it is connected.
        locks: those held and waited for in a filespace.
        changes_waiting: in the queue of the committer.
        uploads: objects without a commit, as the last round of the sweeper found them.
        moves: how far each filespace is that moves to another store.
    """

    started_ns: int
    sessions: Mapping[int, tuple[Caller, bool]]
    locks: Callable[[int], list[LockInfo]]
    changes_waiting: int
    uploads: Uploads
    moves: Mapping[int, Progress] = MappingProxyType({})


def _no_locks(filespace: int) -> list[LockInfo]:
    return []


NOBODY = Live(0, {}, _no_locks, 0, Uploads())
