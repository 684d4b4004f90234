"""One round of reaper and sweeper on the data of a hub that does not run; a running hub does this by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

from lucidfs.clock import Clock
from lucidfs.errors import Code, Fault
from lucidfs.hub.bootstrap import DATABASE_FILE, OBJECTS_FOLDER
from lucidfs.hub.database.base import Database, Tx
from lucidfs.hub.database.sqlite import SqliteDatabase
from lucidfs.hub.deleter import Deleter
from lucidfs.hub.hold import Hold
from lucidfs.hub.reaper import Reaped, Reaper
from lucidfs.hub.secrets import read_secrets
from lucidfs.hub.stores import Stores, looking_into
from lucidfs.hub.sweeper import Sweeper, Uploads
from lucidfs.limits import DEAD_OBJECT_GRACE_S, UPLOAD_GRACE_S
from lucidfs.objects.local import LocalStore

T = TypeVar("T")


class Cleaned(NamedTuple):
    """What was deleted, and what was left."""

    reaped: Reaped
    uploads: Uploads


def clean_hub(
    data: Path, *, clock: Clock, dead_grace_s: float = DEAD_OBJECT_GRACE_S, upload_grace_s: float = UPLOAD_GRACE_S
) -> Cleaned:
    """Delete what nobody needs any more.

    Args:
        data: a hub's data folder; no hub may run on it.
        clock: tells ages.
        dead_grace_s: how long objects that no file uses any more are kept, for readers of old revisions.
        upload_grace_s: how long uploads of clients that are gone are kept.

    Raises:
        Fault: NOT_FOUND without a hub's data; UNAVAILABLE while a hub runs there.
    """
    path = data / DATABASE_FILE
    if not path.exists():
        raise Fault(Code.NOT_FOUND, f"there is no hub's data in {data}")
    database = SqliteDatabase(path)
    try:
        writer, look = _Direct(database), looking_into(database)
        # The hub saw to it that accounts name no private addresses, unless it was allowed.
        local, secrets = LocalStore(data / OBJECTS_FOLDER), read_secrets(data)
        store = Stores(local, look, secrets, clock=clock, random=bytes, private=True)
        deleter = Deleter(store, None, Hold(data))
        reaper = Reaper(writer, deleter, clock=clock, grace_s=dead_grace_s)
        sweeper = Sweeper(writer, database, store, deleter, clock=clock, grace_s=upload_grace_s)

        async def main() -> Cleaned:
            return Cleaned(await reaper.round(), await sweeper.round())

        try:
            return asyncio.run(main())
        finally:
            store.close()
    finally:
        database.close()


class _Direct:
    """Each change is a transaction: nobody else writes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def change(self, apply: Callable[[Tx], T]) -> T:
        try:
            result = apply(self._database.begin())
            self._database.commit()
        finally:
            self._database.rollback()
        return result
