"""A hub with a filespace, and clients of it: what most tests above the unit need."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from types import TracebackType

import lucidlink
from lucidfs.crypto.token import Token
from lucidfs.engine.administration import Administration
from lucidfs.testing.hubs import HubThread, ProcessHub
from lucidfs.types import Role
from lucidfs.wire.management import BucketConfig

NUMBERS = itertools.count(1)


class Client:
    """A daemon of its own with one filespace linked."""

    def __init__(self, url: str, token: str, filespace: str, root_path: str, sync_mode: lucidlink.SyncMode) -> None:
        self.daemon = lucidlink.create_daemon(config={"hub.url": url})
        self.daemon.start()
        try:
            self.workspace = self.daemon.authenticate(lucidlink.ServiceAccountCredentials(token=token))
            self.filespace = self.workspace.link_filespace(name=filespace, root_path=root_path, sync_mode=sync_mode)
        except BaseException:
            self.daemon.stop()
            raise

    @property
    def fs(self) -> lucidlink.Filesystem:
        return self.filespace.fs

    def close(self) -> None:
        self.daemon.stop()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class World:
    """A running hub and one filespace in it.

    Args:
        hub: a hub that was started; the world does not stop it.
        token: of the workspace's admin.
        store: where objects of its filespaces go; None: the hub's folder.
    """

    def __init__(self, hub: HubThread | ProcessHub, token: str, store: BucketConfig | None = None) -> None:
        self.hub = hub
        self.token = token
        self.store = store
        self.name = self.new_filespace()

    @property
    def url(self) -> str:
        return self.hub.url

    def administration(self, token: str | None = None) -> Administration:
        return Administration(self.url, Token.parse(token or self.token), os.urandom)

    def new_filespace(self, store: BucketConfig | None = None) -> str:
        """The name of a fresh filespace, which the admin may use; its objects in a bucket if one is given."""
        name = f"filespace-{next(NUMBERS)}"
        administration = self.administration()
        administration.create_filespace(name, store or self.store)
        administration.close()
        return name

    def new_account(self, role: Role, name: str | None = None) -> str:
        """The token of a fresh account with a role in the world's filespace."""
        administration = self.administration()
        made = administration.create_account(name or f"account-{next(NUMBERS)}", {self.name: role})
        administration.close()
        return made.token.text()

    def client(
        self,
        *,
        token: str | None = None,
        name: str | None = None,
        root_path: str = "/",
        sync_mode: lucidlink.SyncMode = lucidlink.SyncMode.SYNC_ALL,
    ) -> Client:
        """A client of the world's filespace (or the named one), as its admin (or as the token says)."""
        return Client(self.url, token or self.token, name or self.name, root_path, sync_mode)


def data_files(folder: Path) -> list[Path]:
    """Every file below a folder."""
    return sorted(path for path in folder.rglob("*") if path.is_file())
