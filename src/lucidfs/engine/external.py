"""External files as content: frames of plaintext at their places in an object that is read through a URL of the hub's.

An external file looks like any other to handles and caches: its map has frames, only that they are bytes of the
object itself. Which object that is (store, key, ETag, size) makes their generation; its negative number stands where
other extents name an object of the store. So what was read of one object can never show as another's.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import TypeVar

from lucidfs.clock import Clock
from lucidfs.engine.bodies import Bodies
from lucidfs.engine.content import ContentMap, FrameKey, frame_count
from lucidfs.engine.grants import Caller
from lucidfs.engine.workers import Runner
from lucidfs.errors import Code, Fault
from lucidfs.limits import FRAME_BYTES, GRANT_SLACK_S, REDIRECTS_MAX
from lucidfs.objects.base import ObjectName, ObjectStore
from lucidfs.objects.external import Source
from lucidfs.wire.messages import Extent, External, GrantExternal
from lucidfs.wire.messages import Externals as ExternalsReply

T = TypeVar("T")

_HELD_MAX = 16_384  # about 10 MiB of URLs; a forgotten one is asked for again
_SLACK_NS = int(GRANT_SLACK_S * 1_000_000_000)


class ExternalMap(ContentMap):
    """The content of an external file: all frames are there, and none is listed anywhere.

    Args:
        about: which object it is.
    """

    __slots__ = ()

    def __init__(self, about: External) -> None:
        super().__init__(about.node, about.revision, about.size, generation=generation_of(about))

    @property
    def frames(self) -> list[Extent]:
        return self.parts(0, frame_count(self.size))

    @property
    def in_objects(self) -> bool:
        return self.size > 0

    def find(self, frame: int) -> Extent | None:
        return self._extent(frame, frame + 1) if 0 <= frame < frame_count(self.size) else None

    def key(self, frame: int) -> FrameKey | None:
        return (self.node, frame, self.generation) if 0 <= frame < frame_count(self.size) else None

    def parts(self, first: int, end: int) -> list[Extent]:
        end = min(end, frame_count(self.size))
        return [self._extent(first, end)] if first < end else []

    def _extent(self, first: int, end: int) -> Extent:
        lengths = [FRAME_BYTES] * (end - first)
        lengths[-1] = min(FRAME_BYTES, self.size - (end - 1) * FRAME_BYTES)
        number = self.generation
        return Extent(first, end - first, self.node, first, number, -number, first * FRAME_BYTES, lengths)


def generation_of(about: External) -> int:
    """A number for one object in one state: 63 bits, not 0."""
    known = f"{about.node}\0{about.revision}\0{about.store}\0{about.place}\0{about.etag}\0{about.size}"
    return int.from_bytes(hashlib.sha256(known.encode()).digest()[:8], "big") >> 1 or 1


class Locations:
    """Where external objects are read: URLs of the hub's, asked for once and kept until shortly before they end.

    Plays the part of `Grants` for `Bodies`, by generation. Runs on the loop, but for `source_of`.
    """

    optional = False

    def __init__(self, session: Caller, clock: Clock) -> None:
        self._session = session
        self._clock = clock
        self._held: OrderedDict[int, tuple[int, External | None]] = OrderedDict()  # generation -> node, what is known

    def keep(self, about: External) -> int:
        """Remember what the hub told; its generation."""
        generation = generation_of(about)
        self.know(generation, about.node, about)
        return generation

    def know(self, generation: int, node: int, about: External | None = None) -> None:
        """Remember which node to ask for."""
        if about is not None or generation not in self._held:
            self._held[generation] = (node, about)
            while len(self._held) > _HELD_MAX:
                self._held.popitem(last=False)

    async def ask(self, node: int) -> External:
        """What the hub says now of a file. Raises Fault(NOT_FOUND) when it is gone, or no external file any more."""
        reply: ExternalsReply = await self._session.call(GrantExternal([node]))
        for about in reply.externals:
            if about.node == node:
                self.keep(about)
                return about
        raise Fault(Code.NOT_FOUND, "the external file is gone: it was unlinked, deleted or replaced")

    async def need(self, objects: Iterable[int], *, put: bool = False) -> None:
        """Return when there is a URL for each. Raises Fault REPLACED, and as `ask`."""
        for generation in objects:
            node, about = self._held[generation]
            if about is not None and about.expires_ns - _SLACK_NS > self._clock.now_ns():
                continue
            if generation_of(await self.ask(node)) != generation:
                raise Fault(Code.REPLACED, "the file was linked to another object: open it again")

    def size(self, object: int) -> int:
        """Not known: nothing of it is asked for that is not needed."""
        return 0

    def drop(self, object: int, *, put: bool = False) -> None:
        """Forget a URL: the store refused it."""
        node, _ = self._held.get(object, (0, None))
        self._held[object] = (node, None)

    def source_of(self, name: ObjectName) -> Source:
        """Where to read an object. Any thread; needs an earlier `need`. Raises Fault(DENIED) when there is none."""
        _, about = self._held.get(name.object, (0, None))
        if about is None:
            raise Fault(Code.DENIED, "no permission to read this object")
        if not about.store:
            return Source(about.url, about.etag, about.size, "an HTTP link", REDIRECTS_MAX, about.private)
        return Source(about.url, about.etag, about.size, f"data store {about.store!r}, object {about.place!r}")


class Externals:
    """External objects of one filespace.

    Args:
        locations: where they are read.
        store: reads them, composed with its retries.
        filespace: whose files they are.
        workers: run the transfers.
    """

    def __init__(self, locations: Locations, store: ObjectStore, filespace: int, workers: Runner) -> None:
        self._locations = locations
        self._bodies = Bodies(store, filespace, workers, locations)

    def map_of(self, about: External, node: int, path: str) -> ExternalMap:
        """The content of an external file, from what the hub told with it. Raises Fault(CORRUPT) for another file's."""
        if about.node != node or about.size < 0:
            raise Fault(Code.CORRUPT, f"{path}: the hub told of another external file than asked for")
        self._locations.keep(about)
        return ExternalMap(about)

    async def current(self, node: int, path: str) -> ExternalMap:
        """The content as it is now. Raises Fault(NOT_FOUND) when it is gone."""
        return self.map_of(await self._locations.ask(node), node, path)

    async def fetch(self, extent: Extent, length: int, then: Callable[[bytes], T]) -> T:
        """`then` of `length` bytes from where `extent` begins, in a worker. Raises Fault as `ExternalStore.get`."""
        self._locations.know(extent.generation, extent.origin)
        return await self._bodies.get(extent.generation, extent.offset, length, then)
