"""One linked filespace: the engine of this process, and the door through which its refusals become builtins."""

from __future__ import annotations

import contextlib
import errno
import threading
import weakref
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from lucidfs.engine.bridge import Bridge
from lucidfs.engine.engine import Engine
from lucidfs.errors import Fault
from lucidfs.types import FilespaceId
from lucidlink import _fork
from lucidlink._paths import to_builtin
from lucidlink.exceptions import FilespaceError

if TYPE_CHECKING:
    from lucidlink._raw import OpenHandle
    from lucidlink.stream import LucidFileStream

T = TypeVar("T")


class Live(NamedTuple):
    """What serves a link in this process. Compared by identity: a fork and an unlink both replace it."""

    engine: Engine
    bridge: Bridge


class Link:
    """A filespace that is linked, until `close`. In a forked child it links anew when first used.

    `live` is read without the lock; it changes under it.

    Args:
        filespace: id of the filespace.
        name: for messages.
        root_path: folder in it that is the root of what the user sees.
        connect: makes engine and bridge for the process that calls it.
        live: what serves it now.
    """

    def __init__(
        self, filespace: FilespaceId, name: str, root_path: str, connect: Callable[[], Live], live: Live
    ) -> None:
        self.filespace = filespace
        self.name = name
        self.root_path = root_path
        self.live: Live | None = live
        self.closed = False
        self.lock = threading.RLock()
        self.streams: weakref.WeakValueDictionary[int, LucidFileStream] = weakref.WeakValueDictionary()
        self.created: dict[int, LucidFileStream] = {}  # those that only a number stands for
        self._connect = connect
        _fork.watch(self)

    def after_fork(self) -> None:
        self.lock = threading.RLock()
        if self.live is not None:
            _fork.keep(self.live)
            self.live = None

    def connect(self) -> Live:
        """What serves the link in this process. Raises FilespaceError after `close`."""
        live = self.live
        if live is not None:
            return live
        with self.lock:
            if self.closed:
                raise self.gone()
            if self.live is None:
                self.live = self._connect()
            return self.live

    def call(
        self, make: Callable[[Engine], Coroutine[Any, Any, T]], path: str | None = None, path2: str | None = None
    ) -> T:
        """Run work on the loop and wait for it; a refusal becomes a builtin that names the paths."""
        live = self.connect()
        try:
            return live.bridge.run(make(live.engine))
        except (Fault, RuntimeError) as error:
            if self.closed:
                raise self.gone(path) from None
            raise to_builtin(error, path, path2) if isinstance(error, Fault) else error from None

    def forget(self, stream: OpenHandle) -> None:
        """A stream has ended."""
        number = stream.number
        self.created.pop(number, None)
        if self.streams.get(number) is stream:
            del self.streams[number]

    def stream(self, number: int) -> LucidFileStream:
        """The stream with this handle id. Raises OSError(EBADF) for another number."""
        self.connect()
        found = self.streams.get(number)
        if found is None:
            raise OSError(errno.EBADF, f"no open handle has the id {number!r}")
        return found

    def close(self, sync: bool) -> None:
        """End the session of this process, after a sync if asked for. Streams that are still open publish nothing.

        Raises what the sync raised, as a builtin; the link is closed all the same.
        """
        with self.lock:
            if self.closed:
                return
            live = self.live
            try:
                if sync and live is not None:
                    self.call(lambda engine: engine.sync())
            finally:
                self.closed = True
                self.live = None
                if live is not None:
                    with contextlib.suppress(Fault):  # the hub being away ends the session too
                        live.bridge.run(live.engine.close(sync=False))

    def gone(self, path: str | None = None) -> FilespaceError:
        """What every use raises after `close`."""
        what = f"{path}: " if path else ""
        return FilespaceError(f"{what}filespace {self.name!r} is not linked any more: link it again")
