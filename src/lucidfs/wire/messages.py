"""Every message of the wire, declared once. Dispatch, client calls, documentation and golden bytes derive from here.

A message is a MessagePack array whose first item is its tag. Fields are append-only with defaults; tags are never
reused. `REQUESTS` names each request's reply and whether it is a change (sequenced, applied exactly once).
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from lucidfs.types import Access, Kind, LockMode, Role

PROTOCOL_VERSION = 1


class Message(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """Base of everything on the wire."""


# --- values inside messages -------------------------------------------------------------------------------------


class Entry(Message, frozen=True):
    """A node as the hub knows it: names and targets sealed, sizes and times plain."""

    id: int
    parent: int
    kind: Kind
    sealed_name: bytes  # b"" for the root
    size: int = 0  # bytes
    mtime_ns: int = 0
    ctime_ns: int = 0  # when the node was created
    revision: int = 0  # files: counts published contents, 0 = never written
    target: bytes = b""  # links: sealed target
    version: int = 0  # folders: grows with every change of the folder's entries


class Extent(Message, frozen=True):
    """A run of sealed frames that stand one after the other in one object.

    The first five fields are the logical part (under the content's MAC), the others the physical part, which the
    hub may change without a key.
    """

    first: int  # first frame of the file that this run fills
    count: int
    origin: int  # node whose key sealed the frames
    origin_first: int  # index of the first frame when it was sealed
    generation: int
    object: int = 0  # 0: the bytes stand in `Content.small`
    offset: int = 0  # bytes into the object, or into `small`
    lengths: list[int] = []  # sealed bytes of each frame; len == count


class Content(Message, tag=99, frozen=True):
    """What a file contains at one revision. Frames that no extent covers are zeros."""

    revision: int
    size: int
    generation: int  # of the commit that made this content; part of the MAC
    mac: bytes  # 16 bytes over (node, size, generation, logical extents), see docs/FORMAT.md
    extents: list[Extent] = []
    small: bytes = b""
    more: bool = False  # extents go on: ask ReadExtents from after the last one


class NewObject(Message, frozen=True):
    """An object that a commit starts to use: uploaded before, or (data not empty) carried by the commit itself."""

    id: int
    size: int
    data: bytes = b""


class NewContent(Message, frozen=True):
    """The content that a change publishes."""

    size: int
    generation: int
    mac: bytes
    extents: list[Extent] = []  # Create and whole Commit: all; else: those that are new, over the current ones
    small: bytes = b""  # only when every extent has object 0
    objects: list[NewObject] = []


class NewNode(Message, frozen=True):
    """A node to be made; id and sealed name are the client's."""

    id: int
    kind: Kind
    token: bytes  # 16 bytes: keyed hash of the name, equal for equal names
    sealed_name: bytes
    target: bytes = b""


class Path(Message, frozen=True):
    """Where: from a folder through name tokens, resolved inside the operation. No tokens: the start itself."""

    start: int
    tokens: list[bytes] = []


class Wait(Message, frozen=True):
    """How a request meets locks of other clients.

    `wait_ms` bounds the time it waits for them. `locks` are the lock ids it relies on: if one is gone, FENCED.
    """

    wait_ms: int = 0
    locks: list[int] = []


class LockInfo(Message, frozen=True):
    """A lock that is held or waited for."""

    lock: int
    node: int
    handle: int
    session: int
    account: str  # name of the account that holds it
    mode: LockMode
    offset: int
    length: int  # 0: to the end, however far
    waiting: bool = False
    since_ns: int = 0


class FilespaceInfo(Message, frozen=True):
    id: int
    name: str
    created_ns: int
    role: Role


class Grant(Message, frozen=True):
    """Permission to move one object's bytes: a URL that ends at `expires_ns`."""

    object: int
    url: str
    expires_ns: int
    size: int = 0  # bytes of the object, of one to GET; 0: not known


class DataStore(Message, frozen=True):
    """An S3 bucket under a name of the filespace; its secret travels apart."""

    id: int
    name: str
    access_key: str
    bucket: str
    region: str
    endpoint: str = ""  # "": AWS
    url_minutes: int = 10_080  # life of signed URLs
    virtual: bool = False  # the bucket stands in the host name
    key_id: str = ""  # of the key that seals the secret at the hub; the hub sets it
    created_ns: int = 0  # the hub sets it
    links: int = 0  # external files; the hub sets it


class External(Message, frozen=True):
    """Which object an external file is, and permission to read it until `expires_ns`."""

    node: int
    revision: int  # of the node: grows when it is linked anew
    store: str  # name of the data store; "": an HTTP link
    place: str  # the object's key, or the URL of an HTTP link
    etag: str  # without quotes; "": the server has none
    size: int  # bytes
    url: str
    expires_ns: int
    private: bool = False  # HTTP links: redirects may lead into private networks


class NewLink(Message, frozen=True):
    """An external file to be made in a folder; the node is of the kind EXTERNAL."""

    parent: int
    node: NewNode
    store: int  # a data store; 0: an HTTP link
    place: str  # the object's key, or the URL
    size: int
    etag: str = ""


class LinkInfo(Message, frozen=True):
    """An external file of a listing: its node, and which object it is."""

    entry: Entry
    place: str
    etag: str = ""


# --- requests ---------------------------------------------------------------------------------------------------


class Hello(Message, tag=1, frozen=True):
    """Opens the handshake. Reply: Challenge. `filespace` 0: a session of the workspace, for listing filespaces only."""

    version: int
    key_id: str
    nonce: bytes  # 32 random bytes of the client
    filespace: int = 0
    resume: int = 0  # session to go on with, 0: a new one
    unacked: list[int] = []  # sequence numbers whose replies the client has not seen
    software: str = ""


class Login(Message, tag=2, frozen=True):
    """Ed25519 signature over the transcript of docs/PROTOCOL.md. Reply: Welcome."""

    signature: bytes


class Heartbeat(Message, tag=3, frozen=True):
    """Keeps the session alive; any other request does too. Reply: Done."""


class ListFilespaces(Message, tag=4, frozen=True):
    """Filespaces that the account may link. Reply: Filespaces."""


class Bye(Message, tag=5, frozen=True):
    """Ends the session: its locks are released at once. Reply: Done."""


class Walk(Message, tag=10, frozen=True):
    """Resolve a path. Reply: Walked.

    Stops early at a missing name, at a file in the middle, and at a link that is not last (the client follows it).
    `access` other than NONE waits for locks of other clients on the found file, up to `wait.wait_ms`.
    """

    path: Path
    content: bool = False  # with the content of the file found
    listing: bool = False  # with the first page of the folder found
    access: Access = Access.NONE
    wait: Wait = Wait()


class ListFolder(Message, tag=11, frozen=True):
    """A further page. Reply: Listing."""

    folder: int
    after: bytes = b""  # token after which to go on
    limit: int = 0  # 0: the hub's page size


class ReadExtents(Message, tag=12, frozen=True):
    """A further page of extents of one revision; STALE when the file has moved on. Reply: Content (no small)."""

    node: int
    revision: int
    after: int  # extents with first > after


class ReadContent(Message, tag=13, frozen=True):
    """The current content of a file by node. Reply: Found."""

    node: int


class GrantObjects(Message, tag=14, frozen=True):
    """URLs to PUT fresh objects or GET existing ones. Reply: Grants."""

    objects: list[int]
    put: bool = False


class GetStatistics(Message, tag=15, frozen=True):
    """Counters of the filespace, kept by every change. Reply: Statistics."""


class ListLocks(Message, tag=16, frozen=True):
    """Locks held and waited for on a node (0: in the whole filespace). Reply: Locks."""

    node: int = 0


class ListTree(Message, tag=17, frozen=True):
    """Folders, and the folders in them level by level, as far as one reply holds. Reply: Listings."""

    folders: list[int]  # at most TREE_FOLDERS_MAX
    depth: int = 0  # levels of folders to list: 1 only those given; 0 all


class GrantExternal(Message, tag=18, frozen=True):
    """External files and permission to read them; of those that are gone, nothing is said. Reply: Externals."""

    nodes: list[int]  # at most GRANTS_PER_REQUEST_MAX


class ListDataStores(Message, tag=19, frozen=True):
    """The data stores of the filespace, by name. Reply: DataStores."""


class GetDataStore(Message, tag=20, frozen=True):
    """A data store with its secret. NOT_FOUND if there is none of this name. Reply: DataStoreSecret."""

    name: str


class ListLinks(Message, tag=21, frozen=True):
    """External files of a data store, by node id. Reply: Links."""

    store: str
    after: int = 0  # nodes with id > after
    limit: int = 0  # 0: the hub's page size


class SignHead(Message, tag=22, frozen=True):
    """Permission to ask for the size and ETag of an object that is to be linked. Reply: Signed."""

    store: str
    place: str  # the object's key


class Create(Message, tag=30, frozen=True):
    """Make one node in a folder. EXISTS if the name is taken (or reserved by another session). Reply: Created.

    With `at`: only if that path leads to the folder, else STALE. A client that saw where it is need not ask again.
    """

    parent: int
    node: NewNode
    content: NewContent | None = None
    wait: Wait = Wait()
    at: Path | None = None
    replace: int = 0  # not 0: the external file of this name and id makes room for it; STALE if it is not there


class CreateFolders(Message, tag=31, frozen=True):
    """Make a chain of folders, each inside the one before, all or none. Reply: Created (of the last)."""

    parent: int
    nodes: list[NewNode]


class Delete(Message, tag=32, frozen=True):
    """Remove a file or link (`folder` False) or a folder. Reply: Done."""

    path: Path
    folder: bool = False
    recursive: bool = False
    node: int = 0  # not 0: only if the path leads to this node, else NOT_FOUND
    wait: Wait = Wait()


class Move(Message, tag=33, frozen=True):
    """Give a node another place. Reply: Created (the entry as it is now).

    EXISTS if the new name is taken, unless `replace` and both are files or links. INVALID into itself.
    STALE when the node is no longer at (old_parent, old_token): the client walks again.
    """

    node: int
    old_parent: int
    old_token: bytes
    new_parent: int
    new_token: bytes
    sealed_name: bytes
    replace: bool = False
    wait: Wait = Wait()


class Commit(Message, tag=34, frozen=True):
    """Publish content of a file. Reply: Committed.

    `base` not 0: only if the file is at this revision, else STALE. `whole`: `content` is everything; else it lies
    over the current content, after the frames of `clear` ([first, end) pairs) were removed. A file whose content
    is small takes whole commits only. Locks of other clients on the bytes of `touched` are waited for.
    """

    node: int
    base: int
    content: NewContent
    whole: bool = True
    clear: list[tuple[int, int]] = []
    touched: list[tuple[int, int]] = []  # byte ranges [start, end) that the program wrote; empty: all
    wait: Wait = Wait()


class Lock(Message, tag=40, frozen=True):
    """Take a lock on bytes of a file for one handle; waits in line. Reply: Locked.

    LOCKED when it was not granted within `wait_ms`. Locks of one handle that overlap are replaced by the new one.
    """

    lock: int  # id, chosen by the client
    node: int
    handle: int  # locks conflict between handles; plain use conflicts between sessions
    mode: LockMode
    offset: int = 0
    length: int = 0  # 0: to the end, however far
    wait_ms: int = 0


class Unlock(Message, tag=41, frozen=True):
    """Release a handle's locks on a byte range; what lies outside stays locked. Reply: Unlocked."""

    node: int
    handle: int
    offset: int = 0
    length: int = 0


class Reserve(Message, tag=42, frozen=True):
    """Hold a free name for this session until it creates it, releases it or ends. EXISTS if taken. Reply: Done."""

    parent: int
    token: bytes


class Unreserve(Message, tag=43, frozen=True):
    """Give a reserved name back. Reply: Done."""

    parent: int
    token: bytes


class AddDataStore(Message, tag=50, frozen=True):
    """Keep a bucket under a name. EXISTS if the name is taken. Reply: Done."""

    store: DataStore
    secret: str


class RekeyDataStore(Message, tag=51, frozen=True):
    """Sign with other keys from now on. NOT_FOUND. Reply: Done."""

    name: str
    access_key: str
    secret: str


class RemoveDataStore(Message, tag=52, frozen=True):
    """Forget a bucket. NOT_FOUND; NOT_EMPTY, saying how many, while files are linked from it. Reply: Done."""

    name: str


class LinkFiles(Message, tag=53, frozen=True):
    """Make external files, each for itself: what one is refused with does not stop the others. Reply: Linked."""

    links: list[NewLink]  # at most LINKS_PER_REQUEST_MAX


class Relink(Message, tag=54, frozen=True):
    """Let an external file be another object of its store, or an HTTP link another URL. Reply: Created."""

    node: int
    place: str
    size: int
    etag: str = ""


# --- replies ----------------------------------------------------------------------------------------------------


class Done(Message, tag=100, frozen=True):
    """It happened."""


class Challenge(Message, tag=101, frozen=True):
    nonce: bytes  # 32 random bytes of the hub


class Welcome(Message, tag=102, frozen=True):
    """The session. `resumed` False after a resume: the old one is over; `replies` tells what it had applied."""

    session: int
    resumed: bool
    account: int
    account_name: str
    workspace: int
    workspace_name: str
    session_limit_ms: int
    heartbeat_ms: int
    now_ns: int
    filespace: FilespaceInfo | None = None
    root: int = 0  # node id of the root folder
    sealed_key: bytes = b""  # the filespace key, sealed to the account's public key
    replies: list[tuple[int, bytes]] = []  # (sequence number, encoded reply) of changes that were applied
    locks: list[int] = []  # resumed: locks that are still held
    objects: str = ""  # to a client on this machine: the mark beside the hub's object folder (`LocalStore.mark`)

    def with_objects(self, objects: str) -> Welcome:
        return msgspec.structs.replace(self, objects=objects)


class Filespaces(Message, tag=103, frozen=True):
    filespaces: list[FilespaceInfo]


class Walked(Message, tag=104, frozen=True):
    """Entries along the path, start folder not included unless it is all there is to tell.

    `len(entries) == len(tokens)`: found. Fewer: the walk ended there; the last entry (or the start) is a folder
    without that name, or a file, or a link. `content` / `listing` as asked for, when the end was found.
    """

    entries: list[Entry]
    content: Content | None = None
    listing: Listing | None = None
    external: External | None = None  # with `content`, when an external file was found


class Listing(Message, tag=105, frozen=True):
    entries: list[Entry]
    tokens_end: bytes = b""  # token to go on after
    more: bool = False
    version: int = 0  # of the folder: differs between pages when it changed meanwhile


class Found(Message, tag=106, frozen=True):
    entry: Entry
    content: Content


class Grants(Message, tag=107, frozen=True):
    grants: list[Grant]


class Statistics(Message, tag=108, frozen=True):
    """Counters of one filespace: counts, and bytes."""

    files: int
    folders: int
    links: int
    entries_bytes: int  # metadata: sealed names, targets, content maps
    data_bytes: int  # sum of file sizes
    storage_bytes: int  # sealed bytes that files use in database and store
    external_bytes: int = 0
    external_files: int = 0


class Locks(Message, tag=109, frozen=True):
    locks: list[LockInfo]


class Created(Message, tag=110, frozen=True):
    entry: Entry


class Committed(Message, tag=111, frozen=True):
    revision: int
    mtime_ns: int


class Locked(Message, tag=112, frozen=True):
    """Granted. The client reads the content anew (ReadContent): it may have changed while it waited."""

    lock: int


class Unlocked(Message, tag=113, frozen=True):
    """Ids of the handle's locks on this node that remain."""

    remaining: list[int]


class FolderListing(Message, frozen=True):
    """The entries of one folder from the first on; no listing: it is gone, or no folder."""

    folder: int
    listing: Listing | None = None


class Listings(Message, tag=114, frozen=True):
    """The first listings of the queue of docs/PROTOCOL.md. Only the last one may have `more`."""

    listings: list[FolderListing]


class Externals(Message, tag=115, frozen=True):
    externals: list[External]


class DataStores(Message, tag=116, frozen=True):
    stores: list[DataStore]
    private: bool = False  # HTTP links may lead into private networks


class DataStoreSecret(Message, tag=117, frozen=True):
    store: DataStore
    secret: str


class Links(Message, tag=118, frozen=True):
    """A page of external files. `folders` are all folders above them, each once, so that paths can be told."""

    links: list[LinkInfo]
    folders: list[Entry] = []
    more: bool = False


class Signed(Message, tag=119, frozen=True):
    url: str


class Linked(Message, tag=123, frozen=True):
    """For each link: 0, or the code with which it was refused."""

    codes: list[int]


# --- pushes: the hub speaks first -------------------------------------------------------------------------------


class Goodbye(Message, tag=120, frozen=True):
    """The hub is going away; the client reconnects with backoff."""

    reason: str


class Expired(Message, tag=121, frozen=True):
    """The session is over (expired or revoked); its locks are gone."""

    reason: str


# --- envelopes --------------------------------------------------------------------------------------------------

RequestBody = (
    Hello | Login | Heartbeat | ListFilespaces | Bye | Walk | ListFolder | ReadExtents | ReadContent | GrantObjects
    | GetStatistics | ListLocks | ListTree | GrantExternal | ListDataStores | GetDataStore | ListLinks | SignHead
    | Create | CreateFolders | Delete | Move | Commit | Lock | Unlock | Reserve | Unreserve | AddDataStore
    | RekeyDataStore | RemoveDataStore | LinkFiles | Relink
)  # fmt: skip
ReplyBody = (
    Done | Challenge | Welcome | Filespaces | Walked | Content | Listing | Found | Grants | Statistics | Locks
    | Created | Committed | Locked | Unlocked | Listings | Externals | DataStores | DataStoreSecret | Links | Signed
    | Linked
)  # fmt: skip
PushBody = Goodbye | Expired


class Request(Message, frozen=True):
    """Client to hub. `seq` 0: not a change. `acked`: every change up to it was answered, its reply may be forgotten."""

    id: int
    seq: int
    acked: int
    body: RequestBody


class Reply(Message, tag=1, frozen=True):
    """Hub to client."""

    id: int
    body: ReplyBody


class Failure(Message, tag=2, frozen=True):
    """Hub to client: the request was refused and changed nothing."""

    id: int
    code: int
    message: str


class Push(Message, tag=3, frozen=True):
    """Hub to client, unasked."""

    body: PushBody


ServerFrame = Reply | Failure | Push


class Call(NamedTuple):
    """What a request is: its reply, whether it is a change, the least role that may send it."""

    reply: type[Message]
    change: bool = False
    role: Role = Role.READ


REQUESTS: dict[type[Message], Call] = {
    Hello: Call(Challenge),
    Login: Call(Welcome),
    Heartbeat: Call(Done),
    ListFilespaces: Call(Filespaces),
    Bye: Call(Done),
    Walk: Call(Walked),
    ListFolder: Call(Listing),
    ReadExtents: Call(Content),
    ReadContent: Call(Found),
    GrantObjects: Call(Grants),
    GetStatistics: Call(Statistics),
    ListLocks: Call(Locks),
    ListTree: Call(Listings),
    GrantExternal: Call(Externals),
    ListDataStores: Call(DataStores),
    GetDataStore: Call(DataStoreSecret, role=Role.ADMIN),
    ListLinks: Call(Links),
    SignHead: Call(Signed, role=Role.WRITE),
    Create: Call(Created, True, Role.WRITE),
    CreateFolders: Call(Created, True, Role.WRITE),
    Delete: Call(Done, True, Role.WRITE),
    Move: Call(Created, True, Role.WRITE),
    Commit: Call(Committed, True, Role.WRITE),
    Lock: Call(Locked, True),  # readers take shared locks; EXCLUSIVE needs WRITE
    Unlock: Call(Unlocked, True),
    Reserve: Call(Done, True, Role.WRITE),
    Unreserve: Call(Done, True, Role.WRITE),
    AddDataStore: Call(Done, True, Role.ADMIN),
    RekeyDataStore: Call(Done, True, Role.ADMIN),
    RemoveDataStore: Call(Done, True, Role.ADMIN),
    LinkFiles: Call(Linked, True, Role.WRITE),
    Relink: Call(Created, True, Role.WRITE),
}
