"""Requests of the management API that name a bucket: it is asked before they are judged, and nothing is stored if not.

Who may not do it must not make the hub connect anywhere, so the rules are asked first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Protocol

from lucidfs.clock import Clock
from lucidfs.hub import bucket_check
from lucidfs.hub.database.base import Database, Tx
from lucidfs.hub.operations import manage, outside, placing
from lucidfs.hub.operations.manage import Desk
from lucidfs.hub.secrets import Secrets
from lucidfs.hub.settings import HubSettings
from lucidfs.hub.stores import Stores
from lucidfs.objects.s3.bucket import S3Bucket, S3Keys
from lucidfs.types import id_value
from lucidfs.wire import management as m


class Asker(Protocol):
    """What it needs of the hub."""

    clock: Clock
    random: Callable[[int], bytes]
    database: Database
    secrets: Secrets | None
    settings: HubSettings
    store: Stores


async def ask(hub: Asker, request: m.Record, desk: Callable[[Tx], Desk]) -> S3Bucket | None:
    """The bucket that a request names, after it was tried; None: it names none.

    Raises:
        Fault: what the rules refuse, or S3, in its words.
    """
    with hub.database.read() as tx:
        work = _work(hub, request, desk(tx))
    if work is None:
        return None
    return await asyncio.get_running_loop().run_in_executor(None, work)


def _work(hub: Asker, request: m.Record, desk: Desk) -> Callable[[], S3Bucket | None] | None:
    """What is to be done in a thread."""
    if isinstance(request, m.CreateFilespace) and request.store is not None:
        manage.check_creates(desk)
        return partial(_try_place, hub, *manage.bucket_of(request.store))
    if isinstance(request, m.RekeyStore):
        return partial(_try_place, hub, *placing.rekeyed(desk, request))
    if isinstance(request, m.MoveStore):
        back = placing.check_move(desk, request)
        return None if back else _try_move(hub, request, desk)
    if isinstance(request, m.AddDataStore):
        outside.check_administers(desk, request.filespace)
        bucket = S3Bucket(request.bucket_name, request.region, request.endpoint, request.use_virtual_addressing)
        return partial(_try_keys, hub, bucket, S3Keys(request.access_key, request.secret_key))
    if isinstance(request, m.RekeyDataStore):
        store = outside.data_store(desk, request.filespace, request.name)
        bucket = S3Bucket(store.bucket, store.region, store.endpoint, store.virtual)
        return partial(_try_keys, hub, bucket, S3Keys(request.access_key, request.secret_key))
    return None


def _try_move(hub: Asker, request: m.MoveStore, desk: Desk) -> Callable[[], S3Bucket | None]:
    filespace = id_value(request.filespace)
    here = desk.tx.object_store(filespace)
    there = None if request.store is None else manage.object_store(desk, filespace, request.store)
    number = int.from_bytes(hub.random(8), "big") >> 1 or 1

    def work() -> S3Bucket | None:
        bucket = None if request.store is None else _try_place(hub, *manage.bucket_of(request.store))
        bucket_check.check_apart(hub.store.at(here), hub.store.at(there), filespace, number)
        return bucket

    return work


def _try_place(hub: Asker, bucket: S3Bucket, keys: S3Keys, prefix: str) -> S3Bucket:
    private = hub.settings.allow_private_endpoints
    bucket_check.check_bucket(bucket, keys, prefix, clock=hub.clock, random=hub.random, private=private)
    return bucket


def _try_keys(hub: Asker, bucket: S3Bucket, keys: S3Keys) -> S3Bucket:
    bucket_check.check_keys(bucket, keys, clock=hub.clock, private=hub.settings.allow_private_endpoints)
    return bucket
