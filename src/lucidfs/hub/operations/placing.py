"""The rules of where a filespace's objects are: moving them to another store, and how far that is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lucidfs.errors import Code, Fault
from lucidfs.hub.database.base import MoveRow, StoreRow
from lucidfs.hub.operations.live import Progress
from lucidfs.hub.operations.manage import (
    Desk,
    Outcome,
    administered,
    filespace_view,
    need_workspace_admin,
    store_url,
)
from lucidfs.types import id_text
from lucidfs.wire import management as m


def check_move(desk: Desk, request: m.MoveStore) -> bool:
    """Raises Fault unless the objects may be moved there: asked also before the new place is tried.

    Returns:
        Whether it is the way back of a move under way.
    """
    need_workspace_admin(desk, "move the objects of filespaces")
    row = administered(desk, request.filespace)
    here, move = desk.tx.object_store(row.id), desk.tx.object_move(row.id)
    same = _is_at(here, request.store)
    if move is not None and not move.switched_ns:
        if same:
            return True
        raise Fault(Code.EXISTS, f"the objects of {row.name} are being moved already; they can be moved back")
    if same:
        raise Fault(Code.INVALID, f"the objects of {row.name} are there already")
    if move is not None:
        raise Fault(Code.EXISTS, f"the place that the objects of {row.name} left is not empty yet: try again later")
    return False


def check_rekey(desk: Desk, request: m.RekeyStore) -> StoreRow:
    """The bucket that gets other keys. Raises Fault unless it may: asked also before the keys are tried."""
    need_workspace_admin(desk, "change the keys of buckets")
    row = administered(desk, request.filespace)
    here = desk.tx.object_store(row.id)
    if here is None:
        raise Fault(Code.INVALID, f"the objects of {row.name} are in the hub's own folder: there are no keys")
    return here


def rekey_store(desk: Desk, request: m.RekeyStore) -> Outcome:
    here, made = check_rekey(desk, request), desk.store
    row = administered(desk, request.filespace)
    if made is None or made[:5] != here[:5]:
        raise Fault(Code.STALE, f"the objects of {row.name} were moved meanwhile: try again")
    desk.tx.put_object_store(made)
    return Outcome(filespace_view(desk.tx, row, desk.tx.grant(row.id, desk.account.id)))


def wanted_again(row: StoreRow, request: m.RekeyStore) -> m.NewStore:
    """The bucket of a row with the keys of a request, to be tried."""
    return m.NewStore(
        bucket=row.bucket,
        region=row.region,
        access_key=request.access_key,
        secret_key=request.secret_key,
        prefix=row.prefix,
        endpoint=row.endpoint,
        virtual=row.virtual,
    )


def move_store(desk: Desk, request: m.MoveStore) -> Outcome:
    back = check_move(desk, request)
    row = administered(desk, request.filespace)
    here, move = desk.tx.object_store(row.id), desk.tx.object_move(row.id)
    if back and move is not None:  # the two places change their parts: what came since the start goes back too
        if move.place is None:
            desk.tx.delete_object_store(row.id)
        else:
            desk.tx.put_object_store(move.place)
        desk.tx.put_object_move(MoveRow(row.id, here, desk.now_ns))
    elif (desk.store is None) != (request.store is None):  # judged as a way back, and meanwhile there was none
        raise Fault(Code.STALE, f"the objects of {row.name} were moved meanwhile: try again")
    else:
        desk.tx.put_object_move(MoveRow(row.id, desk.store, desk.now_ns))
    return get_move(desk, m.GetMove(filespace=id_text(row.id)))


def get_move(desk: Desk, request: m.GetMove) -> Outcome:
    row = administered(desk, request.filespace)
    here, move = desk.tx.object_store(row.id), desk.tx.object_move(row.id)
    if move is None:
        return Outcome(m.MoveView(state="none", place=_url(here)))
    progress = desk.live.moves.get(row.id, Progress())
    state: m.MoveState = "emptying" if move.switched_ns else "copying"
    return Outcome(
        m.MoveView(
            state=state,
            place=_url(here),
            other=_url(move.place),
            started=m.time_text(move.started_ns),
            switched=m.time_text(move.switched_ns) if move.switched_ns else None,
            objects=progress.objects,
            objects_total=progress.objects_total,
            bytes=progress.bytes,
            bytes_total=progress.bytes_total,
            failing=progress.failing,
        )
    )


def _url(row: StoreRow | None) -> str:
    return "local" if row is None else store_url(row)


def _is_at(row: StoreRow | None, wanted: m.NewStore | None) -> bool:
    if row is None or wanted is None:
        return row is None and wanted is None
    prefix = wanted.prefix.strip("/")
    there = (wanted.bucket, f"{prefix}/" if prefix else "", wanted.region, wanted.endpoint.rstrip("/"))
    return row[1:5] == there


OPERATIONS: dict[type[m.Record], Callable[[Desk, Any], Outcome]] = {
    m.RekeyStore: rekey_store,
    m.MoveStore: move_store,
    m.GetMove: get_move,
}
