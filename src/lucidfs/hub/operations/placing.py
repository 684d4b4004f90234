"""The rules of where a filespace's objects are: moving them to another store, how far that is, and a bucket's keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lucidfs.errors import Code, Fault
from lucidfs.hub.database.base import FilespaceRow, MoveRow, ObjectStoreRow
from lucidfs.hub.operations.live import Progress
from lucidfs.hub.operations.manage import (
    Desk,
    Outcome,
    administered,
    bucket_of,
    filespace_view,
    need_workspace_admin,
    object_store,
)
from lucidfs.hub.stores import place_of, set_place, shown_place, where_of
from lucidfs.objects.s3.bucket import S3Bucket, S3Keys
from lucidfs.types import id_text
from lucidfs.wire import management as m


def check_move(desk: Desk, request: m.MoveStore) -> bool:
    """Raises Fault unless the objects may be moved there: asked also before the new place is tried.

    Returns:
        Whether it is the way back of a move that still copies.
    """
    row = _movable(desk, request.filespace)
    where = where_of(desk.tx, row.id)
    same = _is_at(where.store, request.store)
    if where.moving and same:
        return True
    if where.moving:
        raise Fault(Code.EXISTS, f"the objects of {row.name} are being moved already; they can be moved back")
    if same:
        raise Fault(Code.INVALID, f"the objects of {row.name} are there already")
    if where.move is not None:
        raise Fault(Code.EXISTS, f"the place that the objects of {row.name} left is not empty yet: try again later")
    return False


def move_store(desk: Desk, request: m.MoveStore) -> Outcome:
    back = check_move(desk, request)
    row = _movable(desk, request.filespace)
    where = where_of(desk.tx, row.id)
    if back and where.move is not None:  # the places change their parts: what came since the start goes back too
        set_place(row.id, where.move.place, desk.tx)
        desk.tx.put_object_move(MoveRow(row.id, where.store, desk.now_ns))
    elif (request.store is None) != (desk.tried is None):  # judged as a way back, and meanwhile there was none
        raise Fault(Code.STALE, f"the objects of {row.name} were moved meanwhile: try again")
    else:
        place = None if request.store is None else object_store(desk, row.id, request.store)
        desk.tx.put_object_move(MoveRow(row.id, place, desk.now_ns))
    return get_move(desk, m.GetMove(filespace=id_text(row.id)))


def get_move(desk: Desk, request: m.GetMove) -> Outcome:
    row = administered(desk, request.filespace)
    where = where_of(desk.tx, row.id)
    if where.move is None:
        return Outcome(m.MoveView(state="none", place=shown_place(where.store)))
    progress = desk.live.moves.get(row.id, Progress())
    return Outcome(
        m.MoveView(
            state="copying" if where.moving else "emptying",
            place=shown_place(where.store),
            other=shown_place(where.move.place),
            started=m.time_text(where.move.started_ns),
            switched=None if where.moving else m.time_text(where.move.switched_ns),
            **progress._asdict(),
        )
    )


def rekeyed(desk: Desk, request: m.RekeyStore) -> tuple[S3Bucket, S3Keys, str]:
    """Bucket, new keys and prefix to be tried. Raises Fault unless they may be changed."""
    need_workspace_admin(desk, "change the keys of buckets")
    row = administered(desk, request.filespace)
    here = desk.tx.object_store(row.id)
    if here is None:
        raise Fault(Code.INVALID, f"the objects of {row.name} are in the hub's own folder: there are no keys")
    config = m.BucketConfig(
        bucket=here.bucket,
        access_key=request.access_key,
        secret_key=request.secret_key,
        prefix=here.prefix,
        region=here.region,
        endpoint=here.endpoint,
        virtual_addressing=here.virtual,
    )
    return bucket_of(config)


def rekey_store(desk: Desk, request: m.RekeyStore) -> Outcome:
    bucket, _, _ = rekeyed(desk, request)
    row = administered(desk, request.filespace)
    here = desk.tx.object_store(row.id)
    if here is None or desk.secrets is None or bucket != desk.tried:
        raise Fault(Code.STALE, f"the objects of {row.name} were moved meanwhile: try again")
    sealed = desk.secrets.seal(request.secret_key, place_of(row.id))
    desk.tx.put_object_store(here._replace(access_key=request.access_key, sealed_secret=sealed))
    return Outcome(filespace_view(desk.tx, row, desk.tx.grant(row.id, desk.account.id)))


def _movable(desk: Desk, filespace: str) -> FilespaceRow:
    need_workspace_admin(desk, "move the objects of filespaces")
    return administered(desk, filespace)


def _is_at(row: ObjectStoreRow | None, wanted: m.BucketConfig | None) -> bool:
    if row is None or wanted is None:
        return row is None and wanted is None
    bucket, _, prefix = bucket_of(wanted)
    return row[1:5] == (bucket.name, prefix, bucket.region, bucket.endpoint)


OPERATIONS: dict[type[m.Record], Callable[[Desk, Any], Outcome]] = {
    m.RekeyStore: rekey_store,
    m.MoveStore: move_store,
    m.GetMove: get_move,
}
