"""Frames on their way into one object: plaintext first, then sealed bytes, then a place in the store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from lucidfs.engine.content import FrameKey
from lucidfs.format.frame import Frames
from lucidfs.limits import FRAME_OVERHEAD_BYTES
from lucidfs.wire.messages import Extent


class Batch:
    """Frames of one file that are sealed together under one fresh generation and stand in one object.

    Sealed once: repeating an upload sends the same bytes. Filled by one worker, read by the loop afterwards; the
    plaintext may be read by any thread while it is there.

    Args:
        origin: node whose key seals.
        generation: fresh number; no frame was sealed under it before.
        object: fresh number of the object to be.
        indexes: frame numbers, in the order in which they will stand in the object.
        plains: their plaintexts, not to be changed any more.
    """

    __slots__ = ("generation", "indexes", "lengths", "object", "offsets", "origin", "plains", "sealed", "size", "task")

    def __init__(
        self, origin: int, generation: int, object: int, indexes: Sequence[int], plains: list[bytearray]
    ) -> None:
        self.origin = origin
        self.generation = generation
        self.object = object
        self.indexes = indexes
        self.plains: list[bytearray] | None = plains
        self.sealed: memoryview | None = None  # one after the other, between sealing and arrival
        self.lengths: list[int] = []
        self.offsets: list[int] = []
        self.size = 0  # sealed bytes
        self.task: asyncio.Task[None] | None = None  # the upload

    def seal(
        self, frames: Frames, keep: Callable[[FrameKey, bytearray], None], room: Callable[[int], memoryview]
    ) -> memoryview:
        """Seal the frames, once, into a `room`; plaintexts go to `keep`, to be read from there. Runs in a worker."""
        if self.sealed is not None:
            return self.sealed
        assert self.plains is not None
        memory = room(sum(map(len, self.plains)) + len(self.plains) * FRAME_OVERHEAD_BYTES)
        self.offsets, self.lengths = [], []  # of no attempt that failed
        offset = 0
        for index, plain in zip(self.indexes, self.plains, strict=True):
            length = frames.seal_into(memory[offset:], plain, self.origin, index, self.generation)
            self.offsets.append(offset)
            self.lengths.append(length)
            offset += length
            keep((self.origin, index, self.generation), plain)
        self.size = offset
        self.sealed = memory[:offset]
        return self.sealed

    def arrived(self) -> None:
        """The bytes are in the store (or in a commit): memory is given back."""
        self.plains = self.sealed = None

    def key(self, position: int) -> FrameKey:
        return self.origin, self.indexes[position], self.generation

    def extent(self, first: int, position: int, count: int) -> Extent:
        """The extent by which `count` frames from `position` on fill a file from frame `first` on; only when sealed."""
        return Extent(
            first=first,
            count=count,
            origin=self.origin,
            origin_first=self.indexes[position],
            generation=self.generation,
            object=self.object,
            offset=self.offsets[position],
            lengths=self.lengths[position : position + count],
        )
