"""Buffers and text over a raw stream: CPython's own, taught what publishes and what gives up.

CPython calls `flush` for reasons of its own (telling a text position, detaching, closing). Those must not publish, so
they run inside `unpublished`, which the flush of the same thread looks at.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any

from lucidfs.engine.cache.rooms import Rooms
from lucidlink import _fork
from lucidlink._modes import Mode
from lucidlink.stream import LucidFileStream

_quiet = threading.local()
_rooms = Rooms()


@contextmanager
def unpublished(stream: LucidFileStream) -> Iterator[None]:
    """Flushes of this thread reach the raw stream, and are not published."""
    before = getattr(_quiet, "stream", None)
    _quiet.stream = stream
    try:
        yield
    finally:
        _quiet.stream = before


if TYPE_CHECKING:
    _Base = io.BufferedIOBase
    _Reader = io.BufferedReader[LucidFileStream]
    _TextBase = io.TextIOWrapper[io.BufferedIOBase]  # type: ignore[type-var]
else:
    _Base = object
    _Reader = io.BufferedReader
    _TextBase = io.TextIOWrapper


class _Ending(_Base):
    """How a buffered stream flushes and ends. Stands before CPython's class in each class below."""

    _stream: LucidFileStream | None = None  # None: not made yet, or detached

    @property
    def handle_id(self) -> int:
        """The number that the lock calls take in place of this stream."""
        return raw_of(self).handle_id

    def flush(self) -> None:
        """Publish what was written: when this returns, every client that opens the file sees it."""
        stream = self._stream
        if stream is not None and stream.belongs_to_parent:
            raise stream.not_ours()  # also what the parent had not flushed yet is the parent's to flush
        super().flush()
        if stream is not None and getattr(_quiet, "stream", None) is not stream:
            stream.flush()

    def after_fork(self) -> None:
        """A write that only fills the buffer must be refused in the child too. CPython's own `write` stays in place
        as long as there is no fork, because it is three times as fast as one that asks each time."""
        self.write = self._refuse  # type: ignore[method-assign]

    def _refuse(self, data: object, /) -> int:
        stream = raw_of(self)
        if stream.closed:
            raise ValueError("write to closed file")
        raise stream.not_ours()

    def close(self) -> None:
        """Publish what was written, release the locks."""
        stream = self._stream
        if stream is None or stream.belongs_to_parent:
            if stream is not None:
                stream.close()
            return
        with unpublished(stream):
            super().close()

    def abort(self) -> None:
        """Close without publishing what was written since the last flush; release the locks. Does not raise."""
        if self._stream is not None:
            self._stream.abort()

    def refresh(self) -> None:
        """See the newest revision from now on; a lock call does so by itself."""
        stream = raw_of(self)
        with unpublished(stream):
            position = self.tell()
            stream.refresh()
            self.seek(0, io.SEEK_END)  # CPython keeps its read buffer on any other seek that stays inside it
            self.seek(position)

    def detach(self) -> Any:
        with unpublished(raw_of(self)):
            raw = super().detach()
        self._stream = None
        return raw

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    def __del__(self) -> None:
        if self._stream is not None:
            self._stream.drop(self)

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError(f"cannot pickle {type(self).__name__!r} object")


class LucidBufferedReader(_Ending, _Reader):
    """`io.BufferedReader` over a stream of a filespace."""

    def __init__(self, raw: LucidFileStream, buffer_size: int) -> None:
        super().__init__(raw, buffer_size)
        self._stream = raw

    def read_buffer(self, size: int = -1, /) -> memoryview:
        """As `read`, into memory that is used again once the last view of it is gone. Arrow reads by this.

        Args:
            size: bytes, fewer at the end; negative: all that are left.
        """
        raw, start = raw_of(self), self.tell()
        left = max(0, raw.size_seen - start)
        with _rooms.take(left if size < 0 else min(size, left)) as room:
            # Past CPython's buffer, which would read on to its end: that looks like reading in order and fetches ahead
            raw.seek(start)
            count = 0
            while count < len(room) and (more := raw.readinto(room[count:])):
                count += more
            self.seek(0, io.SEEK_END)  # CPython keeps its buffer on any other seek that stays inside it
            self.seek(start + count)
            return room[:count].toreadonly()


class LucidBufferedWriter(_Ending, io.BufferedWriter):
    """`io.BufferedWriter` over a stream of a filespace."""

    def __init__(self, raw: LucidFileStream, buffer_size: int) -> None:
        super().__init__(raw, buffer_size)
        self._stream = raw
        _fork.watch(self)


class LucidBufferedRandom(_Ending, io.BufferedRandom):
    """`io.BufferedRandom` over a stream of a filespace."""

    def __init__(self, raw: LucidFileStream, buffer_size: int) -> None:
        super().__init__(raw, buffer_size)
        self._stream = raw
        _fork.watch(self)


LucidBufferedStream = LucidBufferedReader | LucidBufferedWriter | LucidBufferedRandom


class LucidTextStream(_TextBase):
    """`io.TextIOWrapper` over a buffered stream of a filespace; its calls take turns, so that threads may share it."""

    _stream: LucidFileStream | None = None

    def __init__(
        self,
        buffer: LucidBufferedStream,
        mode: str,
        encoding: str,
        errors: str | None,
        newline: str | None,
        line_buffering: bool,
    ) -> None:
        self._turn = threading.RLock()
        self._mode_text = mode
        super().__init__(buffer, encoding, errors, newline, line_buffering)
        self._stream = raw_of(buffer)
        _fork.watch(self)

    def after_fork(self) -> None:
        self._turn = threading.RLock()

    @property
    def mode(self) -> str:
        """As it was given to `open`."""
        return self._mode_text

    @property
    def handle_id(self) -> int:
        """The number that the lock calls take in place of this stream."""
        return raw_of(self).handle_id

    def read(self, size: int | None = -1, /) -> str:
        with self._turn:
            return super().read(size)

    def readline(self, size: int = -1, /) -> str:  # type: ignore[override]
        with self._turn:
            return super().readline(size)

    def write(self, text: str, /) -> int:
        stream = self._stream
        if stream is not None and stream.belongs_to_parent:
            raise stream.not_ours()
        with self._turn:
            return super().write(text)

    def writelines(self, lines: Iterable[str], /) -> None:  # type: ignore[override]
        with self._turn:
            super().writelines(lines)  # calls `write`

    def flush(self) -> None:
        """Publish what was written: when this returns, every client that opens the file sees it."""
        stream = self._stream
        if stream is not None and stream.belongs_to_parent:
            raise stream.not_ours()
        with self._turn:
            super().flush()

    def seek(self, cookie: int, whence: int = 0, /) -> int:
        with self._turn, unpublished(raw_of(self)):
            return super().seek(cookie, whence)

    def tell(self) -> int:
        with self._turn, unpublished(raw_of(self)):
            return super().tell()

    def truncate(self, size: int | None = None, /) -> int:
        with self._turn, unpublished(raw_of(self)):
            return super().truncate(size)

    def reconfigure(self, **options: Any) -> None:
        with self._turn, unpublished(raw_of(self)):
            super().reconfigure(**options)

    def refresh(self) -> None:
        """See the newest revision from now on; a lock call does so by itself."""
        with self._turn:
            position = None
            with suppress(OSError):  # in the middle of an iteration there is no position to tell
                position = self.tell()
            buffer = self.buffer
            assert isinstance(buffer, _Ending)
            buffer.refresh()
            if position is not None:
                self.seek(position)

    def close(self) -> None:
        """Publish what was written, release the locks."""
        stream = self._stream
        if stream is None or stream.belongs_to_parent:
            if stream is not None:
                stream.close()
            return
        with self._turn, unpublished(stream):
            super().close()

    def abort(self) -> None:
        """Close without publishing what was written since the last flush; release the locks. Does not raise."""
        if self._stream is not None:
            self._stream.abort()

    def detach(self) -> Any:
        with self._turn, unpublished(raw_of(self)):
            buffer = super().detach()
        self._stream = None
        return buffer

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    def __del__(self) -> None:
        if self._stream is not None:
            self._stream.drop(self)

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError(f"cannot pickle {type(self).__name__!r} object")


def raw_of(stream: Any) -> LucidFileStream:
    """The raw stream under any stream of ours. Raises TypeError for another object, ValueError after `detach`."""
    if isinstance(stream, LucidFileStream):
        return stream
    if not isinstance(stream, (_Ending, LucidTextStream)):
        raise TypeError(f"expected a stream of a filespace, got {type(stream).__name__}")
    if stream._stream is None:
        raise ValueError("the raw stream has been detached")
    return stream._stream


def buffered(raw: LucidFileStream, mode: Mode, size: int) -> LucidBufferedStream:
    """The buffer that fits the mode."""
    raw.fill_bytes = size
    if mode.reading and mode.writing:
        return LucidBufferedRandom(raw, size)
    if mode.writing:
        return LucidBufferedWriter(raw, size)
    return LucidBufferedReader(raw, size)
