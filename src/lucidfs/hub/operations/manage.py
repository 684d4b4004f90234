"""The rules of administration: who may make, see and end filespaces, accounts and grants.

Plain functions over one transaction, like those of the tree: no await, no clock, no randomness, every check before
the first write. A workspace admin may do everything; an ADMIN of a filespace may rename and delete it, manage its
grants, and make accounts for it. The hub never sees a key or a token: sealed keys and public keys only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from lucidfs.errors import Code, Fault
from lucidfs.hub.database.base import AccountRow, FilespaceRow, GrantRow, NodeRow, ObjectStoreRow, Tx
from lucidfs.hub.operations.live import NOBODY, Live
from lucidfs.hub.secrets import Secrets
from lucidfs.hub.stores import place_of, shown_place
from lucidfs.objects.s3.bucket import S3Bucket, S3Keys, check_key
from lucidfs.types import Kind, Role, id_text, id_value
from lucidfs.wire import management as m


class Desk(NamedTuple):
    """What an operation may look at and change.

    Args:
        tx: the transaction; a read-only one for requests that change nothing.
        account: who asks; not revoked.
        now_ns: wall time.
        fresh_id: a random number for what the operation makes.
        live: what the hub knows beside the database.
        secrets: seals the keys of buckets; None: this hub keeps none.
        tried: the bucket that the request names, which answered.
    """

    tx: Tx
    account: AccountRow
    now_ns: int
    fresh_id: int
    live: Live = NOBODY
    secrets: Secrets | None = None
    tried: S3Bucket | None = None


class Ended(NamedTuple):
    """Sessions that must end before the change is answered: an account's, in one filespace or (0) everywhere."""

    account: int
    filespace: int
    reason: str


class Outcome(NamedTuple):
    """A reply, and whose sessions end with it."""

    reply: m.Record
    ended: tuple[Ended, ...] = ()


def get_self(desk: Desk, request: m.GetSelf) -> Outcome:
    return Outcome(account_view(desk.tx, desk.account))


# --- filespaces -------------------------------------------------------------------------------------------------


def list_filespaces(desk: Desk, request: m.ListFilespaces) -> Outcome:
    grants = {grant.filespace: grant for grant in desk.tx.grants_of_account(desk.account.id)}
    rows = [r for r in desk.tx.filespaces(desk.account.workspace) if desk.account.admin or r.id in grants]
    return Outcome(m.FilespaceList(filespaces=[filespace_view(desk.tx, row, grants.get(row.id)) for row in rows]))


def create_filespace(desk: Desk, request: m.CreateFilespace) -> Outcome:
    need_workspace_admin(desk, "create filespaces")
    identity, root = id_value(request.id), id_value(request.root)
    if not identity or not root:
        raise Fault(Code.INVALID, "0 is not an id")
    _need_free_name(desk, request.name)
    if desk.tx.filespace(identity) is not None or desk.tx.object_store(identity) or desk.tx.object_move(identity):
        raise Fault(Code.ID_TAKEN, f"the filespace id {request.id} is taken")
    if desk.tx.node(root) is not None:
        raise Fault(Code.ID_TAKEN, f"the node id {request.root} is taken")
    store = None if request.store is None else object_store(desk, identity, request.store)
    row = FilespaceRow(identity, desk.account.workspace, request.name, root, desk.now_ns)
    grant = GrantRow(identity, desk.account.id, int(Role.ADMIN), request.sealed_key)
    desk.tx.insert_filespace(row)
    desk.tx.insert_node(
        NodeRow(root, identity, 0, b"", int(Kind.FOLDER), b"", mtime_ns=desk.now_ns, ctime_ns=desk.now_ns)
    )
    desk.tx.put_grant(grant)
    if store is not None:
        desk.tx.put_object_store(store)
    return Outcome(filespace_view(desk.tx, row, grant))


def check_creates(desk: Desk) -> None:
    """Raises Fault(DENIED) unless the caller may create filespaces."""
    need_workspace_admin(desk, "create filespaces")


def bucket_of(config: m.BucketConfig) -> tuple[S3Bucket, S3Keys, str]:
    """What a configuration names, and the prefix of every key. Raises Fault(INVALID), naming the field."""
    bucket = S3Bucket(config.bucket, config.region, config.endpoint, config.virtual_addressing)
    if not config.access_key or not config.secret_key:
        raise Fault(Code.INVALID, "access_key, secret_key: empty")
    prefix = config.prefix.strip("/")
    if prefix:
        prefix += "/"
        check_key(prefix + "0" * 33)
    return bucket, S3Keys(config.access_key, config.secret_key), prefix


def object_store(desk: Desk, filespace: int, config: m.BucketConfig) -> ObjectStoreRow:
    """The row for a filespace's bucket, its secret sealed. Raises Fault: INVALID, UNSUPPORTED."""
    if desk.secrets is None:
        raise Fault(Code.UNSUPPORTED, "this hub keeps no secrets, so it cannot use buckets")
    bucket, keys, prefix = bucket_of(config)
    sealed = desk.secrets.seal(keys.secret_key, place_of(filespace))
    return ObjectStoreRow(
        filespace, bucket.name, prefix, bucket.region, bucket.endpoint, bucket.virtual, keys.access_key, sealed
    )


def rename_filespace(desk: Desk, request: m.RenameFilespace) -> Outcome:
    row = administered(desk, request.filespace)
    if row.name != request.name:
        _need_free_name(desk, request.name)
        desk.tx.rename_filespace(row.id, request.name)
    return Outcome(filespace_view(desk.tx, row._replace(name=request.name), desk.tx.grant(row.id, desk.account.id)))


def delete_filespace(desk: Desk, request: m.DeleteFilespace) -> Outcome:
    row = administered(desk, request.filespace)
    if request.name != row.name:
        raise Fault(Code.INVALID, f"the filespace {request.filespace} is not called {request.name!r}: nothing deleted")
    ended = tuple(Ended(g.account, row.id, "the filespace was deleted") for g in desk.tx.grants_of_filespace(row.id))
    desk.tx.delete_filespace(row.id, desk.now_ns)
    return Outcome(m.Done(), ended)


# --- grants -----------------------------------------------------------------------------------------------------


def list_grants(desk: Desk, request: m.ListGrants) -> Outcome:
    row = administered(desk, request.filespace)
    views = [_grant_view(desk.tx, grant, row) for grant in desk.tx.grants_of_filespace(row.id)]
    return Outcome(m.GrantList(grants=[view for view in views if view is not None]))


def put_grant(desk: Desk, request: m.PutGrant) -> Outcome:
    filespace = administered(desk, request.filespace)
    account = _live_account(desk, request.account)
    role = m.role_value(request.role)
    before = desk.tx.grant(filespace.id, account.id)
    if before is not None and before.role == Role.ADMIN != role:
        _need_other_admin(desk.tx, filespace, account.id)
    grant = GrantRow(filespace.id, account.id, int(role), request.sealed_key)
    desk.tx.put_grant(grant)
    changed = before is not None and before.role != role
    ended = (Ended(account.id, filespace.id, "the account's role changed"),) if changed else ()
    return Outcome(_made_grant_view(grant, filespace, account), ended)


def delete_grant(desk: Desk, request: m.DeleteGrant) -> Outcome:
    filespace = administered(desk, request.filespace)
    account = _account(desk, request.account)
    before = desk.tx.grant(filespace.id, account.id)
    if before is None:
        raise Fault(Code.NOT_FOUND, f"the account {account.name} has no role in {filespace.name}")
    if before.role == Role.ADMIN:
        _need_other_admin(desk.tx, filespace, account.id)
    desk.tx.delete_grant(filespace.id, account.id)
    return Outcome(m.Done(), (Ended(account.id, filespace.id, "the account's role was revoked"),))


# --- accounts ---------------------------------------------------------------------------------------------------


def list_accounts(desk: Desk, request: m.ListAccounts) -> Outcome:
    """Everything for a workspace admin; an ADMIN of filespaces sees all accounts, and the grants in those only."""
    administered = {g.filespace for g in desk.tx.grants_of_account(desk.account.id) if g.role == Role.ADMIN}
    if not desk.account.admin and not administered:
        raise Fault(Code.DENIED, "listing accounts needs a workspace admin, or the role admin in a filespace")
    only = None if desk.account.admin else administered
    rows = desk.tx.accounts(desk.account.workspace)
    return Outcome(m.AccountList(accounts=[account_view(desk.tx, row, only) for row in rows]))


def create_account(desk: Desk, request: m.CreateAccount) -> Outcome:
    if request.workspace_admin or not request.grants:
        need_workspace_admin(desk, "make workspace admins and accounts without a filespace")
    filespaces = [administered(desk, grant.filespace) for grant in request.grants]
    if len({row.id for row in filespaces}) != len(filespaces):
        raise Fault(Code.INVALID, "two grants in one filespace")
    if desk.tx.account_by_name(desk.account.workspace, request.name) is not None:
        raise Fault(Code.EXISTS, f"the account {request.name} is there already (names of revoked ones stay taken)")
    _need_free_key(desk, request.key_id)
    row = AccountRow(
        desk.fresh_id,
        desk.account.workspace,
        request.name,
        request.key_id,
        request.login_public,
        request.sealing_public,
        request.workspace_admin,
        desk.now_ns,
    )
    desk.tx.insert_account(row)
    for filespace, grant in zip(filespaces, request.grants, strict=True):
        desk.tx.put_grant(GrantRow(filespace.id, row.id, int(m.role_value(grant.role)), grant.sealed_key))
    return Outcome(account_view(desk.tx, row))


def revoke_account(desk: Desk, request: m.RevokeAccount) -> Outcome:
    need_workspace_admin(desk, "revoke accounts")
    row = _live_account(desk, request.account)
    if row.admin and not any(a.admin and not a.revoked_ns and a.id != row.id for a in desk.tx.accounts(row.workspace)):
        raise Fault(Code.INVALID, f"{row.name} is the last workspace admin: make another one first")
    grants = desk.tx.grants_of_account(row.id)
    for grant in grants:
        filespace = desk.tx.filespace(grant.filespace)
        if grant.role == Role.ADMIN and filespace is not None:
            _need_other_admin(desk.tx, filespace, row.id)
    for grant in grants:
        desk.tx.delete_grant(grant.filespace, row.id)
    desk.tx.update_account(row._replace(revoked_ns=desk.now_ns))
    return Outcome(m.Done(), (Ended(row.id, 0, "the account was revoked"),))


def rotate_account(desk: Desk, request: m.RotateAccount) -> Outcome:
    row = _live_account(desk, request.account)
    if row.id != desk.account.id:
        need_workspace_admin(desk, "rotate the token of another account")
    sealed = {id_value(key.filespace): key.sealed_key for key in request.keys}
    grants = desk.tx.grants_of_account(row.id)
    if len(sealed) != len(request.keys) or sealed.keys() != {grant.filespace for grant in grants}:
        raise Fault(Code.STALE, f"the roles of {row.name} changed meanwhile: try again")
    _need_free_key(desk, request.key_id)
    rotated = row._replace(
        key_id=request.key_id, login_public=request.login_public, sealing_public=request.sealing_public
    )
    desk.tx.update_account(rotated)
    for grant in grants:
        desk.tx.put_grant(grant._replace(sealed_key=sealed[grant.filespace]))
    return Outcome(account_view(desk.tx, rotated), (Ended(row.id, 0, "the account has a new token"),))


# --- what the operations share ----------------------------------------------------------------------------------


def account_view(tx: Tx, row: AccountRow, only: set[int] | None = None) -> m.AccountView:
    """An account as the API tells it; `only` limits its grants to these filespaces."""
    grants = []
    for grant in tx.grants_of_account(row.id):
        filespace = tx.filespace(grant.filespace)
        if filespace is not None and (only is None or grant.filespace in only):
            grants.append(_made_grant_view(grant, filespace, row))
    return m.AccountView(
        id=id_text(row.id),
        name=row.name,
        key_id=row.key_id,
        login_public=row.login_public,
        sealing_public=row.sealing_public,
        workspace_admin=row.admin,
        revoked=row.revoked_ns != 0,
        created=m.time_text(row.created_ns),
        grants=grants,
    )


def filespace_view(tx: Tx, row: FilespaceRow, grant: GrantRow | None) -> m.FilespaceView:
    """A filespace as the API tells it to whoever has this grant."""
    return m.FilespaceView(
        id=id_text(row.id),
        name=row.name,
        created=m.time_text(row.created_ns),
        role=m.role_name(Role(grant.role)) if grant is not None else None,
        sealed_key=grant.sealed_key if grant is not None else b"",
        store=shown_place(tx.object_store(row.id)),
    )


def _grant_view(tx: Tx, grant: GrantRow, filespace: FilespaceRow) -> m.GrantView | None:
    account = tx.account(grant.account)
    return None if account is None else _made_grant_view(grant, filespace, account)


def _made_grant_view(grant: GrantRow, filespace: FilespaceRow, account: AccountRow) -> m.GrantView:
    return m.GrantView(
        filespace=id_text(filespace.id),
        filespace_name=filespace.name,
        account=id_text(account.id),
        account_name=account.name,
        role=m.role_name(Role(grant.role)),
    )


def need_workspace_admin(desk: Desk, what: str) -> None:
    """Raises Fault(DENIED), naming what was asked for."""
    if not desk.account.admin:
        raise Fault(Code.DENIED, f"the account {desk.account.name} may not {what}: that needs a workspace admin")


def administered(desk: Desk, filespace: str) -> FilespaceRow:
    """The filespace, if the caller administers it."""
    row = desk.tx.filespace(id_value(filespace))
    if row is None or row.workspace != desk.account.workspace:
        raise Fault(Code.NOT_FOUND, f"there is no filespace {filespace} in this workspace")
    grant = desk.tx.grant(row.id, desk.account.id)
    if not desk.account.admin and (grant is None or grant.role != Role.ADMIN):
        raise Fault(Code.DENIED, f"the account {desk.account.name} needs the role admin in that filespace")
    return row


def _account(desk: Desk, account: str) -> AccountRow:
    row = desk.tx.account(id_value(account))
    if row is None or row.workspace != desk.account.workspace:
        raise Fault(Code.NOT_FOUND, f"there is no account {account} in this workspace")
    return row


def _live_account(desk: Desk, account: str) -> AccountRow:
    row = _account(desk, account)
    if row.revoked_ns:
        raise Fault(Code.NOT_FOUND, f"the account {row.name} was revoked")
    return row


def _need_free_name(desk: Desk, name: str) -> None:
    if desk.tx.filespace_by_name(desk.account.workspace, name) is not None:
        raise Fault(Code.EXISTS, f"the filespace {name} is there already")


def _need_free_key(desk: Desk, key_id: str) -> None:
    if desk.tx.account_by_key(key_id) is not None:
        raise Fault(Code.ID_TAKEN, f"the key id {key_id} is taken")


def _need_other_admin(tx: Tx, filespace: FilespaceRow, account: int) -> None:
    """Without an admin, nobody could ever hand out the filespace's key again."""
    if not any(g.role == Role.ADMIN and g.account != account for g in tx.grants_of_filespace(filespace.id)):
        raise Fault(Code.INVALID, f"that is the last admin of {filespace.name}: give the role to another account first")


OPERATIONS: dict[type[m.Record], Callable[[Desk, Any], Outcome]] = {
    m.GetSelf: get_self,
    m.ListFilespaces: list_filespaces,
    m.CreateFilespace: create_filespace,
    m.RenameFilespace: rename_filespace,
    m.DeleteFilespace: delete_filespace,
    m.ListGrants: list_grants,
    m.PutGrant: put_grant,
    m.DeleteGrant: delete_grant,
    m.ListAccounts: list_accounts,
    m.CreateAccount: create_account,
    m.RevokeAccount: revoke_account,
    m.RotateAccount: rotate_account,
}
