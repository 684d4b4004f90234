"""Extent lists against the plainest model of a content: a dict from frame to what fills it."""

from __future__ import annotations

import itertools
import os

from hypothesis import given
from hypothesis import strategies as st

from lucidfs.crypto.keys import FilespaceKeys
from lucidfs.format.content import content_mac
from lucidfs.limits import FRAME_BYTES
from lucidfs.namespace.extents import Run, canonical, clear, find, overlay, split, stored_bytes, validate
from lucidfs.wire.messages import Extent

FRAMES = 40
Model = dict[
    int, tuple[int, int, int, int, int, int]
]  # frame → origin, frame of it, generation, object, offset, length
KEYS = FilespaceKeys(bytes(32), os.urandom)


@st.composite
def extent_lists(draw: st.DrawFn) -> list[Extent]:
    """Sorted lists without overlap, some neighbours continuing each other, some not."""
    extents: list[Extent] = []
    position = draw(st.integers(0, 4))
    while position < FRAMES and draw(st.booleans()):
        count = draw(st.integers(1, min(8, FRAMES - position)))
        lengths = draw(st.lists(st.integers(33, 99), min_size=count, max_size=count))
        origin, generation = draw(st.integers(1, 2)), draw(st.integers(1, 2))
        shift = draw(st.sampled_from([0, 0, 0, 3]))
        place = draw(st.integers(1, 3)), draw(st.integers(0, 1000))
        extents.append(Extent(position, count, origin, position + shift, generation, *place, lengths))
        position += count + draw(st.sampled_from([0, 0, 1, 5]))
    return extents


ranges = st.tuples(st.integers(0, FRAMES), st.integers(0, FRAMES))


def model_of(extents: list[Extent]) -> Model:
    model: Model = {}
    for extent in extents:
        offset = extent.offset
        for index, length in enumerate(extent.lengths):
            frame = extent.first + index
            assert frame not in model, "extents overlap"
            origin = extent.origin, extent.origin_first + index, extent.generation
            model[frame] = (*origin, extent.object, offset, length)
            offset += length
    return model


def logical(extents: list[Extent]) -> dict[int, tuple[int, int, int]]:
    return {frame: value[:3] for frame, value in model_of(extents).items()}


@given(extent_lists(), st.lists(ranges, max_size=5), extent_lists())
def test_overlay(base: list[Extent], clears: list[tuple[int, int]], new: list[Extent]) -> None:
    expected = model_of(base)
    for first, end in clears:
        for frame in range(first, end):
            expected.pop(frame, None)
    expected.update(model_of(new))
    result = overlay(base, clears, new)
    assert model_of(result) == expected
    validate(result, FRAMES * FRAME_BYTES)
    assert stored_bytes(result) == sum(value[-1] for value in expected.values())


@given(extent_lists(), ranges)
def test_clear(extents: list[Extent], hole: tuple[int, int]) -> None:
    expected = {frame: value for frame, value in model_of(extents).items() if not hole[0] <= frame < hole[1]}
    assert model_of(clear(extents, *hole)) == expected


@given(extent_lists())
def test_find(extents: list[Extent]) -> None:
    model = model_of(extents)
    for frame in range(FRAMES + 2):
        found = find(extents, frame)
        assert (found is not None) == (frame in model)
        if found is not None:
            assert model_of([split(found, frame, frame + 1)]) == {frame: model[frame]}


@given(extent_lists(), st.lists(st.integers(0, FRAMES), max_size=6))
def test_cuts_leave_no_trace_in_the_canonical_form(extents: list[Extent], cuts: list[int]) -> None:
    pieces = extents
    for cut in cuts:
        pieces = clear(pieces, cut, FRAMES) + clear(pieces, 0, cut)
    assert model_of(pieces) == model_of(extents)
    assert canonical(pieces) == canonical(extents)
    assert content_mac(KEYS, 1, 2, 3, pieces) == content_mac(KEYS, 1, 2, 3, extents)


@given(extent_lists(), extent_lists())
def test_the_canonical_form_is_the_logical_content(one: list[Extent], other: list[Extent]) -> None:
    assert (canonical(one) == canonical(other)) == (logical(one) == logical(other))


@given(extent_lists())
def test_runs_are_as_long_as_they_can_be(extents: list[Extent]) -> None:
    for left, right in itertools.pairwise(canonical(extents)):
        assert right != Run(
            left.first + left.frames, right.frames, left.origin, left.origin_first + left.frames, left.generation
        )


@given(extent_lists(), st.lists(st.tuples(extent_lists(), st.lists(ranges, max_size=2)), max_size=4))
def test_layers_one_by_one(base: list[Extent], layers: list[tuple[list[Extent], list[tuple[int, int]]]]) -> None:
    model, extents = model_of(base), base
    for new, clears in layers:
        for first, end in clears:
            for frame in range(first, end):
                model.pop(frame, None)
        model.update(model_of(new))
        extents = overlay(extents, clears, new)
    assert model_of(extents) == model
