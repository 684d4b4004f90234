"""Frames to messages and back: MessagePack arrays, checked for type and size at the border.

What is not a message is refused with `Fault(BAD_MESSAGE)`; a request whose tag is not known here (a newer client)
with `UnknownMessage`, which names the request so that it can be answered.
"""

from __future__ import annotations

import msgspec

from lucidfs.errors import Code, Fault
from lucidfs.limits import MESSAGE_BYTES_MAX
from lucidfs.wire.messages import REQUESTS, Message, ReplyBody, Request, ServerFrame

_REPLY_TAG = 1  # of the `Reply` envelope

_encoder = msgspec.msgpack.Encoder()
_requests = msgspec.msgpack.Decoder(Request)
_server_frames: msgspec.msgpack.Decoder[ServerFrame] = msgspec.msgpack.Decoder(ServerFrame)
_reply_bodies: msgspec.msgpack.Decoder[ReplyBody] = msgspec.msgpack.Decoder(ReplyBody)
_envelopes = msgspec.msgpack.Decoder(tuple[int, int, int, list[msgspec.Raw]])
_tags = msgspec.msgpack.Decoder(int)
_known_tags = frozenset(request.__struct_config__.tag for request in REQUESTS)


class UnknownMessage(Fault):
    """A well-formed request that this version does not know.

    Args:
        request: `id` of the request, for the answer.
        tag: its tag.
    """

    def __init__(self, request: int, tag: int) -> None:
        super().__init__(Code.UNKNOWN_MESSAGE, f"message {tag} is not known to this version")
        self.request = request


def encode(message: Message) -> bytes:
    """The frame of a message, or the stored form of a reply body. Raises Fault(TOO_LARGE) beyond MESSAGE_BYTES_MAX."""
    frame = _encoder.encode(message)
    if len(frame) > MESSAGE_BYTES_MAX:
        kind = type(message).__name__
        raise Fault(Code.TOO_LARGE, f"{kind} of {len(frame)} bytes exceeds a message ({MESSAGE_BYTES_MAX} bytes)")
    return frame


def encode_reply(request: int, body: bytes) -> bytes:
    """The frame of `Reply(request, body)` for a body that is encoded already (stored replies)."""
    return _encoder.encode((_REPLY_TAG, request, msgspec.Raw(body)))


def decode_request(frame: bytes) -> Request:
    """What a client said. Raises UnknownMessage, Fault(BAD_MESSAGE)."""
    _check_size(frame)
    try:
        return _requests.decode(frame)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        _raise_unknown(frame)
        raise Fault(Code.BAD_MESSAGE, f"not a request: {error}") from None


def decode_server_frame(frame: bytes) -> ServerFrame:
    """What a hub said. Raises Fault(BAD_MESSAGE)."""
    _check_size(frame)
    try:
        return _server_frames.decode(frame)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Fault(Code.BAD_MESSAGE, f"not an answer of a hub: {error}") from None


def decode_reply_body(body: bytes) -> ReplyBody:
    """A stored reply, as `Welcome.replies` carries it. Raises Fault(BAD_MESSAGE)."""
    try:
        return _reply_bodies.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Fault(Code.BAD_MESSAGE, f"not a reply: {error}") from None


def _check_size(frame: bytes) -> None:
    if len(frame) > MESSAGE_BYTES_MAX:
        raise Fault(Code.BAD_MESSAGE, f"a message of {len(frame)} bytes is over the limit of {MESSAGE_BYTES_MAX}")


def _raise_unknown(frame: bytes) -> None:
    """Raise UnknownMessage if the frame is a request but for its tag."""
    try:
        request, _seq, _acked, body = _envelopes.decode(frame)
        tag = _tags.decode(body[0])
    except (msgspec.MsgspecError, ValueError, IndexError, RecursionError):
        return
    if tag not in _known_tags:
        raise UnknownMessage(request, tag)
