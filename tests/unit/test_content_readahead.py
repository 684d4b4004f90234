"""Read-ahead grows with order and stops with jumps."""

from __future__ import annotations

import asyncio

import pytest

from lucidfs.engine.grants import Grants
from lucidfs.engine.readahead import ReadAhead
from lucidfs.errors import Code, Fault
from lucidfs.limits import FRAME_BYTES, KIB, MIB, READ_AHEAD_BYTES_MAX
from lucidfs.objects.base import ObjectName
from lucidfs.types import FilespaceId, ObjectId
from lucidfs.wire.messages import Grant, GrantObjects, Message
from lucidfs.wire.messages import Grants as GrantsReply


def test_reading_in_order_asks_for_every_byte_once_and_ever_further_ahead() -> None:
    ahead = ReadAhead()
    asked_to = 128 * KIB
    windows = []
    for offset in range(0, 64 * MIB, 128 * KIB):
        fetch = ahead.on_read(offset, 128 * KIB)
        if fetch is not None:
            assert fetch[0] == asked_to, "no gap and nothing twice"
            asked_to = fetch[1]
            windows.append(fetch[1] - offset - 128 * KIB)
        assert asked_to >= offset + 128 * KIB
    assert windows == sorted(windows)
    assert windows[-1] == READ_AHEAD_BYTES_MAX


def test_jumps_fetch_nothing_ahead_and_order_begins_small_again() -> None:
    ahead = ReadAhead()
    for offset in range(0, 8 * MIB, MIB):
        ahead.on_read(offset, MIB)
    for offset in (77 * MIB, 3 * MIB, 55 * MIB):
        assert ahead.on_read(offset, FRAME_BYTES) is None
    fetch = ahead.on_read(55 * MIB + FRAME_BYTES, FRAME_BYTES)
    assert fetch is not None
    assert fetch[1] - fetch[0] <= MIB


class _Clock:
    def __init__(self) -> None:
        self.ns = 0

    def now_ns(self) -> int:
        return self.ns

    def monotonic_s(self) -> float:
        return self.ns / 1e9


class _Hub:
    def __init__(self, clock: _Clock) -> None:
        self.asked: list[GrantObjects] = []
        self.clock = clock
        self.refuses = False

    async def call(self, body: Message) -> GrantsReply:
        assert isinstance(body, GrantObjects)
        self.asked.append(body)
        await asyncio.sleep(0)
        if self.refuses:
            raise Fault(Code.DENIED, "no")
        end = self.clock.ns + 900 * 10**9
        return GrantsReply([Grant(one, f"u{one}-{len(self.asked)}", end) for one in body.objects])


def _name(number: int) -> ObjectName:
    return ObjectName(FilespaceId(1), ObjectId(number))


def test_needs_of_one_moment_are_one_request_and_grants_are_kept_until_shortly_before_they_end() -> None:
    async def main() -> None:
        clock = _Clock()
        hub = _Hub(clock)
        grants = Grants(hub, clock)
        await asyncio.gather(grants.need([1, 2]), grants.need([2, 3]), grants.need([4], put=True))
        assert sorted((one.put, sorted(one.objects)) for one in hub.asked) == [(False, [1, 2, 3]), (True, [4])]
        await grants.need([1, 2, 3])
        assert len(hub.asked) == 2
        assert grants.url_for("GET", _name(2)).startswith("u2")
        clock.ns = 850 * 10**9
        await grants.need([1])
        assert len(hub.asked) == 3

    asyncio.run(main())


def test_a_refusal_reaches_everybody_who_needed_it_and_is_not_kept() -> None:
    async def main() -> None:
        clock = _Clock()
        hub = _Hub(clock)
        grants = Grants(hub, clock)
        hub.refuses = True
        results = await asyncio.gather(grants.need([1]), grants.need([1, 2]), return_exceptions=True)
        assert all(isinstance(one, Fault) and one.code is Code.DENIED for one in results)
        with pytest.raises(Fault):
            grants.url_for("GET", _name(1))
        hub.refuses = False
        await grants.need([1])
        grants.drop(1)
        with pytest.raises(Fault):
            grants.url_for("GET", _name(1))

    asyncio.run(main())
