"""What an administrator and a hub say: JSON requests declared once, each with its place in HTTP and its reply.

Routes, the client's calls and the OpenAPI document derive from `ROUTES`. A request's fields fill the `{…}` of its
path; the rest travel as the JSON body. Ids are 16 hex digits (JSON numbers are not exact beyond 2**53), bytes are
base64, times are ISO 8601 in UTC. Fields are append-only with defaults.
"""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import Annotated, Literal, NamedTuple

import msgspec

from lucidfs.errors import Code
from lucidfs.types import Role

API_PREFIX = "/api/v1"
_END = "$(?!\\n)"  # in Python a bare `$` matches before a newline at the end too; in JSON Schema both mean the end

Id = Annotated[
    str, msgspec.Meta(pattern="^[0-7][0-9a-f]{15}" + _END, description="an id below 2**63: 16 lowercase hex digits")
]
KeyId = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{16}" + _END, description="the public part of a token")]
# Short enough for a DNS label, and without a dot: a full name is `<filespace>.<workspace>`.
FilespaceName = Annotated[
    str,
    msgspec.Meta(pattern="^[A-Za-z0-9][A-Za-z0-9_-]{0,62}" + _END, description="letters, digits, `-`, `_`; at most 63"),
]
WorkspaceName = FilespaceName
DataStoreName = Annotated[str, msgspec.Meta(min_length=1, max_length=255, description="printable characters")]
AccountName = Annotated[
    str,
    msgspec.Meta(
        pattern="^[A-Za-z0-9][A-Za-z0-9_.@-]{0,126}" + _END,
        description="letters, digits, `-`, `_`, `.`, `@`; at most 127",
    ),
]
# Bytes travel as base64. Few readers of the document know its `contentEncoding`, so it has patterns too.
_BASE64_OF_32 = {"pattern": "^[A-Za-z0-9+/]{43}=$"}
_BASE64_OF_64 = {"pattern": "^[A-Za-z0-9+/]{86}==$"}
_BASE64 = {"pattern": "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"}
Nonce = Annotated[
    bytes, msgspec.Meta(min_length=32, max_length=32, description="32 random bytes", extra_json_schema=_BASE64_OF_32)
]
PublicKey = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32, extra_json_schema=_BASE64_OF_32)]
Signature = Annotated[bytes, msgspec.Meta(min_length=64, max_length=64, extra_json_schema=_BASE64_OF_64)]
SealedKey = Annotated[
    bytes,
    msgspec.Meta(
        min_length=1,
        max_length=258,
        description="a filespace key sealed to one account (docs/FORMAT.md)",
        extra_json_schema=_BASE64,
    ),
]
RoleName = Literal["read", "write", "admin"]

_FILESPACE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")


def is_filespace_name(text: str) -> bool:
    """Whether a filespace or workspace may be called so."""
    return _FILESPACE_NAME.fullmatch(text) is not None


def role_value(name: RoleName) -> Role:
    return Role[name.upper()]


def role_name(role: Role) -> RoleName:
    names: dict[Role, RoleName] = {Role.READ: "read", Role.WRITE: "write", Role.ADMIN: "admin"}
    return names[role]


def time_text(nanoseconds: int) -> str:
    """ISO 8601 in UTC, to the second, of nanoseconds since 1970."""
    return datetime.fromtimestamp(nanoseconds // 10**9, timezone.utc).isoformat().replace("+00:00", "Z")


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Base of everything that the management API says. Unknown fields are ignored, so that fields may be added."""

    def __repr__(self) -> str:
        """As any struct's, but logs and tracebacks show no secret."""
        values = {name: getattr(self, name) for name in self.__struct_fields__}
        shown = ", ".join(f"{name}={'***' if name == 'secret_key' else repr(value)}" for name, value in values.items())
        return f"{type(self).__name__}({shown})"


class BucketConfig(Record, frozen=True):
    """An S3 bucket for the objects of a filespace. The hub seals the secret and never tells it again."""

    bucket: str
    access_key: str
    secret_key: str
    prefix: str = ""
    region: str = "us-east-1"
    endpoint: str = ""
    virtual_addressing: bool = False


# --- replies ----------------------------------------------------------------------------------------------------


class Done(Record, frozen=True):
    """It happened."""


class Refusal(Record, frozen=True):
    """Why a request was refused; it changed nothing."""

    code: str
    message: str


class LoginChallenge(Record, frozen=True):
    """Sign this. Given for unknown key ids too: it tells nothing."""

    nonce: Nonce
    versions: list[int]


class GrantView(Record, frozen=True):
    """What one account may do in one filespace."""

    filespace: Id
    filespace_name: str
    account: Id
    account_name: str
    role: RoleName


class AccountView(Record, frozen=True):
    """A service account. The hub knows its public keys only."""

    id: Id
    name: str
    key_id: str
    login_public: bytes
    sealing_public: bytes
    workspace_admin: bool
    revoked: bool
    created: str
    grants: list[GrantView] = []


class FilespaceView(Record, frozen=True):
    """A filespace, with the role that the asking account has in it (null: none)."""

    id: Id
    name: str
    created: str
    role: RoleName | None = None
    sealed_key: bytes = b""  # the filespace key, sealed to the asking account
    store: str = ""  # s3://bucket/prefix of its objects; empty: the hub's own folder


MoveState = Literal["none", "copying", "emptying"]


class MoveView(Record, frozen=True):
    """How far the move of a filespace's objects is.

    Places are s3://bucket/prefix, or empty for the hub's own folder.
    """

    state: MoveState  # copying: from `place` to `other`; emptying: `other` is left, and emptied after a grace
    place: str
    other: str = ""
    started: str | None = None
    switched: str | None = None
    objects: int = 0  # copied, of those in the old place
    objects_total: int = 0
    bytes: int = 0
    bytes_total: int = 0
    failing: str = ""  # why it does not go on at the moment; it is tried again


class DataStoreView(Record, frozen=True):
    """A bucket that a filespace links objects of."""

    name: str
    access_key: str
    bucket_name: str
    region: str
    endpoint: str
    url_expiration_minutes: int
    use_virtual_addressing: bool
    key_id: str  # of the key that seals the secret
    created: str
    files: int  # linked from it


class DataStoreList(Record, frozen=True):
    data_stores: list[DataStoreView]


class DataStoreSecretView(Record, frozen=True):
    data_store: DataStoreView
    secret_key: str


class ExternalFileView(Record, frozen=True):
    node: Id
    object_id: str
    size: int
    checksum: str


class ExternalFileList(Record, frozen=True):
    files: list[ExternalFileView]
    has_more: bool
    cursor: str = ""


class LoggedIn(Record, frozen=True):
    """Send `bearer` in `Authorization: Bearer …` until `expires`."""

    bearer: str
    expires: str
    workspace: Id
    workspace_name: str
    account: AccountView


class FilespaceList(Record, frozen=True):
    filespaces: list[FilespaceView]


class AccountList(Record, frozen=True):
    accounts: list[AccountView]


class GrantList(Record, frozen=True):
    grants: list[GrantView]


class LockView(Record, frozen=True):
    """A lock that is held, or waited for. Only a client with the filespace's key can tell the path of the node."""

    lock: Id
    node: Id
    filespace: Id
    session: Id
    account: str
    mode: Literal["shared", "exclusive"]
    offset: int
    length: int  # 0: to the end, however far
    waiting: bool
    since: str


class LockList(Record, frozen=True):
    locks: list[LockView]


class UploadsView(Record, frozen=True):
    """Objects in the store that no commit uses, when the hub last looked (null: it has not yet)."""

    at: str | None = None
    objects: int = 0
    bytes: int = 0
    leftover: int = 0  # of those: of clients that are gone; deleted after a grace
    leftover_bytes: int = 0
    stuck: int = 0  # of those: of clients that are here, for more than a day: streams that nobody closes
    oldest: str | None = None  # when the oldest was put


class FilespaceStatus(Record, frozen=True):
    """How much is in a filespace."""

    id: Id
    name: str
    files: int
    folders: int
    links: int
    data_bytes: int
    storage_bytes: int


class ClientView(Record, frozen=True):
    """A session: a client that has a filespace linked (null: none yet). `since`: when it came."""

    session: Id
    account: str
    filespace: str | None
    since: str
    connected: bool
    locks: int


class HubStatus(Record, frozen=True):
    """What goes on at the hub: its numbers, and of filespaces and clients what the asking account may see."""

    version: int
    now: str
    started: str
    sessions: int
    locks: int
    locks_waiting: int
    changes_waiting: int
    uploads: UploadsView
    filespaces: list[FilespaceStatus]
    clients: list[ClientView]


# --- requests ---------------------------------------------------------------------------------------------------


class BeginLogin(Record, frozen=True):
    """Ask for a challenge."""

    version: int
    key_id: KeyId
    nonce: Nonce


class FinishLogin(Record, frozen=True):
    """Answer the challenge: Ed25519 over the management transcript of docs/PROTOCOL.md. A challenge works once."""

    version: int
    key_id: KeyId
    nonce: Nonce
    challenge: Nonce
    signature: Signature


class EndLogin(Record, frozen=True):
    """Make the bearer worthless."""


class GetSelf(Record, frozen=True):
    """The account that asks, with its grants."""


class ListFilespaces(Record, frozen=True):
    """All filespaces for a workspace admin; else those in which the account has a role."""


class CreateFilespace(Record, frozen=True):
    """Make an empty filespace; the caller becomes its first admin. Id and key are the client's (docs/FORMAT.md)."""

    id: Id
    name: FilespaceName
    root: Id  # node id of the root folder
    sealed_key: SealedKey
    store: BucketConfig | None = None  # null: the objects stand in the hub's own folder


class RekeyStore(Record, frozen=True):
    """Give the hub other keys to the bucket of a filespace; it tries them first."""

    filespace: Id
    access_key: str
    secret_key: str


class MoveStore(Record, frozen=True):
    """Move a filespace's objects to another bucket, or (null) to the hub's own folder, while clients go on.

    The hub tries the bucket first. A move that still copies can be sent back to where it came from.
    """

    filespace: Id
    store: BucketConfig | None = None


class GetMove(Record, frozen=True):
    """How far the move of a filespace's objects is."""

    filespace: Id


class RenameFilespace(Record, frozen=True):
    """Give a filespace another name; its id stays."""

    filespace: Id
    name: FilespaceName


class DeleteFilespace(Record, frozen=True):
    """Remove a filespace with everything in it, for ever. `name` must be its name: a guard against a wrong id."""

    filespace: Id
    name: str


class ListGrants(Record, frozen=True):
    """Who may do what in one filespace."""

    filespace: Id


class PutGrant(Record, frozen=True):
    """Give an account a role in a filespace, or another role; its sessions there end and come back with it."""

    filespace: Id
    account: Id
    role: RoleName
    sealed_key: SealedKey


class DeleteGrant(Record, frozen=True):
    """Take an account's role in one filespace away; its sessions there end at once."""

    filespace: Id
    account: Id


class ListLocks(Record, frozen=True):
    """Who holds and who waits for what in one filespace: for its accounts and workspace admins."""

    filespace: Id


class GetStatus(Record, frozen=True):
    """What goes on. Clients of others are shown to admins of their filespace and workspace admins only."""


class ListAccounts(Record, frozen=True):
    """Every account of the workspace, revoked ones too, with its grants."""


class NewGrant(Record, frozen=True):
    filespace: Id
    role: RoleName
    sealed_key: SealedKey


class CreateAccount(Record, frozen=True):
    """Make an account with the public keys of a token that only the client has seen."""

    name: AccountName
    key_id: KeyId
    login_public: PublicKey
    sealing_public: PublicKey
    workspace_admin: bool = False
    grants: list[NewGrant] = []


class RevokeAccount(Record, frozen=True):
    """End an account for ever: its token, its grants and its sessions."""

    account: Id


class ResealedKey(Record, frozen=True):
    filespace: Id
    sealed_key: SealedKey


class RotateAccount(Record, frozen=True):
    """Give an account a new token; the old one ends at once. `keys` has one entry for each of its grants."""

    account: Id
    key_id: KeyId
    login_public: PublicKey
    sealing_public: PublicKey
    keys: list[ResealedKey]


class ListDataStores(Record, frozen=True):
    """The buckets that a filespace links objects of, without their secrets."""

    filespace: Id


class GetDataStore(Record, frozen=True):
    """One data store with its secret: for admins of the filespace."""

    filespace: Id
    name: DataStoreName


class AddDataStore(Record, frozen=True):
    """Attach a bucket under a name. The hub asks S3 whether it answers to the keys; nothing is stored if not."""

    filespace: Id
    name: DataStoreName
    access_key: str
    secret_key: str
    bucket_name: str
    region: str
    endpoint: str = ""
    url_expiration_minutes: int = 10_080
    use_virtual_addressing: bool = False


class RekeyDataStore(Record, frozen=True):
    """Give a data store new keys. The hub asks S3 whether it answers to them; nothing is changed if not."""

    filespace: Id
    name: DataStoreName
    access_key: str
    secret_key: str


class RemoveDataStore(Record, frozen=True):
    """Detach a bucket from which nothing is linked."""

    filespace: Id
    name: DataStoreName


class ListExternalFiles(Record, frozen=True):
    """A page of the files that are linked from a data store. Their names are sealed: only clients can tell paths."""

    filespace: Id
    name: DataStoreName
    cursor: str = ""


# --- routes -----------------------------------------------------------------------------------------------------


class Route(NamedTuple):
    """Where a request lives in HTTP.

    Args:
        method: HTTP method; GET and DELETE have no body (what does not fit the path goes into the query).
        path: below `API_PREFIX`; `{field}` is filled from the request.
        reply: what comes back with status 200.
        login: whether a bearer is needed.
        change: whether it alters the database.
        refusals: codes that its rules answer with, beyond those that any request can meet.
    """

    method: str
    path: str
    reply: type[Record]
    login: bool = True
    change: bool = False
    refusals: tuple[Code, ...] = ()

    @property
    def path_fields(self) -> list[str]:
        return re.findall(r"{(\w+)}", self.path)

    @property
    def has_body(self) -> bool:
        return self.method in ("POST", "PUT", "PATCH")


_ASKED = (Code.UNAVAILABLE, Code.UNSUPPORTED, Code.CORRUPT)  # what S3, or a server that is none, may answer
_NO, _GONE, _BAD, _TAKEN = Code.DENIED, Code.NOT_FOUND, Code.INVALID, Code.EXISTS

ROUTES: dict[type[Record], Route] = {
    BeginLogin: Route("POST", "/login/challenge", LoginChallenge, False, False, (Code.VERSION, Code.TOO_MANY)),
    FinishLogin: Route("POST", "/login", LoggedIn, False, False, (Code.VERSION, Code.UNAUTHENTICATED, Code.TOO_MANY)),
    EndLogin: Route("POST", "/logout", Done),
    GetSelf: Route("GET", "/self", AccountView),
    ListFilespaces: Route("GET", "/filespaces", FilespaceList),
    CreateFilespace: Route(
        "POST", "/filespaces", FilespaceView, True, True, (_NO, _GONE, _TAKEN, _BAD, Code.ID_TAKEN, *_ASKED)
    ),
    RenameFilespace: Route("PATCH", "/filespaces/{filespace}", FilespaceView, True, True, (_NO, _GONE, _TAKEN)),
    DeleteFilespace: Route("DELETE", "/filespaces/{filespace}", Done, True, True, (_NO, _GONE, _BAD)),
    RekeyStore: Route(
        "PUT",
        "/filespaces/{filespace}/store/keys",
        FilespaceView,
        True,
        True,
        (_NO, _GONE, _BAD, Code.STALE, *_ASKED),
    ),
    MoveStore: Route(
        "POST",
        "/filespaces/{filespace}/move",
        MoveView,
        True,
        True,
        (_NO, _GONE, _TAKEN, _BAD, Code.STALE, *_ASKED),
    ),
    GetMove: Route("GET", "/filespaces/{filespace}/move", MoveView, True, False, (_NO, _GONE)),
    ListGrants: Route("GET", "/filespaces/{filespace}/grants", GrantList, True, False, (_NO, _GONE)),
    PutGrant: Route("PUT", "/filespaces/{filespace}/grants/{account}", GrantView, True, True, (_NO, _GONE, _BAD)),
    DeleteGrant: Route("DELETE", "/filespaces/{filespace}/grants/{account}", Done, True, True, (_NO, _GONE, _BAD)),
    ListLocks: Route("GET", "/filespaces/{filespace}/locks", LockList, True, False, (_NO, _GONE)),
    ListDataStores: Route("GET", "/filespaces/{filespace}/data-stores", DataStoreList, True, False, (_NO, _GONE)),
    GetDataStore: Route(
        "GET", "/filespaces/{filespace}/data-stores/{name}", DataStoreSecretView, True, False, (_NO, _GONE)
    ),
    AddDataStore: Route(
        "POST",
        "/filespaces/{filespace}/data-stores",
        DataStoreView,
        True,
        True,
        (_NO, _GONE, _TAKEN, _BAD, Code.TOO_MANY, *_ASKED),
    ),
    RekeyDataStore: Route(
        "PUT", "/filespaces/{filespace}/data-stores/{name}/keys", DataStoreView, True, True, (_NO, _GONE, _BAD, *_ASKED)
    ),
    RemoveDataStore: Route(
        "DELETE", "/filespaces/{filespace}/data-stores/{name}", Done, True, True, (_NO, _GONE, Code.NOT_EMPTY)
    ),
    ListExternalFiles: Route(
        "GET", "/filespaces/{filespace}/data-stores/{name}/files", ExternalFileList, True, False, (_NO, _GONE, _BAD)
    ),
    GetStatus: Route("GET", "/status", HubStatus),
    ListAccounts: Route("GET", "/accounts", AccountList, True, False, (_NO,)),
    CreateAccount: Route("POST", "/accounts", AccountView, True, True, (_NO, _GONE, _TAKEN, _BAD, Code.ID_TAKEN)),
    RevokeAccount: Route("DELETE", "/accounts/{account}", Done, True, True, (_NO, _GONE, _BAD)),
    RotateAccount: Route(
        "PUT", "/accounts/{account}/keys", AccountView, True, True, (_NO, _GONE, Code.STALE, Code.ID_TAKEN)
    ),
}
