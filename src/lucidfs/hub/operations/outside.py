"""The rules of Connect as the management API tells them: those of `connecting`, for an administrator's desk.

Names of files are sealed, so this API can neither make links nor tell their paths; it tells their nodes and objects.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lucidfs.errors import Code, Fault
from lucidfs.hub.operations import connecting
from lucidfs.hub.operations.manage import Desk, Outcome
from lucidfs.hub.operations.scene import Caller, NoLocks, Scene
from lucidfs.types import Role, id_text, id_value
from lucidfs.wire import management as m
from lucidfs.wire import messages


def list_data_stores(desk: Desk, request: m.ListDataStores) -> Outcome:
    """For accounts of the filespace and workspace admins."""
    scene = _scene(desk, request.filespace, Role.READ)
    found = connecting.list_data_stores(scene, messages.ListDataStores())
    return Outcome(m.DataStoreList(data_stores=[_view(store) for store in found.stores]))


def get_data_store(desk: Desk, request: m.GetDataStore) -> Outcome:
    """With its secret: for admins of the filespace."""
    scene = _scene(desk, request.filespace, Role.ADMIN)
    found = connecting.get_data_store(scene, messages.GetDataStore(request.name))
    return Outcome(m.DataStoreSecretView(data_store=_view(found.store), secret_key=found.secret))


def add_data_store(desk: Desk, request: m.AddDataStore) -> Outcome:
    """The API has asked S3 before."""
    scene = _scene(desk, request.filespace, Role.ADMIN)
    store = messages.DataStore(
        desk.fresh_id,
        request.name,
        request.access_key,
        request.bucket_name,
        request.region,
        request.endpoint,
        request.url_expiration_minutes,
        request.use_virtual_addressing,
    )
    connecting.add_data_store(scene, messages.AddDataStore(store, request.secret_key))
    return Outcome(_named(scene, request.name))


def rekey_data_store(desk: Desk, request: m.RekeyDataStore) -> Outcome:
    """The API has asked S3 before."""
    scene = _scene(desk, request.filespace, Role.ADMIN)
    connecting.rekey_data_store(scene, messages.RekeyDataStore(request.name, request.access_key, request.secret_key))
    return Outcome(_named(scene, request.name))


def remove_data_store(desk: Desk, request: m.RemoveDataStore) -> Outcome:
    """Only while nothing is linked from it."""
    connecting.remove_data_store(_scene(desk, request.filespace, Role.ADMIN), messages.RemoveDataStore(request.name))
    return Outcome(m.Done())


def list_external_files(desk: Desk, request: m.ListExternalFiles) -> Outcome:
    """A page of a data store's files, by node."""
    scene = _scene(desk, request.filespace, Role.READ)
    try:
        after = id_value(request.cursor) if request.cursor else 0
    except ValueError:
        raise Fault(Code.INVALID, "cursor: not one of this list") from None
    found = connecting.list_links(scene, messages.ListLinks(request.name, after))
    files = [
        m.ExternalFileView(node=id_text(link.entry.id), object_id=link.place, size=link.entry.size, checksum=link.etag)
        for link in found.links
    ]
    cursor = id_text(found.links[-1].entry.id) if found.more else ""
    return Outcome(m.ExternalFileList(files=files, has_more=found.more, cursor=cursor))


def data_store(desk: Desk, filespace: str, name: str) -> messages.DataStore:
    """A data store that the caller administers, for who asks S3. Raises Fault: NOT_FOUND, DENIED."""
    return connecting.get_data_store(_scene(desk, filespace, Role.ADMIN), messages.GetDataStore(name)).store


def check_administers(desk: Desk, filespace: str) -> None:
    """Raises Fault: NOT_FOUND, DENIED unless the caller may add data stores there."""
    _scene(desk, filespace, Role.ADMIN)


def _scene(desk: Desk, filespace: str, role: Role) -> Scene:
    """The filespace as `connecting` sees it, for a caller who has at least this role or administers the workspace."""
    row = desk.tx.filespace(id_value(filespace))
    if row is None or row.workspace != desk.account.workspace:
        raise Fault(Code.NOT_FOUND, f"there is no filespace {filespace} in this workspace")
    grant = desk.tx.grant(row.id, desk.account.id)
    if not desk.account.admin and (grant is None or grant.role < role):
        raise Fault(
            Code.DENIED, f"the account {desk.account.name} needs the role {m.role_name(role)} in that filespace"
        )
    caller = Caller(0, desk.account.id, desk.account.name, row.id, int(role))
    return Scene(desk.tx, caller, NoLocks(), desk.now_ns, desk.secrets)


def _named(scene: Scene, name: str) -> m.DataStoreView:
    stores = connecting.list_data_stores(scene, messages.ListDataStores()).stores
    return next(_view(store) for store in stores if store.name == name)


def _view(store: messages.DataStore) -> m.DataStoreView:
    return m.DataStoreView(
        name=store.name,
        access_key=store.access_key,
        bucket_name=store.bucket,
        region=store.region,
        endpoint=store.endpoint,
        url_expiration_minutes=store.url_minutes,
        use_virtual_addressing=store.virtual,
        key_id=store.key_id,
        created=m.time_text(store.created_ns),
        files=store.links,
    )


OPERATIONS: dict[type[m.Record], Callable[[Desk, Any], Outcome]] = {
    m.ListDataStores: list_data_stores,
    m.GetDataStore: get_data_store,
    m.AddDataStore: add_data_store,
    m.RekeyDataStore: rekey_data_store,
    m.RemoveDataStore: remove_data_store,
    m.ListExternalFiles: list_external_files,
}
