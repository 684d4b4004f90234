"""The first workspace and its admin account, made beside the hub: there is nobody yet who could log in to do it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lucidfs.clock import Clock
from lucidfs.errors import Code, Fault
from lucidfs.hub.database.base import AccountRow, WorkspaceRow
from lucidfs.hub.database.sqlite import SqliteDatabase

DATABASE_FILE = "hub.sqlite"
OBJECTS_FOLDER = "objects"


def bootstrap(
    data: Path,
    workspace: str,
    account: str,
    key_id: str,
    login_public: bytes,
    sealing_public: bytes,
    *,
    clock: Clock,
    random: Callable[[int], bytes],
) -> None:
    """Make a hub's data folder with one workspace and one workspace admin. No secret comes near it.

    Args:
        data: the folder; made (0700) if it is not there.
        workspace: its name.
        account: name of the admin account.
        key_id: of the account's token.
        login_public, sealing_public: the public keys of that token.
        clock: tells when this was.
        random: source of random bytes for ids.

    Raises:
        Fault: EXISTS when the folder has a workspace already; UNAVAILABLE when a hub runs on it.
    """
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    database = SqliteDatabase(data / DATABASE_FILE)
    try:
        now_ns = clock.now_ns()
        tx = database.begin()
        if tx.workspaces():
            raise Fault(Code.EXISTS, f"{data} has a workspace already")
        owner = WorkspaceRow(_fresh_id(random), workspace, now_ns)
        tx.insert_workspace(owner)
        tx.insert_account(
            AccountRow(_fresh_id(random), owner.id, account, key_id, login_public, sealing_public, True, now_ns)
        )
        database.commit()
    finally:
        database.rollback()
        database.close()


def is_bootstrapped(data: Path) -> bool:
    """Whether a hub can be started on this folder. Raises Fault(UNAVAILABLE) when one runs there.

    A database without a workspace, which a crash of `bootstrap` can leave behind, does not count.
    """
    path = data / DATABASE_FILE
    if not path.exists():
        return False
    database = SqliteDatabase(path)
    try:
        with database.read() as tx:
            return bool(tx.workspaces())
    finally:
        database.close()


def _fresh_id(random: Callable[[int], bytes]) -> int:
    return int.from_bytes(random(8), "big") >> 1 or 1
