"""The entry point: a daemon is started, logs in, and is stopped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from lucidlink._options import read_options
from lucidlink._runtime import Runtime
from lucidlink.credentials import ServiceAccountCredentials
from lucidlink.exceptions import ConfigurationError, DaemonError
from lucidlink.storage import StorageConfig, StorageMode
from lucidlink.workspace import Workspace


@dataclass(frozen=True)
class DaemonStatus:
    """What a daemon is doing.

    Attributes:
        is_running: between `start` and `stop`.
        is_authenticated: some service account is logged in.
        is_linked: some filespace is linked.
        root_path: the folder that holds its `.lucid`.
    """

    is_running: bool
    is_authenticated: bool
    is_linked: bool
    root_path: str


class Daemon:
    """Runs what the SDK needs in the background of this process; there may be any number. Any thread may use it.

    In a forked child it goes on by itself, with logins and sessions of its own.
    As a context manager it starts and stops.

    Args:
        config: string options: "hub.url" (else the environment's LUCIDLINK_HUB, else http://127.0.0.1:7117),
            "hub.allow_plaintext" ("true": speak without TLS to another machine), "fs.cache.size" (MB of disk cache
            for each filespace, default 1024), "fs.cache.memory" (MB of memory for what was read and written lately,
            for each filespace; default: a sixteenth of the machine's, at most 1024).
        storage: where local files go; None: sandboxed.

    Raises:
        ConfigurationError: an unknown option or a bad value; the message names it.
    """

    def __init__(self, config: Mapping[str, str] | None = None, storage: StorageConfig | None = None) -> None:
        if storage is not None and not isinstance(storage, StorageConfig):
            raise ConfigurationError(f"storage: expected a StorageConfig, got {type(storage).__name__}")
        self._runtime = Runtime(read_options(config), storage or StorageConfig())

    def start(self) -> None:
        """Make the local folder and be ready. A repeat does nothing. Raises DaemonError."""
        self._runtime.start()

    def stop(self) -> None:
        """Unlink what is linked (with a sync under SYNC_ALL), then remove local files that are not to stay.

        A repeat does nothing. Everything is ended even if parts fail; then the last failure is raised.
        """
        self._runtime.stop()

    def is_running(self) -> bool:
        """Whether it is between `start` and `stop`."""
        return self._runtime.running

    def get_status(self) -> DaemonStatus:
        """What it is doing now."""
        logins = list(self._runtime.logins) if self._runtime.running else []
        linked = any(filespace.is_linked for login in logins for filespace in list(login.linked.values()))
        return DaemonStatus(self._runtime.running, bool(logins), linked, self._runtime.root_path)

    def authenticate(self, credentials: ServiceAccountCredentials) -> Workspace:
        """Log in.

        Raises:
            DaemonError: not started.
            AuthenticationError: the hub refuses the token.
            ConnectionError: the hub cannot be reached.
        """
        if not isinstance(credentials, ServiceAccountCredentials):
            raise TypeError(f"credentials: expected ServiceAccountCredentials, got {type(credentials).__name__}")
        if not self._runtime.running:
            raise DaemonError("the daemon is not running: call start() first")
        return Workspace(self._runtime.login(credentials))

    def __enter__(self) -> Daemon:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<Daemon {'running' if self.is_running() else 'stopped'} hub={self._runtime.options.hub_url!r}>"


def create_daemon(
    config: dict[str, str] | None = None,
    sandboxed: bool = True,
    persist_files: bool = False,
    root_path: str | Path | None = None,
) -> Daemon:
    """Make a daemon; `start` it, or use it as a context manager.

    Args:
        config: string options, see `Daemon`.
        sandboxed: keep local files in a temp folder that is removed at `stop`; else in `.lucid` below `root_path`.
        persist_files: not sandboxed only: keep them after `stop`.
        root_path: not sandboxed only; None: the working directory.

    Raises:
        ConfigurationError: an unknown option, a bad value, or flags that contradict each other; the message names it.
    """
    mode = StorageMode.SANDBOXED if sandboxed else StorageMode.PHYSICAL
    return Daemon(config, StorageConfig(mode, persist_files, root_path))


__all__ = ["Daemon", "DaemonStatus", "create_daemon"]
