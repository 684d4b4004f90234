"""Every message type, damaged in every way we can think of, against a live hub: refused with a code, never more.

After each damaged frame the hub must still answer, or have closed that one connection; no refusal may be INTERNAL,
nothing may reach the log (a rule of all tests here), and in the end the database must be sound.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lucidfs.errors import Code
from lucidfs.hub.settings import HubSettings
from lucidfs.testing.hubs import HubThread
from lucidfs.types import Access, Kind, LockMode
from lucidfs.wire import messages as m
from tests.hostile.raw import Closed, Wire, logged_in, serving
from tests.hub_rig import ADMIN, FILESPACE, KEYS, ROOT, name

FILE, FOLDER, LINK, LARGE = 101, 102, 103, 104
OBJECT = 55
DAMAGES = 120  # of each message
SENTINEL = 2**40

EXTENT = m.Extent(0, 1, LARGE, 0, 7, OBJECT, 0, [40])
SMALL = m.NewContent(10, 7, b"m" * 16, [m.Extent(0, 1, FILE, 0, 7, 0, 0, [40])], b"s" * 40)
STORED = m.NewContent(10, 7, b"m" * 16, [EXTENT], b"", [m.NewObject(OBJECT, 40, b"o" * 40)])
WAIT = m.Wait(0, [])

PREPARED: list[m.Message] = [
    m.Create(ROOT, m.NewNode(FILE, Kind.FILE, name(1), b"sealed"), SMALL),
    m.CreateFolders(ROOT, [m.NewNode(FOLDER, Kind.FOLDER, name(2), b"sealed")]),
    m.Create(ROOT, m.NewNode(LINK, Kind.LINK, name(3), b"sealed", b"target")),
    m.Create(ROOT, m.NewNode(LARGE, Kind.FILE, name(4), b"sealed"), STORED),
]
HANDSHAKE: list[m.Message] = [m.Hello(1, KEYS[ADMIN][0], b"n" * 32, FILESPACE, 8, [1, 2], "raw"), m.Login(b"s" * 64)]
REQUESTS: list[m.Message] = [
    m.Heartbeat(),
    m.ListFilespaces(),
    m.Bye(),
    m.Walk(m.Path(ROOT, [name(2), name(9)]), True, True, Access.WRITE, WAIT),
    m.Walk(m.Path(LARGE), True, True, Access.READ, m.Wait(1, [3])),
    m.ListFolder(ROOT, name(1), 2),
    m.ReadExtents(LARGE, 1, -1),
    m.ReadContent(FILE),
    m.GrantObjects([OBJECT], True),
    m.GetStatistics(),
    m.ListLocks(FILE),
    m.ListTree([ROOT, FOLDER, FILE, 999], 2),
    m.Create(FOLDER, m.NewNode(200, Kind.FILE, name(5), b"sealed"), SMALL, WAIT),
    m.CreateFolders(FOLDER, [m.NewNode(300 + n, Kind.FOLDER, name(6 + n), b"sealed") for n in range(3)]),
    m.Delete(m.Path(ROOT, [name(2), name(5)]), False, False, 0, WAIT),
    m.Delete(m.Path(FOLDER, [name(6)]), True, True, 0, WAIT),
    m.Move(FILE, ROOT, name(1), ROOT, name(1), b"sealed", True, WAIT),
    m.Commit(FILE, 0, SMALL, True, [], [(0, 10)], WAIT),
    m.Commit(LARGE, 1, STORED, False, [(0, 1)], [(0, 10)], WAIT),
    m.Lock(900, FILE, 4, LockMode.EXCLUSIVE, 0, 50, 1),
    m.Unlock(FILE, 4, 10, 20),
    m.Reserve(FOLDER, name(12)),
    m.Unreserve(FOLDER, name(12)),
]

VALUES: list[Any] = [
    None, True, 0, 1, -1, 2**31, 2**63 - 1, 2**63, 2**64 - 1, -(2**63), 1.5, float("nan"), float("inf"), "", "text",
    "\0", "💥" * 100, b"", b"x", b"x" * 300, b"\0" * 16, [], [None], [[]], [[[[[[]]]]]], {}, {"a": 1}, {1: 2},
    msgspec.msgpack.Ext(5, b"ext"), list(range(600)), [0] * 9000, [[0, 1]] * 9000, ROOT, FILE, FOLDER, LINK, LARGE,
    OBJECT,
]  # fmt: skip


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubThread]:
    folder: Path = tmp_path_factory.mktemp("fuzz")
    with serving(folder / "hub") as found:
        with logged_in(found) as wire:
            for body in PREPARED:
                wire.ask(body)
        yield found


def plain(body: m.Message) -> Any:
    """A message as the lists and numbers that it is on the wire."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(body))


def places(tree: Any) -> list[tuple[list[Any], int]]:
    """Every list inside a tree with each of its positions; what was put in to be long stays as it is."""
    found = []
    if isinstance(tree, list) and len(tree) < 100:
        for index, item in enumerate(tree):
            found.append((tree, index))
            found += places(item)
    return found


def damaged(chance: random.Random, tree: list[Any]) -> bytes:
    """A frame that was well-formed once."""
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        if not (found := places(tree)):
            break
        inside, index = chance.choice(found)
        value = copy.deepcopy(chance.choice(VALUES))
        match chance.randrange(6):
            case 0 if len(inside) > 1:
                del inside[index]
            case 1:
                inside.insert(index, value)
            case 2:
                inside.append(copy.deepcopy(inside[index]))
            case _:
                inside[index] = value
    frame = bytearray(msgspec.msgpack.encode(tree))
    if chance.random() < 0.2:
        frame[chance.randrange(len(frame))] = chance.randrange(256)
    if chance.random() < 0.1:
        del frame[chance.randrange(len(frame)) :]
    if chance.random() < 0.05:
        frame += chance.randbytes(9)
    return bytes(frame)


def answers(wire: Wire, frame: bytes) -> list[m.Message]:
    """What the hub says to a frame, up to its answer to a heartbeat that follows. Raises Closed."""
    wire.send(frame)
    wire.send(msgspec.msgpack.encode([SENTINEL, 0, 0, m.Heartbeat()]))
    said: list[m.Message] = []
    while True:
        answer = wire.message()
        if isinstance(answer, m.Reply) and answer.id == SENTINEL:
            return said
        said.append(answer)


def check(said: list[m.Message], frame: bytes) -> None:
    for answer in said:
        if isinstance(answer, m.Failure):
            assert Code(answer.code) is not Code.INTERNAL, (answer, frame.hex())
            assert len(answer.message) < 1000


@pytest.mark.parametrize("body", REQUESTS, ids=lambda body: type(body).__name__)
def test_a_damaged_request_is_refused_or_harmless(hub: HubThread, body: m.Message) -> None:
    chance = random.Random(repr(body))
    wire = logged_in(hub)
    try:
        for _ in range(DAMAGES):
            seq = wire.next_seq() if m.REQUESTS[type(body)].change else 0
            if chance.random() < 0.2:
                frame = damaged(chance, [7, seq, 0, plain(body)])
            else:
                frame = msgspec.msgpack.encode([7, seq, 0, msgspec.Raw(damaged(chance, plain(body)))])
            try:
                check(answers(wire, frame), frame)
            except Closed:
                wire.close()
                wire = logged_in(hub)
    finally:
        wire.close()
    with logged_in(hub) as after:
        assert after.ask(m.Walk(m.Path(ROOT))).entries


@pytest.mark.parametrize("body", REQUESTS, ids=lambda body: type(body).__name__)
def test_a_cut_request_ends_the_connection(hub: HubThread, body: m.Message) -> None:
    whole = msgspec.msgpack.encode([7, 1, 0, body])
    for length in sorted({0, 1, 2, len(whole) // 2, len(whole) - 1}):
        with logged_in(hub) as wire:
            wire.send(whole[:length])
            said = wire.until_closed()
            assert [answer.code for answer in said if isinstance(answer, m.Failure)] == [Code.BAD_MESSAGE]


@pytest.mark.parametrize("body", HANDSHAKE, ids=lambda body: type(body).__name__)
def test_a_damaged_handshake_lets_nobody_in(tmp_path: Path, body: m.Message) -> None:
    chance = random.Random(repr(body))
    with serving(tmp_path / "hub", HubSettings(failed_logins_max=10**6)) as hub:
        for _ in range(DAMAGES):
            with Wire(hub.url) as wire:
                if isinstance(body, m.Login):
                    wire.ask(HANDSHAKE[0])
                frame = msgspec.msgpack.encode([9, 0, 0, msgspec.Raw(damaged(chance, plain(body)))])
                wire.send(frame)
                answer = wire.message()
                assert not (isinstance(answer, m.Reply) and isinstance(answer.body, m.Welcome))
                check([answer], frame)
        logged_in(hub).close()


def test_messages_of_later_versions_are_told_and_the_connection_stays(hub: HubThread) -> None:
    with logged_in(hub) as wire:
        for tag in (0, 6, 99, 100, 120, 9999, 2**63 - 1, -1):
            frame = msgspec.msgpack.encode([7, 0, 0, [tag, "whatever", {}]])
            (answer,) = answers(wire, frame)
            assert isinstance(answer, m.Failure)
            assert (answer.id, answer.code) == (7, Code.UNKNOWN_MESSAGE)
        longer = plain(m.Walk(m.Path(ROOT)))
        longer += [False, False, 0, [0, []], "a field of a later version", {"and": "more"}]
        (answer,) = answers(wire, msgspec.msgpack.encode([7, 0, 0, longer[:2] + longer[-6:]]))
        assert isinstance(answer, m.Reply)


def test_deep_nesting_is_no_way_to_the_stack(hub: HubThread) -> None:
    deep = (b"\x91" * 1_000_000, b"\x94\7\0\0" + b"\x91" * 1_000_000, b"\x94\7\0\0\x92\x0a" + b"\x92" * 99_999)
    for frame in deep:
        with logged_in(hub) as wire:
            wire.send(frame)
            (answer,) = wire.until_closed()
            assert isinstance(answer, m.Failure)
            assert answer.code == Code.BAD_MESSAGE


def test_lengths_that_lie_do_not_take_memory(hub: HubThread) -> None:
    for lie in (b"\xdd\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff"):
        with logged_in(hub) as wire:
            wire.send(b"\x94\x07\x00\x00\x92\x0a" + lie)
            (answer,) = wire.until_closed()
            assert isinstance(answer, m.Failure)
            assert answer.code == Code.BAD_MESSAGE
