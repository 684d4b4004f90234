"""Values that every layer shares: identifiers, kinds, roles. No behaviour, no I/O."""

from __future__ import annotations

from enum import IntEnum
from typing import NewType

# Every id is a positive integer below 2**63, so that it fits a signed database column and a Python file id.
NodeId = NewType("NodeId", int)
ObjectId = NewType("ObjectId", int)
FilespaceId = NewType("FilespaceId", int)
WorkspaceId = NewType("WorkspaceId", int)
AccountId = NewType("AccountId", int)
SessionId = NewType("SessionId", int)
LockId = NewType("LockId", int)
Generation = NewType("Generation", int)  # a number that marks one sealing; never used twice for one (origin, frame)
Revision = NewType("Revision", int)  # counts the published contents of one file, from 1


class Kind(IntEnum):
    """What a node is. Stored and sent: append only."""

    FILE = 1
    FOLDER = 2
    LINK = 3
    EXTERNAL = 4


class Role(IntEnum):
    """What an account may do in one filespace; each role includes those before it. Stored and sent: append only."""

    READ = 1
    WRITE = 2
    ADMIN = 3


class LockMode(IntEnum):
    """How a lock excludes others. Stored and sent: append only."""

    SHARED = 1
    EXCLUSIVE = 2


class Access(IntEnum):
    """What an open that asks for no lock is about to do; decides which locks of others it must wait for."""

    NONE = 0
    READ = 1
    WRITE = 2


def id_text(value: int) -> str:
    """An id as users see it: 16 lowercase hex digits."""
    return f"{value:016x}"


def id_value(text: str) -> int:
    """The id that `id_text` printed. Raises ValueError for anything else."""
    if len(text) != 16 or text.strip("0123456789abcdef"):
        raise ValueError(f"not an id: {text!r} (expected 16 lowercase hex digits)")
    return int(text, 16)
