"""What a handle changed, against plain byte strings: over its own base, and over another one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lucidfs.engine.batch import Batch
from lucidfs.engine.overlay import Overlay, sealed_extents
from lucidfs.errors import Code, Fault
from lucidfs.limits import FILE_BYTES_MAX, FRAME_BYTES

_SIZE_MAX = 4 * FRAME_BYTES
# Offsets and lengths around frame borders are where mistakes live.
_OFFSETS = st.one_of(
    st.integers(0, _SIZE_MAX),
    st.builds(lambda frame, by: max(0, frame * FRAME_BYTES + by), st.integers(0, 4), st.integers(-2, 2)),
)
_LENGTHS = st.one_of(st.integers(1, 300), st.sampled_from([FRAME_BYTES, FRAME_BYTES + 1, 2 * FRAME_BYTES]))
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), _OFFSETS, _LENGTHS, st.integers(1, 255)),
        st.tuples(st.just("truncate"), _OFFSETS, st.just(0), st.just(0)),
        st.tuples(st.sampled_from(["seal", "patch"]), st.just(0), st.just(0), st.just(0)),
    ),
    max_size=12,
)


def _batch_maker() -> Callable[[list[int], list[bytearray]], Batch]:
    numbers = iter(range(1, 10_000))
    return lambda indexes, plains: Batch(7, next(numbers), next(numbers), indexes, plains)


def _below(overlay: Overlay, frame: int, base: bytes) -> bytes | bytearray:
    sealed = overlay.sealed.get(frame)
    if sealed is None:
        return base[frame * FRAME_BYTES : (frame + 1) * FRAME_BYTES]
    assert sealed.batch.plains is not None
    return sealed.batch.plains[sealed.position]


def _shown(overlay: Overlay, base: bytes) -> bytes:
    """The file that base and changes make, put together frame by frame."""
    out = bytearray(overlay.size)
    for frame in range(-(-overlay.size // FRAME_BYTES)):
        plain = overlay.make_frame(frame, _below(overlay, frame, base))
        assert len(plain) <= min(FRAME_BYTES, overlay.size - frame * FRAME_BYTES), "no byte beyond the end"
        out[frame * FRAME_BYTES : frame * FRAME_BYTES + len(plain)] = plain
    return bytes(out)


def _play(steps: list[tuple[str, int, int, int]], overlay: Overlay, model: bytearray, base: bytes) -> None:
    make = _batch_maker()
    for action, offset, length, octet in steps:
        if action == "write":
            data = bytes([octet]) * length
            overlay.write(offset, memoryview(data))
            model.extend(bytes(max(0, offset + length - len(model))))
            model[offset : offset + length] = data
        elif action == "truncate":
            overlay.truncate(offset)
            model.extend(bytes(max(0, offset - len(model))))
            del model[offset:]
        elif action == "seal" and overlay.ready:
            overlay.take_ready(64, make)
        elif action == "patch" and overlay.pieces:
            frames = list(overlay.pieces)
            overlay.seal_patched(frames, {frame: _below(overlay, frame, base) for frame in frames}, make)


@given(st.integers(0, _SIZE_MAX), _STEPS, st.booleans())
def test_changes_over_a_base_show_what_a_plain_file_would(
    base_size: int, steps: list[tuple[str, int, int, int]], whole: bool
) -> None:
    base = b"b" * base_size
    overlay = Overlay(base_size, whole=whole)
    model = bytearray() if whole else bytearray(base)
    _play(steps, overlay, model, base)
    assert overlay.size == len(model)
    assert _shown(overlay, b"" if whole else base) == bytes(model)
    assert overlay.clean == (not whole and overlay.floor == 0 and overlay.cut is None and not overlay.touched())


@given(st.integers(0, _SIZE_MAX), _STEPS)
def test_frames_that_are_not_loose_need_no_making(base_size: int, steps: list[tuple[str, int, int, int]]) -> None:
    base = b"b" * base_size
    overlay, model = Overlay(base_size), bytearray(base)
    _play(steps, overlay, model, base)
    loose = set(overlay.loose(lambda frame: frame * FRAME_BYTES < base_size))
    sealed = overlay.whole_sealed()
    assert not loose & set(sealed)
    cleared = overlay.clears()[0][0] if overlay.clears() else 2**60
    for frame in range(-(-overlay.size // FRAME_BYTES)):
        if frame in loose or frame in sealed:
            continue
        kept = base[frame * FRAME_BYTES : (frame + 1) * FRAME_BYTES] if frame < cleared else b""
        expected = bytes(model[frame * FRAME_BYTES : (frame + 1) * FRAME_BYTES])
        assert kept.ljust(len(expected), b"\0")[: len(expected)] == expected
        assert len(kept) <= len(expected), "a kept frame has no byte beyond the end"


@given(st.integers(0, _SIZE_MAX), st.integers(0, _SIZE_MAX), _STEPS)
def test_rebased_changes_do_to_the_new_base_what_they_did_to_the_old(
    base_size: int, new_size: int, steps: list[tuple[str, int, int, int]]
) -> None:
    overlay = Overlay(base_size)
    _play(steps, overlay, bytearray(base_size), bytes(base_size))
    rebased = overlay.rebased(new_size)
    for frame in rebased.patched():
        plains = rebased.sealed[frame].batch.plains
        assert plains is not None
        rebased.unseal_patched(frame, plains[rebased.sealed[frame].position])
    shown = _shown(rebased, b"n" * new_size)
    touched = rebased.touched()
    for place in {0, new_size - 1, base_size, *(edge + by for span in touched for edge in span for by in (-1, 0))}:
        if 0 <= place < len(shown) and not any(start <= place < end for start, end in touched):
            expected = b"n" if place < new_size else b"\0"
            assert shown[place : place + 1] == expected, "what was not touched is the new base's"
    for start, end in touched:
        own = _shown(overlay, bytes(base_size))[start : min(end, overlay.size)]
        assert shown[start : start + len(own)] == own or new_size > base_size
    twin = overlay.rebased(base_size)
    assert (twin.size, twin.visible, twin.cut) == (overlay.size, overlay.visible, overlay.cut)


def test_an_extension_is_instant_and_sparse() -> None:
    overlay = Overlay(0)
    overlay.truncate(10**15)
    assert overlay.size == 10**15
    assert overlay.loose(lambda frame: False) == []
    assert overlay.touched() == [(0, 10**15)]


@pytest.mark.parametrize(("size", "code"), [(-1, Code.INVALID), (FILE_BYTES_MAX + 1, Code.TOO_LARGE)])
def test_impossible_sizes_are_refused(size: int, code: Code) -> None:
    with pytest.raises(Fault) as caught:
        Overlay(0).truncate(size)
    assert caught.value.code is code


def test_bytes_cut_away_stay_zeros_when_the_file_grows_again() -> None:
    overlay = Overlay(100)
    overlay.truncate(10)
    overlay.truncate(50)
    assert _shown(overlay, b"b" * 100) == b"b" * 10 + bytes(40)


def test_appends_begin_where_the_new_base_ends() -> None:
    overlay = Overlay(100, append=True)
    overlay.write(100, memoryview(b"line\n"))
    assert overlay.append_start == 100
    assert overlay.start_over(130) == 130
    overlay.truncate(100)
    assert overlay.append_start is None


def test_extents_join_neighbours_of_one_batch_only() -> None:
    overlay = Overlay(0)
    overlay.write(0, memoryview(bytes(5 * FRAME_BYTES)))
    make = _batch_maker()
    overlay.take_ready(2, make)
    overlay.take_ready(3, make)
    for sealed in overlay.sealed.values():
        batch = sealed.batch
        batch.lengths, batch.offsets = [10] * len(batch.indexes), [10 * i for i in range(len(batch.indexes))]
    extents = sealed_extents(overlay.whole_sealed())
    assert [(one.first, one.count, one.offset) for one in extents] == [(0, 2, 0), (2, 3, 0)]
    overlay.write(3 * FRAME_BYTES + 5, memoryview(b"x"))
    extents = sealed_extents(overlay.whole_sealed())
    assert [(one.first, one.count, one.origin_first, one.offset) for one in extents] == [
        (0, 2, 0, 0), (2, 1, 2, 0), (4, 1, 4, 20)
    ]  # fmt: skip
