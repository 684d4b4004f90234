"""Operations that change the tree: the rules of `lucidfs.namespace`, between the locks and the reply.

Each checks locks and rules first and writes last, so that a refusal, or `Blocked`, leaves nothing behind in the
transaction that it shares with the other requests of its group.
"""

from __future__ import annotations

from lucidfs.hub.operations.locking import check_free, check_held, check_unlocked, check_unreserved
from lucidfs.hub.operations.scene import Scene
from lucidfs.namespace import changes
from lucidfs.namespace.tree import entry_of
from lucidfs.types import Access
from lucidfs.wire import messages as m


def create(scene: Scene, request: m.Create) -> m.Created:
    """Make one node."""
    check_held(scene, request.wait)
    filespace = scene.caller.filespace
    if request.at is not None:
        changes.check_place(scene.tx, filespace, request.at, request.parent)
    check_unreserved(scene, request.parent, request.node.token)
    replaced = None
    if request.replace:
        replaced = changes.check_replaced(scene.tx, filespace, request.parent, request.node.token, request.replace)
        check_free(scene, (replaced.id,))
    row = changes.create(scene.tx, filespace, request.parent, request.node, request.content, scene.now_ns, replaced)
    return m.Created(entry_of(row))


def create_folders(scene: Scene, request: m.CreateFolders) -> m.Created:
    """Make a chain of folders."""
    if request.nodes:
        check_unreserved(scene, request.parent, request.nodes[0].token)
    row = changes.create_folders(scene.tx, scene.caller.filespace, request.parent, request.nodes, scene.now_ns)
    return m.Created(entry_of(row))


def delete(scene: Scene, request: m.Delete) -> m.Done:
    """Remove a node, or a folder with all that is in it."""
    check_held(scene, request.wait)
    filespace = scene.caller.filespace
    rows = changes.check_delete(scene.tx, filespace, request)
    check_free(scene, (row.id for row in rows))
    changes.delete(scene.tx, filespace, rows, scene.now_ns)
    return m.Done()


def move(scene: Scene, request: m.Move) -> m.Created:
    """Give a node another place."""
    check_held(scene, request.wait)
    moving = changes.check_move(scene.tx, scene.caller.filespace, request)
    if moving.replaced is None:
        check_unreserved(scene, request.new_parent, request.new_token)
    check_free(scene, (row.id for row in moving if row is not None))
    return m.Created(entry_of(changes.move(scene.tx, request, moving, scene.now_ns)))


def commit(scene: Scene, request: m.Commit) -> m.Committed:
    """Publish the content of a file."""
    check_held(scene, request.wait)
    row = changes.check_commit(scene.tx, scene.caller.filespace, request)
    check_unlocked(scene, row.id, Access.WRITE, request.touched)
    after = changes.commit(scene.tx, row, request, scene.now_ns)
    return m.Committed(after.revision, after.mtime_ns)
