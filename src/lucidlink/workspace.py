"""A workspace as one service account sees it: its filespaces, and linking them."""

from __future__ import annotations

import contextlib
import errno
from datetime import datetime, timezone

from lucidfs.errors import Code, Fault
from lucidfs.types import FilespaceId, Role, id_text, id_value
from lucidfs.wire import messages
from lucidlink._link import Link
from lucidlink._paths import PathText, path_text, to_builtin
from lucidlink._runtime import Login
from lucidlink.exceptions import FilespaceAccessError, FilespaceAlreadyLinkedError, FilespaceNotFoundError
from lucidlink.filespace import Filespace
from lucidlink.filespace_models import FilespaceInfo, SyncMode


class Workspace:
    """Made by `Daemon.authenticate` and `Client.login`. Any thread may use it.

    Args:
        login: the account that is logged in.
    """

    def __init__(self, login: Login) -> None:
        self._login = login
        account = login.account()
        self._id = id_text(account.workspace_id)
        self._name = account.workspace_name

    @property
    def id(self) -> str:
        """16 hex digits."""
        return self._id

    @property
    def name(self) -> str:
        return self._name

    def list_filespaces(self) -> list[FilespaceInfo]:
        """The filespaces that the account may link, sorted by name.

        Raises:
            RuntimeError: not running or not authenticated any more.
            ConnectionError: the hub cannot be reached.
        """
        infos = [FilespaceInfo(id_text(each.id), each.name, _iso(each.created_ns)) for each in self._login.filespaces()]
        return sorted(infos, key=lambda info: info.name)

    @property
    def linked_filespaces(self) -> list[Filespace]:
        """The filespaces that are linked now."""
        return [filespace for filespace in list(self._login.linked.values()) if filespace.is_linked]

    def link_filespace(
        self,
        name: str | None = None,
        id: str | None = None,
        root_path: PathText = "/",
        sync_mode: SyncMode = SyncMode.SYNC_ALL,
    ) -> Filespace:
        """Link a filespace, by name or by id; one that is linked already is returned as it is.

        Args:
            name: short (`data`) or full (`data.workspace`) name.
            id: 16 hex digits; also pins the filespace's key.
            root_path: folder that becomes the root of what this client sees.
            sync_mode: whether `unlink` syncs first.

        Raises:
            ValueError: neither or both of name and id.
            FileNotFoundError: there is no such filespace, or no such folder in it.
            PermissionError: the account has no role in it.
            RuntimeError: not running or not authenticated.
            FilespaceAlreadyLinkedError: it is linked with another root_path or sync_mode.
            ConnectionError: the hub cannot be reached.
        """
        if (name is None) == (id is None):
            raise ValueError("link_filespace takes either name or id")
        if not isinstance(sync_mode, SyncMode):
            raise ValueError(f"sync_mode: expected a SyncMode, got {sync_mode!r}")
        root = path_text(root_path)
        found = self._find(name, id)
        with self._login.lock:
            linked = self._login.linked.get(FilespaceId(found.id))
            if linked is not None and linked.is_linked:
                return _unchanged(linked, root, sync_mode)
            link = self._open(found, name or id or "", root)
            filespace = Filespace(
                self._id, self._name, id_text(found.id), f"{found.name}.{self._name}", sync_mode, link=link
            )
            self._login.linked[link.filespace] = filespace
            return filespace

    def _find(self, name: str | None, id: str | None) -> messages.FilespaceInfo:
        known = self._login.filespaces()
        for each in known:
            if id == id_text(each.id) or name in (each.name, f"{each.name}.{self._name}"):
                return each
        if id is not None:
            with contextlib.suppress(ValueError):  # the hub tells a filespace that is not there from one that is closed
                return messages.FilespaceInfo(id_value(id), "", 0, Role.READ)
        raise FilespaceNotFoundError(*_missing(name or id or ""))

    def _open(self, found: messages.FilespaceInfo, asked: str, root: str) -> Link:
        try:
            return self._login.link(FilespaceId(found.id), found.name or asked, root)
        except Fault as fault:
            if fault.code is Code.DENIED:
                plain = to_builtin(fault)
                raise FilespaceAccessError(
                    plain.errno, f"no access to the filespace: {plain.strerror}", asked
                ) from None
            if fault.code is Code.NOT_FOUND and not found.name:
                raise FilespaceNotFoundError(*_missing(asked)) from None
            raise self._login.refusal(fault, root) from None

    def stop(self) -> None:
        """Unlink everything; afterwards the workspace cannot be used. A repeat does nothing."""
        self._login.close()

    def __repr__(self) -> str:
        return f"Workspace(id={self._id!r}, name={self._name!r})"


def _unchanged(linked: Filespace, root: str, sync_mode: SyncMode) -> Filespace:
    if linked.root_path.strip("/") == root.strip("/") and linked.sync_mode is sync_mode:
        return linked
    raise FilespaceAlreadyLinkedError(
        f"filespace {linked.full_name!r} is linked with root_path={linked.root_path!r} and {linked.sync_mode}: "
        "unlink it first",
        linked.id,
    )


def _missing(asked: str) -> tuple[int, str, str]:
    return errno.ENOENT, "no such filespace, or none that this account may see", asked


def _iso(created_ns: int) -> str:
    return datetime.fromtimestamp(created_ns // 1_000_000_000, timezone.utc).isoformat()


__all__ = ["Workspace"]
