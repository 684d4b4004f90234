"""The requests that the lock table answers, as operations over a transaction like all others.

`acquire` may leave a request in line: the committer runs it again once it was granted.
"""

from __future__ import annotations

from lucidfs.errors import Code, Fault
from lucidfs.hub.database.base import Tx
from lucidfs.hub.exclusion import END, Held, Owner, Waiter
from lucidfs.hub.locks import LockTable
from lucidfs.hub.operations.scene import Caller
from lucidfs.types import Kind, LockMode, Role
from lucidfs.wire.messages import Done, Lock, Locked, Message, Reserve, Unlock, Unlocked, Unreserve

TOKEN_BYTES = 16


def acquire(tx: Tx, table: LockTable, caller: Caller, request: Lock, now_ns: int) -> Waiter:
    """Ask the table for a lock. Raises Fault(NOT_FOUND, IS_A_FOLDER, DENIED, INVALID, ID_TAKEN, TOO_MANY)."""
    if request.mode is LockMode.EXCLUSIVE and caller.role < Role.WRITE:
        raise Fault(Code.DENIED, f"the account {caller.account_name} may only read here: it takes shared locks only")
    _check_ids(request.lock or -1, request.node, request.handle)
    start, end = byte_range(request.offset, request.length)
    node = tx.node(request.node)
    if node is None or node.filespace != caller.filespace:
        raise Fault(Code.NOT_FOUND, "the file to lock is gone")
    if node.kind == Kind.FOLDER:
        raise Fault(Code.IS_A_FOLDER, "folders cannot be locked")
    owner = Owner(caller.session, request.handle)
    return table.acquire(
        Held(
            request.lock, caller.filespace, node.id, owner, request.mode, start, end, caller.account_name, now_ns
        )
    )  # fmt: skip


def granted(waiter: Waiter) -> Locked:
    """The reply to a lock that was granted."""
    assert waiter.ready and waiter.wish is not None
    return Locked(waiter.wish.lock)


def release(table: LockTable, caller: Caller, request: Unlock) -> Unlocked:
    """Give back a handle's locks on a range. Raises Fault(INVALID, TOO_MANY)."""
    _check_ids(request.node, request.handle)
    start, end = byte_range(request.offset, request.length)
    return Unlocked(table.release(request.node, Owner(caller.session, request.handle), start, end))


def reserve(tx: Tx, table: LockTable, caller: Caller, request: Reserve) -> Done:
    """Hold a free name. Raises Fault(NOT_FOUND, NOT_A_FOLDER, INVALID, EXISTS, TOO_MANY)."""
    if len(request.token) != TOKEN_BYTES:
        raise Fault(Code.INVALID, f"a name token has {TOKEN_BYTES} bytes")
    _check_ids(request.parent)
    parent = tx.node(request.parent)
    if parent is None or parent.filespace != caller.filespace:
        raise Fault(Code.NOT_FOUND, "the folder is gone")
    if parent.kind != Kind.FOLDER:
        raise Fault(Code.NOT_A_FOLDER, "only a folder has names to reserve")
    if tx.child(request.parent, request.token) is not None:
        raise Fault(Code.EXISTS, "the name is taken")
    table.reserve(request.parent, request.token, caller.session)
    return Done()


def unreserve(table: LockTable, caller: Caller, request: Unreserve) -> Done:
    """Give a name back."""
    table.unreserve(request.parent, request.token, caller.session)
    return Done()


def give_back(table: LockTable, caller: Caller, request: Message) -> None:
    """Undo a `Lock` or `Reserve` that was granted in memory and could not be stored."""
    if isinstance(request, Lock):
        table.release(request.node, Owner(caller.session, request.handle), *byte_range(request.offset, request.length))
    elif isinstance(request, Reserve):
        table.unreserve(request.parent, request.token, caller.session)


def byte_range(offset: int, length: int) -> tuple[int, int]:
    """[start, end) of a lock request; length 0 reaches to the end. Raises Fault(INVALID)."""
    if not (0 <= offset < END and 0 <= length < END):
        raise Fault(Code.INVALID, f"no byte range: offset {offset}, length {length}")
    return offset, min(offset + length, END) if length else END


def _check_ids(*ids: int) -> None:
    """They fit the database's columns. Nothing else may enter the table: its rows travel with everybody's changes."""
    for each in ids:
        if not 0 <= each < END:
            raise Fault(Code.INVALID, f"{each} is not an id")
