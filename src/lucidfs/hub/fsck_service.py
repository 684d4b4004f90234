"""The checker's part beside the tree: who may do what, and who holds what, what is linked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations

from lucidfs.hub.database.base import FilespaceRow, LockRow, Tx
from lucidfs.hub.exclusion import held_of
from lucidfs.types import Role


def check_service(tx: Tx) -> Iterator[tuple[str, str]]:
    """What is wrong with grants and locks: (invariant, text). See `lucidfs.hub.fsck`."""
    for workspace in tx.workspaces():
        for filespace in tx.filespaces(workspace.id):
            yield from _check_grants(tx, filespace)
            yield from _check_data_stores(tx, filespace)
    yield from _check_locks(tx)


def _check_grants(tx: Tx, filespace: FilespaceRow) -> Iterator[tuple[str, str]]:
    grants = tx.grants_of_filespace(filespace.id)
    if not any(grant.role == Role.ADMIN for grant in grants):
        yield "grants", f"nobody is admin of the filespace {filespace.name}"
    for grant in grants:
        account = tx.account(grant.account)
        if account is None or account.revoked_ns or account.workspace != filespace.workspace:
            yield "grants", f"the account {grant.account:016x} may not have a role in {filespace.name}"
        if grant.role not in set(Role) or not grant.sealed_key:
            yield "grants", f"the role of {grant.account:016x} in {filespace.name} has no key or is none"


def _check_data_stores(tx: Tx, filespace: FilespaceRow) -> Iterator[tuple[str, str]]:
    for store in tx.data_stores(filespace.id):
        links = tx.count_externals(store.id)
        if links != store.links:
            yield "external", f"the data store {store.name!r} counts {store.links} external files, there are {links}"


def _check_locks(tx: Tx) -> Iterator[tuple[str, str]]:
    by_node: dict[int, list[LockRow]] = defaultdict(list)
    for row in tx.locks():
        by_node[row.node].append(row)
        session = tx.session(row.session)
        if session is not None and session.filespace != row.filespace:
            yield "locks", f"lock {row.id:016x} is of another filespace than its session"
    for rows in by_node.values():
        for one, other in combinations(map(held_of, rows), 2):
            if one.excludes(other):
                yield "locks", f"locks {one.lock:016x} and {other.lock:016x} exclude each other"
