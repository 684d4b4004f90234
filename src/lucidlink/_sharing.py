"""One client for all who ask for the same: a daemon per credential and options, ended when its last user goes.

Any thread may ask. In a forked child the daemons go on by themselves (`_runtime`); only the lock is made anew.
"""

from __future__ import annotations

import threading
import weakref
from typing import NamedTuple

from lucidlink import _fork
from lucidlink.credentials import ServiceAccountCredentials
from lucidlink.daemon import Daemon
from lucidlink.filespace import Filespace
from lucidlink.filespace_models import SyncMode
from lucidlink.storage import StorageConfig, StorageMode
from lucidlink.workspace import Workspace


class Terms(NamedTuple):
    """What makes two users want the same client. Never shown: it holds the token."""

    token: str
    hub: str
    allow_plaintext: bool
    sandboxed: bool
    persist_files: bool
    root_path: str | None
    sync_mode: SyncMode

    def storage(self) -> StorageConfig:
        """Where local files go. Raises ConfigurationError for what contradicts itself."""
        mode = StorageMode.SANDBOXED if self.sandboxed else StorageMode.PHYSICAL
        return StorageConfig(mode, self.persist_files, self.root_path)

    def __repr__(self) -> str:
        return "Terms(…)"


class Shared:
    """A client, started when it is first asked for something. Made by `acquire`.

    `users` is guarded by the registry's lock, the start by the client's own: a hub that does not answer holds up
    nobody who wants another.
    """

    def __init__(self, terms: Terms) -> None:
        config = {"hub.url": terms.hub, "hub.allow_plaintext": str(terms.allow_plaintext)}
        self.terms = terms
        self.users: weakref.WeakValueDictionary[int, object] = weakref.WeakValueDictionary()  # by id: some are equal
        self._daemon = Daemon(config, terms.storage())
        self._workspace: Workspace | None = None
        self._lock = threading.Lock()
        _fork.watch(self)

    def after_fork(self) -> None:
        self._lock = threading.Lock()

    @property
    def workspace(self) -> Workspace:
        """Of the account. Raises AuthenticationError, ConnectionError, DaemonError; the next use tries again."""
        if self._workspace is None:
            with self._lock:
                if self._workspace is None:
                    self._workspace = self._log_in()
        return self._workspace

    def _log_in(self) -> Workspace:
        self._daemon.start()
        try:
            return self._daemon.authenticate(ServiceAccountCredentials(self.terms.token))
        except BaseException:
            self._daemon.stop()
            raise

    def filespace(self, name: str) -> Filespace:
        """A filespace, linked. Raises FileNotFoundError, PermissionError, ConnectionError."""
        for linked in self.workspace.linked_filespaces:
            if name in (linked.name, linked.id):
                return linked
        return self.workspace.link_filespace(name=name, sync_mode=self.terms.sync_mode)

    def stop(self) -> None:
        self._daemon.stop()


class _Registry:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.running: dict[Terms, Shared] = {}
        _fork.watch(self)

    def after_fork(self) -> None:
        self.lock = threading.Lock()


_registry = _Registry()


def acquire(terms: Terms, user: object) -> Shared:
    """The client for these terms, with one more user."""
    with _registry.lock:
        shared = _registry.running.get(terms)
        if shared is None:
            shared = _registry.running[terms] = Shared(terms)
        shared.users[id(user)] = user
        return shared


def release(shared: Shared, user: object) -> None:
    """One user less; with the last one the client stops (after a sync under SYNC_ALL). Raises what the sync raises."""
    with _registry.lock:
        shared.users.pop(id(user), None)
        if len(shared.users):
            return
        if _registry.running.get(shared.terms) is shared:
            del _registry.running[shared.terms]
    shared.stop()
