"""The hub's database with a power cut in it: before or after a commit, or a commit that the disk refuses."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from lucidfs.hub.database.base import Database, Tx


class PowerCut(BaseException):
    """Ends what the hub does at this very instruction; nothing in the hub may catch it."""


class SimDatabase:
    """A `Database` around the real one.

    Args:
        inner: the real one.
        died: told when the power went; the hub is dead from then on.

    Attributes:
        fuse: commits until something happens; 0: nothing will.
        deed: "before", "after" (the power goes) or "refuse" (the disk is full for once).
    """

    def __init__(self, inner: Database, died: Callable[[], None]) -> None:
        self.inner = inner
        self.fuse = 0
        self.deed = "before"
        self._died = died
        self._off = False

    def read(self) -> AbstractContextManager[Tx]:
        self._check()
        return self.inner.read()

    def begin(self) -> Tx:
        self._check()
        return self.inner.begin()

    def commit(self) -> None:
        self._check()
        if self.fuse:
            self.fuse -= 1
            if not self.fuse:
                self._happen()
        self.inner.commit()

    def rollback(self) -> None:
        self._check()
        self.inner.rollback()

    def close(self) -> None:
        """Also what a crash ends with: what was not committed is gone."""
        self._off = True
        self.inner.close()

    def _happen(self) -> None:
        if self.deed == "refuse":
            self.inner.rollback()
            raise OSError("simulated: the disk is full")
        if self.deed == "after":
            self.inner.commit()
        self._off = True
        self._died()
        raise PowerCut

    def _check(self) -> None:
        if self._off:
            raise PowerCut
