"""An open file as Python's `io` sees one: raw stream here, buffers and text on top in `_buffered`.

What is written shows to others at `flush()` and `close()`, never else. `abort()`, a `with` block that ends in an
exception and a stream that is dropped publish nothing since the last `flush()`.

Any thread may use a stream; calls on one stream take turns under its lock. In a forked child a stream opened for
reading goes on with the revision it had; one opened for writing stays the parent's.
"""

from __future__ import annotations

import asyncio
import errno
import io
import operator
import os
import threading
import warnings
from collections.abc import Coroutine
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from lucidfs.engine.handle import Handle
from lucidfs.engine.locks import Locks
from lucidfs.errors import Fault
from lucidfs.limits import BUFFER_BYTES, FRAME_BYTES, OBJECT_BYTES_MIN
from lucidfs.types import LockMode
from lucidlink._link import Link, Live
from lucidlink._modes import Mode, parse_mode
from lucidlink._paths import PathText, invalid, to_builtin

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

    from lucidlink._buffered import LucidBufferedStream, LucidTextStream
    from lucidlink.filesystem import Filesystem

T = TypeVar("T")

_WRITE_BYTES = OBJECT_BYTES_MIN  # a longer write is handed over in pieces, so that back-pressure can hold it


class LucidFileStream(io.RawIOBase):
    """A raw, unbuffered stream on one file; made by `Filesystem.open(…, buffering=0)`.

    `read`, `readinto` return fewer bytes than asked for only at the end of the file; `write` takes everything.

    Attributes:
        fill_bytes: how much a buffer above asks for whatever it needs; 0: none does. After a jump it gets the rest of
            one frame only: a random read of 4 KiB then fetches and copies one frame, not three.
    """

    _finished = True  # until __init__ is through: nothing to give back

    def __init__(self, link: Link, live: Live, handle: Handle, name: str, mode: Mode) -> None:
        super().__init__()
        self._link = link
        self._live = live
        self._handle = handle
        self._name = name
        self._mode = mode
        self._lock = threading.RLock()
        self._process = os.getpid()
        self._position = handle.size if mode.appending else 0
        self._read_end = 0
        self.fill_bytes = 0
        self._failure: BaseException | None = None
        self._finished = False
        link.streams[handle.id] = self

    # --- what it is ----------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The path as it was given to `open`."""
        return self._name

    @property
    def mode(self) -> str:
        """As `io.FileIO` spells it: "rb", "rb+", "wb", "ab" …"""
        return self._mode.raw

    @property
    def handle_id(self) -> int:
        """The number that the lock calls take in place of this stream."""
        self._enter()
        return self._handle.id

    @property
    def number(self) -> int:
        """`handle_id`, also of a stream that is closed."""
        return self._handle.id

    @property
    def belongs_to_parent(self) -> bool:
        """Whether this is a forked child's view of a stream that its parent writes."""
        return self._mode.writing and self._process != os.getpid()

    def readable(self) -> bool:
        self._check_open()
        return self._mode.reading

    def writable(self) -> bool:
        self._check_open()
        return self._mode.writing

    def seekable(self) -> bool:
        self._check_open()
        return True

    def isatty(self) -> bool:
        self._check_open()
        return False

    def fileno(self) -> int:
        self._check_open()
        raise io.UnsupportedOperation("fileno: not a file of the operating system")

    def __repr__(self) -> str:
        state = " closed" if self.closed else ""
        return f"<{type(self).__name__} name={self._name!r} mode={self.mode!r}{state}>"

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

    # --- state ---------------------------------------------------------------------------------------------------

    def _check_open(self) -> None:
        if self._finished:
            raise ValueError("I/O operation on closed file.")

    def _enter(self) -> None:
        """Before every use of the handle: it must be open, linked, and this process's own."""
        if self._finished:
            raise ValueError("I/O operation on closed file.")
        if self._link.live is not self._live:
            self._settle()

    def _enter_reading(self) -> None:
        self._enter()
        if not self._mode.reading:
            raise io.UnsupportedOperation("File not open for reading")

    def _enter_writing(self) -> None:
        self._enter()
        if not self._mode.writing:
            raise io.UnsupportedOperation("File not open for writing")
        self._raise_failure()

    def _settle(self) -> None:
        """The link changed since the last use: it was unlinked, or this is a forked child."""
        if self._link.closed:
            raise self._link.gone(self._name)
        if self.belongs_to_parent:
            raise self.not_ours()
        live = self._link.connect()
        with self._link.lock:
            if self._live is not live:
                self._lock = threading.RLock()  # another thread of the parent may have held the old one
                self._handle = live.engine.files.reopen(self._handle)
                self._process = os.getpid()
                self._live = live
                self._link.streams[self._handle.id] = self

    def not_ours(self) -> OSError:
        """What a forked child gets that uses a stream which its parent writes."""
        message = "the stream was opened for writing by the parent process: open the file anew in this one"
        return OSError(errno.EBADF, message, self._name)

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return self._live.bridge.run(work)
        except (Fault, RuntimeError) as error:
            raise self._refusal(error) from None

    def _refusal(self, error: Exception) -> Exception:
        if self._link.closed:
            return self._link.gone(self._name)
        return to_builtin(error, self._name) if isinstance(error, Fault) else error

    def _raise_failure(self) -> None:
        failure = self._failure
        if failure is not None:
            kind, number = (type(failure), failure.errno) if isinstance(failure, OSError) else (OSError, errno.EIO)
            message = "a write failed, so nothing since the last flush can be published"
            raise kind(number, f"{message}: {failure}", self._name) from failure

    # --- the end -------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Publish what was written, release the locks. A stream whose write or publication failed publishes nothing."""
        if self._finished:
            return
        if self.belongs_to_parent:
            self._finish()
            return
        with self._lock:
            if self._finished:
                return
            try:
                self._close_handle()
            finally:
                self._finish()

    def _close_handle(self) -> None:
        if self._link.live is not self._live:
            if self._link.closed and self._mode.writing and self._handle.dirty:
                raise self._link.gone(f"{self._name}: what was written since the last flush is lost")
            return
        if self._failure is not None:
            self._abort_handle()
            self._raise_failure()
        try:
            self._live.bridge.run(self._handle.close())
        except BaseException as error:
            self._abort_handle()
            if isinstance(error, (Fault, RuntimeError)):
                raise self._refusal(error) from None
            raise

    def abort(self) -> None:
        """Close without publishing what was written since the last flush; release the locks. Does not raise."""
        if self._finished:
            return
        if self.belongs_to_parent:
            self._finish()
            return
        with self._lock:
            if not self._finished:
                try:
                    if self._link.live is self._live:
                        self._abort_handle()
                finally:
                    self._finish()

    def _abort_handle(self) -> None:
        with suppress(Fault, OSError, RuntimeError):  # the hub being away must not hide why the stream is given up
            self._live.bridge.run(self._handle.abort())

    def drop(self, holder: object) -> None:
        """Give up from a finalizer: on any thread, at any point, so without waiting. Warns as Python's files do."""
        if self._finished:
            return
        ours = self._process == os.getpid() and self._link.live is self._live
        self._finish()
        if ours:
            # Straight to the loop, which takes no lock: the collector may run inside any call of this thread.
            with suppress(RuntimeError):
                self._live.bridge.loop.call_soon_threadsafe(_abort_soon, self._handle)
        if self._process == os.getpid():
            lost = ": what was written since the last flush is not published" if self._mode.writing else ""
            warnings.warn(f"unclosed file {holder!r}{lost}", ResourceWarning, stacklevel=3, source=holder)

    def _finish(self) -> None:
        self._finished = True
        self._link.forget(self)
        super().close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    def __del__(self) -> None:
        self.drop(self)

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError(f"cannot pickle {type(self).__name__!r} object")


_aborting: set[asyncio.Task[None]] = set()  # the loop itself keeps only weak references


def _abort_soon(handle: Handle) -> None:
    async def abort() -> None:
        with suppress(Fault):
            await handle.abort()

    task = asyncio.ensure_future(abort())
    _aborting.add(task)
    task.add_done_callback(_aborting.discard)


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
