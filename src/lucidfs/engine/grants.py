"""Permission to move bodies: URLs asked for in batches, kept until shortly before they end.

`need` runs on the loop before a transfer; `url_for` answers the store from the worker thread that does it.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any, Protocol

from lucidfs.clock import Clock
from lucidfs.errors import Code, Fault
from lucidfs.limits import GRANT_SLACK_S, GRANTS_PER_REQUEST_MAX
from lucidfs.objects.base import ObjectName
from lucidfs.wire.messages import Grant, GrantObjects, Message

_HELD_MAX = 16_384  # about 5 MiB of URLs; a forgotten one is asked for again
_SLACK_NS = int(GRANT_SLACK_S * 1_000_000_000)


class Caller(Protocol):
    """What asks the hub."""

    async def call(self, body: Message) -> Any: ...


class Grants:
    """The grants of one filespace.

    Args:
        session: asks the hub.
        clock: tells when a grant ends; a clock that is wrong costs one refused transfer.

    Attributes:
        optional: most objects can be reached without; one is asked for when a transfer was refused.
    """

    def __init__(self, session: Caller, clock: Clock) -> None:
        self.optional = False
        self._session = session
        self._clock = clock
        self._held: OrderedDict[tuple[bool, int], Grant] = OrderedDict()
        self._asked: dict[bool, dict[int, asyncio.Future[None]]] = {False: {}, True: {}}
        self._tasks: set[asyncio.Task[None]] = set()

    async def need(self, objects: Iterable[int], *, put: bool = False) -> None:
        """Return when there is a grant for each object. What is needed in the same instant is one request.

        Raises:
            Fault: the hub's refusal.
        """
        missing = [one for one in objects if not self._fresh(put, one)]
        waiting = [self._ask(put, one) for one in missing]
        for future in waiting:
            await asyncio.shield(future)

    def url_for(self, method: str, name: ObjectName) -> str:
        """The URL for `method` ("GET" or "PUT") on an object. Any thread; needs an earlier `need`.

        Raises:
            Fault: DENIED when there is none, as if the store had refused an old one: the caller asks and tries again.
        """
        grant = self._held.get((method == "PUT", name.object))
        if grant is None:
            raise Fault(Code.DENIED, f"no grant to {method} this object")
        return grant.url

    def size(self, object: int) -> int:
        """Bytes of an object that there is a grant to GET; 0: not known."""
        grant = self._held.get((False, object))
        return 0 if grant is None else grant.size

    def drop(self, object: int, *, put: bool = False) -> None:
        """Forget a grant: it was used, or the store refused it."""
        self._held.pop((put, object), None)

    def _fresh(self, put: bool, object: int) -> bool:
        grant = self._held.get((put, object))
        return grant is not None and grant.expires_ns - _SLACK_NS > self._clock.now_ns()

    def _ask(self, put: bool, object: int) -> asyncio.Future[None]:
        asked = self._asked[put]
        future = asked.get(object)
        if future is None:
            loop = asyncio.get_running_loop()
            if not asked:
                loop.call_soon(self._send, put)
            future = asked[object] = loop.create_future()
        return future

    def _send(self, put: bool) -> None:
        """Ask for everything that was needed up to now."""
        asked = list(self._asked[put].items())
        self._asked[put] = {}
        for first in range(0, len(asked), GRANTS_PER_REQUEST_MAX):
            task = asyncio.ensure_future(self._fetch(put, dict(asked[first : first + GRANTS_PER_REQUEST_MAX])))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _fetch(self, put: bool, asked: dict[int, asyncio.Future[None]]) -> None:
        try:
            reply = await self._session.call(GrantObjects(list(asked), put))
            for grant in reply.grants:
                self._held[put, grant.object] = grant
        except Fault as fault:
            for future in asked.values():
                if not future.done():
                    future.set_exception(Fault(fault.code, fault.message))
                    future.exception()  # whoever needed it may have gone
            return
        finally:
            for future in asked.values():
                if not future.done():
                    future.set_result(None)
        while len(self._held) > _HELD_MAX:
            self._held.popitem(last=False)
