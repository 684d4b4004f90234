"""What runs behind a `Daemon` or a `Client`: one loop thread, its logins, their links; rebuilt lazily after a fork.

Locks: `Runtime.lock` guards its lists and is never held while the hub is waited for; `Login.lock` and `Link.lock` are
held while one login or one link is (re)made, so that it is made once.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from lucidfs.clock import SystemClock
from lucidfs.engine.account import Account, login
from lucidfs.engine.bridge import Bridge
from lucidfs.engine.settings import EngineSettings
from lucidfs.errors import Code, Fault
from lucidfs.types import FilespaceId, id_text
from lucidfs.wire.messages import FilespaceInfo
from lucidfs.wire.websocket import WebSocketTransport
from lucidlink import _fork
from lucidlink._folder import LocalFolder
from lucidlink._link import Link, Live
from lucidlink._options import Options
from lucidlink._paths import to_builtin
from lucidlink.credentials import ServiceAccountCredentials
from lucidlink.exceptions import AuthenticationError, DaemonError
from lucidlink.storage import StorageConfig

if TYPE_CHECKING:
    from lucidlink.filespace import Filespace

T = TypeVar("T")

_running: set[Runtime] = set()


class Runtime:
    """Starts and stops; between the two it gives a loop to whoever needs one.

    Args:
        options: which hub, how much cache.
        storage: where local files go.
    """

    def __init__(self, options: Options, storage: StorageConfig) -> None:
        self.options = options
        self.lock = threading.RLock()
        self.folder: LocalFolder | None = None
        self.logins: list[Login] = []
        self._storage = storage
        self._bridge: Bridge | None = None
        _fork.watch(self)

    def after_fork(self) -> None:
        self.lock = threading.RLock()
        if self._bridge is not None:
            _fork.keep(self._bridge)
            self._bridge = None

    @property
    def running(self) -> bool:
        return self.folder is not None

    @property
    def root_path(self) -> str:
        """The folder that holds `.lucid`; before the start, the one that will hold it."""
        folder = self.folder
        return str(folder.root if folder is not None else self._storage.get_root_path())

    def start(self) -> None:
        """Make the local folder. A repeat does nothing. Raises DaemonError when it cannot be made."""
        with self.lock:
            if self.folder is None:
                try:
                    self.folder = LocalFolder(self._storage)
                except OSError as error:
                    raise DaemonError(f"cannot make the local folder: {error}") from error
                _running.add(self)

    def bridge(self) -> Bridge:
        """The loop of this process. Raises DaemonError when not running."""
        with self.lock:
            if self.folder is None:
                raise DaemonError("not running: call start() first")
            if self._bridge is None:
                self._bridge = Bridge()
                _stop_with_worker_process()
            return self._bridge

    def login(self, credentials: ServiceAccountCredentials) -> Login:
        """Log in. Raises AuthenticationError, ConnectionError, DaemonError."""
        made = Login(self, credentials)
        made.account()
        with self.lock:
            if self.folder is None:
                raise DaemonError("stopped while it logged in")
            self.logins.append(made)
        return made

    def stop(self) -> None:
        """Unlink what is linked, end the loop, remove the local folder. A repeat does nothing.

        Everything is ended even if parts fail; then the last failure is raised, with the others as its context.
        """
        with self.lock:
            folder, self.folder = self.folder, None
            bridge, self._bridge = self._bridge, None
            logins = list(self.logins)
        _running.discard(self)
        if folder is None:
            return
        with contextlib.ExitStack() as ending:  # last in, first out
            ending.callback(folder.remove)
            if bridge is not None:
                ending.callback(bridge.close)
            for each in logins:
                ending.callback(each.close)


class Login:
    """A service account that is logged in at the hub, and the filespaces that it has linked."""

    def __init__(self, runtime: Runtime, credentials: ServiceAccountCredentials) -> None:
        self.runtime = runtime
        self.credentials = credentials
        self.closed = False
        self.lock = threading.RLock()
        self.linked: dict[FilespaceId, Filespace] = {}
        self._account: Account | None = None
        _fork.watch(self)

    def after_fork(self) -> None:
        self.lock = threading.RLock()
        if self._account is not None:
            _fork.keep(self._account)
            self._account = None

    def account(self) -> Account:
        """The account as this process logged it in. Raises DaemonError after the end."""
        if self.closed or not self.runtime.running:
            raise DaemonError("not authenticated: the daemon or workspace was stopped")
        with self.lock:
            if self._account is None:
                self._account = self._log_in()
            return self._account

    def _log_in(self) -> Account:
        options = self.runtime.options
        bridge = self.runtime.bridge()
        try:
            transport = WebSocketTransport(options.hub_url, options.allow_plaintext)
            token = self.credentials.parsed()
            return bridge.run(login(transport, token, clock=SystemClock(), random=os.urandom))
        except Fault as fault:
            raise self.refusal(fault, options.hub_url) from None

    def filespaces(self) -> list[FilespaceInfo]:
        """What the account may link."""
        return self._run(self.account().filespaces())

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return self.runtime.bridge().run(work)
        except Fault as fault:
            raise self.refusal(fault, self.runtime.options.hub_url) from None

    def refusal(self, fault: Fault, path: str) -> OSError:
        """The builtin for what the hub refused before there was a filespace to speak of."""
        plain = to_builtin(fault, path)
        if fault.code is Code.UNAUTHENTICATED:
            return AuthenticationError(plain.errno, plain.strerror)
        return plain

    def link(self, filespace: FilespaceId, name: str, root_path: str) -> Link:
        """Link a filespace. Raises Fault as `Account.link` does."""
        live = self._connect(filespace, root_path)
        return Link(filespace, name, root_path, lambda: self._reconnect(filespace, root_path), live)

    def _connect(self, filespace: FilespaceId, root_path: str) -> Live:
        account, bridge, folder = self.account(), self.runtime.bridge(), self.runtime.folder
        if folder is None:
            raise DaemonError("stopped while it linked")
        options = self.runtime.options
        settings = EngineSettings(
            cache_folder=folder.of_filespace(id_text(filespace)),
            disk_cache_bytes=options.cache_bytes,
            memory_cache_bytes=options.memory_bytes,
            allow_plaintext=options.allow_plaintext,
        )
        return Live(bridge.run(account.link(filespace, root_path, settings)), bridge)

    def _reconnect(self, filespace: FilespaceId, root_path: str) -> Live:
        """The same in a forked child, for a caller that expects what filesystem calls raise."""
        try:
            return self._connect(filespace, root_path)
        except Fault as fault:
            raise self.refusal(fault, root_path) from None

    def close(self) -> None:
        """Unlink everything. A repeat does nothing; everything is ended even if some part fails."""
        with self.lock:
            if self.closed:
                return
            linked = list(self.linked.values())
        with contextlib.ExitStack() as ending:
            ending.callback(self._end)
            for filespace in linked:
                ending.callback(filespace.unlink)

    def _end(self) -> None:
        self.closed = True
        with self.runtime.lock, contextlib.suppress(ValueError):
            self.runtime.logins.remove(self)


def _stop_with_worker_process() -> None:
    """A worker of `multiprocessing` leaves without Python's exit functions, and runs finalizers of its own instead."""
    multiprocessing = sys.modules.get("multiprocessing.process")
    if multiprocessing is not None and multiprocessing.parent_process() is not None:
        from multiprocessing.util import Finalize

        Finalize(None, _stop_all, exitpriority=10)


@atexit.register
def _stop_all() -> None:
    for runtime in list(_running):
        with contextlib.suppress(Exception):  # nobody is left to be told
            runtime.stop()
