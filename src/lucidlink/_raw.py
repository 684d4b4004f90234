"""What a stream has: a handle of this process, a link that may go, and an end that publishes or gives up."""

from __future__ import annotations

import asyncio
import errno
import io
import os
import threading
import warnings
from collections.abc import Coroutine
from contextlib import suppress
from types import TracebackType
from typing import Any, TypeVar

from lucidfs.engine.handle import Handle
from lucidfs.engine.node import Node
from lucidfs.errors import Fault
from lucidlink._link import Link, Live
from lucidlink._modes import Mode
from lucidlink._name import StreamName
from lucidlink._paths import to_builtin

T = TypeVar("T")


class OpenHandle(io.RawIOBase):
    """Everything of a raw stream but its bytes: identity, state, and how it ends.

    Before each use `_enter` makes sure that the handle is this process's own; `_finished` is true once the handle was
    given back. `_lock` makes the calls on one stream take turns.
    """

    warns = True  # when it is dropped without a close
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
        self._register()

    # --- what it is ----------------------------------------------------------------------------------------------

    @property
    def name(self) -> Any:
        """The path as it was given to `open`: a `StreamName`, which reads as text but is no `str`."""
        return StreamName(self._name)

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
    def node(self) -> Node | None:
        """The file as it was when it was opened or last published by this stream; None while it is not made."""
        return self._handle.node

    @property
    def size_seen(self) -> int:
        """Bytes of the file as this stream sees it."""
        return self._handle.size

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
                self._register()

    def _register(self) -> None:
        """Make the stream found by its handle's id. Overridden by what can be used by number."""

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
        if self.warns and self._process == os.getpid():
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
