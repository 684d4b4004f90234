"""Values about filespaces."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class SyncMode(Enum):
    """What `unlink` does first."""

    SYNC_ALL = "all"
    SYNC_NONE = "none"


@dataclass(frozen=True)
class FilespaceInfo:
    """A filespace that the account may link.

    Attributes:
        id: 16 hex digits; linking by id also pins the filespace's key.
        name: short name, unique in the workspace.
        created: ISO 8601, UTC.
    """

    id: str
    name: str
    created: str


@dataclass(frozen=True)
class Pending:
    """What was closed or flushed and is not durable yet.

    Attributes:
        files: number of files.
        bytes: their unsent bytes.
    """

    files: int
    bytes: int


__all__ = ["FilespaceInfo", "Pending", "SyncMode"]
