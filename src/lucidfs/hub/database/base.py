"""The `Database` waist: one writer with group commit, readers that see committed state only, typed primitives.

Contract, held by the suite in `lucidfs.testing.database_suite`:
- `begin` gives the one write transaction; it collects any number of changes until `commit` (durable, through an
  fsync, when it returns) or `rollback`. `commit` may run in another thread than the one that wrote, while reads go
  on; nothing else may be called on the write transaction meanwhile.
- `read` gives a snapshot of committed state. Reads may nest, and come from any thread; a `Tx` stays in its thread.
- A write transaction sees its own writes. Counters and folder touches are gathered and written once, in `commit`.
- A primitive that breaks a uniqueness rule raises `Fault(EXISTS)` and changes nothing; all else is the callers' duty.
- No primitive knows what a request is; rules live in `lucidfs.namespace` and `lucidfs.hub.operations`.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from lucidfs.namespace.tree import CONDEMNED, SPENT, Counts, ExternalRow, NodeRow, ObjectRow, SmallContent, Tree
from lucidfs.wire.messages import Extent

__all__ = [
    "CONDEMNED",
    "SPENT",
    "AccountRow",
    "Counts",
    "DataStoreRow",
    "Database",
    "ExternalRow",
    "FilespaceRow",
    "GrantRow",
    "LockRow",
    "MoveRow",
    "NodeRow",
    "ObjectRow",
    "ObjectStoreRow",
    "SessionRow",
    "SmallContent",
    "Tx",
    "WorkspaceRow",
]


class WorkspaceRow(NamedTuple):
    id: int
    name: str  # unique in the database
    created_ns: int


class AccountRow(NamedTuple):
    """A service account. The hub has public keys only."""

    id: int
    workspace: int
    name: str  # unique in the workspace, revoked accounts included
    key_id: str  # 16 lowercase hex digits, unique in the database
    login_public: bytes
    sealing_public: bytes
    admin: bool  # of the workspace: makes accounts and filespaces
    created_ns: int
    revoked_ns: int = 0  # 0: not revoked


class FilespaceRow(NamedTuple):
    id: int
    workspace: int
    name: str  # unique in the workspace
    root: int  # node id of the root folder
    created_ns: int


class GrantRow(NamedTuple):
    """What an account may do in a filespace, and the filespace's key sealed to the account."""

    filespace: int
    account: int
    role: int  # a Role
    sealed_key: bytes


class SessionRow(NamedTuple):
    id: int
    account: int
    filespace: int  # 0: of the workspace only
    created_ns: int  # when the client came; a session in place of an expired one has that one's
    ended_ns: int = 0  # 0: live. An ended session's replies are kept REPLIES_KEPT_S


class LockRow(NamedTuple):
    id: int
    filespace: int
    session: int
    node: int
    handle: int
    mode: int  # a LockMode
    offset: int
    length: int  # 0: to the end, however far
    account: str  # name of the account that holds it
    since_ns: int


class DataStoreRow(NamedTuple):
    """An S3 bucket that a filespace links objects of. The secret is sealed by `lucidfs.hub.secrets`."""

    id: int
    filespace: int
    name: str  # unique in the filespace
    access_key: str
    sealed_secret: bytes
    bucket: str
    region: str
    endpoint: str  # "": AWS
    url_minutes: int  # life of signed URLs
    virtual: bool  # the bucket stands in the host name
    key_id: str  # of the key that sealed the secret
    created_ns: int
    links: int = 0  # external files; kept by the primitives of the tree


class ObjectStoreRow(NamedTuple):
    """The bucket that holds a filespace's objects."""

    filespace: int
    bucket: str
    prefix: str  # of every key; empty or ending with a slash
    region: str
    endpoint: str  # "": AWS
    virtual: bool  # the bucket stands in the host name
    access_key: str
    sealed_secret: bytes  # by `lucidfs.hub.secrets`
    gone_ns: int = 0  # when the filespace was deleted; 0: it is there


class MoveRow(NamedTuple):
    """A filespace whose objects go to another place (docs/decisions/0014-move-store.md).

    While it copies, `place` is where they go and new ones are put; once it has switched, it is the place that was left.
    """

    filespace: int
    place: ObjectStoreRow | None  # None: the hub's own folder
    started_ns: int
    switched_ns: int = 0  # 0: it copies


class Tx(Tree, Protocol):
    """One transaction: the tree's primitives and those of the rest of the hub. Lists are ordered by id or name."""

    # objects, beyond what the tree needs
    def object_data(self, object: int) -> bytes | None:
        """The bytes of an object that stands in the database; None: unknown, or it stands in the store."""
        ...

    def dead_objects(self, before_ns: int, limit: int, skip: Collection[int] = ()) -> list[ObjectRow]:
        """Objects dead since before `before_ns`, and condemned ones that a crash left; oldest first.

        Those of the filespaces in `skip` are left out.
        """
        ...

    def delete_object(self, object: int) -> None: ...

    # what may be packed
    def small_files(self, filespace: int, before_ns: int, limit: int) -> list[NodeRow]:
        """Files last written before, whose small content has PACK_SMALL_BYTES or more; those written first come first.

        The order among those of one moment is by id.
        """
        ...

    def held_objects(self, filespace: int, after: int, limit: int) -> list[ObjectRow]:
        """Objects with id > `after` that are used and stand in the database, by id."""
        ...

    def sparse_objects(self, filespace: int, after: int, limit: int) -> list[ObjectRow]:
        """Objects with id > `after` in the store of which something is used, but less than half, by id."""
        ...

    def extents_in(self, object: int, limit: int) -> list[tuple[int, Extent]]:
        """(node, extent) of up to `limit` extents that use an object, by node and place."""
        ...

    def forget_spent(self, before_ns: int, limit: int) -> int:
        """Delete up to `limit` rows of objects whose bytes are gone since before. Returns how many."""
        ...

    def counts(self, filespace: int) -> Counts: ...

    # sessions and stored replies
    def insert_session(self, row: SessionRow) -> None: ...

    def session(self, session: int) -> SessionRow | None: ...

    def live_sessions(self) -> list[SessionRow]: ...

    def end_session(self, session: int, now_ns: int) -> None:
        """Mark it ended and delete its locks; its replies stay. Ending twice, or an unknown one, does nothing."""
        ...

    def delete_sessions(self, ended_before_ns: int, limit: int) -> int:
        """Forget up to `limit` sessions that ended before, with their replies. Returns how many."""
        ...

    def put_reply(self, session: int, seq: int, reply: bytes) -> None: ...

    def reply(self, session: int, seq: int) -> bytes | None: ...

    def replies(self, session: int) -> list[tuple[int, bytes]]:
        """All stored (seq, reply) of a session, in order."""
        ...

    def forget_replies(self, session: int, acked: int) -> None:
        """Delete the replies of a session with seq <= `acked`."""
        ...

    # locks
    def insert_lock(self, row: LockRow) -> None: ...

    def delete_lock(self, lock: int) -> None: ...

    def locks(self) -> list[LockRow]:
        """Every lock that is held, in the order in which they were granted."""
        ...

    # workspaces and accounts
    def insert_workspace(self, row: WorkspaceRow) -> None: ...

    def workspace(self, workspace: int) -> WorkspaceRow | None: ...

    def workspaces(self) -> list[WorkspaceRow]: ...

    def insert_account(self, row: AccountRow) -> None: ...

    def account(self, account: int) -> AccountRow | None: ...

    def account_by_key(self, key_id: str) -> AccountRow | None:
        """The account that logs in with this key, revoked or not."""
        ...

    def account_by_name(self, workspace: int, name: str) -> AccountRow | None: ...

    def accounts(self, workspace: int) -> list[AccountRow]: ...

    def update_account(self, row: AccountRow) -> None:
        """Write every column of the account with this id (rotation, revocation, rename, admin)."""
        ...

    # filespaces and grants
    def insert_filespace(self, row: FilespaceRow) -> None:
        """With its counters at zero; the root node is inserted by the caller."""
        ...

    def filespace(self, filespace: int) -> FilespaceRow | None: ...

    def filespace_by_name(self, workspace: int, name: str) -> FilespaceRow | None: ...

    def filespaces(self, workspace: int) -> list[FilespaceRow]: ...

    def rename_filespace(self, filespace: int, name: str) -> None: ...

    def delete_filespace(self, filespace: int, now_ns: int) -> None:
        """Remove it with its nodes, extents, counters, locks and grants; its objects are dead from `now_ns` on."""
        ...

    def put_grant(self, row: GrantRow) -> None:
        """Insert, or replace the grant of this account in this filespace."""
        ...

    def grant(self, filespace: int, account: int) -> GrantRow | None: ...

    def grants_of_account(self, account: int) -> list[GrantRow]: ...

    def grants_of_filespace(self, filespace: int) -> list[GrantRow]: ...

    def delete_grant(self, filespace: int, account: int) -> None: ...

    # data stores
    def insert_data_store(self, row: DataStoreRow) -> None: ...

    def data_store(self, store: int) -> DataStoreRow | None: ...

    def data_store_by_name(self, filespace: int, name: str) -> DataStoreRow | None: ...

    def data_stores(self, filespace: int) -> list[DataStoreRow]: ...

    def rekey_data_store(self, store: int, access_key: str, sealed_secret: bytes, key_id: str) -> None: ...

    def delete_data_store(self, store: int) -> None:
        """Its external files are the caller's to remove first."""
        ...

    def externals(self, store: int, after: int, limit: int) -> list[ExternalRow]:
        """External files of a data store with node > `after`, by node."""
        ...

    def count_externals(self, store: int) -> int:
        """The same, counted row by row: for who checks `DataStoreRow.links`."""
        ...

    # object stores
    def put_object_store(self, row: ObjectStoreRow) -> None: ...

    def object_store(self, filespace: int) -> ObjectStoreRow | None:
        """The bucket of a filespace, also of one that is gone; None: the hub's own folder."""
        ...

    def delete_object_store(self, filespace: int) -> None: ...

    def has_objects(self, filespace: int) -> bool:
        """Whether any object of a filespace has a row that is not spent."""
        ...

    def put_object_move(self, row: MoveRow) -> None:
        """Insert, or replace the one of the filespace."""
        ...

    def object_move(self, filespace: int) -> MoveRow | None: ...

    def object_moves(self) -> list[MoveRow]: ...

    def delete_object_move(self, filespace: int) -> None: ...

    # settings
    def setting(self, key: str) -> bytes | None:
        """A value that the hub keeps for itself, for example the gateway's signing key."""
        ...

    def put_setting(self, key: str, value: bytes) -> None: ...

    # for who looks at everything: fsck, sweeper, backup
    def damage(self) -> list[str]:
        """What the database finds wrong with its own pages, indexes and references; reads all of it."""
        ...

    def strays(self) -> list[tuple[str, int]]:
        """Rows of things that are not there: (what it is, id). Extents, counters, replies, locks, sessions."""
        ...

    def all_nodes(self, after: int, limit: int) -> list[NodeRow]:
        """Nodes of all filespaces with id > `after`, by id."""
        ...

    def all_objects(self, after: int, limit: int) -> list[ObjectRow]:
        """Objects of all filespaces with id > `after`, by id."""
        ...

    def object_filespaces(self) -> list[int]:
        """Filespaces that are there, and those that are gone but have rows of objects."""
        ...


class Database(Protocol):
    """A durable store of rows with one writer."""

    def read(self) -> AbstractContextManager[Tx]:
        """A snapshot of committed state, as it is at the first primitive that is used."""
        ...

    def begin(self) -> Tx:
        """The write transaction. One at a time; the caller must end it by `commit` or `rollback`."""
        ...

    def commit(self) -> None:
        """End the write transaction durably. Raises OSError if that failed; then everything is rolled back."""
        ...

    def rollback(self) -> None:
        """Undo the write transaction. Does nothing when there is none."""
        ...

    def close(self) -> None:
        """Roll back what is not committed and give everything back. Repeat: no-op."""
        ...
