"""Extent lists by example; tests/property/test_extents_against_dict.py does the rest."""

from __future__ import annotations

import pytest

from lucidfs.errors import Code, Fault
from lucidfs.limits import FILE_BYTES_MAX, FRAME_BYTES
from lucidfs.namespace.extents import (
    canonical,
    clear,
    find,
    frame_count,
    overlay,
    split,
    stored_bytes,
    validate,
)
from lucidfs.wire.messages import Extent


def extent(first: int, count: int, generation: int = 1, origin: int = 5, at: int | None = None) -> Extent:
    """Frames of file 5, sealed in place, in object 8."""
    origin_first = first if at is None else at
    return Extent(first, count, origin, origin_first, generation, 8, 1000, [100 + i for i in range(count)])


def test_a_part_of_an_extent_knows_its_bytes() -> None:
    part = split(extent(10, 5, at=3), 12, 14)
    assert part == Extent(12, 2, 5, 5, 1, 8, 1000 + 100 + 101, [102, 103])


def test_the_whole_is_a_part() -> None:
    whole = extent(10, 5)
    assert split(whole, 10, 15) is whole


@pytest.mark.parametrize(("first", "end"), [(9, 12), (12, 16), (12, 12), (13, 12), (0, 5), (20, 25)])
def test_a_part_lies_inside(first: int, end: int) -> None:
    with pytest.raises(AssertionError):
        split(extent(10, 5), first, end)


def test_clear() -> None:
    base = [extent(0, 4), extent(4, 4, 2), extent(10, 2)]
    assert clear(base, 2, 5) == [split(base[0], 0, 2), split(base[1], 5, 8), base[2]]
    assert clear(base, 8, 10) == base
    assert clear(base, 0, 2**62) == []
    assert clear(base, 5, 7) == [base[0], split(base[1], 4, 5), split(base[1], 7, 8), base[2]]


def test_overlay_replaces_what_lies_below() -> None:
    base = [extent(0, 10)]
    new = [extent(2, 1, 2), extent(5, 2, 2), extent(12, 1, 2)]
    assert overlay(base, [(8, 9)], new) == [
        split(base[0], 0, 2),
        new[0],
        split(base[0], 3, 5),
        new[1],
        split(base[0], 7, 8),
        split(base[0], 9, 10),
        new[2],
    ]


def test_overlay_changes_nothing_that_it_was_given() -> None:
    base, clears, new = [extent(0, 10)], [(9, 3), (3, 5), (4, 6)], [extent(4, 1, 2)]
    copies = [*base], [*clears], [*new]
    overlay(base, clears, new)
    assert (base, clears, new) == copies
    assert overlay(base, [], []) == base
    assert overlay(base, [], []) is not base


def test_canonical_joins_what_continues() -> None:
    whole = [extent(0, 8)]
    assert canonical(overlay(whole, [], [])) == [(0, 8, 5, 0, 1)]
    assert canonical([split(whole[0], 0, 3), split(whole[0], 3, 8)]) == [(0, 8, 5, 0, 1)]
    apart = [extent(0, 2), extent(2, 2, 2), extent(4, 2, 2, origin=6), extent(6, 2, 2, origin=6, at=7), extent(9, 1, 2)]
    assert len(canonical(apart)) == 5


def test_find() -> None:
    extents = [extent(1, 2), extent(3, 2, 2), extent(10, 1)]
    expected = [None, *[extents[0]] * 2, *[extents[1]] * 2, *[None] * 5, extents[2], None]
    assert [find(extents, frame) for frame in range(12)] == expected
    assert find([], 0) is None


def test_stored_bytes() -> None:
    assert stored_bytes([extent(0, 2), extent(9, 1)]) == 100 + 101 + 100
    assert stored_bytes([]) == 0


@pytest.mark.parametrize(("size", "count"), [(0, 0), (1, 1), (FRAME_BYTES, 1), (FRAME_BYTES + 1, 2), (2**62, 2**46)])
def test_frame_count(size: int, count: int) -> None:
    assert frame_count(size) == count


def test_what_writers_make_is_valid() -> None:
    validate([], 0)
    validate([], FILE_BYTES_MAX)
    validate([extent(0, 3), extent(3, 1), extent(7, 1, origin=2**63 - 1)], 8 * FRAME_BYTES)
    validate([extent(0, 1)], 1)


@pytest.mark.parametrize(
    ("extents", "size"),
    [
        ([], -1),
        ([], FILE_BYTES_MAX + 1),
        ([extent(0, 1)], 0),
        ([extent(7, 2)], 8 * FRAME_BYTES),
        ([extent(3, 1), extent(0, 1)], 8 * FRAME_BYTES),
        ([extent(0, 2), extent(1, 1)], 8 * FRAME_BYTES),
        ([extent(-1, 1)], FRAME_BYTES),
        ([Extent(0, 0, 5, 0, 1)], FRAME_BYTES),
        ([Extent(0, -1, 5, 0, 1)], FRAME_BYTES),
        ([Extent(0, 2, 5, 0, 1, 8, 0, [100])], 8 * FRAME_BYTES),
        ([Extent(0, 1, 5, 0, 1, 8, 0, [32])], FRAME_BYTES),
        ([Extent(0, 1, 5, 0, 1, 8, 0, [-100])], FRAME_BYTES),
        ([Extent(0, 1, 5, 0, 1, 8, 0, [FRAME_BYTES + 33])], FRAME_BYTES),
        ([Extent(0, 1, 0, 0, 1, 8, 0, [100])], FRAME_BYTES),
        ([Extent(0, 1, 2**63, 0, 1, 8, 0, [100])], FRAME_BYTES),
        ([Extent(0, 1, 5, -1, 1, 8, 0, [100])], FRAME_BYTES),
        ([Extent(0, 1, 5, 2**62, 1, 8, 0, [100])], FRAME_BYTES),
        ([Extent(0, 1, 5, 0, 0, 8, 0, [100])], FRAME_BYTES),
        ([Extent(0, 1, 5, 0, 2**63, 8, 0, [100])], FRAME_BYTES),
        ([Extent(0, 1, 5, 0, 1, -8, 0, [100])], FRAME_BYTES),
        ([Extent(0, 1, 5, 0, 1, 8, -1, [100])], FRAME_BYTES),
        ([Extent(0, 1, 5, 0, 1, 8, 2**63 - 50, [100])], FRAME_BYTES),
    ],
)
def test_what_no_writer_makes_is_refused(extents: list[Extent], size: int) -> None:
    with pytest.raises(Fault) as caught:
        validate(extents, size)
    assert caught.value.code is Code.INVALID
