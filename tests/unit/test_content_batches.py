"""Objects grow with their stream: few requests at a store far away, and a long one fits into one commit."""

from __future__ import annotations

import os

import pytest

from lucidfs.crypto.aead import Bytes
from lucidfs.crypto.keys import FilespaceKeys
from lucidfs.engine.batch import Batch
from lucidfs.engine.writer import BATCH_FRAMES, batch_frames
from lucidfs.format.frame import Frames
from lucidfs.limits import EXTENTS_PER_COMMIT_MAX, FRAME_BYTES, MIB, OBJECT_BYTES_MAX


def sizes(stream_bytes: int) -> list[int]:
    """Bytes of the objects of a stream."""
    found, frames = [], 0
    while frames * FRAME_BYTES < stream_bytes:
        found.append(batch_frames(frames) * FRAME_BYTES)
        frames += batch_frames(frames)
    return found


def test_a_short_stream_has_small_objects_so_that_they_begin_to_travel_early() -> None:
    assert set(sizes(32 * MIB)) == {4 * MIB}


def test_a_long_stream_soon_has_large_objects() -> None:
    assert sizes(1024 * MIB)[-1] == 16 * MIB
    assert len(sizes(1024 * MIB)) < 80


def test_objects_never_shrink_and_stay_within_bounds() -> None:
    found = sizes(100 * 1024 * MIB)
    assert found == sorted(found)
    assert found[-1] == 16 * MIB <= OBJECT_BYTES_MAX
    assert all(size % (BATCH_FRAMES * FRAME_BYTES) == 0 for size in found)


def test_a_hundred_gib_fit_into_the_extents_of_one_commit() -> None:
    assert len(sizes(100 * 1024 * MIB)) < EXTENTS_PER_COMMIT_MAX


def test_a_batch_that_could_not_be_sealed_is_sealed_anew() -> None:
    """Nothing of the first attempt is in its map: a flush may be repeated."""

    class Failing(Frames):
        left = 1

        def seal_into(
            self, out: memoryview, plain: Bytes, origin: int, index: int, generation: int, *, compress: bool = True
        ) -> int:
            if index and self.left:
                self.left = 0
                raise MemoryError
            return super().seal_into(out, plain, origin, index, generation, compress=compress)

    frames = Failing(FilespaceKeys(bytes(32), os.urandom), "none")
    batch = Batch(7, 8, 9, [0, 1], [bytearray(b"first"), bytearray(b"second")])

    def seal() -> memoryview:
        return batch.seal(frames, lambda key, plain: None, lambda length: memoryview(bytearray(length)))

    with pytest.raises(MemoryError):
        seal()
    sealed = seal()
    extent = batch.extent(0, 0, 2)
    assert len(sealed) == sum(extent.lengths) == batch.size
    assert list(frames.open_run(sealed, extent.lengths, 7, 0, 8)) == [b"first", b"second"]
    assert batch.extent(1, 1, 1).offset == extent.lengths[0]
