"""The entry point of later releases: a client logs in, and is closed."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType

from lucidlink._options import read_options
from lucidlink._runtime import Runtime
from lucidlink.credentials import ServiceAccountCredentials
from lucidlink.exceptions import ClientError, ConfigurationError
from lucidlink.storage import StorageConfig
from lucidlink.workspace import Workspace


@dataclass(frozen=True)
class ClientConfig:
    """Options of a client.

    Args:
        fs_cache_size_mb: disk cache of each linked filespace in MB; None: 1024.
        hub_url: None: the environment's LUCIDLINK_HUB, else http://127.0.0.1:7117.
        allow_plaintext: speak without TLS to a hub on another machine.
    """

    fs_cache_size_mb: int | None = None
    hub_url: str | None = None
    allow_plaintext: bool = False

    def as_strings(self) -> dict[str, str]:
        """The same as `config` of a `Daemon`."""
        strings = {"hub.allow_plaintext": str(bool(self.allow_plaintext)).lower()}
        if self.fs_cache_size_mb is not None:
            if not isinstance(self.fs_cache_size_mb, int):
                raise ConfigurationError(f"fs_cache_size_mb: expected int, got {type(self.fs_cache_size_mb).__name__}")
            strings["fs.cache.size"] = str(self.fs_cache_size_mb)
        if self.hub_url is not None:
            strings["hub.url"] = self.hub_url
        return strings


@dataclass(frozen=True)
class WorkspaceInfo:
    """A workspace that the client may use."""

    id: str
    name: str


class Client:
    """Logs in and gives workspaces. Any thread may use it; a forked child too. As a context manager it closes.

    Args:
        storage: where local files go; None: in a temp folder that is removed at `close`.
        config: options; None: the defaults.

    Raises:
        ConfigurationError: a bad value; the message names it.
    """

    def __init__(self, *, storage: StorageConfig | None = None, config: ClientConfig | None = None) -> None:
        options = read_options((config or ClientConfig()).as_strings())
        self._runtime = Runtime(options, storage or StorageConfig())
        self._workspace: Workspace | None = None
        self._closed = False

    def login(self, credentials: ServiceAccountCredentials) -> Workspace:
        """Log in; a repeat logs in anew, and ends what the login before had linked.

        Raises:
            ClientError: after `close`.
            AuthenticationError: the hub refuses the token.
            ConnectionError: the hub cannot be reached.
        """
        if not isinstance(credentials, ServiceAccountCredentials):
            raise TypeError(f"credentials: expected ServiceAccountCredentials, got {type(credentials).__name__}")
        if self._closed:
            raise ClientError("the client is closed")
        self._runtime.start()
        workspace = Workspace(self._runtime.login(credentials))
        before, self._workspace = self._workspace, workspace
        if before is not None:
            before.stop()
        return workspace

    @property
    def is_logged_in(self) -> bool:
        return self._workspace is not None

    @property
    def workspace(self) -> Workspace:
        """The workspace of the account that is logged in. Raises ClientError before `login` and after `close`."""
        if self._workspace is None:
            raise ClientError("the client is closed" if self._closed else "not logged in: call login() first")
        return self._workspace

    def list_workspaces(self) -> list[WorkspaceInfo]:
        """The workspaces that the account may use: a service account has one."""
        return [WorkspaceInfo(self.workspace.id, self.workspace.name)]

    def get_workspace(self, id: str) -> Workspace:
        """A workspace by id. Raises ClientError when the account has no such one."""
        if self.workspace.id != id:
            raise ClientError(f"no workspace with the id {id!r}")
        return self.workspace

    def close(self) -> None:
        """Unlink what is linked, remove local files that are not to stay. A repeat does nothing."""
        self._closed = True
        self._workspace = None
        self._runtime.stop()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


__all__ = ["Client", "ClientConfig", "WorkspaceInfo"]
