"""Objects are deleted only while nobody holds them all: a lock of the operating system between hub and backup.

The hub takes it alone for each batch of deletions, and leaves the batch for later when it cannot have it. A backup,
or a check of the object folder, takes it shared for as long as it needs what its snapshot of the database names.
A process that ends, however it ends, has let go.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HOLD_FILE = "objects.hold"


class Hold:
    """The lock of one data folder. Thread-safe: every use opens the file anew.

    Args:
        data: the folder; None: nobody else could hold anything (simulation, tests).
    """

    def __init__(self, data: Path | None) -> None:
        self._path = None if data is None else data / HOLD_FILE

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """While it lasts no object is deleted; waits for a batch of deletions that is under way."""
        with self._locked(fcntl.LOCK_SH):
            yield

    @contextmanager
    def deleting(self) -> Iterator[bool]:
        """Tells whether objects may be deleted while it lasts; False: somebody keeps them, try again later."""
        try:
            with self._locked(fcntl.LOCK_EX | fcntl.LOCK_NB):
                yield True
        except _Kept:
            yield False

    @contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        if self._path is None:
            yield
            return
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(file, how)
            except BlockingIOError:
                raise _Kept from None
            yield
        finally:
            os.close(file)


class _Kept(Exception):
    """Somebody else has the lock."""
