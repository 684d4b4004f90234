"""What the hub does with a request: plain functions of a scene and a message, no await, no clock, no randomness.

`perform` is the way in. Sessions, locks, reservations and grants of objects are the server's; administration is in
`manage`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lucidfs.errors import Code, Fault
from lucidfs.hub.operations import changing, connecting, reading
from lucidfs.hub.operations.scene import Blocked, Caller, LockView, NoLocks, Scene
from lucidfs.wire import messages as m

__all__ = ["OPERATIONS", "Blocked", "Caller", "LockView", "NoLocks", "Operation", "Scene", "check_caller", "perform"]

Operation = Callable[[Scene, Any], m.Message]

OPERATIONS: dict[type[m.Message], Operation] = {
    m.Walk: reading.walk_path,
    m.ListFolder: reading.list_folder,
    m.ListTree: reading.list_tree,
    m.ReadExtents: reading.read_extents,
    m.ReadContent: reading.read_content,
    m.GetStatistics: reading.get_statistics,
    m.ListFilespaces: reading.list_filespaces,
    m.Create: changing.create,
    m.CreateFolders: changing.create_folders,
    m.Delete: changing.delete,
    m.Move: changing.move,
    m.Commit: changing.commit,
    m.GrantExternal: connecting.grant_external,
    m.ListDataStores: connecting.list_data_stores,
    m.GetDataStore: connecting.get_data_store,
    m.ListLinks: connecting.list_links,
    m.SignHead: connecting.sign_head,
    m.AddDataStore: connecting.add_data_store,
    m.RekeyDataStore: connecting.rekey_data_store,
    m.RemoveDataStore: connecting.remove_data_store,
    m.LinkFiles: connecting.link_files,
    m.Relink: connecting.relink,
}


def check_caller(caller: Caller, request: m.Message) -> None:
    """The caller may send this request at all.

    Raises:
        Fault: INVALID for a request about a filespace in a session without one; DENIED below the role it needs.
    """
    kind = type(request)
    if kind is m.ListFilespaces:
        return
    if not caller.filespace:
        raise Fault(Code.INVALID, "this session has no filespace: link one")
    if caller.role < m.REQUESTS[kind].role:
        role = m.REQUESTS[kind].role.name.lower()
        raise Fault(Code.DENIED, f"the account may not do that here: {kind.__name__} needs the role {role!r}")


def perform(scene: Scene, request: m.Message) -> m.Message:
    """Do what a request asks and return the reply.

    Args:
        scene: a write transaction for changes, a snapshot for reads.
        request: one of `OPERATIONS`.

    Raises:
        Fault: refused; nothing was written.
        Blocked: locks of other sessions are in the way; nothing was written.
    """
    check_caller(scene.caller, request)
    return OPERATIONS[type(request)](scene, request)
