"""Whatever arrives is a request, or refused with a code: no frame gets past the codec as anything else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lucidfs.errors import Code, Fault
from lucidfs.types import Kind, LockMode
from lucidfs.wire import codec
from lucidfs.wire import messages as m

FRAMES = [
    codec.encode(m.Request(7, 3, 2, body))
    for body in (
        m.Hello(1, "00112233445566aa", b"n" * 32, 7, 8, [1, 2]),
        m.Walk(m.Path(1, [b"t" * 16]), True),
        m.Create(1, m.NewNode(5, Kind.FILE, b"t" * 16, b"s"), m.NewContent(1, 2, b"m" * 16)),
        m.Lock(9, 10, 4, LockMode.EXCLUSIVE, 100, 50, 1000),
    )
]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A frame with some bytes changed, cut, or added."""
    frame = bytearray(draw(st.sampled_from(FRAMES)))
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, len(frame) - 1))
        frame[place] = draw(st.integers(0, 255))
    return bytes(frame[: draw(st.integers(0, len(frame)))] + draw(st.binary(max_size=8)))


@given(st.one_of(st.binary(max_size=200), damaged()))
def test_a_frame_is_a_request_or_refused(frame: bytes) -> None:
    for decode in (codec.decode_request, codec.decode_server_frame, codec.decode_reply_body):
        try:
            message = decode(frame)
        except Fault as fault:
            assert fault.code in (Code.BAD_MESSAGE, Code.UNKNOWN_MESSAGE)
        else:
            assert isinstance(message, m.Message)


@given(st.sampled_from(FRAMES))
def test_what_is_whole_stays_what_it_is(frame: bytes) -> None:
    assert codec.encode(codec.decode_request(frame)) == frame
