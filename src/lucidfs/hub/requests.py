"""Requests under way: a change lives from its arrival to its durable reply, a read for as long as locks are in its way.

Both stand in the lock table's line when they must wait, bounded by their own time limit, and are run again from the
start when they may go on: nothing is kept half done.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, NamedTuple

from lucidfs.errors import Code, Fault
from lucidfs.hub import lock_requests
from lucidfs.hub.committer import Parked
from lucidfs.hub.database.base import Tx
from lucidfs.hub.exclusion import Need, Waiter
from lucidfs.hub.locks import Asking
from lucidfs.hub.operations import Blocked, Scene, perform
from lucidfs.limits import LOCK_WAIT_S_MAX
from lucidfs.wire import codec
from lucidfs.wire.messages import (
    Commit,
    Create,
    Delete,
    Lock,
    Message,
    Move,
    Request,
    Reserve,
    Unlock,
    Unreserve,
    Walk,
)  # fmt: skip

if TYPE_CHECKING:
    from lucidfs.hub.connection import HubConnection
    from lucidfs.hub.hub import Hub
    from lucidfs.hub.sessions import Session

log = logging.getLogger(__name__)


class ReplyTo(NamedTuple):
    """Where an answer goes. A connection that ended takes it and does nothing."""

    connection: HubConnection
    request: int


class _Waiting:
    """What changes and reads have in common: a place in line and a deadline."""

    def __init__(self, hub: Hub, session: Session, body: Message, reply_to: ReplyTo) -> None:
        self.hub = hub
        self.session = session
        self.body = body
        self.reply_to = reply_to
        self.waiter: Waiter | None = None
        self._in_line = False  # between `_park` and the next run
        self._timer: asyncio.TimerHandle | None = None
        self._late = False

    def go_on(self) -> None:
        """The line moved, or the session ended: run again."""
        raise NotImplementedError

    def settle(self, fault: Fault | None) -> None:
        """The end: answered or refused."""
        raise NotImplementedError

    def operate(self, tx: Tx) -> Message:
        """Run the operation. Raises Parked when it has to wait, Fault when it is refused."""
        self._in_line = False
        if self.session.ended:
            raise Fault(Code.SESSION_EXPIRED, self.session.ended)
        asking = Asking(self.hub.table)
        try:
            return perform(self._scene(tx, asking), self.body)
        except Blocked:
            self._park(asking.needs)
            raise Parked from None

    def _scene(self, tx: Tx, asking: Asking) -> Scene:
        hub = self.hub
        private = hub.settings.allow_private_endpoints
        return Scene(tx, self.session.caller, asking, hub.clock.now_ns(), hub.secrets, private)

    def _park(self, needs: list[Need]) -> None:
        assert needs, "an operation is blocked only by a lock that it asked for"
        self._start_timer()
        if self.waiter is None:
            self.waiter = self.hub.table.park(self.session.id, needs)
            self.waiter.on_ready = self.go_on
        else:
            self.hub.table.park_again(self.waiter, needs)
        self._in_line = True

    def _start_timer(self) -> None:
        """Begin to wait, or raise Fault(LOCKED) when the time for that is over."""
        wait_s = min(_wait_ms(self.body) / 1000, LOCK_WAIT_S_MAX)
        if self._late or wait_s <= 0:
            raise Fault(Code.LOCKED, "another client holds a lock on it")
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._time_over)

    def _time_over(self) -> None:
        self._late = True
        if self._in_line:
            self.drop(Fault(Code.LOCKED, "another client held a lock on it for the whole time limit"))

    def drop(self, fault: Fault) -> None:
        """End it while it stands in line."""
        if self._in_line:
            self._in_line = False
            self.settle(fault)
            self.hub.committer.advance()

    def _leave(self) -> None:
        """Out of the line, and no timer left behind."""
        if self._timer is not None:
            self._timer.cancel()
        if self.waiter is not None:
            self.hub.table.leave(self.waiter)


class Read(_Waiting):
    """A request that changes nothing: answered from committed state, at once or when locks let it."""

    def start(self) -> None:
        """Run it now."""
        self.go_on()

    def go_on(self) -> None:
        try:
            with self.hub.database.read() as tx:
                reply = self.operate(tx)
            frame = codec.encode_reply(self.reply_to.request, codec.encode(reply))
        except Parked:
            self.reply_to.connection.parked.add(self)
            return
        except Fault as fault:
            self.settle(fault)
        except Exception:
            log.exception("the request %s failed", type(self.body).__name__)
            self.settle(Fault(Code.INTERNAL, "the hub failed; its log says why"))
        else:
            self._leave_quietly()
            self.hub.metrics.answered(type(self.body), None)
            self.reply_to.connection.send(frame)

    def settle(self, fault: Fault | None) -> None:
        assert fault is not None
        self._leave_quietly()
        self.reply_to.connection.fail(self.reply_to.request, fault, self.body)

    def _leave_quietly(self) -> None:
        self.reply_to.connection.parked.discard(self)
        if self.waiter is not None or self._timer is not None:
            self._leave()
            self.hub.committer.advance()


class Change(_Waiting):
    """A request that alters state: applied exactly once, answered when it is on disk."""

    def __init__(self, hub: Hub, session: Session, request: Request, reply_to: ReplyTo) -> None:
        super().__init__(hub, session, request.body, reply_to)
        self.seq = request.seq
        self._reply = b""
        self._taken = False  # a lock or name was taken, in memory; not on disk yet

    def run(self, tx: Tx) -> None:
        """See committer.Job.run."""
        self._taken = False
        reply = self._apply(tx)
        self._reply = codec.encode(reply)
        session = self.session
        tx.put_reply(session.id, self.seq, self._reply)
        if session.acked > session.forgotten:
            tx.forget_replies(session.id, session.acked)
            session.forgotten = session.acked

    def _apply(self, tx: Tx) -> Message:
        table, caller, body = self.hub.table, self.session.caller, self.body
        if isinstance(body, Lock):
            return self._lock(tx, body)
        if self.session.ended:
            raise Fault(Code.SESSION_EXPIRED, self.session.ended)
        if isinstance(body, Unlock):
            return lock_requests.release(table, caller, body)
        if isinstance(body, Reserve):
            reserved = lock_requests.reserve(tx, table, caller, body)
            self._taken = True
            return reserved
        if isinstance(body, Unreserve):
            return lock_requests.unreserve(table, caller, body)
        reply = self.operate(tx)
        if isinstance(body, Create):
            table.unreserve(body.parent, body.node.token, caller.session)
        return reply

    def _lock(self, tx: Tx, body: Lock) -> Message:
        self._in_line = False
        if self.session.ended:
            raise Fault(Code.SESSION_EXPIRED, self.session.ended)
        if self.waiter is None or not self.waiter.ready:
            waiter = lock_requests.acquire(tx, self.hub.table, self.session.caller, body, self.hub.clock.now_ns())
            if not waiter.ready:
                self._wait_for_lock(waiter)
            self.waiter = waiter
        self._taken = True
        return lock_requests.granted(self.waiter)

    def _wait_for_lock(self, waiter: Waiter) -> None:
        try:
            self._start_timer()
        except Fault:
            self.hub.table.leave(waiter)
            raise
        self.waiter = waiter
        waiter.on_ready = self.go_on
        self._in_line = True
        raise Parked

    def go_on(self) -> None:
        self._in_line = False
        self.hub.committer.submit(self, urgent=True)

    def settle(self, fault: Fault | None) -> None:
        self._leave()
        self.session.running.pop(self.seq, None)
        connection, request = self.reply_to
        if fault is not None:
            if self._taken:  # it could not be stored, and the client is told so: nobody would ever give it back
                lock_requests.give_back(self.hub.table, self.session.caller, self.body)
            connection.fail(request, fault, self.body)
            return
        if self.seq > self.session.acked:
            self.session.replies[self.seq] = self._reply
        self.hub.metrics.answered(type(self.body), None)
        connection.send(codec.encode_reply(request, self._reply))


def _wait_ms(body: Message) -> int:
    if isinstance(body, Lock):
        return body.wait_ms
    if isinstance(body, (Walk, Create, Delete, Move, Commit)):
        return body.wait.wait_ms
    return 0
