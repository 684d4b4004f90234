"""An open file as Python's `io` sees one: raw stream here, buffers and text on top in `_buffered`.

What is written shows to others at `flush()` and `close()`, never else. `abort()`, a `with` block that ends in an
exception and a stream that is dropped publish nothing since the last `flush()`.

Any thread may use a stream; calls on one stream take turns under its lock. In a forked child a stream opened for
reading goes on with the revision it had; one opened for writing stays the parent's.
"""

from __future__ import annotations

import errno
import io
import operator
import os
from typing import TYPE_CHECKING

from lucidfs.engine.locks import Locks
from lucidfs.errors import Fault
from lucidfs.limits import BUFFER_BYTES, FRAME_BYTES, OBJECT_BYTES_MIN
from lucidfs.types import LockMode
from lucidlink._modes import parse_mode
from lucidlink._paths import PathText, invalid
from lucidlink._raw import OpenHandle

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

    from lucidlink._buffered import LucidBufferedStream, LucidTextStream
    from lucidlink.filesystem import Filesystem

_WRITE_BYTES = OBJECT_BYTES_MIN  # a longer write is handed over in pieces, so that back-pressure can hold it


class LucidFileStream(OpenHandle):
    """A raw, unbuffered stream on one file; made by `Filesystem.open(…, buffering=0)`.

    `read`, `readinto` return fewer bytes than asked for only at the end of the file; `write` takes everything.

    Attributes:
        fill_bytes: how much a buffer above asks for whatever it needs; 0: none does. After a jump it gets the rest of
            one frame only: a random read of 4 KiB then fetches and copies one frame, not three.
    """

    def _register(self) -> None:
        self._link.streams[self._handle.id] = self

    # --- reading -------------------------------------------------------------------------------------------------

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Fill `buffer` from the position on; 0 at the end. Raises OSError(EIO) when stored bytes were altered."""
        self._enter_reading()
        view = memoryview(buffer)
        if view.readonly:
            raise TypeError("readinto() argument must be read-write bytes-like object")
        if not view.nbytes:
            return 0
        view = view.cast("B")
        with self._lock:
            position = self._position
            if len(view) == self.fill_bytes and position != self._read_end:
                view = view[: FRAME_BYTES - position % FRAME_BYTES]
            count = self._read_at(position, view)
            self._position = self._read_end = position + count
        return count

    def read(self, size: int | None = -1, /) -> bytes:
        """Up to `size` bytes; None or negative: all that follows."""
        if size is None or size < 0:
            return self.readall()
        self._enter_reading()
        with self._lock:
            return self._read_bytes(min(size, max(0, self._handle.size - self._position)))

    def readall(self) -> bytes:
        """Everything from the position to the end."""
        self._enter_reading()
        with self._lock:
            return self._read_bytes(max(0, self._handle.size - self._position))

    def _read_bytes(self, count: int) -> bytes:
        # BytesIO hands out the very bytes object that was filled in place, where a bytearray would be copied.
        target = io.BytesIO(bytes(count))
        done = 0
        with target.getbuffer() as view:
            while done < count:
                got = self._read_at(self._position + done, view[done:])
                if not got:
                    break
                done += got
        self._position += done
        data = target.getvalue()
        return data if done == count else data[:done]

    def _read_at(self, offset: int, view: memoryview) -> int:
        try:
            count = self._handle.read_cached(offset, view)
        except Fault as fault:
            raise self._refusal(fault) from None
        return self._run(self._handle.read(offset, view)) if count is None else count

    # --- writing -------------------------------------------------------------------------------------------------

    def write(self, data: ReadableBuffer, /) -> int:
        """Take all of `data`; in mode `a` at the end. Waits while too much is on its way to the store."""
        self._enter_writing()
        view = memoryview(data)
        if not view.nbytes:
            return 0
        view = view.cast("B")
        with self._lock:
            try:
                for start in range(0, len(view), _WRITE_BYTES):
                    self._write_piece(view[start : start + _WRITE_BYTES])
            except (Fault, RuntimeError) as error:
                self._failure = self._refusal(error)
                raise self._failure from None
            except BaseException as error:
                self._failure = error
                raise
        return len(view)

    def _write_piece(self, piece: memoryview) -> None:
        handle = self._handle
        crowded = handle.write_nowait(None if self._mode.appending else self._position, piece)
        self._position = handle.size if self._mode.appending else self._position + len(piece)
        if crowded:
            self._live.bridge.run(handle.drain())

    def truncate(self, size: int | None = None, /) -> int:
        """Cut, or extend with zeros, to `size` bytes (None: the position), which stays where it is."""
        self._enter_writing()
        with self._lock:
            target = self._position if size is None else operator.index(size)
            if target < 0:
                raise invalid(f"negative size {target}", self._name)
            self._run(self._handle.truncate(target))
            return target

    def flush(self) -> None:
        """Publish what was written: when this returns, every client that opens the file sees it."""
        if self._finished:
            if self.closed:
                raise ValueError("I/O operation on closed file.")
            return  # io.IOBase.close calls flush once more
        if not self._mode.writing:
            return
        self._enter()
        with self._lock:
            self._raise_failure()
            self._run(self._handle.flush())

    # --- position ------------------------------------------------------------------------------------------------

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Move; past the end is allowed. Raises OSError(EINVAL) before the start or for another `whence`."""
        if (
            whence == os.SEEK_END or not self._link.closed
        ):  # CPython's buffers move before they close, also after unlink
            self._enter()
        self._check_open()
        offset = operator.index(offset)
        with self._lock:
            if whence == os.SEEK_SET:
                target = offset
            elif whence == os.SEEK_CUR:
                target = self._position + offset
            elif whence == os.SEEK_END:
                target = self._handle.size + offset
            else:
                raise invalid(f"whence {whence!r} is not 0, 1 or 2", self._name)
            if target < 0:
                raise invalid(f"position {target} is before the start", self._name)
            self._position = target
        return target

    def tell(self) -> int:
        self._check_open()
        return self._position

    def refresh(self) -> None:
        """See the newest revision from now on; a lock call does so by itself."""
        self._enter()
        with self._lock:
            self._run(self._handle.refresh())

    # --- by offset, and locks ------------------------------------------------------------------------------------

    def read_from(self, offset: int, size: int = -1) -> bytes:
        """`seek` and `read` in one step, so that threads may share the stream."""
        self._enter()
        with self._lock:
            self.seek(offset)
            return self.read(size)

    def write_to(self, offset: int, data: ReadableBuffer) -> int:
        """`seek` and `write` in one step, so that threads may share the stream."""
        self._enter()
        with self._lock:
            self.seek(offset)
            return self.write(data)

    def lock_range(self, mode: LockMode, offset: int, length: int, timeout_s: float) -> None:
        """See `Filesystem.lock_byte_range`. Waits without the stream's own lock, so that it stays usable."""
        node, handle, locks = self._lockable()
        self._run(locks.acquire(node, handle, mode, offset, length, timeout_s))

    def unlock_range(self, offset: int, length: int) -> None:
        """See `Filesystem.unlock_byte_range`; 0, 0 is everything."""
        node, handle, locks = self._lockable()
        self._run(locks.release(node, handle, offset, length))

    def _lockable(self) -> tuple[int, int, Locks]:
        self._enter()
        node = self._handle.node
        if node is None:
            raise FileNotFoundError(errno.ENOENT, "a new file can be locked after its first flush", self._name)
        return node.id, self._handle.id, self._live.engine.locks


def open_buffered(
    fs: Filesystem, path: PathText, mode: str = "rb", buffer_size: int = BUFFER_BYTES, lock_type: str = ""
) -> LucidBufferedStream:
    """Open in binary with a buffer.

    Args:
        fs: of a linked filespace.
        path: what to open.
        mode: as for `open`; "b" is understood.
        buffer_size: bytes, at least 1.
        lock_type: "", "shared" or "exclusive".

    Raises:
        ValueError: a text mode, or a buffer of no size.
    """
    if parse_mode(mode).text and "t" in mode:
        raise ValueError(f"open_buffered is binary, got mode {mode!r}; use open_text")
    if buffer_size < 1:
        raise ValueError(f"buffer_size: expected at least 1 byte, got {buffer_size}")
    return fs.open_binary(path, mode if "b" in mode else mode + "b", buffer_size, lock_type)


def open_text(
    fs: Filesystem,
    path: PathText,
    mode: str = "r",
    encoding: str = "utf-8",
    errors: str = "strict",
    newline: str | None = None,
    lock_type: str = "",
) -> LucidTextStream:
    """Open as text. Arguments as for `open`. Raises ValueError for a binary mode."""
    if "b" in mode:
        raise ValueError(f"open_text is text, got mode {mode!r}; use open_buffered")
    return fs.open_text(path, mode, -1, encoding, errors, newline, lock_type)


__all__ = ["LucidFileStream", "open_buffered", "open_text"]
