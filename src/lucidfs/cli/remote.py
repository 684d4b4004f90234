"""The SDK as the file commands use it: one daemon, logged in, with the filespaces that a command names linked."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import TYPE_CHECKING

from lucidfs.cli.exits import UsageError
from lucidfs.cli.location import Location
from lucidfs.crypto.token import Token
from lucidfs.errors import Code, Fault
from lucidfs.types import id_value
from lucidfs.wire.rest import check_hub, check_url

if TYPE_CHECKING:
    import lucidlink


class Remote:
    """Filespaces of one hub, linked when they are first used. Thread-safe.

    Args:
        hub: the hub's address.
        token: of a service account.
        allow_plaintext: permit http:// to another machine.

    Raises:
        UsageError: no token, or a malformed one.
        Fault: no hub there.
        AuthenticationError: the hub does not take the token.
    """

    def __init__(self, hub: str, token: str, allow_plaintext: bool) -> None:
        token = check_token(token)
        check_hub(check_address(hub, allow_plaintext), allow_plaintext=allow_plaintext)
        import lucidlink  # here, because mistakes of the user need not wait for it to load

        config = {"hub.url": hub, "hub.allow_plaintext": "true" if allow_plaintext else "false"}
        self._daemon = lucidlink.create_daemon(config)
        self._linked: dict[str, lucidlink.Filespace] = {}
        self._lock = threading.Lock()  # guards _linked
        self._daemon.start()
        try:
            self._workspace = self._daemon.authenticate(lucidlink.ServiceAccountCredentials(token))
        except BaseException:
            self._daemon.stop()
            raise

    def __enter__(self) -> Remote:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._daemon.stop()

    @property
    def workspace(self) -> str:
        """Name of the token's workspace."""
        return self._workspace.name

    def filespaces(self, workspace: str) -> list[lucidlink.FilespaceInfo]:
        """Filespaces of the workspace that the account may link. Raises Fault(NOT_FOUND) for another workspace."""
        self._check_workspace(workspace)
        return self._workspace.list_filespaces()

    def fs(self, location: Location) -> lucidlink.Filesystem:
        """The filesystem that a location is in. Raises as `filespace`."""
        return self.filespace(location).fs

    def filespace(self, location: Location) -> lucidlink.Filespace:
        """The filespace that a location is in. Raises Fault(NOT_FOUND), FileNotFoundError, PermissionError."""
        self._check_workspace(location.workspace)
        with self._lock:
            filespace = self._linked.get(location.filespace)
            if filespace is None:
                filespace = self._linked[location.filespace] = self._link(location.filespace)
        return filespace

    def _link(self, name: str) -> lucidlink.Filespace:
        known = self._workspace.list_filespaces()
        if not any(info.name == name for info in known) and _is_id(name):
            return self._workspace.link_filespace(id=name)
        return self._workspace.link_filespace(name=name)

    def _check_workspace(self, name: str) -> None:
        if name != self._workspace.name:
            raise Fault(Code.NOT_FOUND, f"this token is of the workspace {self._workspace.name}, not {name}")


def check_address(hub: str, allow_plaintext: bool) -> str:
    """A hub's address that may be used. Raises UsageError."""
    try:
        return check_url(hub, allow_plaintext=allow_plaintext)
    except Fault as fault:
        hint = " (--allow-plaintext does)" if fault.code is Code.DENIED else ""
        raise UsageError(f"{fault.message}{hint}") from None


def check_token(token: str) -> str:
    """A token that has the shape of one, without blanks around it. Raises UsageError, which does not repeat it."""
    if not token.strip():
        raise UsageError("no token: set LUCIDLINK_TOKEN or give --token (`lucid account create` prints one)")
    try:
        return Token.parse(token.strip()).text()
    except ValueError as error:
        raise UsageError(str(error)) from None


def _is_id(text: str) -> bool:
    try:
        id_value(text)
    except ValueError:
        return False
    return True
