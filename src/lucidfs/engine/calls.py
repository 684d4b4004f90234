"""Calls that wait for their reply: who waits, which changes are unanswered, how many may be under way."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator

from lucidfs.errors import Code, Fault
from lucidfs.limits import REQUESTS_IN_FLIGHT_MAX
from lucidfs.wire.messages import REQUESTS, Lock, Message, Reserve

_HEADROOM = 16  # the hub's limit is ours less this: heartbeats, and requests that it still counts when we do not
_PLAIN_MAX = REQUESTS_IN_FLIGHT_MAX - _HEADROOM
_WAITING_MAX = _PLAIN_MAX // 2  # calls that may sit in line for a lock must leave room for those that release it

MISTAKES_MAX = 4  # connections that end over a message that one side does not know, before the calls on it give up


class PendingCall:
    """One request on its way to an answer, across any number of connections."""

    __slots__ = (
        "body",
        "deadline_s",
        "expires_s",
        "future",
        "id",
        "mistakes",
        "reply",
        "sends",
        "seq",
        "timer",
        "wait_s",
    )

    def __init__(self, number: int, body: Message, future: asyncio.Future[Message], deadline_s: float) -> None:
        self.id = number
        self.body = body
        self.future = future
        self.reply = REQUESTS[type(body)].reply
        self.seq = 0
        self.sends = 0
        self.mistakes = 0
        self.deadline_s = deadline_s
        self.wait_s = wait_s(body)
        self.expires_s = future.get_loop().time() + deadline_s + self.wait_s
        self.timer: asyncio.TimerHandle | None = None

    @property
    def abandoned(self) -> bool:
        """Nobody waits any more: cancelled, or past its deadline. Its outcome is then unknown to the program."""
        return self.future.done()

    @property
    def bound_to_session(self) -> bool:
        """What it was granted ends with the session, so a reply stored by an old one is worth nothing."""
        return isinstance(self.body, (Lock, Reserve))

    def arm(self, seconds: float) -> None:
        """Give up after `seconds`, unless armed anew or finished."""
        if self.timer is not None:
            self.timer.cancel()
        self.timer = self.future.get_loop().call_later(seconds, self._give_up)

    def finish(self, reply: Message) -> None:
        if not self.future.done():
            self.future.set_result(reply)

    def fail(self, code: Code, message: str) -> None:
        if not self.future.done():
            self.future.set_exception(Fault(code, message))

    def _give_up(self) -> None:
        doubt = " (whether the change was made is not known)" if self.seq and self.sends else ""
        self.fail(Code.UNAVAILABLE, f"no answer from the hub within {self.deadline_s:g} s{doubt}")


class CallTable:
    """All unanswered calls of one session, in the order in which they were made. Only the loop's thread touches it."""

    def __init__(self) -> None:
        self._calls: dict[int, PendingCall] = {}
        self._changes: dict[int, PendingCall] = {}
        self._numbers = 0
        self._next_seq = 1

    def __len__(self) -> int:
        return len(self._calls)

    def __iter__(self) -> Iterator[PendingCall]:
        return iter(list(self._calls.values()))

    @property
    def unacked(self) -> list[int]:
        """Sequence numbers whose replies were not seen."""
        return list(self._changes)

    @property
    def acked(self) -> int:
        """Every change up to this number was answered."""
        return next(iter(self._changes), self._next_seq) - 1

    def add(self, body: Message, future: asyncio.Future[Message], deadline_s: float) -> PendingCall:
        self._numbers += 1
        call = PendingCall(self._numbers, body, future, deadline_s)
        self._calls[call.id] = call
        if REQUESTS[type(body)].change:
            self._number(call)
        return call

    def get(self, number: int) -> PendingCall | None:
        return self._calls.get(number)

    def remove(self, call: PendingCall) -> None:
        del self._calls[call.id]
        self._changes.pop(call.seq, None)

    def applied(self, replies: list[tuple[int, bytes]]) -> list[tuple[PendingCall, bytes]]:
        """Of the stored replies of a session that is over, those that still answer a call."""
        found = ((self._changes.get(seq), reply) for seq, reply in replies)
        return [(call, reply) for call, reply in found if call is not None and not call.bound_to_session]

    def renumber(self) -> None:
        """A new session: the changes that wait become its first ones, in the old order."""
        changes = list(self._changes.values())
        self._changes, self._next_seq = {}, 1
        for call in changes:
            self._number(call)

    def _number(self, call: PendingCall) -> None:
        call.seq = self._next_seq
        self._changes[call.seq] = call
        self._next_seq += 1


class Gate:
    """Bounds the requests under way; those beyond wait here, in line, plain ones and lock waits apart."""

    def __init__(self) -> None:
        self._inside = self._waiting_inside = 0
        self._plain: deque[asyncio.Future[None]] = deque()
        self._waiting: deque[asyncio.Future[None]] = deque()

    def enter_nowait(self, waits: bool) -> bool:
        """Come in if there is room and no line. Pair with `leave`."""
        if (self._waiting if waits else self._plain) or not self._has_room(waits):
            return False
        self._take(waits)
        return True

    async def enter(self, waits: bool) -> None:
        """Come in when it is our turn. Pair with `leave`."""
        if self.enter_nowait(waits):
            return
        line = self._waiting if waits else self._plain
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self.leave(waits)  # it was our turn already; else `leave` of another drops us from the line
            raise

    def leave(self, waits: bool) -> None:
        self._inside -= 1
        self._waiting_inside -= waits
        for line, kind in ((self._plain, False), (self._waiting, True)):
            while line and self._has_room(kind):
                turn = line.popleft()
                if not turn.done():
                    self._take(kind)
                    turn.set_result(None)

    def _has_room(self, waits: bool) -> bool:
        return self._inside < _PLAIN_MAX and not (waits and self._waiting_inside >= _WAITING_MAX)

    def _take(self, waits: bool) -> None:
        self._inside += 1
        self._waiting_inside += waits


def wait_s(body: Message) -> float:
    """How long a request asks the hub to wait for locks of others, in seconds."""
    if isinstance(body, Lock):
        return body.wait_ms / 1000
    wait = getattr(body, "wait", None)
    return wait.wait_ms / 1000 if wait is not None else 0.0
