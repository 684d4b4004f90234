"""A session with the hub that outlives connections: calls go out, wait while the hub is away, and happen once.

One task (`_keep`) makes connections and watches over them; everything else happens in callbacks of the loop's thread,
which is the only one that may touch a session.

    call() ── CallTable ──▶ Link ──▶ hub
                 ▲           │ lost, silent, goodbye
                 └─ resend ──┘ _keep: backoff, connect, log in (resume), send again what has no answer
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from lucidfs import identity
from lucidfs.clock import Clock
from lucidfs.crypto.account import AccountKeys
from lucidfs.engine.backoff import pause_s
from lucidfs.engine.calls import MISTAKES_MAX, CallTable, Gate, PendingCall, wait_s
from lucidfs.engine.link import FINAL, Link, failure_fault
from lucidfs.errors import Code, Fault
from lucidfs.limits import CALL_DEADLINE_S, HANDSHAKE_S, HEARTBEAT_S, RETRY_MAX_S, SHUTDOWN_S
from lucidfs.wire import codec
from lucidfs.wire.messages import (
    PROTOCOL_VERSION,
    Bye,
    Failure,
    Goodbye,
    Heartbeat,
    Hello,
    Message,
    Push,
    Reply,
    Request,
    ServerFrame,
    Welcome,
)
from lucidfs.wire.transport import Transport

OPEN_DEADLINE_S = (
    HANDSHAKE_S  # a hub that restarts is back in a second or two; a wrong address should not cost a minute
)
_BYE_S = 1.0
_HEARTBEAT_MIN_S = 0.02


class Session:
    """The client's side of one session: one account in one filespace (0: in the workspace only).

    Args:
        transport: makes connections to the hub.
        keys: of the account that logs in.
        filespace: id of the filespace, 0 for a session that only lists filespaces.
        clock: tells how long a connection held.
        random: source of random bytes for nonces and jitter.
        software: tells the hub's operator who connects.

    Attributes:
        epoch: 0 before `open`, 1 for the first session of the hub, one more each time that the hub had expired it and
            gave a new one. Locks and reservations of an earlier epoch are gone.
        welcome: what the hub said last when it let us in.
    """

    def __init__(
        self,
        transport: Transport,
        keys: AccountKeys,
        filespace: int,
        *,
        clock: Clock,
        random: Callable[[int], bytes],
        software: str = "",
    ) -> None:
        self.filespace = filespace
        self.epoch = 0
        self.welcome: Welcome | None = None
        self._transport = transport
        self._keys = keys
        self._clock = clock
        self._random = random
        self._software = software
        self._calls = CallTable()
        self._gate = Gate()
        self._link: Link | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._opened: asyncio.Future[Welcome] | None = None
        self._end: Fault | None = None
        self._trouble = Fault(Code.UNAVAILABLE, "no hub answered")
        self._heartbeat_s = HEARTBEAT_S
        self._listeners: list[Callable[[Welcome], None]] = []

    # --- the program's side ---------------------------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        """Whether a hub answers right now. Calls may be made either way."""
        return self._link is not None

    @property
    def alive(self) -> bool:
        """False once the session was closed or refused for good."""
        return self._end is None

    @property
    def unacked_changes(self) -> int:
        """Changes that were sent or wait to be, and have no answer yet."""
        return len(self._calls.unacked)

    def on_welcome(self, listener: Callable[[Welcome], None]) -> None:
        """Call `listener` after each login, before waiting calls are sent again; `epoch` is up to date by then."""
        self._listeners.append(listener)

    async def open(self, *, deadline_s: float = OPEN_DEADLINE_S) -> Welcome:
        """Connect and log in. Once per object.

        Raises:
            Fault: the hub's refusal (UNAUTHENTICATED, DENIED, NOT_FOUND, VERSION, TOO_MANY), or UNAVAILABLE when no
                hub let us in within `deadline_s`.
        """
        assert self._keeper is None, "a session is opened once"
        self._opened = asyncio.get_running_loop().create_future()
        self._keeper = asyncio.create_task(self._keep(), name="lucid session")
        self._keeper.add_done_callback(self._kept)
        try:
            await asyncio.wait({self._opened}, timeout=deadline_s)
            if not self._opened.done():
                self._finish(self._trouble)
            return await self._opened
        except BaseException:
            await self.close()
            raise

    async def call(self, body: Message, *, deadline_s: float = CALL_DEADLINE_S) -> Any:
        """Ask the hub and return its reply, whose type is checked to be the one that `REQUESTS` names.

        Waits while the hub is away and sends again what got no answer; a change is applied once however often it is
        sent. A cancelled change may or may not have been applied.

        Args:
            body: the request.
            deadline_s: how long to wait, on top of what the request itself waits for locks.

        Raises:
            Fault: the hub's refusal; UNAVAILABLE past the deadline; what ended the session, if something did.
        """
        if self._end is not None:
            raise self._ended()
        waits = wait_s(body) > 0
        if not self._gate.enter_nowait(waits):
            await self._turn(body, waits, deadline_s)
        call = self._calls.add(body, asyncio.get_running_loop().create_future(), deadline_s)
        call.arm(deadline_s + (call.wait_s if self._link is not None else 0))
        try:
            self._send(call)
        except Fault:  # it does not fit into a message, so the hub never hears of it
            self._drop(call)
            raise
        return await call.future

    async def close(self) -> None:
        """End the session and tell the hub so, if it answers. Calls that wait fail. Repeat: no-op."""
        link = self._link
        if link is not None and self._end is None and not link.draining:
            bye = asyncio.ensure_future(self.call(Bye(), deadline_s=_BYE_S))
            await asyncio.wait({bye, link.lost}, return_when=asyncio.FIRST_COMPLETED)
            bye.cancel()
            await asyncio.gather(bye, return_exceptions=True)  # whatever became of it: we are going
        self._finish(Fault(Code.UNAVAILABLE, "the session is closed"))
        keeper, self._keeper = self._keeper, None
        if keeper is not None and keeper is not asyncio.current_task():
            keeper.cancel()
            await asyncio.wait({keeper})

    # --- sending --------------------------------------------------------------------------------------------------

    async def _turn(self, body: Message, waits: bool, deadline_s: float) -> None:
        """Wait for room among the requests under way."""
        try:
            await asyncio.wait_for(self._gate.enter(waits), deadline_s + wait_s(body))
        except (asyncio.TimeoutError, TimeoutError):
            raise Fault(Code.UNAVAILABLE, f"no answer from the hub to earlier calls within {deadline_s:g} s") from None
        if self._end is not None:
            self._gate.leave(waits)
            raise self._ended()

    def _send(self, call: PendingCall) -> None:
        link = self._link
        if link is None or link.draining:
            return  # `_welcomed` sends it over the next link
        # The body came through `REQUESTS`, so it is one of the union.
        request = Request(call.id, call.seq, self._calls.acked, call.body)  # type: ignore[arg-type]
        link.send(codec.encode(request))
        call.sends += 1

    def _send_again(self, call: PendingCall) -> None:
        if self._calls.get(call.id) is not call or call.abandoned:
            return
        try:
            self._send(call)
        except Fault as fault:
            self._drop(call)
            call.fail(fault.code, fault.message)

    def _drop(self, call: PendingCall) -> None:
        self._calls.remove(call)
        self._gate.leave(call.wait_s > 0)
        if call.timer is not None:
            call.timer.cancel()

    # --- receiving ------------------------------------------------------------------------------------------------

    def _received(self, link: Link, frame: ServerFrame) -> None:
        if link is not self._link:
            return
        if isinstance(frame, Push):
            self._pushed(link, frame)
            return
        call = self._calls.get(frame.id)
        if isinstance(frame, Failure):
            self._refused(link, call, frame)
        elif call is not None:
            self._answered(link, call, frame)
        if link.draining and not any(waiting.sends for waiting in self._calls):
            link.close("the hub is going away")

    def _answered(self, link: Link, call: PendingCall, frame: Reply) -> None:
        if isinstance(frame.body, call.reply):
            self._drop(call)
            call.finish(frame.body)
        else:
            link.misunderstood = True
            link.close(f"the hub answered {type(call.body).__name__} with {type(frame.body).__name__}")

    def _refused(self, link: Link, call: PendingCall | None, failure: Failure) -> None:
        fault = failure_fault(failure)
        if fault.code is Code.SHUTTING_DOWN:
            self._drain(link)
            if call is not None:
                call.sends = 0  # known not to be applied
        elif fault.code is Code.UNAUTHENTICATED:
            self._finish(fault)
        elif fault.code is Code.SESSION_EXPIRED or (fault.code is Code.BAD_MESSAGE and call is None):
            link.misunderstood = fault.code is Code.BAD_MESSAGE
            link.close(f"refused by the hub: {fault.message}")
        elif call is None:
            return  # a heartbeat, or nobody waits for it any more
        elif fault.code is Code.TOO_MANY:
            asyncio.get_running_loop().call_later(pause_s(call.sends, self._random), self._send_again, call)
        else:
            self._drop(call)
            call.fail(fault.code, fault.message)

    def _pushed(self, link: Link, push: Push) -> None:
        if isinstance(push.body, Goodbye):
            self._drain(link)
        else:  # Expired: the next login tells whether there is a new session or none for us
            link.close(f"the session is over: {push.body.reason}")

    def _drain(self, link: Link) -> None:
        """The hub goes away: let it answer what it has, send nothing new, then look for the next one."""
        if not link.draining:
            link.draining = True
            asyncio.get_running_loop().call_later(SHUTDOWN_S, link.close, "the hub is going away")

    # --- connections ----------------------------------------------------------------------------------------------

    async def _keep(self) -> None:
        """Keep a connection for as long as the session lives."""
        attempts = 0
        while self._end is None:
            link = Link()
            try:
                welcome = await link.open(self._transport, self._keys, self._hello(), self._random)
            except Fault as fault:
                self._trouble = fault
                if fault.code in FINAL or (fault.code is Code.TOO_MANY and not self.epoch):
                    self._finish(fault)
                    return
            else:
                began_s = self._clock.monotonic_s()
                self._welcomed(link, welcome)
                reason = await link.watch(self._heartbeat_s, partial(self._beat, link))
                self._disconnected(reason, link.misunderstood)
                if link.heard or self._clock.monotonic_s() - began_s > RETRY_MAX_S:
                    attempts = 0  # it was of use: go on at once
            attempts += 1
            await asyncio.sleep(pause_s(attempts, self._random))

    def _kept(self, keeper: asyncio.Task[None]) -> None:
        if not keeper.cancelled() and (error := keeper.exception()) is not None:
            self._finish(Fault(Code.INTERNAL, f"the session failed: {error!r}"))

    def _beat(self, link: Link) -> None:
        """A heartbeat is no call: nobody waits for it, and it must pass when the gate is full. Its id is 0."""
        if not link.draining:
            link.send(codec.encode(Request(0, 0, self._calls.acked, Heartbeat())))

    def _hello(self) -> Hello:
        session = self.welcome.session if self.welcome is not None else 0
        unacked = [call.seq for call in self._calls if call.seq and not call.abandoned]
        nonce = self._random(identity.NONCE_BYTES)
        return Hello(PROTOCOL_VERSION, self._keys.key_id, nonce, self.filespace, session, unacked, self._software)

    def _welcomed(self, link: Link, welcome: Welcome) -> None:
        """The hub let us in: settle what it had applied, then send the rest again, in the old order."""
        fresh = not welcome.resumed or self.welcome is None
        self.welcome = welcome
        self._heartbeat_s = max(_HEARTBEAT_MIN_S, min(welcome.heartbeat_ms, welcome.session_limit_ms // 3) / 1000)
        for call in self._calls:
            if call.abandoned:
                self._drop(call)
            elif call.mistakes >= MISTAKES_MAX:
                self._drop(call)
                call.fail(Code.BAD_MESSAGE, f"hub and client did not understand each other {call.mistakes} times")
        if fresh:
            self.epoch += 1
            self._settle(welcome)
        self._link = link
        for listener in self._listeners:
            listener(welcome)
        for call in self._calls:
            call.arm(max(0.0, call.expires_s - asyncio.get_running_loop().time()))
            self._send_again(call)
        link.start(self._received)
        if self._opened is not None and not self._opened.done():
            self._opened.set_result(welcome)

    def _settle(self, welcome: Welcome) -> None:
        """The old session is over: take the replies that it had stored; what it had not applied starts anew."""
        for call, stored in self._calls.applied(welcome.replies):
            self._drop(call)
            try:
                reply = codec.decode_reply_body(stored)
            except Fault:
                reply = None
            if isinstance(reply, call.reply):
                call.finish(reply)
            else:
                call.fail(Code.CORRUPT, "the change was applied, but the hub's record of its answer is unreadable")
        self._calls.renumber()

    def _disconnected(self, reason: str, misunderstood: bool) -> None:
        self._link = None
        self._trouble = Fault(Code.UNAVAILABLE, f"lost the connection to the hub: {reason}")
        for call in self._calls:
            call.mistakes += misunderstood
            # A lock may be waited for for an hour, but not for a hub that is away
            call.arm(min(call.deadline_s, max(0.0, call.expires_s - asyncio.get_running_loop().time())))

    def _finish(self, fault: Fault) -> None:
        """Nothing more can come of this session: everyone who waits hears why."""
        if self._end is not None:
            return
        self._end = fault
        for call in self._calls:
            self._drop(call)
            call.fail(fault.code, fault.message)
        if self._opened is not None and not self._opened.done():
            self._opened.set_exception(self._ended())
        if self._link is not None:
            self._link.close("the session is closed")
            self._link = None

    def _ended(self) -> Fault:
        assert self._end is not None
        return Fault(self._end.code, self._end.message)
