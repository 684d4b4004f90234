"""Deletes objects from the store, in a thread, and only while no backup needs them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from functools import partial
from typing import TypeVar

from lucidfs.errors import Fault
from lucidfs.hub.hold import Hold
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
            for name in names:
                try:
                    self._store.delete(name)
                except (OSError, Fault) as error:
                    log.warning("object %016x was not deleted: %s", name.object, error)
                    continue
                gone.add(name)
        return gone
