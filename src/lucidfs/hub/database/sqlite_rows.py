"""Statements in, rows out: the one place where the primitives of SQLite meet `apsw` and its errors."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import apsw

from lucidfs.errors import Code, Fault

Row = tuple[Any, ...]
_Bindings = tuple[Any, ...]


class Statements:
    """Runs statements of one connection on one cursor. Not thread-safe: one thread at a time.

    A query of which one row was fetched is still running, and would keep its snapshot beyond a COMMIT. The next
    statement on the same cursor ends it; so BEGIN and COMMIT must come through here too.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        cursor = connection.cursor()
        self._execute = cursor.execute
        self._executemany = cursor.executemany

    def one(self, sql: str, bindings: _Bindings = ()) -> Row | None:
        """The only row, or None. Runs to the end: a statement left half way would hold its snapshot past COMMIT."""
        rows = self._execute(sql, bindings).fetchall()
        return rows[0] if rows else None

    def all(self, sql: str, bindings: _Bindings = ()) -> list[Row]:
        return self._execute(sql, bindings).fetchall()

    def do(self, sql: str, bindings: _Bindings = ()) -> None:
        try:
            self._execute(sql, bindings)
        except apsw.FullError as error:  # a large transaction is written to the log before its end
            raise _full("writing") from error

    def do_unique(self, what: str, sql: str, bindings: _Bindings) -> None:
        """Run an insert or update that a uniqueness rule may refuse. Raises Fault(EXISTS)."""
        try:
            self._execute(sql, bindings)
        except apsw.ConstraintError:
            raise Fault(Code.EXISTS, f"{what} is taken") from None
        except apsw.FullError as error:
            raise _full("writing") from error

    def do_many(self, sql: str, rows: Iterable[_Bindings]) -> None:
        try:
            self._executemany(sql, rows)
        except apsw.FullError as error:
            raise _full("writing") from error


@contextmanager
def as_os_errors(what: str) -> Iterator[None]:
    """Raise what SQLite reports as OSError."""
    try:
        yield
    except apsw.FullError as error:
        raise _full(what) from error
    except apsw.Error as error:
        raise OSError(5, f"{what}: {error}") from error


def _full(what: str) -> OSError:
    return OSError(errno.ENOSPC, f"{what}: no space left for the database")
