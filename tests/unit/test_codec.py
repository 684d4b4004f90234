"""Borders of the codec: what is refused, and how it is named."""

from __future__ import annotations

import msgspec
import pytest

from lucidfs.errors import Code, Fault
from lucidfs.limits import MESSAGE_BYTES_MAX
from lucidfs.types import Kind
from lucidfs.wire import codec
from lucidfs.wire.messages import Created, Done, Entry, Failure, Goodbye, Heartbeat, Path, Push, Reply, Request, Walk


def test_request_round_trip() -> None:
    request = Request(7, 0, 3, Walk(Path(1, [b"t" * 16])))
    assert codec.decode_request(codec.encode(request)) == request


@pytest.mark.parametrize("frame", [Reply(1, Done()), Failure(2, 5, "no"), Push(Goodbye("bye"))])
def test_server_frame_round_trip(frame: Reply | Failure | Push) -> None:
    assert codec.decode_server_frame(codec.encode(frame)) == frame


def test_stored_reply_becomes_the_same_frame() -> None:
    body = Created(Entry(5, 1, Kind.FILE, b"sealed"))
    stored = codec.encode(body)
    assert codec.encode_reply(9, stored) == codec.encode(Reply(9, body))
    assert codec.decode_reply_body(stored) == body


@pytest.mark.parametrize("frame", [b"", b"\xc1", b"\x90", b"text", msgspec.msgpack.encode([1, 0, 0, [10, "no path"]])])
def test_what_is_no_request_is_a_bad_message(frame: bytes) -> None:
    with pytest.raises(Fault) as caught:
        codec.decode_request(frame)
    assert caught.value.code is Code.BAD_MESSAGE


def test_deep_nesting_is_a_bad_message() -> None:
    with pytest.raises(Fault) as caught:
        codec.decode_request(b"\x91" * 100_000 + b"\x90")
    assert caught.value.code is Code.BAD_MESSAGE


def test_an_unknown_tag_names_the_request() -> None:
    with pytest.raises(codec.UnknownMessage) as caught:
        codec.decode_request(msgspec.msgpack.encode([41, 0, 0, [9999, "from the future"]]))
    assert caught.value.request == 41
    assert caught.value.code is Code.UNKNOWN_MESSAGE


def test_later_fields_of_a_known_message_are_ignored() -> None:
    frame = msgspec.msgpack.encode([1, 0, 0, [3, "a field of a later version"]])
    assert codec.decode_request(frame).body == Heartbeat()


def test_size_limits_on_both_sides() -> None:
    with pytest.raises(Fault) as caught:
        codec.encode(Reply(1, Created(Entry(5, 1, Kind.FILE, bytes(MESSAGE_BYTES_MAX)))))
    assert caught.value.code is Code.TOO_LARGE
    with pytest.raises(Fault) as caught:
        codec.decode_request(bytes(MESSAGE_BYTES_MAX + 1))
    assert caught.value.code is Code.BAD_MESSAGE


def test_what_is_no_answer_is_a_bad_message() -> None:
    for decode in (codec.decode_server_frame, codec.decode_reply_body):
        with pytest.raises(Fault) as caught:
            decode(b"\x92\x01\x02")
        assert caught.value.code is Code.BAD_MESSAGE
