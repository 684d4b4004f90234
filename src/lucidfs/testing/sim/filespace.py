"""The data of a simulated hub: one workspace, one filespace, one account, made from the run's seed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from lucidfs.clock import Clock
from lucidfs.crypto.account import AccountKeys, filespace_id, new_filespace_key, seal_filespace_key
from lucidfs.crypto.token import Token
from lucidfs.hub.bootstrap import DATABASE_FILE, bootstrap
from lucidfs.hub.database.base import Database, FilespaceRow, GrantRow, NodeRow
from lucidfs.hub.database.sqlite import SqliteDatabase
from lucidfs.ids import Ids
from lucidfs.namespace.lookup import descendants
from lucidfs.objects.base import ObjectName
from lucidfs.objects.memory import MemoryStore
from lucidfs.testing.fsck import problems
from lucidfs.types import FilespaceId, Kind, ObjectId, Role


class Prepared(NamedTuple):
    """A data folder in which no hub has run yet."""

    path: Path
    filespace: int
    keys: AccountKeys


def prepare(folder: Path, clock: Clock, random: Callable[[int], bytes]) -> Prepared:
    """Make it below `folder`."""
    keys = AccountKeys(Token.generate(random))
    bootstrap(
        folder, "sim", "sim", keys.key_id, keys.login_public, keys.sealing_public, clock=clock, random=random
    )  # fmt: skip
    key = new_filespace_key(random)
    filespace, root, now_ns = filespace_id(key), Ids(random).take(), clock.now_ns()
    path = folder / DATABASE_FILE
    database = SqliteDatabase(path, durable=False)
    tx = database.begin()
    workspace = tx.workspaces()[0].id
    account = tx.accounts(workspace)[0].id
    tx.insert_filespace(FilespaceRow(filespace, workspace, "files", root, now_ns))
    tx.insert_node(NodeRow(root, filespace, 0, b"", int(Kind.FOLDER), b"", mtime_ns=now_ns, ctime_ns=now_ns))
    sealed = seal_filespace_key(key, filespace, keys.sealing_public, random)
    tx.put_grant(GrantRow(filespace, account, int(Role.ADMIN), sealed))
    database.commit()
    database.close()
    return Prepared(path, filespace, keys)


def check_rows(database: Database, store: MemoryStore, filespace: int) -> list[str]:
    """Everything that fsck finds, and every extent whose bytes are not in the store."""
    with database.read() as tx:
        found = problems(tx, filespace)
        row = tx.filespace(filespace)
        root = None if row is None else tx.node(row.root)
        for node in () if root is None else descendants(tx, root, 1000):
            small = tx.small(node.id)
            for extent in small.extents if small is not None else tx.extents(node.id, 0, 2**62):
                if extent.object and tx.object_data(extent.object) is None:
                    body = store.contents.get(ObjectName(FilespaceId(filespace), ObjectId(extent.object)))
                    if body is None or len(body) < extent.offset + sum(extent.lengths):
                        found.append(f"node {node.id:x} points at object {extent.object:x}, which is not stored")
    return found
