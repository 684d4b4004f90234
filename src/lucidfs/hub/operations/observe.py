"""The rules of observation: who may see what goes on. They change nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from lucidfs.errors import Code, Fault
from lucidfs.hub.database.base import FilespaceRow
from lucidfs.hub.operations.manage import Desk, Outcome, store_url
from lucidfs.hub.sweeper import Uploads
from lucidfs.types import LockMode, Role, id_text, id_value
from lucidfs.wire import management as m
from lucidfs.wire.messages import PROTOCOL_VERSION, LockInfo

_JSON_MAX = 2**63 - 1  # sparse files together can claim more than an integer of JSON libraries holds


def list_locks(desk: Desk, request: m.ListLocks) -> Outcome:
    """Locks of one filespace, held ones first."""
    row = desk.tx.filespace(id_value(request.filespace))
    if row is None or row.workspace != desk.account.workspace:
        raise Fault(Code.NOT_FOUND, f"there is no filespace {request.filespace} in this workspace")
    if not desk.account.admin and desk.tx.grant(row.id, desk.account.id) is None:
        raise Fault(Code.DENIED, f"the account {desk.account.name} has no role in that filespace")
    return Outcome(m.LockList(locks=[_lock_view(row, info) for info in desk.live.locks(row.id)]))


def get_status(desk: Desk, request: m.GetStatus) -> Outcome:
    """The hub's numbers, and what the account may see of filespaces and clients."""
    live = desk.live
    roles = {grant.filespace: grant.role for grant in desk.tx.grants_of_account(desk.account.id)}
    rows = [row for row in desk.tx.filespaces(desk.account.workspace) if desk.account.admin or row.id in roles]
    everywhere = [row.id for workspace in desk.tx.workspaces() for row in desk.tx.filespaces(workspace.id)]
    locks = [info for filespace in everywhere for info in live.locks(filespace)]
    held = Counter(info.session for info in locks if not info.waiting)
    status = m.HubStatus(
        version=PROTOCOL_VERSION,
        now=m.time_text(desk.now_ns),
        started=m.time_text(live.started_ns),
        sessions=len(live.sessions),
        locks=held.total(),
        locks_waiting=len(locks) - held.total(),
        changes_waiting=live.changes_waiting,
        uploads=_uploads_view(live.uploads),
        filespaces=[_filespace_status(desk, row) for row in rows],
        clients=_clients(desk, {row.id: row for row in rows}, roles, held),
    )
    return Outcome(status)


def _clients(
    desk: Desk, rows: dict[int, FilespaceRow], roles: dict[int, int], locks: Counter[int]
) -> list[m.ClientView]:
    clients = []
    for number, (caller, connected) in desk.live.sessions.items():
        own = caller.account == desk.account.id
        mine = caller.filespace in rows and (desk.account.admin or roles.get(caller.filespace) == Role.ADMIN)
        session = desk.tx.session(number)
        if session is None or not (own or mine):
            continue
        clients.append(
            m.ClientView(
                session=id_text(number),
                account=caller.account_name,
                filespace=rows[caller.filespace].name if caller.filespace in rows else None,
                since=m.time_text(session.created_ns),
                connected=connected,
                locks=locks[number],
            )
        )
    return sorted(clients, key=lambda client: (client.since, client.session))


def _filespace_status(desk: Desk, row: FilespaceRow) -> m.FilespaceStatus:
    counts, store = desk.tx.counts(row.id), desk.tx.object_store(row.id)
    return m.FilespaceStatus(
        id=id_text(row.id),
        name=row.name,
        files=counts.files,
        folders=counts.folders,
        links=counts.links,
        data_bytes=min(counts.data_bytes, _JSON_MAX),
        storage_bytes=counts.storage_bytes,
        store=None if store is None else store_url(store),
    )


def _uploads_view(uploads: Uploads) -> m.UploadsView:
    return m.UploadsView(
        at=m.time_text(uploads.at_ns) if uploads.at_ns else None,
        objects=uploads.objects,
        bytes=uploads.bytes,
        leftover=uploads.leftover,
        leftover_bytes=uploads.leftover_bytes,
        stuck=uploads.stuck,
        oldest=m.time_text(uploads.oldest_ns) if uploads.oldest_ns else None,
    )


def _lock_view(row: FilespaceRow, info: LockInfo) -> m.LockView:
    return m.LockView(
        lock=id_text(info.lock),
        node=id_text(info.node),
        filespace=id_text(row.id),
        session=id_text(info.session),
        account=info.account,
        mode="exclusive" if info.mode is LockMode.EXCLUSIVE else "shared",
        offset=info.offset,
        length=info.length,
        waiting=info.waiting,
        since=m.time_text(info.since_ns),
    )


OPERATIONS: dict[type[m.Record], Callable[[Desk, Any], Outcome]] = {
    m.ListLocks: list_locks,
    m.GetStatus: get_status,
}
