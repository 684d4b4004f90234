"""The bytes of every message of version 1, for ever: what they were when they were first sent, they are.

A message may grow fields at its end, with defaults: then the old bytes must still decode (to the defaults). New
messages get a line in `golden_messages_v1.txt` by `python -m tests.compat.test_golden_messages`; lines never change.
"""

from __future__ import annotations

import typing
from pathlib import Path

import msgspec
import pytest

from lucidfs.types import Access, Kind, LockMode, Role
from lucidfs.wire import messages as m

GOLDEN = Path(__file__).with_name("golden_messages_v1.txt")

ENTRY = m.Entry(10, 1, Kind.FILE, b"sealed name", 65_537, 1_700_000_000_000_000_001, 5, 3, b"", 0)
EXTENT = m.Extent(1, 2, 10, 0, 77, 500, 4096, [65_568, 33])
SMALL = m.Content(3, 40, 77, b"m" * 16, [m.Extent(0, 1, 10, 0, 77, 0, 0, [72])], b"s" * 72)
NEW_OBJECTS = [m.NewObject(500, 8192, b"data"), m.NewObject(501, 9)]
NEW_CONTENT = m.NewContent(131_073, 78, b"M" * 16, [EXTENT], b"", NEW_OBJECTS)
NEW_NODE = m.NewNode(11, Kind.LINK, b"t" * 16, b"sealed", b"target")
PATH = m.Path(1, [b"a" * 16, b"b" * 16])
WAIT = m.Wait(250, [9, 8])
LOCK = m.LockInfo(9, 10, 4, 2**62, "ci", LockMode.SHARED, 100, 0, True, 6)
FILESPACE = m.FilespaceInfo(2**63 - 1, "data", 1, Role.WRITE)

STORE = m.DataStore(21, "films", "AKIA", "bucket", "us-east-1", "https://s3.example", 4320, True, "00112233", 10**18, 5)
EXTERNAL = m.External(10, 1, "films", "a/b.mov", "etag", 2**40, "https://s3.example/bucket/a/b.mov?X", 10**18, True)

EXAMPLES: list[m.Message] = [
    m.Hello(1, "00112233445566aa", b"n" * 32, 7, 8, [1, 2], "lucid/1"),
    m.Login(b"s" * 64),
    m.Heartbeat(),
    m.ListFilespaces(),
    m.Bye(),
    m.Walk(PATH, True, True, Access.WRITE, WAIT),
    m.ListFolder(1, b"a" * 16, 100),
    m.ReadExtents(10, 3, 2047),
    m.ReadContent(10),
    m.GrantObjects([500, 501], True),
    m.GetStatistics(),
    m.ListLocks(10),
    m.ListTree([1, 10], 3),
    m.GrantExternal([10, 11]),
    m.ListDataStores(),
    m.GetDataStore("films"),
    m.ListLinks("films", 10, 100),
    m.SignHead("films", "a/b.mov"),
    m.Create(1, NEW_NODE, NEW_CONTENT, WAIT),
    m.CreateFolders(1, [NEW_NODE]),
    m.Delete(PATH, True, True, 10, WAIT),
    m.Move(10, 1, b"a" * 16, 2, b"b" * 16, b"sealed", True, WAIT),
    m.Commit(10, 3, NEW_CONTENT, False, [(0, 2)], [(5, 9)], WAIT),
    m.Lock(9, 10, 4, LockMode.EXCLUSIVE, 100, 50, 1000),
    m.Unlock(10, 4, 100, 50),
    m.Reserve(1, b"a" * 16),
    m.Unreserve(1, b"a" * 16),
    m.AddDataStore(STORE, "secret"),
    m.RekeyDataStore("films", "AKIB", "secret"),
    m.RemoveDataStore("films"),
    m.LinkFiles([m.NewLink(1, NEW_NODE, 21, "a/b.mov", 2**40, "etag")]),
    m.Relink(10, "https://host/file", 9, "etag"),
    m.Done(),
    m.Challenge(b"h" * 32),
    m.Welcome(8, True, 3, "ci", 2, "demo", 10_000, 2_500, 99, FILESPACE, 1, b"key", [(4, b"reply")], [9]),
    m.Filespaces([FILESPACE]),
    m.Walked([ENTRY], SMALL, m.Listing([ENTRY], b"a" * 16, True, 12)),
    SMALL,
    m.Listing([ENTRY], b"a" * 16, False, 12),
    m.Found(ENTRY, SMALL),
    m.Grants([m.Grant(500, "http://127.0.0.1:7117/objects/1/2?expires=3&signature=4", 10**18)]),
    m.Statistics(1, 2, 3, 4, 5, 6, 7, 8),
    m.Locks([LOCK]),
    m.Created(ENTRY),
    m.Committed(4, 10**18),
    m.Locked(9),
    m.Unlocked([9, 10]),
    m.Listings([m.FolderListing(1, m.Listing([ENTRY], b"a" * 16, False, 12)), m.FolderListing(10)]),
    m.Externals([EXTERNAL]),
    m.DataStores([STORE], True),
    m.DataStoreSecret(STORE, "secret"),
    m.Links([m.LinkInfo(ENTRY, "a/b.mov", "etag")], [ENTRY], True),
    m.Signed("https://s3.example/bucket/a/b.mov?X"),
    m.Linked([0, 2]),
    m.Goodbye("restart"),
    m.Expired("silence"),
    m.Request(1, 2, 1, m.Heartbeat()),
    m.Reply(1, m.Done()),
    m.Failure(1, 9, "the content moved on"),
    m.Push(m.Goodbye("restart")),
]


def is_grown(now: object, then: object) -> bool:
    """Whether what was added since stands behind, in the message and in what it holds."""
    if not isinstance(now, list) or not isinstance(then, list):
        return now == then
    return len(now) >= len(then) and all(map(is_grown, now, then))


def golden() -> dict[str, bytes]:
    lines = GOLDEN.read_text().splitlines() if GOLDEN.exists() else []
    return {name: bytes.fromhex(text) for name, text in (line.split() for line in lines)}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: type(example).__name__)
def test_bytes_stay_what_they_were(example: m.Message) -> None:
    known = golden()[type(example).__name__]
    then, now = msgspec.msgpack.decode(known), msgspec.msgpack.decode(msgspec.msgpack.encode(example))
    assert is_grown(now, then)
    assert msgspec.msgpack.decode(known, type=type(example)) == example


def test_every_message_has_an_example() -> None:
    bodies = {*m.REQUESTS, *typing.get_args(m.ReplyBody), *typing.get_args(m.PushBody)}
    assert {type(example) for example in EXAMPLES} == bodies | {m.Request, m.Reply, m.Failure, m.Push}


def test_every_request_is_declared_with_a_reply_and_tags_are_unique() -> None:
    assert set(m.REQUESTS) == set(typing.get_args(m.RequestBody))
    assert {call.reply for call in m.REQUESTS.values()} <= set(typing.get_args(m.ReplyBody))
    bodies = [*m.REQUESTS, *typing.get_args(m.ReplyBody), *typing.get_args(m.PushBody)]
    tags = [body.__struct_config__.tag for body in bodies]
    assert len(set(tags)) == len(tags)


def _add_new() -> None:
    """Append the messages that have no line yet."""
    known = golden()
    with GOLDEN.open("a") as file:
        for example in EXAMPLES:
            if type(example).__name__ not in known:
                file.write(f"{type(example).__name__} {msgspec.msgpack.encode(example).hex()}\n")


if __name__ == "__main__":
    _add_new()
