"""A linked filespace: its identity, its files, and what is durable."""

from __future__ import annotations

import asyncio
import contextlib
import errno
from types import TracebackType

from lucidfs.engine.engine import Engine
from lucidlink._link import Link
from lucidlink.connect import ConnectManager
from lucidlink.exceptions import FilespaceError, FilespaceSyncError, FilespaceUnavailableError
from lucidlink.filespace_models import Pending, SyncMode
from lucidlink.filesystem import Filesystem


class Filespace:
    """Made by `Workspace.link_filespace`. Any thread may use it; so may a forked child, which links anew by itself.

    As a context manager it unlinks at the end.

    Args:
        workspace_id: 16 hex digits.
        workspace_name: name of the workspace.
        id: 16 hex digits.
        full_name: `<filespace>.<workspace>`.
        sync_mode: whether `unlink` syncs first.
        link: what makes it usable; without it this is only a description.
    """

    def __init__(
        self,
        workspace_id: str,
        workspace_name: str,
        id: str,
        full_name: str,
        sync_mode: SyncMode = SyncMode.SYNC_ALL,
        *,
        link: Link | None = None,
    ) -> None:
        self._workspace_id = workspace_id
        self._workspace_name = workspace_name
        self._id = id
        self._full_name = full_name
        self._sync_mode = sync_mode
        self._link = link
        self._fs = Filesystem(link) if link is not None else None

    @property
    def id(self) -> str:
        """16 hex digits, derived from the filespace's key."""
        return self._id

    @property
    def name(self) -> str:
        """Short name: the part of the full name before its first dot."""
        return self._full_name.partition(".")[0]

    @property
    def full_name(self) -> str:
        """`<filespace>.<workspace>`."""
        return self._full_name

    @property
    def workspace_id(self) -> str:
        """16 hex digits."""
        return self._workspace_id

    @property
    def workspace_name(self) -> str:
        return self._workspace_name

    @property
    def sync_mode(self) -> SyncMode:
        """Whether `unlink` syncs first."""
        return self._sync_mode

    @property
    def root_path(self) -> str:
        """The folder of the filespace that is the root of what this client sees."""
        return self._link.root_path if self._link is not None else "/"

    @property
    def is_linked(self) -> bool:
        return self._link is not None and not self._link.closed

    @property
    def fs(self) -> Filesystem:
        """Files and folders. Raises FilespaceError after `unlink`."""
        self._linked()
        assert self._fs is not None
        return self._fs

    @property
    def file_system(self) -> Filesystem:
        """The same as `fs`."""
        return self.fs

    @property
    def connect(self) -> ConnectManager:
        """Data stores and external files. Raises FilespaceError after `unlink`."""
        return ConnectManager(self._linked())

    @property
    def pending(self) -> Pending:
        """What was closed or flushed and is not durable yet."""
        live = self._linked().connect()
        pending = live.engine.pending()
        return Pending(pending.files, pending.bytes)

    def sync_all(self) -> None:
        """Return when everything that was closed or flushed before is durable, through an fsync, in hub and store.

        What others see does not depend on it: that is settled when `close` or `flush` returns.

        Raises:
            FilespaceSyncError: it failed (also an OSError; a ConnectionError when the hub stayed away).
        """
        link = self._linked()
        with _sync_errors(self._full_name):
            link.call(lambda engine: engine.sync())

    def sync(self) -> None:
        """The same as `sync_all`."""
        self.sync_all()

    def wait_durable(self, timeout: float | None = None) -> None:
        """As `sync_all`, within a time limit.

        Args:
            timeout: seconds; None: no limit but that of a call.

        Raises:
            TimeoutError: something is not durable yet; it goes on in the background.
        """
        if timeout is not None and not timeout >= 0:
            raise ValueError(f"timeout: expected seconds from 0 up, got {timeout!r}")
        link = self._linked()

        async def wait(engine: Engine) -> bool:
            syncing = asyncio.ensure_future(engine.sync())
            await asyncio.wait([syncing], timeout=timeout)
            if syncing.done():
                syncing.result()
                return True
            syncing.cancel()
            return not engine.pending().files

        with _sync_errors(self._full_name):
            if link.call(wait):
                return
        raise TimeoutError(errno.ETIMEDOUT, f"not durable within {timeout} s", self._full_name)

    def unlink(self) -> None:
        """End the link, after `sync_all` under SYNC_ALL. A repeat does nothing.

        Afterwards every use raises FilespaceError. Streams that are still open publish nothing more.

        Raises:
            FilespaceSyncError: the sync failed; the filespace is unlinked all the same.
        """
        if self._link is not None:
            with _sync_errors(self._full_name):
                self._link.close(sync=self._sync_mode is SyncMode.SYNC_ALL)

    def _linked(self) -> Link:
        if self._link is None:
            raise FilespaceError(f"filespace {self._full_name!r} is not linked: use Workspace.link_filespace")
        if self._link.closed:
            raise self._link.gone()
        return self._link

    def __enter__(self) -> Filespace:
        self._linked()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.unlink()

    def __repr__(self) -> str:
        state = "linked" if self.is_linked else "not linked"
        return f"<Filespace {self._full_name!r} id={self._id} {state}>"


class _sync_errors(contextlib.AbstractContextManager["_sync_errors"]):
    """What fails inside is a FilespaceSyncError that keeps its errno."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, OSError) and not isinstance(error, FilespaceSyncError):
            made = FilespaceUnavailableError if isinstance(error, ConnectionError) else FilespaceSyncError
            raise made(error.errno, f"cannot sync: {error.strerror}", self._name) from error


__all__ = ["Filespace"]
