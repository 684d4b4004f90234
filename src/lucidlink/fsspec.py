"""Filespaces for fsspec: `fsspec.open("lucidlink://workspace/filespace/path", token=…)`, pandas, dask, pyarrow, zarr.

Synchronous over one connection per process and credential; whatever concerns many files is one crossing to the
engine's loop with many requests under way at once. Nothing is cached that could be stale: there is no listings cache.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from lucidlink._fsspec.places import Info
from lucidlink._fsspec.transfers import Transfers
from lucidlink._options import read_options
from lucidlink._sharing import Shared, Terms, acquire, release
from lucidlink.credentials import ServiceAccountCredentials
from lucidlink.exceptions import ConfigurationError, FilespaceError
from lucidlink.filespace_models import SyncMode

_FSSPEC_OPTIONS = {  # AbstractFileSystem's own
    "skip_instance_cache", "use_listings_cache", "listings_expiry_time", "max_paths", "asynchronous", "loop",
    "batch_size",
}  # fmt: skip
_IGNORED_OPTIONS = {"client_kwargs"}  # of HTTP drivers: datasets gives it to every driver below a compressed file


class LucidLinkFileSystem(Transfers):
    """Filespaces of one service account as an fsspec filesystem.

    Paths are `lucidlink://workspace/filespace/path` or `lucidlink://filespace.workspace/path`. Folders that are missing
    above a file that is written are made. Any thread may use an instance, also in a forked child. Instances of the same
    options share one client. A pickle of an instance, and its `to_json`, holds the token: treat it like the token.

    Args:
        token: of the service account; None: the environment's LUCIDLINK_TOKEN.
        sandboxed, persist_files, root_path: where local files go, see `create_daemon`.
        sync_mode: whether `close` syncs first.
        hub: the hub's URL; None: the environment's LUCIDLINK_HUB, else the local default.
        allow_plaintext: speak without TLS to a hub on another machine.
        kwargs: fsspec's own options; `client_kwargs` is ignored.

    Raises:
        ConfigurationError: an unknown option, a bad value, or no token; the message names it.
    """

    def __init__(
        self,
        token: str | None = None,
        sandboxed: bool = True,
        persist_files: bool = False,
        root_path: str | os.PathLike[str] | None = None,
        sync_mode: SyncMode = SyncMode.SYNC_ALL,
        hub: str | None = None,
        allow_plaintext: bool = False,
        **kwargs: Any,
    ) -> None:
        unknown = set(kwargs) - _FSSPEC_OPTIONS - _IGNORED_OPTIONS
        if unknown:
            raise ConfigurationError(f"{sorted(unknown)[0]}: unknown option of a lucidlink filesystem")
        super().__init__(**{**kwargs, "use_listings_cache": False})
        self._terms = Terms(
            _token(token),
            _hub(hub),
            _flag("allow_plaintext", allow_plaintext),
            _flag("sandboxed", sandboxed),
            _flag("persist_files", persist_files),
            os.fspath(root_path) if isinstance(root_path, os.PathLike) else root_path,
            _mode(sync_mode),
        )
        self._terms.storage()  # refuses what contradicts itself
        self._shared: Shared | None = None
        self._closed = False

    # --- what it is ----------------------------------------------------------------------------------------------

    @property
    def options(self) -> Info:
        """The options in use, without the token."""
        return {name: value for name, value in self._terms._asdict().items() if name != "token"}

    @property
    def fsid(self) -> str:
        """Names the hub that the paths belong to."""
        return f"lucidlink:{self._terms.hub}"

    def __repr__(self) -> str:
        if not hasattr(self, "_closed"):  # seen in a traceback
            return f"<{type(self).__name__} whose options were refused>"
        return f"<{type(self).__name__} hub={self._terms.hub!r}{' closed' if self._closed else ''}>"

    __str__ = __repr__

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return _again, (type(self), self._terms._asdict())

    def sync_all(self) -> None:
        """Return when everything that was closed or flushed before is durable, in every filespace in use."""
        for filespace in self._client().workspace.linked_filespaces:
            filespace.sync_all()

    def close(self) -> None:
        """End this instance, and the client with its last user. A repeat does nothing; any other use raises."""
        shared, self._shared, self._closed = self._shared, None, True
        instances = type(self)._cache
        for key in [key for key, value in list(instances.items()) if value is self]:
            instances.pop(key, None)
        if shared is not None:
            release(shared, self)

    def _client(self) -> Shared:
        if self._closed:
            raise FilespaceError("this filesystem is closed: make a new one")
        if self._shared is None:
            self._shared = acquire(self._terms, self)
        return self._shared


def _again(kind: type[LucidLinkFileSystem], options: Info) -> LucidLinkFileSystem:
    return kind(**options)


def _token(token: str | None) -> str:
    text = token if token is not None else os.environ.get("LUCIDLINK_TOKEN")
    if not text:
        raise ConfigurationError("token: give one, or set LUCIDLINK_TOKEN")
    try:
        return ServiceAccountCredentials(text).token
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"token: {error}") from None


def _hub(hub: str | None) -> str:
    if hub is None:
        return read_options({}).hub_url  # refuses a bad LUCIDLINK_HUB by that name
    if not isinstance(hub, str):
        raise ConfigurationError(f"hub: expected a URL, got {type(hub).__name__}")
    try:
        return read_options({"hub.url": hub}).hub_url
    except ConfigurationError as error:
        raise ConfigurationError(str(error).replace("hub.url", "hub", 1)) from None


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ConfigurationError(f"{name}: expected True or False, got {value!r}")
    return value


def _mode(value: Any) -> SyncMode:
    try:
        return SyncMode(value)
    except ValueError:
        raise ConfigurationError(f"sync_mode: expected a SyncMode, got {value!r}") from None


__all__ = ["LucidLinkFileSystem"]
