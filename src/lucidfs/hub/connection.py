"""One connection, seen from the hub: a handshake of two questions, then requests of one session, each dispatched.

greeting ── Hello ──▶ challenged ── Login ──▶ opening ── (group commit) ──▶ serving ──▶ closed
    └───────────────────────┴── refused, too late or malformed ──▶ closed
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from lucidfs.errors import Code, Fault
from lucidfs.hub import login
from lucidfs.hub.operations.scene import Caller
from lucidfs.hub.requests import Change, Read, ReplyTo
from lucidfs.hub.sessions import Session
from lucidfs.limits import GRANTS_PER_REQUEST_MAX, REPLIES_UNACKED_MAX, REQUESTS_IN_FLIGHT_MAX
from lucidfs.types import Role
from lucidfs.wire import codec
from lucidfs.wire.messages import (
    REQUESTS,
    Bye,
    Challenge,
    Done,
    Failure,
    GrantObjects,
    Grants,
    Heartbeat,
    Hello,
    ListFilespaces,
    ListLocks,
    Locks,
    Login,
    Message,
    Push,
    PushBody,
    Reply,
    ReplyBody,
    Request,
    Welcome,
)  # fmt: skip
from lucidfs.wire.transport import Connection

if TYPE_CHECKING:
    from lucidfs.hub.hub import Hub

log = logging.getLogger(__name__)

_NUMBERS_END = 2**63
_WITHOUT_FILESPACE = (Heartbeat, ListFilespaces, Bye)


class HubConnection:
    """The hub's `Receiver` for one connection.

    Args:
        hub: whose rules and state are used.
        connection: the wire.
        base_url: the address by which the client reached the hub, for signed URLs.
        objects_mark: where the client may find the folder of objects on its own machine; empty: nowhere.
    """

    def __init__(self, hub: Hub, connection: Connection, base_url: str, objects_mark: str) -> None:
        self._hub = hub
        self._connection = connection
        self._base_url = base_url
        self._objects_mark = objects_mark
        self._session: Session | None = None
        self._handle: Callable[[Request], None] = self._greet
        self._hello: Hello | None = None
        self._nonce = b""
        self._closed = False
        self._timer: asyncio.TimerHandle | None = asyncio.get_running_loop().call_later(
            hub.settings.handshake_s, self.close, "the handshake took too long"
        )
        self.parked: set[Read] = set()  # reads of this connection that wait for locks

    # --- Receiver ---------------------------------------------------------------------------------------------

    def frame_received(self, frame: bytes) -> None:
        """See wire.transport.Receiver."""
        if self._closed:
            return
        try:
            request = codec.decode_request(frame)
        except codec.UnknownMessage as unknown:
            self._send(Failure(unknown.request, unknown.code, unknown.message))
        except Fault as fault:
            self._refuse(0, fault)
        else:
            self._handle(request)

    def connection_lost(self, reason: str) -> None:
        """See wire.transport.Receiver."""
        self._end(reason)
        self._hub.connection_ended(self, self._connection.peer)
        if self._session is not None and self._session.connection is self:
            self._session.connection = None

    # --- what the rest of the hub says through it -------------------------------------------------------------

    def send(self, frame: bytes) -> None:
        """Send an encoded frame; does nothing when the connection is gone."""
        if not self._closed:
            self._connection.send(frame)

    def fail(self, request: int, fault: Fault, body: Message) -> None:
        """Refuse a request; the connection stays."""
        self._hub.metrics.answered(type(body), fault.code)
        self._send(Failure(request, fault.code, fault.message))

    def push(self, body: PushBody) -> None:
        """Say something unasked."""
        self._send(Push(body))

    def close(self, reason: str) -> None:
        """End the connection."""
        if not self._closed:
            self._end(reason)
            self._connection.close(reason)

    def _end(self, reason: str) -> None:
        """Nothing is sent or received any more; what waits here for locks leaves the line."""
        self._closed = True
        self._stop_timer()
        for read in list(self.parked):
            read.drop(Fault(Code.UNAVAILABLE, reason))

    # --- handshake --------------------------------------------------------------------------------------------

    def _greet(self, request: Request) -> None:
        hello = request.body
        if not isinstance(hello, Hello):
            self._refuse(request.id, Fault(Code.UNAUTHENTICATED, "say Hello first"))
            return
        try:
            login.check_hello(hello)
            self._hub.check_open()
            self._hub.check_logins(self._connection.peer)
        except Fault as fault:
            self._refuse(request.id, fault)
            return
        self._hello = hello
        self._nonce = self._hub.random(login.NONCE_BYTES)
        self._handle = self._log_in
        self._answer(request.id, Challenge(self._nonce))

    def _log_in(self, request: Request) -> None:
        hello, body = self._hello, request.body
        if hello is None or not isinstance(body, Login):
            self._refuse(request.id, Fault(Code.UNAUTHENTICATED, "answer the challenge first"))
            return
        self._handle = self._too_early
        try:
            self._hub.check_open()
            self._hub.check_logins(self._connection.peer)
            with self._hub.database.read() as tx:
                account = login.authenticate(tx, hello, self._nonce, body.signature)
                session = self._hub.resumable(hello, account.id)
                if session is None:
                    self._hub.open_session(hello, account, self._opened(request.id), self._not_opened(request.id))
                    return
                locks = self._hub.table.locks_of(session.id)
                welcome = login.welcome(
                    tx,
                    hello,
                    account,
                    session.id,
                    self._hub.settings,
                    self._hub.clock.now_ns(),
                    resumed=True,
                    locks=locks,
                )
        except Fault as fault:
            if fault.code is Code.UNAUTHENTICATED:
                self._hub.login_failed(self._connection.peer)
            self._hub.metrics.login(fault.code.name.lower())
            self._refuse(request.id, fault)
            return
        self._hub.metrics.login("resumed")
        self._serve(request.id, session, welcome)

    def _opened(self, request: int) -> Callable[[Welcome, Caller], None]:
        def done(welcome: Welcome, caller: Caller) -> None:
            self._hub.metrics.login("opened")
            self._serve(request, self._hub.sessions.add(caller), welcome)

        return done

    def _not_opened(self, request: int) -> Callable[[Fault], None]:
        def refused(fault: Fault) -> None:
            self._hub.metrics.login(fault.code.name.lower())
            self._refuse(request, fault)

        return refused

    def _serve(self, request: int, session: Session, welcome: Welcome) -> None:
        self._stop_timer()
        self._session = session
        self._hub.sessions.seen(session)
        if self._closed:  # lost while the session was made: the client may resume it within the limit
            return
        earlier, session.connection = session.connection, self
        if earlier is not None:
            earlier.close("the session went on elsewhere")
        self._handle = self._dispatch
        near = self._hub.store.is_local(session.caller.filespace)
        self._answer(request, welcome.with_objects(self._objects_mark if near else ""))

    def _too_early(self, request: Request) -> None:
        self._refuse(request.id, Fault(Code.UNAUTHENTICATED, "wait for the Welcome"))

    # --- requests ---------------------------------------------------------------------------------------------

    def _dispatch(self, request: Request) -> None:
        session, body = self._session, request.body
        assert session is not None
        if not (0 <= request.seq < _NUMBERS_END and 0 <= request.acked < _NUMBERS_END):
            self._refuse(request.id, Fault(Code.BAD_MESSAGE, "a sequence number is positive and below 2**63"))
            return
        self._hub.sessions.seen(session)
        session.acknowledge(request.acked)
        try:
            call = REQUESTS[type(body)]
            self._check(session, body, call.role)
            if call.change:
                self._change(session, request)
            else:
                self._ask(session, request)
        except Fault as fault:
            self.fail(request.id, fault, body)

    def _check(self, session: Session, body: Message, role: Role) -> None:
        if session.ended:
            raise Fault(Code.SESSION_EXPIRED, session.ended)
        if isinstance(body, (Hello, Login)):
            raise Fault(Code.BAD_MESSAGE, "this connection is logged in already")
        self._hub.check_open()
        if session.caller.role < role and not isinstance(body, _WITHOUT_FILESPACE):
            raise Fault(Code.DENIED, f"the account {session.caller.account_name} may not do that here")

    def _check_room(self, session: Session) -> None:
        if len(session.running) + len(self.parked) >= REQUESTS_IN_FLIGHT_MAX:
            raise Fault(Code.TOO_MANY, f"more than {REQUESTS_IN_FLIGHT_MAX} requests in flight")

    def _change(self, session: Session, request: Request) -> None:
        """Apply a change once, however often it arrives."""
        seq = request.seq
        if seq <= session.acked:
            raise Fault(Code.BAD_MESSAGE, f"change {seq} was answered and acknowledged long ago")
        running = session.running.get(seq)
        if running is not None:
            running.reply_to = ReplyTo(self, request.id)
            return
        reply = session.replies.get(seq)
        if reply is not None:
            self.send(codec.encode_reply(request.id, reply))
            return
        self._check_room(session)  # not for repeats: after a lost connection all that runs is sent again
        if len(session.replies) >= REPLIES_UNACKED_MAX:
            raise Fault(Code.TOO_MANY, "too many replies that were not acknowledged")
        change = session.running[seq] = Change(self._hub, session, request, ReplyTo(self, request.id))
        self._hub.committer.submit(change)

    def _ask(self, session: Session, request: Request) -> None:
        body = request.body
        if isinstance(body, Heartbeat):
            self._answer(request.id, Done())
        elif isinstance(body, GrantObjects):
            self._answer(request.id, self._grants(session, body))
        elif isinstance(body, ListLocks):
            self._answer(request.id, Locks(self._hub.table.listing(session.caller.filespace, body.node)))
        elif isinstance(body, Bye):
            self._hub.end_session(session, "the client said goodbye", told=lambda: self._farewell(request.id))
        else:
            self._check_room(session)
            Read(self._hub, session, body, ReplyTo(self, request.id)).start()

    def _grants(self, session: Session, body: GrantObjects) -> Grants:
        if len(body.objects) > GRANTS_PER_REQUEST_MAX:
            raise Fault(Code.TOO_MANY, f"at most {GRANTS_PER_REQUEST_MAX} objects in one request")
        if body.put and session.caller.role < Role.WRITE:
            raise Fault(Code.DENIED, f"the account {session.caller.account_name} may only read here")
        return Grants(self._hub.grants(session.caller.filespace, body.objects, body.put, self._base_url))

    def _farewell(self, request: int) -> None:
        self._answer(request, Done())
        self.close("the client said goodbye")

    # --- sending ----------------------------------------------------------------------------------------------

    def _answer(self, request: int, body: ReplyBody) -> None:
        self._send(Reply(request, body))

    def _send(self, message: Message) -> None:
        try:
            frame = codec.encode(message)
        except Fault as fault:
            assert isinstance(message, Reply), "only replies can be too large"
            frame = codec.encode(Failure(message.id, fault.code, fault.message))
        self.send(frame)

    def _refuse(self, request: int, fault: Fault) -> None:
        """Answer with a failure, and end the connection."""
        self._send(Failure(request, fault.code, fault.message))
        self.close(fault.message)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
