"""Sessions, stored replies, locks and settings in SQLite."""

from __future__ import annotations

from lucidfs.hub.database.base import LockRow, SessionRow
from lucidfs.hub.database.sqlite_rows import Statements

_SESSION = "SELECT id, account, filespace, created_ns, ended_ns FROM session "


class SqliteService:
    """What the hub remembers of its clients, on one connection."""

    _run: Statements

    # sessions and replies

    def insert_session(self, row: SessionRow) -> None:
        self._run.do_unique("the session", "INSERT INTO session VALUES (?, ?, ?, ?, ?)", row)

    def session(self, session: int) -> SessionRow | None:
        row = self._run.one(_SESSION + "WHERE id = ?", (session,))
        return None if row is None else SessionRow._make(row)

    def live_sessions(self) -> list[SessionRow]:
        return [SessionRow._make(row) for row in self._run.all(_SESSION + "WHERE ended_ns = 0 ORDER BY id")]

    def end_session(self, session: int, now_ns: int) -> None:
        self._run.do("UPDATE session SET ended_ns = ? WHERE id = ? AND ended_ns = 0", (now_ns, session))
        self._run.do("DELETE FROM lock WHERE session = ?", (session,))

    def delete_sessions(self, ended_before_ns: int, limit: int) -> int:
        sql = "SELECT id FROM session WHERE ended_ns > 0 AND ended_ns < ? ORDER BY ended_ns LIMIT ?"
        old = self._run.all(sql, (ended_before_ns, limit))
        self._run.do_many("DELETE FROM reply WHERE session = ?", old)
        self._run.do_many("DELETE FROM session WHERE id = ?", old)
        return len(old)

    def put_reply(self, session: int, seq: int, reply: bytes) -> None:
        self._run.do("INSERT OR REPLACE INTO reply VALUES (?, ?, ?)", (session, seq, reply))

    def reply(self, session: int, seq: int) -> bytes | None:
        row = self._run.one("SELECT body FROM reply WHERE session = ? AND seq = ?", (session, seq))
        return None if row is None else row[0]

    def replies(self, session: int) -> list[tuple[int, bytes]]:
        rows = self._run.all("SELECT seq, body FROM reply WHERE session = ? ORDER BY seq", (session,))
        return [(row[0], row[1]) for row in rows]

    def forget_replies(self, session: int, acked: int) -> None:
        self._run.do("DELETE FROM reply WHERE session = ? AND seq <= ?", (session, acked))

    # locks

    def insert_lock(self, row: LockRow) -> None:
        self._run.do_unique("the lock's id", "INSERT INTO lock VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)

    def delete_lock(self, lock: int) -> None:
        self._run.do("DELETE FROM lock WHERE id = ?", (lock,))

    def locks(self) -> list[LockRow]:
        rows = self._run.all(
            "SELECT id, filespace, session, node, handle, mode, start, length, account, since_ns FROM lock"
            " ORDER BY since_ns, id"
        )
        return [LockRow._make(row) for row in rows]

    # settings

    def setting(self, key: str) -> bytes | None:
        row = self._run.one("SELECT value FROM setting WHERE key = ?", (key,))
        return None if row is None else row[0]

    def put_setting(self, key: str, value: bytes) -> None:
        self._run.do("INSERT OR REPLACE INTO setting VALUES (?, ?)", (key, value))
