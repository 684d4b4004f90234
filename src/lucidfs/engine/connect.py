"""Connect: data stores of a filespace, and the files that are linked from them.

The client asks S3 itself, before anything is stored: whether the keys work, how large an object is. The hub only keeps
the keys and signs. All methods run on the loop's thread and raise `Fault`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import NamedTuple, TypeVar

from lucidfs.clock import Clock
from lucidfs.crypto.keys import FilespaceKeys
from lucidfs.engine.backoff import pause_s
from lucidfs.engine.node import Node, open_entry
from lucidfs.engine.session import Session
from lucidfs.engine.tree import Tree
from lucidfs.engine.workers import Runner
from lucidfs.errors import Code, Fault
from lucidfs.ids import Ids
from lucidfs.limits import LINKS_PAGE, LINKS_PER_REQUEST_MAX, PATH_DEPTH_MAX, REDIRECTS_MAX, URL_CHARACTERS_MAX
from lucidfs.namespace.names import split_path
from lucidfs.objects.addresses import check_literal, check_outside, check_url
from lucidfs.objects.external import Probed, Source, probe
from lucidfs.objects.http import Http
from lucidfs.objects.s3.bucket import S3Bucket, S3Keys
from lucidfs.objects.s3.client import S3Client, head_signed
from lucidfs.types import Kind
from lucidfs.wire.messages import (
    AddDataStore,
    DataStore,
    DataStores,
    DataStoreSecret,
    External,
    GetDataStore,
    GrantExternal,
    Linked,
    LinkFiles,
    LinkInfo,
    Links,
    ListDataStores,
    ListLinks,
    NewLink,
    NewNode,
    RekeyDataStore,
    Relink,
    RemoveDataStore,
    Signed,
    SignHead,
)  # fmt: skip
from lucidfs.wire.messages import Externals as ExternalsReply

T = TypeVar("T")

_HEADS_AT_ONCE = 16
_RACES_MAX = 8
_ATTEMPTS = 4  # at a server that does not answer, before whoever called is told


class Link(NamedTuple):
    """A file to be linked: where, from which data store, which object; size and ETag where they are known."""

    path: str
    store: str
    key: str
    size: int | None = None  # bytes
    etag: str = ""


class LinkedFile(NamedTuple):
    """A file that is linked."""

    path: str  # from the linked root
    node: int
    size: int  # bytes
    key: str
    etag: str


class Connect:
    """See the module.

    Args:
        session, tree, keys, ids: of the filespace.
        clock: for what is signed here.
        random: source of random bytes.
        workers: wait for S3.
    """

    def __init__(
        self,
        session: Session,
        tree: Tree,
        keys: FilespaceKeys,
        ids: Ids,
        clock: Clock,
        random: Callable[[int], bytes],
        workers: Runner,
    ) -> None:
        self._session = session
        self._tree = tree
        self._keys = keys
        self._ids = ids
        self._clock = clock
        self._random = random
        self._workers = workers
        self._http = Http()
        self._guarded = Http(check_address=check_literal)  # for URLs that somebody gave

    def close(self) -> None:
        """Close the idle connections."""
        self._http.close()
        self._guarded.close()

    # --- data stores ------------------------------------------------------------------------------------------------

    async def add(self, store: DataStore, secret: str) -> DataStore:
        """Keep a bucket under a name, after S3 answered to its keys. The id of `store` is set here.

        Raises:
            Fault: INVALID, naming the field, for what cannot be; what S3 said, as `S3Client`; EXISTS, DENIED.
        """
        await self._check(store, S3Keys(store.access_key, secret))
        for _ in range(_RACES_MAX):
            made = DataStore(self._ids.take(), *_fields(store))
            try:
                await self._session.call(AddDataStore(made, secret))
            except Fault as fault:
                if fault.code is not Code.ID_TAKEN:
                    raise
                self._ids.renew()
            else:
                return await self.find(store.name)
        raise Fault(Code.ID_TAKEN, "the hub says that every fresh number is taken")

    async def stores(self) -> Sequence[DataStore]:
        """All data stores, by name. Raises Fault(UNSUPPORTED) from a hub that has none."""
        reply: DataStores = await self._session.call(ListDataStores())
        return reply.stores

    async def find(self, name: str) -> DataStore:
        """A data store without its secret. Raises Fault(NOT_FOUND)."""
        for store in await self.stores():
            if store.name == name:
                return store
        raise Fault(Code.NOT_FOUND, f"there is no data store {name!r}")

    async def get(self, name: str) -> tuple[DataStore, str]:
        """A data store and its secret. Raises Fault: NOT_FOUND; DENIED without the role 'admin'."""
        reply: DataStoreSecret = await self._session.call(GetDataStore(name))
        return reply.store, reply.secret

    async def rekey(self, name: str, access_key: str, secret: str) -> None:
        """Sign with other keys from now on, after S3 answered to them. Raises Fault as `add`, and NOT_FOUND."""
        await self._check(await self.find(name), S3Keys(access_key, secret))
        await self._session.call(RekeyDataStore(name, access_key, secret))

    async def remove(self, name: str) -> None:
        """Forget a data store. Raises Fault: NOT_FOUND; NOT_EMPTY while files are linked from it."""
        await self._session.call(RemoveDataStore(name))

    async def _check(self, store: DataStore, keys: S3Keys) -> None:
        bucket = S3Bucket(store.bucket, store.region, store.endpoint, store.virtual)
        client = S3Client(bucket, keys, self._clock, self._http)
        await self._asked(client.check)

    async def _asked(self, ask: Callable[[], T]) -> T:
        """A request at somebody else's server, in a worker; what passes is tried again. Raises Fault."""

        def work() -> T | OSError:
            try:
                return ask()
            except (FileNotFoundError, EOFError) as error:
                raise Fault(Code.NOT_FOUND, str(error)) from None
            except OSError as error:
                return error

        reason: OSError | None = None
        for attempt in range(_ATTEMPTS):
            result = await self._workers.run(work)
            if not isinstance(result, OSError):
                return result
            reason = result
            await asyncio.sleep(pause_s(attempt + 1, self._random))
        raise Fault(Code.UNAVAILABLE, f"the object store does not answer: {reason.strerror if reason else ''}")

    # --- links ------------------------------------------------------------------------------------------------------

    async def link(self, wanted: Link) -> None:
        """Link one file; missing folders above it are made. Raises Fault as `link_all`."""
        codes = await self.link_all([wanted])
        if codes[0]:
            raise refusal(codes[0], wanted.path)

    async def link_all(self, wanted: Sequence[Link]) -> list[Code | None]:
        """Link up to LINKS_PER_REQUEST_MAX files in one request; why each was refused, or None.

        Raises:
            Fault: NOT_FOUND (the data store, or an object that is asked for its size), and what S3 says; nothing was
                linked then.
        """
        assert len(wanted) <= LINKS_PER_REQUEST_MAX, "more than one request takes"
        stores = {store.name: store.id for store in await self.stores()}
        return await self._link_known(await self._with_sizes(wanted, stores), stores)

    async def link_url(self, path: str, url: str, size: int | None) -> None:
        """Link what a URL gives. Raises Fault INVALID, saying what its server cannot do; and as `link`."""
        found = await self._probed(url, size)
        codes = await self._link_known([Link(path, "", url, found.size, found.etag)], {"": 0})
        if codes[0]:
            raise refusal(codes[0], path)

    async def update_url(self, path: str, url: str, size: int | None) -> None:
        """Give an HTTP link another URL. Raises Fault: NOT_FOUND; INVALID when it is none; and as `link_url`."""
        node, about = await self._external(path)
        if about.store:
            raise Fault(Code.INVALID, "it is linked from a data store, not from a URL")
        found = await self._probed(url, size)
        await self._session.call(Relink(node.id, url, found.size, found.etag))

    async def _probed(self, url: str, size: int | None) -> Probed:
        host = check_url(url, URL_CHARACTERS_MAX)
        reply: DataStores = await self._session.call(ListDataStores())
        if not reply.private:
            await self._workers.run(lambda: check_outside(host))
        source = Source(url, "", 0, "an HTTP link", REDIRECTS_MAX, reply.private)
        http = self._http if reply.private else self._guarded
        found = await self._asked(lambda: probe(http, source))
        if size is not None and size != found.size:
            raise Fault(Code.INVALID, f"size: its server says {found.size} bytes, not {size}")
        return found

    async def _link_known(self, known: Sequence[Link], stores: dict[str, int]) -> list[Code | None]:
        codes: list[Code | None] = [None] * len(known)
        left = list(range(len(known)))
        for _ in range(_RACES_MAX):
            places = await self._places([known[at].path for at in left])
            new = [self._new(known[at], places[at_], stores) for at_, at in enumerate(left)]
            reply: Linked = await self._session.call(LinkFiles(new))
            for at, code in zip(left, reply.codes, strict=True):
                codes[at] = Code(code) if code else None
            left = [at for at in left if codes[at] in (Code.ID_TAKEN, Code.STALE)]
            if not left:
                break
            self._ids.renew()
        return codes

    async def _with_sizes(self, wanted: Sequence[Link], stores: dict[str, int]) -> list[Link]:
        """With sizes and ETags; S3 is asked for those that are missing, several at a time."""
        for name in {link.store for link in wanted} - stores.keys():
            raise Fault(Code.NOT_FOUND, f"there is no data store {name!r}")
        slots = asyncio.Semaphore(_HEADS_AT_ONCE)

        async def complete(link: Link) -> Link:
            if link.size is not None:
                return link
            async with slots:
                signed: Signed = await self._session.call(SignHead(link.store, link.key))
                what = f"data store {link.store!r}, object {link.key!r}"
                found = await self._asked(lambda: head_signed(self._http, signed.url, link.key, what))
            return link._replace(size=found.size, etag=found.etag)

        return list(await asyncio.gather(*map(complete, wanted)))

    async def _places(self, paths: Iterable[str]) -> list[tuple[Node, str]]:
        """For each path the folder, made if it was missing, and the name in it."""
        split = [split_path(path) for path in paths]
        if not all(split):
            raise Fault(Code.EXISTS, "the root of the filespace is a folder")
        parents = {tuple(names[:-1]) for names in split}
        nodes = await asyncio.gather(*map(self._folder, parents))
        folders = dict(zip(parents, nodes, strict=True))
        return [(folders[tuple(names[:-1])], names[-1]) for names in split]

    async def _folder(self, names: tuple[str, ...]) -> Node:
        try:
            return await self._tree.make_folders("/".join(names), exist_ok=True)
        except Fault as fault:
            if fault.code is Code.EXISTS:
                raise Fault(Code.NOT_A_FOLDER, "a part of the path is not a folder") from None
            raise

    def _new(self, link: Link, place: tuple[Node, str], stores: dict[str, int]) -> NewLink:
        folder, name = place
        number = self._ids.take()
        sealed = self._keys.seal_name(name, folder.id, number, Kind.EXTERNAL)
        node = NewNode(number, Kind.EXTERNAL, self._keys.name_token(name), sealed)
        assert link.size is not None, "it was asked for"
        return NewLink(folder.id, node, stores[link.store], link.key, link.size, link.etag)

    async def relink(self, path: str, key: str, size: int | None, etag: str) -> None:
        """Let an external file be another object of its store. Raises Fault: NOT_FOUND, INVALID; as `link_all`."""
        node, about = await self._external(path)
        if not about.store:
            raise Fault(Code.INVALID, "it is an HTTP link, not linked from a data store")
        wanted = Link(path, about.store, key or about.place, size, etag)
        (known,) = await self._with_sizes([wanted], {about.store: 0})
        assert known.size is not None, "it was asked for"
        await self._session.call(Relink(node.id, known.key, known.size, known.etag))

    async def is_external(self, path: str) -> bool:
        """Whether there is an external file at a path. Raises Fault as `Tree.walk`."""
        node = (await self._tree.walk(path)).node
        return node is not None and node.kind is Kind.EXTERNAL

    async def _external(self, path: str) -> tuple[Node, External]:
        node = await self._tree.entry(path, follow=True)
        if node.kind is not Kind.EXTERNAL:
            raise Fault(Code.INVALID, "it is not an external file")
        reply: ExternalsReply = await self._session.call(GrantExternal([node.id]))
        for about in reply.externals:
            if about.node == node.id:
                return node, about
        raise Fault(Code.NOT_FOUND, "the external file is gone")

    async def unlink(self, path: str) -> None:
        """Remove an external file; its object stays. Raises Fault: NOT_FOUND; INVALID when it is another kind."""
        node = await self._tree.entry(path)
        if node.kind is not Kind.EXTERNAL:
            raise Fault(Code.INVALID, "it is not an external file")
        await self._tree.delete(path, node=node.id)

    async def page(self, store: str, after: int, limit: int) -> tuple[list[LinkedFile], int, bool]:
        """Files that are linked from a data store, by number.

        Args:
            store: its name.
            after: number of the last one seen.
            limit: at most so many.

        Returns:
            The files below the linked root, the number to go on after, whether there are more.

        Raises:
            Fault: NOT_FOUND (the data store), CORRUPT.
        """
        reply: Links = await self._session.call(ListLinks(store, after, min(limit, LINKS_PAGE)))
        folders = {entry.id: open_entry(self._keys, entry) for entry in reply.folders}
        found = [file for file in (self._file(info, folders) for info in reply.links) if file is not None]
        end = reply.links[-1].entry.id if reply.links else after
        if reply.more and end <= after:
            raise Fault(Code.CORRUPT, "the hub's listing does not go on")
        return found, end, reply.more

    async def files(self, store: str) -> AsyncIterator[LinkedFile]:
        """All files below the linked root that are linked from a data store. Raises Fault as `page`."""
        after, more = 0, True
        while more:
            files, after, more = await self.page(store, after, LINKS_PAGE)
            for file in files:
                yield file

    def _file(self, info: LinkInfo, folders: dict[int, Node]) -> LinkedFile | None:
        node = open_entry(self._keys, info.entry)
        names, above = [node.name], int(node.parent)
        while above != self._tree.root.id:
            folder = folders.get(above)
            if folder is None or not folder.parent:
                return None  # outside of the linked root
            if len(names) > PATH_DEPTH_MAX:
                raise Fault(Code.CORRUPT, "the hub says that a folder stands in itself")
            names.append(folder.name)
            above = folder.parent
        return LinkedFile("/" + "/".join(reversed(names)), node.id, node.size, info.place, info.etag)


def refusal(code: Code, path: str) -> Fault:
    """The fault for a link that was refused."""
    words = {Code.EXISTS: "it exists already", Code.NOT_FOUND: "its folder or data store is gone"}
    return Fault(code, f"{path}: {words.get(code, 'it cannot be linked there')}")


def field_at_fault(fault: Fault) -> str:
    """Which field of a data store made S3 refuse it; empty when it was something else than a field."""
    text = fault.message
    for sign, field in _SIGNS:
        if sign in text:
            return field
    return {Code.NOT_FOUND: "", Code.DENIED: "", Code.UNAVAILABLE: "endpoint"}.get(fault.code, "")


_SIGNS = (
    ("SignatureDoesNotMatch", "secret_key"),
    ("InvalidAccessKeyId", "access_key"),
    ("AccessDenied", "access_key"),
    ("NoSuchBucket", "bucket_name"),
    ("region or endpoint", "region"),
    ("RequestTimeTooSkewed", "secret_key"),
    ("S3 answered", "endpoint"),
    ("object store", "endpoint"),
)


def _fields(store: DataStore) -> tuple[str, str, str, str, str, int, bool]:
    return (
        store.name,
        store.access_key,
        store.bucket,
        store.region,
        store.endpoint,
        store.url_minutes,
        store.virtual,
    )
