"""Pieces of a frame, against a plain buffer with a mask."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lucidfs.engine.pieces import Pieces
from lucidfs.limits import FRAME_BYTES

_PLACES = st.integers(0, 300)
_WRITES = st.tuples(_PLACES, st.binary(min_size=1, max_size=80))


class _Model:
    def __init__(self) -> None:
        self.octets = bytearray(600)
        self.own = bytearray(600)

    def write(self, at: int, data: bytes) -> None:
        self.octets[at : at + len(data)] = data
        self.own[at : at + len(data)] = b"\1" * len(data)

    def trim(self, end: int) -> None:
        self.own[end:] = bytes(600 - end)


@given(st.lists(st.one_of(_WRITES, _PLACES), max_size=30), _PLACES, st.integers(1, 200))
def test_pieces_agree_with_a_buffer_and_a_mask(steps: list[tuple[int, bytes] | int], low: int, length: int) -> None:
    pieces, model = Pieces(), _Model()
    for step in steps:
        if isinstance(step, int):
            pieces.trim(step)
            model.trim(step)
        else:
            pieces.write(*step)
            model.write(*step)
    own = {place for start, end in pieces.ranges() for place in range(start, end)}
    assert own == {place for place, mine in enumerate(model.own) if mine}
    ends = [place for span in pieces.ranges() for place in span]
    assert ends == sorted(set(ends)), "runs are sorted and never touch"
    assert pieces.end == max(own, default=-1) + 1
    out = bytearray(b"?" * length)
    pieces.copy_into(memoryview(out), low)
    expected = [model.octets[low + i] if model.own[low + i] else ord("?") for i in range(length)]
    assert list(out) == expected
    assert pieces.covers(low, low + length) == all(model.own[low : low + length])


def test_a_frame_written_in_order_becomes_full() -> None:
    pieces = Pieces()
    for at in range(0, FRAME_BYTES, 4096):
        assert not pieces.full
        pieces.write(at, b"x" * 4096)
    assert pieces.full
    assert pieces.take() == b"x" * FRAME_BYTES


def test_a_copy_does_not_change_with_the_original() -> None:
    pieces = Pieces()
    pieces.write(10, b"abc")
    twin = pieces.copy()
    pieces.write(11, b"X")
    pieces.trim(12)
    assert twin.ranges() == [(10, 13)]
    assert bytes(twin.parts[0]) == b"abc"
