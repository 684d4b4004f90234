"""What a handle changed: own bytes over own sealed frames over what still shows of the base. Pure; no I/O.

    pieces   bytes that are not sealed yet                 (frame → runs of bytes)
    sealed   whole own frames, sealed or on their way      (frame → place in a batch, bytes that are still valid)
    base     the content that the handle was opened on, of which the first `visible` bytes show

It remembers the changes, not the result: `cut` and `floor` (below) and the own bytes say what to do to any base, so
that a commit that finds the file changed lays the same changes over the new content (`rebased`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from lucidfs.engine.batch import Batch
from lucidfs.engine.content import Plain, frame_count
from lucidfs.engine.pieces import Pieces
from lucidfs.errors import Code, Fault
from lucidfs.limits import FILE_BYTES_MAX, FRAME_BYTES
from lucidfs.namespace.extents import union
from lucidfs.wire.messages import Extent

_TOUCHED_MAX = 1024  # ranges told to the hub; more are told as one
_TO_THE_END = FILE_BYTES_MAX


class SealedFrame(NamedTuple):
    """A frame in a batch; only its first `valid` bytes still count.

    `ranges` None: all of it is own. Else only those [start, end) bytes are; the others are the base's, put in when the
    frame was sealed early to give memory back (`seal_patched`), and do not fit another base.
    """

    batch: Batch
    position: int
    valid: int = FRAME_BYTES
    ranges: list[tuple[int, int]] | None = None

    def own(self) -> list[tuple[int, int]]:
        """Own bytes that still count."""
        ranges = [(0, FRAME_BYTES)] if self.ranges is None else self.ranges
        return [(start, min(end, self.valid)) for start, end in ranges if start < self.valid]


class Overlay:
    """Changes over a base of `base_size` bytes.

    Args:
        base_size: bytes of the base; ignored when `whole`.
        whole: the base does not show at all: the file is written anew.
        append: own bytes belong at the end, wherever that is at commit.

    Attributes:
        size: bytes of the file as its writer sees it.
        visible: bytes of the base that still show.
        cut: shortest size that the base was truncated to, None if it was not.
        floor: size that own writes and truncates ask for at least.
        append_start: where the first appended byte stands, None before the first append.
        ready: whole own frames that may be sealed, in the order in which they became whole.
    """

    def __init__(self, base_size: int, *, whole: bool = False, append: bool = False) -> None:
        self.whole = whole
        self.append = append
        self.base_size = 0 if whole else base_size
        self.visible = self.size = self.base_size
        self.cut: int | None = None
        self.floor = 0
        self.append_start: int | None = None
        self.append_floor = 0
        self.pieces: dict[int, Pieces] = {}
        self.sealed: dict[int, SealedFrame] = {}
        self.ready: dict[int, None] = {}

    @property
    def clean(self) -> bool:
        """Whether it changes nothing."""
        return not (self.whole or self.floor or self.pieces or self.sealed or self.cut is not None)

    # --- changes --------------------------------------------------------------------------------------------------

    def write(self, offset: int, data: memoryview) -> None:
        """Put bytes at `offset`; an appending overlay is written at its size only.

        Raises:
            Fault: TOO_LARGE beyond the largest file.
        """
        if not data:
            return
        end = offset + len(data)
        if end > FILE_BYTES_MAX:
            raise Fault(Code.TOO_LARGE, f"a file has at most {FILE_BYTES_MAX} bytes")
        if self.append and self.append_start is None:
            self.append_start, self.append_floor = offset, self.floor
        done = 0
        frame, low = divmod(offset, FRAME_BYTES)
        while done < len(data):
            taken = min(FRAME_BYTES - low, len(data) - done)
            self._write_frame(frame, low, data[done : done + taken])
            done += taken
            frame, low = frame + 1, 0
        self.floor = max(self.floor, end)
        self.size = max(self.size, end)

    def _write_frame(self, frame: int, low: int, data: memoryview) -> None:
        pieces = self.pieces.get(frame)
        if pieces is None:
            pieces = self.pieces[frame] = Pieces()
        pieces.write(low, data)
        if pieces.full:
            self.ready[frame] = None

    def truncate(self, size: int) -> None:
        """Make the file `size` bytes long: cut, or go on with zeros.

        Raises:
            Fault: INVALID for a negative size, TOO_LARGE beyond the largest file.
        """
        if size < 0:
            raise Fault(Code.INVALID, f"a file cannot have {size} bytes")
        if size > FILE_BYTES_MAX:
            raise Fault(Code.TOO_LARGE, f"a file has at most {FILE_BYTES_MAX} bytes")
        if size < self.size:
            self._cut(size)
        elif size > self.size:
            self.floor = self.size = size

    def _cut(self, size: int) -> None:
        self.size = self.floor = size
        if size < self.visible:
            self.visible = self.cut = size
        if self.append_start is not None and size <= self.append_start:
            self.append_start = None
        first, inside = divmod(size, FRAME_BYTES)
        for frame in [frame for frame in self.pieces if frame >= first]:
            pieces = self.pieces[frame]
            pieces.trim(inside if frame == first else 0)
            self.ready.pop(frame, None)
            if not pieces.parts:
                del self.pieces[frame]
        for frame in [frame for frame in self.sealed if frame >= first]:
            kept = self.sealed[frame]
            if frame == first and inside:
                self.sealed[frame] = kept._replace(valid=min(kept.valid, inside))
            else:
                del self.sealed[frame]

    def take_ready(self, count: int, make: Callable[[list[int], list[bytearray]], Batch]) -> Batch:
        """Hand the first `count` whole frames over to a batch that `make` builds; they are sealed from now on."""
        indexes = list(self.ready)[:count]
        batch = make(indexes, [self.pieces.pop(frame).take() for frame in indexes])
        for position, frame in enumerate(indexes):
            del self.ready[frame]
            self.sealed[frame] = SealedFrame(batch, position)
        return batch

    def seal_patched(
        self,
        frames: list[int],
        lowers: dict[int, Plain],
        make: Callable[[list[int], list[bytearray]], Batch],
    ) -> Batch:
        """Hand frames that are own in part over to a batch, with the bytes below filled in.

        Args:
            frames: all have pieces.
            lowers: plaintexts of what stands below them; holes left out.
            make: builds the batch.
        """
        batch = make(frames, [self.make_frame(frame, lowers.get(frame)) for frame in frames])
        for position, frame in enumerate(frames):
            below = self.sealed.get(frame)
            ranges = union([*(below.own() if below is not None else ()), *self.pieces.pop(frame).ranges()])
            whole = ranges == [(0, FRAME_BYTES)]
            self.ready.pop(frame, None)
            self.sealed[frame] = SealedFrame(batch, position, ranges=None if whole else ranges)
        return batch

    def unseal_patched(self, frame: int, plain: Plain) -> None:
        """Undo `seal_patched`: the own bytes of a sealed frame, whose plaintext is given, are pieces again."""
        pieces = Pieces()
        for start, end in self.sealed.pop(frame).own():
            pieces.write(start, memoryview(plain)[start:end])
        above = self.pieces.get(frame)
        if above is not None:
            for start, part in zip(above.starts, above.parts, strict=True):
                pieces.write(start, part)
        self.pieces[frame] = pieces

    # --- what is where --------------------------------------------------------------------------------------------

    def needs_lower(self, frame: int, low: int, high: int) -> bool:
        """Whether bytes [low, high) of a frame show something that stands below the pieces."""
        pieces = self.pieces.get(frame)
        return pieces is None or not pieces.covers(low, high)

    def patched(self) -> list[int]:
        """Sealed frames that are not own throughout: over another base they must be put together anew."""
        return [
            frame for frame, sealed in self.sealed.items() if sealed.ranges is not None or sealed.valid < FRAME_BYTES
        ]

    def lower_valid(self, frame: int) -> int:
        """How many bytes of the frame below the pieces show; the rest are zeros."""
        sealed = self.sealed.get(frame)
        if sealed is not None:
            return sealed.valid
        return max(0, min(FRAME_BYTES, self.visible - frame * FRAME_BYTES))

    def loose(self, base_has: Callable[[int], bool]) -> list[int]:
        """Frames that a commit must make and seal, sorted: all with pieces, and those that were cut inside."""
        frames = set(self.pieces)
        frames.update(frame for frame, sealed in self.sealed.items() if sealed.valid < FRAME_BYTES)
        if self.cut is not None and self.visible == self.cut and self.cut < self.base_size:
            frame, inside = divmod(self.cut, FRAME_BYTES)
            if inside and frame not in self.sealed and base_has(frame):
                frames.add(frame)
        return sorted(frames)

    def whole_sealed(self) -> dict[int, SealedFrame]:
        """Own frames that a commit takes as they were sealed."""
        return {
            frame: sealed
            for frame, sealed in self.sealed.items()
            if sealed.valid == FRAME_BYTES and frame not in self.pieces
        }

    def make_frame(self, frame: int, lower: Plain | None) -> bytearray:
        """Plaintext of a loose frame out of what stands below and the own bytes over it."""
        plain = bytearray((lower or b"")[: self.lower_valid(frame)])
        pieces = self.pieces.get(frame)
        if pieces is not None:
            if len(plain) < pieces.end:
                plain.extend(bytes(pieces.end - len(plain)))
            pieces.copy_into(memoryview(plain), 0)
        return plain

    def clears(self) -> list[tuple[int, int]]:
        """Frames [first, end) of the base that are gone."""
        if self.cut is None:
            return []
        return [(frame_count(self.cut), frame_count(FILE_BYTES_MAX))]

    def touched(self) -> list[tuple[int, int]]:
        """Bytes [start, end) that the program changed, sorted and joined."""
        ranges: list[tuple[int, int]] = []
        for frame, sealed in self.sealed.items():
            ranges += ((frame * FRAME_BYTES + start, frame * FRAME_BYTES + end) for start, end in sealed.own())
        for frame, pieces in self.pieces.items():
            ranges += ((frame * FRAME_BYTES + start, frame * FRAME_BYTES + end) for start, end in pieces.ranges())
        if self.cut is not None:
            ranges.append((self.cut, _TO_THE_END))
        elif self.floor > self.base_size:
            ranges.append((self.base_size, self.floor))
        joined = union(ranges)
        if len(joined) > _TOUCHED_MAX:
            return [(joined[0][0], joined[-1][1])]
        return joined

    # --- over another base ----------------------------------------------------------------------------------------

    def start_over(self, base_size: int) -> int:
        """Where the appended bytes begin over a base of `base_size` bytes."""
        shown = base_size if self.cut is None else min(base_size, self.cut)
        return max(shown, self.append_floor)

    def rebased(self, base_size: int) -> Overlay:
        """The same changes over another base.

        Appended bytes keep their place, and `patched` frames their old surroundings: `rebase` moves and mends them.
        """
        twin = self.copy()
        if not self.whole:
            twin.base_size = base_size
            twin.visible = base_size if self.cut is None else min(base_size, self.cut)
            twin.size = max(twin.visible, self.floor)
        return twin

    def copy(self) -> Overlay:
        """An overlay that does not change with this one; batches are shared."""
        twin = Overlay(self.base_size, whole=self.whole, append=self.append)
        twin.visible, twin.size, twin.cut, twin.floor = self.visible, self.size, self.cut, self.floor
        twin.append_start, twin.append_floor = self.append_start, self.append_floor
        twin.pieces = {frame: pieces.copy() for frame, pieces in self.pieces.items()}
        twin.sealed = dict(self.sealed)
        twin.ready = dict(self.ready)
        return twin


def sealed_extents(sealed: dict[int, SealedFrame]) -> list[Extent]:
    """Extents of own frames as they stand in their batches, neighbours joined."""
    extents: list[Extent] = []
    run: list[int] = []
    for frame in sorted(sealed):
        if run:
            last, here = sealed[run[-1]], sealed[frame]
            if frame != run[-1] + 1 or here.batch is not last.batch or here.position != last.position + 1:
                extents.append(_extent(run, sealed))
                run = []
        run.append(frame)
    if run:
        extents.append(_extent(run, sealed))
    return extents


def _extent(run: list[int], sealed: dict[int, SealedFrame]) -> Extent:
    first = sealed[run[0]]
    return first.batch.extent(run[0], first.position, len(run))
