"""Looks at a whole SQLite database: its own checks, rows that belong to nothing, and what has objects."""

from __future__ import annotations

from lucidfs.hub.database.sqlite_rows import Statements
from lucidfs.types import Kind

# Jumps from one filespace to the next along the index: the number of objects does not count.
_OBJECT_FILESPACES = (
    "WITH RECURSIVE each (id) AS (SELECT min(filespace) FROM object UNION ALL"
    " SELECT (SELECT min(filespace) FROM object WHERE filespace > each.id) FROM each WHERE each.id IS NOT NULL)"
    " SELECT id FROM each WHERE id IS NOT NULL UNION SELECT id FROM filespace UNION SELECT filespace FROM object_store"
    " UNION SELECT filespace FROM object_move"
    " ORDER BY 1"
)
_LIVE = "SELECT id FROM session WHERE ended_ns = 0"
_STRAYS = {
    "extents of a node": "SELECT DISTINCT node FROM extent WHERE node NOT IN (SELECT id FROM node)",
    "counters of a filespace": "SELECT filespace FROM counts WHERE filespace NOT IN (SELECT id FROM filespace)",
    "nodes of a filespace": "SELECT DISTINCT filespace FROM node WHERE filespace NOT IN (SELECT id FROM filespace)",
    "living objects of a filespace": (
        "SELECT DISTINCT filespace FROM object WHERE live > 0 AND filespace NOT IN (SELECT id FROM filespace)"
    ),
    "an external file of a node": (
        f"SELECT node FROM external WHERE node NOT IN (SELECT id FROM node WHERE kind = {int(Kind.EXTERNAL)})"
    ),
    "an external file of a data store": (
        "SELECT node FROM external WHERE store > 0 AND store NOT IN (SELECT id FROM data_store)"
    ),
    "a data store of a filespace": "SELECT id FROM data_store WHERE filespace NOT IN (SELECT id FROM filespace)",
    "a bucket of a filespace": (
        "SELECT filespace FROM object_store WHERE gone_ns = 0 AND filespace NOT IN (SELECT id FROM filespace)"
    ),
    "replies of a session": "SELECT DISTINCT session FROM reply WHERE session NOT IN (SELECT id FROM session)",
    "locks of a session": f"SELECT DISTINCT session FROM lock WHERE session NOT IN ({_LIVE})",
    "a session of an account": "SELECT account FROM session WHERE account NOT IN (SELECT id FROM account)",
}


class SqliteAudit:
    """What `lucidfs.hub.fsck` asks beyond the tree, on one connection."""

    _run: Statements

    def damage(self) -> list[str]:
        found = [str(row[0]) for row in self._run.all("PRAGMA integrity_check")]
        broken = self._run.all("PRAGMA foreign_key_check")
        return [text for text in found if text != "ok"] + [f"{row[0]} refers to no {row[2]}" for row in broken]

    def strays(self) -> list[tuple[str, int]]:
        return [(what, row[0]) for what, sql in _STRAYS.items() for row in self._run.all(sql)]

    def object_filespaces(self) -> list[int]:
        return [row[0] for row in self._run.all(_OBJECT_FILESPACES)]
