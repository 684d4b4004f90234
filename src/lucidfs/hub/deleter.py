"""Deletes objects from the store, in a thread, and only while no backup needs them."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from functools import partial
from typing import TypeVar

from lucidfs.errors import Fault
from lucidfs.hub.hold import Hold
from lucidfs.limits import STORE_FAILURES_MAX
from lucidfs.objects.base import ObjectName, ObjectStore

log = logging.getLogger(__name__)
T = TypeVar("T")


class Deleter:
    """The only way in which a hub deletes objects.

    Args:
        store: where they are.
        executor: whose thread waits for the store; None: on the loop (simulation).
        hold: asked before each batch.
    """

    def __init__(self, store: ObjectStore, executor: Executor | None, hold: Hold | None = None) -> None:
        self._store = store
        self._executor = executor
        self._hold = hold or Hold(None)
        self._failing = Failing("did not delete")

    async def delete(self, names: Iterable[ObjectName]) -> set[ObjectName]:
        """Delete a batch; those that are gone now. Nothing is deleted while somebody holds all objects."""
        return await self.in_thread(partial(self._delete, list(names)))

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Run what waits for the store."""
        if self._executor is None:
            return work()
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    def _delete(self, names: list[ObjectName]) -> set[ObjectName]:
        gone: set[ObjectName] = set()
        if not names:
            return gone
        with self._hold.deleting() as allowed:
            if not allowed:
                log.info("a backup is under way: %d objects are deleted later", len(names))
                return gone
            failures: Counter[int] = Counter()
            for name in names:
                if failures[name.filespace] >= STORE_FAILURES_MAX:
                    continue  # its store is away: the other filespaces must not wait for it
                try:
                    self._store.delete(name)
                except (OSError, Fault) as error:
                    away = isinstance(error, Fault) and error.passing
                    failures[name.filespace] += STORE_FAILURES_MAX if away else 1
                    self._failing.failed(name.filespace, error)
                    continue
                failures[name.filespace] = 0
                self._failing.worked(name.filespace)
                gone.add(name)
        return gone


class Failing:
    """Filespaces whose store fails: each is logged once when it begins, and once when it is over.

    Args:
        what: what the stores did not do, for the log.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._filespaces: set[int] = set()

    def failed(self, filespace: int, error: Exception) -> None:
        """It failed, maybe again."""
        if filespace not in self._filespaces:
            self._filespaces.add(filespace)
            log.warning("the store of filespace %016x %s: %s; it is tried again", filespace, self._what, error)

    def worked(self, filespace: int) -> None:
        """It worked, maybe again."""
        if filespace in self._filespaces:
            self._filespaces.discard(filespace)
            log.info("the store of filespace %016x works again", filespace)
