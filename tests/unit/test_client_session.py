"""The session's state machine against a hub that does exactly what the test says."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from lucidfs import identity
from lucidfs.clock import SystemClock
from lucidfs.crypto.account import AccountKeys
from lucidfs.crypto.token import Token
from lucidfs.engine.session import Session
from lucidfs.errors import Code, Fault
from lucidfs.limits import LISTING_PAGE, MESSAGE_BYTES_MAX, REQUESTS_IN_FLIGHT_MAX
from lucidfs.types import Kind, LockMode, Role
from lucidfs.wire import codec, messages
from lucidfs.wire.inprocess import InProcessTransport
from lucidfs.wire.transport import Connection

KEYS = AccountKeys(Token.generate(os.urandom))
FILESPACE = 77
DELETE = messages.Delete(messages.Path(1, [b"t" * 16]))
LOOK = messages.GetStatistics()
STATISTICS = messages.Statistics(1, 2, 3, 4, 5, 6)


class Peer:
    """The hub's end of one connection."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.requests: asyncio.Queue[messages.Request] = asyncio.Queue()
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.hello = messages.Hello(0, "", b"")

    def frame_received(self, frame: bytes) -> None:
        request = codec.decode_request(frame)
        if not isinstance(request.body, messages.Heartbeat):
            self.requests.put_nowait(request)

    def connection_lost(self, reason: str) -> None:
        self.lost.set_result(reason)

    async def next(self) -> messages.Request:
        return await asyncio.wait_for(self.requests.get(), 10)

    def reply(self, request: messages.Request | int, body: messages.ReplyBody) -> None:
        number = request if isinstance(request, int) else request.id
        self.connection.send(codec.encode(messages.Reply(number, body)))

    def refuse(self, request: messages.Request | int, code: int, message: str = "") -> None:
        number = request if isinstance(request, int) else request.id
        self.connection.send(codec.encode(messages.Failure(number, code, message)))

    def push(self, body: messages.PushBody) -> None:
        self.connection.send(codec.encode(messages.Push(body)))

    async def challenge(self) -> messages.Request:
        hello = await self.next()
        assert isinstance(hello.body, messages.Hello)
        self.hello = hello.body
        self.reply(hello, messages.Challenge(b"n" * 32))
        login = await self.next()
        assert isinstance(login.body, messages.Login)
        transcript = identity.login_transcript(
            1, self.hello.key_id, self.hello.nonce, b"n" * 32, FILESPACE, self.hello.resume
        )
        assert identity.verify(KEYS.login_public, login.body.signature, transcript)
        return login

    async def let_in(self, session: int = 5, resumed: bool = False, heartbeat_ms: int = 2500, **more: Any) -> Peer:
        login = await self.challenge()
        info = messages.FilespaceInfo(FILESPACE, "f", 0, Role.WRITE)
        self.reply(
            login, messages.Welcome(session, resumed, 1, "a", 2, "w", 10_000, heartbeat_ms, 0, info, root=1, **more)
        )
        return self


class Script:
    """A hub of which each connection is handed to the test."""

    def __init__(self) -> None:
        self.there = True
        self.accepted: list[Peer] = []
        self.peers: asyncio.Queue[Peer] = asyncio.Queue()
        self.transport = InProcessTransport(lambda: self if self.there else None)
        self.session = Session(self.transport, KEYS, FILESPACE, clock=SystemClock(), random=os.urandom)

    def accept(self, connection: Connection) -> Peer:
        peer = Peer(connection)
        self.accepted.append(peer)
        self.peers.put_nowait(peer)
        return peer

    async def next(self) -> Peer:
        return await asyncio.wait_for(self.peers.get(), 10)

    async def opened(self, **welcome: Any) -> Peer:
        opening = asyncio.create_task(self.session.open())
        peer = await (await self.next()).let_in(**welcome)
        await opening
        return peer


def scripted(test: Callable[[Script], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run the test on a loop of its own; the session is closed and no task may be left."""

    async def run() -> None:
        script = Script()
        try:
            await test(script)
        finally:
            script.there = False
            for peer in script.accepted:
                peer.connection.close()
            await script.session.close()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    def sync() -> None:
        asyncio.run(run())

    sync.__name__ = sync.__qualname__ = test.__name__
    sync.__doc__ = test.__doc__
    return sync


async def refused(work: Awaitable[Any], code: Code) -> Fault:
    with pytest.raises(Fault) as caught:
        await work
    assert caught.value.code is code
    return caught.value


@scripted
async def test_a_call_gets_its_reply(script: Script) -> None:
    peer = await script.opened()
    asking = asyncio.create_task(script.session.call(LOOK))
    request = await peer.next()
    assert (request.seq, request.acked, request.body) == (0, 0, LOOK)
    peer.reply(request, STATISTICS)
    assert await asking == STATISTICS


@scripted
async def test_replies_may_come_in_any_order(script: Script) -> None:
    peer = await script.opened()
    asking = [asyncio.create_task(script.session.call(messages.ReadContent(n))) for n in (1, 2)]
    first, second = await peer.next(), await peer.next()
    for request, node in ((second, 2), (first, 1)):
        entry = messages.Entry(node, 1, Kind.FILE, b"")
        peer.reply(request, messages.Found(entry, messages.Content(1, 0, 1, b"")))
    assert [(await each).entry.id for each in asking] == [1, 2]


@scripted
async def test_changes_are_numbered_and_acknowledged(script: Script) -> None:
    peer = await script.opened()
    asking = [asyncio.create_task(script.session.call(DELETE)) for _ in range(3)]
    requests = [await peer.next() for _ in range(3)]
    assert [request.seq for request in requests] == [1, 2, 3]
    assert script.session.unacked_changes == 3
    peer.reply(requests[1], messages.Done())
    await asking[1]
    looking = asyncio.create_task(script.session.call(LOOK))
    request = await peer.next()
    assert request.acked == 0  # the first is still open
    peer.reply(request, STATISTICS)
    await looking
    peer.refuse(requests[0], Code.NOT_FOUND, "gone")
    await refused(asking[0], Code.NOT_FOUND)
    peer.reply(requests[2], messages.Done())
    await asking[2]
    asking[0] = asyncio.create_task(script.session.call(DELETE))
    request = await peer.next()
    assert (request.seq, request.acked) == (4, 3)
    peer.reply(request, messages.Done())
    await asking[0]
    assert script.session.unacked_changes == 0


@scripted
async def test_a_lost_connection_is_resumed_and_the_change_sent_again(script: Script) -> None:
    peer = await script.opened()
    asking = asyncio.create_task(script.session.call(DELETE))
    before = await peer.next()
    peer.connection.close("cut")
    peer = await (await script.next()).let_in(resumed=True)
    assert (peer.hello.resume, peer.hello.unacked) == (5, [1])
    again = await peer.next()
    assert (again.seq, again.body) == (before.seq, before.body)
    peer.reply(again, messages.Done())
    assert await asking == messages.Done()
    assert script.session.epoch == 1


@scripted
async def test_calls_made_while_the_hub_is_away_wait_for_it(script: Script) -> None:
    peer = await script.opened()
    script.there = False
    peer.connection.close("cut")
    await peer.lost
    asking = asyncio.create_task(script.session.call(DELETE))
    await asyncio.sleep(0)
    script.there = True
    peer = await (await script.next()).let_in(resumed=True)
    peer.reply(await peer.next(), messages.Done())
    assert await asking == messages.Done()


@scripted
async def test_past_the_deadline_a_call_is_unavailable(script: Script) -> None:
    peer = await script.opened()
    script.there = False
    peer.connection.close("cut")
    await peer.lost
    await refused(script.session.call(DELETE, deadline_s=0.05), Code.UNAVAILABLE)
    script.there = True
    peer = await (await script.next()).let_in(resumed=True)
    asking = asyncio.create_task(script.session.call(LOOK))
    request = await peer.next()
    assert request.body == LOOK  # what was given up is not sent
    peer.reply(request, STATISTICS)
    await asking


@scripted
async def test_a_deadline_tells_when_the_outcome_is_unknown(script: Script) -> None:
    peer = await script.opened()
    asking = asyncio.create_task(script.session.call(DELETE, deadline_s=0.05))
    await peer.next()
    assert "not known" in (await refused(asking, Code.UNAVAILABLE)).message


@scripted
async def test_a_new_session_settles_what_the_old_one_applied(script: Script) -> None:
    peer = await script.opened()
    asking = [asyncio.create_task(script.session.call(DELETE)) for _ in range(3)]
    requests = [await peer.next() for _ in range(3)]
    peer.reply(requests[0], messages.Done())
    await asking[0]
    peer.connection.close("cut")
    stored = [(2, codec.encode(messages.Done()))]
    peer = await (await script.next()).let_in(session=6, replies=stored)
    assert peer.hello.unacked == [2, 3]
    assert await asking[1] == messages.Done()
    again = await peer.next()
    assert (again.seq, again.acked) == (1, 0)  # the first change of the new session
    peer.reply(again, messages.Done())
    await asking[2]
    assert script.session.epoch == 2


@scripted
async def test_a_lock_granted_by_an_old_session_is_asked_for_again(script: Script) -> None:
    peer = await script.opened()
    asking = asyncio.create_task(script.session.call(messages.Lock(9, 1, 1, LockMode.SHARED)))
    await peer.next()
    peer.connection.close("cut")
    peer = await (await script.next()).let_in(session=6, replies=[(1, codec.encode(messages.Locked(9)))])
    again = await peer.next()
    assert isinstance(again.body, messages.Lock)
    peer.reply(again, messages.Locked(9))
    await asking


@scripted
async def test_an_unreadable_stored_reply_is_corrupt(script: Script) -> None:
    peer = await script.opened()
    asking = asyncio.create_task(script.session.call(DELETE))
    await peer.next()
    peer.connection.close("cut")
    await (await script.next()).let_in(session=6, replies=[(1, b"\x00garbage")])
    await refused(asking, Code.CORRUPT)


@pytest.mark.parametrize("code", [Code.UNAUTHENTICATED, Code.DENIED, Code.NOT_FOUND, Code.VERSION, Code.TOO_MANY])
def test_a_refused_handshake_is_final(code: Code) -> None:
    @scripted
    async def test(script: Script) -> None:
        opening = asyncio.create_task(script.session.open())
        peer = await script.next()
        peer.refuse(await peer.challenge(), code, "no")
        assert (await refused(opening, code)).message == "no"
        await refused(script.session.call(LOOK), code)
        assert not script.session.alive

    test()


@scripted
async def test_a_hub_that_is_shutting_down_is_asked_again(script: Script) -> None:
    opening = asyncio.create_task(script.session.open())
    peer = await script.next()
    peer.refuse(await peer.next(), Code.SHUTTING_DOWN)
    await (await script.next()).let_in()
    await opening


@scripted
async def test_opening_gives_up_at_its_deadline(script: Script) -> None:
    script.there = False
    await refused(script.session.open(deadline_s=0.05), Code.UNAVAILABLE)


@scripted
async def test_a_silent_hub_does_not_open(script: Script) -> None:
    opening = asyncio.create_task(script.session.open(deadline_s=0.1))
    await (await script.next()).next()
    await refused(opening, Code.UNAVAILABLE)


@scripted
async def test_nonsense_in_the_handshake_is_unavailable(script: Script) -> None:
    opening = asyncio.create_task(script.session.open(deadline_s=0.3))
    for nonsense in (b"", b"\xff" * 10, codec.encode(messages.Reply(1, messages.Done()))):
        peer = await script.next()
        await peer.next()
        peer.connection.send(nonsense)
        await peer.lost
    script.there = False
    assert "hub" in (await refused(opening, Code.UNAVAILABLE)).message


@scripted
async def test_another_filespace_than_asked_for_is_refused(script: Script) -> None:
    opening = asyncio.create_task(script.session.open(deadline_s=0.2))
    peer = await script.next()
    login = await peer.challenge()
    info = messages.FilespaceInfo(FILESPACE + 1, "other", 0, Role.WRITE)
    peer.reply(login, messages.Welcome(5, False, 1, "a", 2, "w", 10_000, 2500, 0, info))
    script.there = False
    await refused(opening, Code.UNAVAILABLE)


@scripted
async def test_revocation_ends_every_call(script: Script) -> None:
    peer = await script.opened()
    asking = [asyncio.create_task(script.session.call(body)) for body in (LOOK, DELETE)]
    await peer.next()
    peer.push(messages.Expired("revoked"))
    peer = await script.next()
    peer.refuse(await peer.challenge(), Code.UNAUTHENTICATED, "no")
    for each in asking:
        await refused(each, Code.UNAUTHENTICATED)
    await refused(script.session.call(LOOK), Code.UNAUTHENTICATED)


@scripted
async def test_goodbye_lets_running_calls_finish_and_new_ones_wait(script: Script) -> None:
    peer = await script.opened()
    running = asyncio.create_task(script.session.call(DELETE))
    request = await peer.next()
    peer.push(messages.Goodbye("restart"))
    await asyncio.sleep(0)
    peer.reply(request, messages.Done())
    assert await running == messages.Done()
    waiting = asyncio.create_task(script.session.call(LOOK))
    peer = await (await script.next()).let_in(resumed=True)
    peer.reply(await peer.next(), STATISTICS)
    assert await waiting == STATISTICS


@scripted
async def test_new_work_refused_by_a_closing_hub_goes_to_the_next(script: Script) -> None:
    peer = await script.opened()
    asking = asyncio.create_task(script.session.call(DELETE))
    peer.refuse(await peer.next(), Code.SHUTTING_DOWN)
    peer = await (await script.next()).let_in(resumed=True)
    peer.reply(await peer.next(), messages.Done())
    assert await asking == messages.Done()


@scripted
async def test_too_many_is_asked_again(script: Script) -> None:
    peer = await script.opened()
    asking = asyncio.create_task(script.session.call(DELETE))
    first = await peer.next()
    peer.refuse(first, Code.TOO_MANY)
    again = await peer.next()
    assert again.seq == first.seq
    peer.reply(again, messages.Done())
    await asking


@scripted
async def test_an_expired_session_goes_on_as_a_new_one(script: Script) -> None:
    peer = await script.opened()
    asking = asyncio.create_task(script.session.call(DELETE))
    peer.refuse(await peer.next(), Code.SESSION_EXPIRED, "silent")
    peer = await (await script.next()).let_in(session=6)
    peer.reply(await peer.next(), messages.Done())
    await asking
    assert script.session.epoch == 2


@scripted
async def test_a_silent_connection_is_replaced(script: Script) -> None:
    await script.opened(heartbeat_ms=20)
    asking = asyncio.create_task(script.session.call(LOOK))
    peer = await (await script.next()).let_in(resumed=True)
    peer.reply(await peer.next(), STATISTICS)
    assert await asking == STATISTICS


@scripted
async def test_a_call_that_is_never_understood_ends(script: Script) -> None:
    peer = await script.opened()
    asking = asyncio.create_task(script.session.call(LOOK))
    while not asking.done():
        request = await peer.next()
        if isinstance(request.body, messages.GetStatistics):
            peer.reply(request, messages.Done())
            await peer.lost
            peer = await (await script.next()).let_in(resumed=True)
            await asyncio.wait({asking}, timeout=0.05)
    await refused(asking, Code.BAD_MESSAGE)


@scripted
async def test_a_code_of_a_later_version_is_internal(script: Script) -> None:
    peer = await script.opened()
    asking = asyncio.create_task(script.session.call(LOOK))
    peer.refuse(await peer.next(), 999, "new trouble")
    assert "999" in (await refused(asking, Code.INTERNAL)).message


@scripted
async def test_a_cancelled_change_keeps_its_number_until_it_is_answered(script: Script) -> None:
    peer = await script.opened()
    asking = asyncio.create_task(script.session.call(DELETE))
    request = await peer.next()
    asking.cancel()
    await asyncio.wait({asking})
    assert script.session.unacked_changes == 1
    looking = asyncio.create_task(script.session.call(LOOK))
    assert (await peer.next()).acked == 0
    peer.reply(request, messages.Done())
    peer.reply(request.id + 1, STATISTICS)
    await looking
    assert script.session.unacked_changes == 0


@scripted
async def test_what_does_not_fit_a_message_is_refused_here(script: Script) -> None:
    peer = await script.opened()
    huge = messages.Hello(1, "x" * (MESSAGE_BYTES_MAX + 1), b"")
    await refused(script.session.call(huge), Code.TOO_LARGE)
    asking = asyncio.create_task(script.session.call(LOOK))
    peer.reply(await peer.next(), STATISTICS)
    await asking


@scripted
async def test_requests_in_flight_are_bounded_and_lock_waits_leave_room(script: Script) -> None:
    peer = await script.opened()
    lock = messages.Lock(9, 1, 1, LockMode.SHARED, wait_ms=60_000)
    waiting = [asyncio.create_task(script.session.call(lock)) for _ in range(REQUESTS_IN_FLIGHT_MAX)]
    plain = [asyncio.create_task(script.session.call(LOOK)) for _ in range(LISTING_PAGE // 8)]
    answered = 0
    while answered < len(plain):
        request = await peer.next()
        if isinstance(request.body, messages.GetStatistics):
            answered += 1
            peer.reply(request, STATISTICS)
            assert peer.requests.qsize() < REQUESTS_IN_FLIGHT_MAX
    await asyncio.gather(*plain)
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)


@scripted
async def test_close_says_bye_and_fails_what_waits(script: Script) -> None:
    peer = await script.opened()
    asking = asyncio.create_task(script.session.call(LOOK))
    await peer.next()
    closing = asyncio.create_task(script.session.close())
    bye = await peer.next()
    assert isinstance(bye.body, messages.Bye)
    peer.reply(bye, messages.Done())
    await closing
    await refused(asking, Code.UNAVAILABLE)
    await refused(script.session.call(LOOK), Code.UNAVAILABLE)
    await peer.lost


@scripted
async def test_welcome_listeners_hear_of_each_login(script: Script) -> None:
    heard: list[tuple[bool, int]] = []
    script.session.on_welcome(lambda welcome: heard.append((welcome.resumed, script.session.epoch)))
    peer = await script.opened()
    peer.connection.close()
    peer = await (await script.next()).let_in(resumed=True)
    peer.connection.close()
    await (await script.next()).let_in(session=6)
    asking = asyncio.create_task(script.session.call(LOOK, deadline_s=0.05))
    await asyncio.wait({asking})
    asking.exception()
    assert heard == [(False, 1), (True, 1), (False, 2)]
