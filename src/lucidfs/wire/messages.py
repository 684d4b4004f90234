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


class Create(Message, tag=30, frozen=True):
    """Make one node in a folder. EXISTS if the name is taken (or reserved by another session). Reply: Created.

    With `at`: only if that path leads to the folder, else STALE. A client that saw where it is need not ask again.
    """

    parent: int
    node: NewNode
    content: NewContent | None = None
    wait: Wait = Wait()
    at: Path | None = None


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
    | GetStatistics | ListLocks | ListTree | Create | CreateFolders | Delete | Move | Commit | Lock | Unlock | Reserve
    | Unreserve
)  # fmt: skip
ReplyBody = (
    Done | Challenge | Welcome | Filespaces | Walked | Content | Listing | Found | Grants | Statistics | Locks
    | Created | Committed | Locked | Unlocked | Listings
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
    Create: Call(Created, True, Role.WRITE),
    CreateFolders: Call(Created, True, Role.WRITE),
    Delete: Call(Done, True, Role.WRITE),
    Move: Call(Created, True, Role.WRITE),
    Commit: Call(Committed, True, Role.WRITE),
    Lock: Call(Locked, True),  # readers take shared locks; EXCLUSIVE needs WRITE
    Unlock: Call(Unlocked, True),
    Reserve: Call(Done, True, Role.WRITE),
    Unreserve: Call(Done, True, Role.WRITE),
}
