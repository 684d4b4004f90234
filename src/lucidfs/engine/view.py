"""A content with a handle's changes over it: what its reads see. Bytes that are in memory are given at once.

Not locked: whoever shares one (`Handle`) holds a lock over the plain methods. The async ones only read.
"""

from __future__ import annotations

from lucidfs.engine.content import ContentMap, FrameKey, Plain, frame_count, frames_of
from lucidfs.engine.overlay import Overlay, SealedFrame
from lucidfs.engine.reader import FrameSource, Missing, Plains
from lucidfs.engine.writer import Uploads
from lucidfs.limits import FRAME_BYTES
from lucidfs.wire.messages import Extent

_ZEROS = bytes(FRAME_BYTES)


class View:
    """What a file looks like to one handle.

    Args:
        source: gives frames of the base.
        uploads: knows when own frames are in the store.
        path: for messages.
        content: the base.
        overlay: the changes.
    """

    __slots__ = ("content", "overlay", "passing", "path", "source", "uploads")

    def __init__(self, source: FrameSource, uploads: Uploads, path: str, content: ContentMap, overlay: Overlay) -> None:
        self.source = source
        self.uploads = uploads
        self.path = path
        self.content = content
        self.overlay = overlay
        self.passing = False  # reads go through a file that memory cannot hold: what was read is not needed again

    def over(self, content: ContentMap, overlay: Overlay) -> View:
        """The same file with another base and other changes."""
        return View(self.source, self.uploads, self.path, content, overlay)

    def snapshot(self) -> View:
        """A view that does not change with this one."""
        return self.over(self.content, self.overlay.copy())

    def read_nowait(self, offset: int, out: memoryview, held: Plains) -> int | None:
        """Fill `out` with bytes from `offset` on; how many there were, or None when a frame must be fetched first.

        Args:
            offset: in bytes.
            out: bytes, contiguous.
            held: frames that were fetched for this read.
        """
        count = min(len(out), self.overlay.size - offset)
        if count <= 0:
            return 0
        done = 0
        frame, low = divmod(offset, FRAME_BYTES)
        while done < count:
            step = min(FRAME_BYTES - low, count - done)
            if not self._fill(frame, low, out[done : done + step], held):
                return None
            done += step
            frame, low = frame + 1, 0
        return count

    def _fill(self, frame: int, low: int, out: memoryview, held: Plains) -> bool:
        pieces = self.overlay.pieces.get(frame)
        if pieces is None or not pieces.covers(low, low + len(out)):
            valid, plain = self._lower(frame, low, held, self.passing and low + len(out) == FRAME_BYTES)
            if plain is None:
                return False
            _copy(plain, min(valid, len(plain)), low, out)
            if pieces is not None:
                pieces.copy_into(out, low)
            return True
        pieces.copy_into(out, low)
        return True

    def _lower(self, frame: int, low: int, held: Plains, last_use: bool) -> tuple[int, Plain | None]:
        """What stands below the pieces: how many bytes of it show, and its plaintext (None: not in memory)."""
        overlay = self.overlay
        sealed = overlay.sealed.get(frame) if overlay.sealed else None
        if sealed is not None:
            return sealed.valid, self._own_nowait(sealed, held)
        valid = overlay.visible - frame * FRAME_BYTES
        key = self.content.key(frame) if valid > low else None
        if key is None:
            return 0, b""
        plain = self.source.memory.get(key, last_use=last_use)
        return valid, plain if plain is not None or not held else held.get(key)

    def _own_nowait(self, sealed: SealedFrame, held: Plains) -> Plain | None:
        plains = sealed.batch.plains
        if plains is not None:
            return plains[sealed.position]
        key = sealed.batch.key(sealed.position)
        return self.source.memory.get(key) or held.get(key)

    async def fetch(self, frames: range | list[int]) -> Plains:
        """Plaintexts of what stands below the pieces in these frames, by identity. Raises Fault."""
        while True:
            content = self.content
            try:
                return await self._fetch(frames)
            except Missing:
                moved = await self.source.moved(content, self.path)
                if moved is None:
                    raise
                self.content = moved  # the same frames: whoever reads meanwhile sees no difference

    async def _fetch(self, frames: range | list[int]) -> Plains:
        below = frame_count(self.overlay.visible)
        plains: Plains = {}
        wanted: list[Extent] = []
        if isinstance(frames, range) and not self.overlay.sealed:
            wanted = self.content.parts(frames.start, min(frames.stop, below))
            frames = []
        for frame in frames:
            sealed = self.overlay.sealed.get(frame)
            if sealed is not None:
                await self._own(sealed, frame, plains, wanted)
            elif frame < below:
                wanted += self.content.parts(frame, frame + 1)
        if wanted:
            plains.update(await self.source.fetch(wanted, self.path, self.content))
        return plains

    async def _own(self, sealed: SealedFrame, frame: int, plains: Plains, wanted: list[Extent]) -> None:
        key = sealed.batch.key(sealed.position)
        plain = self._own_nowait(sealed, plains)
        if plain is not None:
            plains[key] = plain
            return
        await self.uploads.finish([sealed.batch])  # no plaintext: it arrived, this only makes sure of it
        wanted.append(sealed.batch.extent(frame, sealed.position, 1))

    async def read(self, offset: int, out: memoryview) -> int:
        """Fill `out`, fetching what is missing. Only for a view that nobody changes. Raises Fault."""
        count = self.read_nowait(offset, out, {})
        if count is None:
            count = self.read_nowait(offset, out, await self.fetch(frames_of(offset, len(out))))
        assert count is not None, "everything was fetched"
        return count

    async def lowers(self, frames: list[int]) -> dict[int, Plain]:
        """Plaintexts below the pieces by frame number; holes are left out. Raises Fault."""
        plains = await self.fetch(frames)
        return {frame: plains[key] for frame in frames if (key := self.lower_key(frame)) is not None}

    def lower_key(self, frame: int) -> FrameKey | None:
        """Identity of the sealed frame below the pieces; None for a hole."""
        sealed = self.overlay.sealed.get(frame)
        if sealed is not None:
            return sealed.batch.key(sealed.position)
        return self.content.key(frame) if frame * FRAME_BYTES < self.overlay.visible else None


def _copy(plain: Plain, valid: int, low: int, out: memoryview) -> None:
    """Bytes from `low` on; zeros where they have ended. A whole frame goes in one copy, without a slice."""
    count = min(valid - low, len(out))
    if count == len(out):
        out[:] = plain if count == len(plain) else memoryview(plain)[low : low + count]
        return
    if count > 0:
        out[:count] = memoryview(plain)[low : low + count]
        out[count:] = _ZEROS[: len(out) - count]
    else:
        out[:] = _ZEROS[: len(out)]
