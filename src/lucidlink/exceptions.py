"""The exceptions of the SDK: one tree of its own, and each class also the builtin that a caller expects.

    Exception
    └── LucidLinkError
        ├── DaemonError                    + RuntimeError         start, stop, use of what does not run
        ├── ClientError                    + RuntimeError         the same for `Client`
        ├── AuthenticationError            + PermissionError      a token that the hub refuses
        ├── ConfigurationError             + ValueError           options that cannot be
        └── FilespaceError                 + RuntimeError         link, unlink, use after unlink
            ├── FilespaceNotFoundError     + FileNotFoundError
            ├── FilespaceAccessError       + PermissionError
            ├── FilespaceSyncError         + OSError              what was written could not be made durable
            │   └── FilespaceUnavailableError + ConnectionError   because the hub stayed away
            ├── FilespaceAlreadyLinkedError
            └── ConnectError                                      data stores and external files; each one of:
                ├── ConnectConfigurationError + ConfigurationError (ValueError)
                ├── ConnectNotFoundError      + FileNotFoundError
                ├── ConnectExistsError        + FileExistsError
                ├── ConnectAccessError        + PermissionError
                ├── ConnectPathError          + NotADirectoryError
                ├── ConnectTimeoutError       + TimeoutError
                ├── ConnectUnavailableError   + ConnectionError
                └── ConnectFailedError        + OSError
    OSError
    └── InvalidArgumentError               + ValueError           a path, size or offset that no file can have

Everything else that is raised for a filesystem reason is the plain builtin (`FileNotFoundError`, `FileExistsError`,
`TimeoutError`, `OSError` …) with `errno` and `filename`.
"""

from __future__ import annotations

from lucidfs.errors import Fault


class LucidLinkError(Exception):
    """Base of everything that only this SDK raises."""


class DaemonError(LucidLinkError, RuntimeError):
    """A daemon could not start or stop, or was used while it did not run."""


class ClientError(LucidLinkError, RuntimeError):
    """A client was used before `login`, or after `close`."""


# Where a class is an OSError too, that base stands first: OSError's constructor is the one that sets `errno` and
# `filename`, and Python takes the constructor of the first base that has one.
class AuthenticationError(PermissionError, LucidLinkError):
    """The hub does not accept the credentials: unknown, wrong or revoked, and it does not say which."""


class ConfigurationError(LucidLinkError, ValueError):
    """An option is unknown, has a bad value or contradicts another; the message names it."""


class FilespaceError(LucidLinkError, RuntimeError):
    """A filespace could not be linked or unlinked, or was used after it was unlinked."""


class FilespaceNotFoundError(FileNotFoundError, FilespaceError):
    """The workspace has no such filespace, or none that the account may see."""


class FilespaceAccessError(PermissionError, FilespaceError):
    """The account has no role in the filespace."""


class FilespaceSyncError(OSError, FilespaceError):
    """What was closed or flushed could not be made durable; `errno` and the message say why."""


class FilespaceUnavailableError(ConnectionError, FilespaceSyncError):
    """It could not be made durable because the hub could not be reached within the time limit."""


class FilespaceAlreadyLinkedError(FilespaceError):
    """The filespace is linked already, with other options.

    Args:
        message: what was asked for and what is there.
        filespace_id: id of the filespace.
    """

    def __init__(self, message: str, filespace_id: str = "") -> None:
        super().__init__(message, filespace_id)
        self.filespace_id = filespace_id

    def __str__(self) -> str:
        return str(self.args[0])


class ConnectError(FilespaceError):
    """Something about data stores or external files was refused. Always one of the classes below."""


class ConnectConfigurationError(ConnectError, ConfigurationError):
    """A data store or link cannot be as it was given; the message names the field, and what S3 answered."""


class ConnectNotFoundError(FileNotFoundError, ConnectError):
    """There is no such data store, object or external file."""


class ConnectExistsError(FileExistsError, ConnectError):
    """The path, or the data store's name, is taken."""


class ConnectAccessError(PermissionError, ConnectError):
    """The account, or the data store's keys, do not permit it."""


class ConnectPathError(NotADirectoryError, ConnectError):
    """A part of the path is not a folder."""


class ConnectTimeoutError(TimeoutError, ConnectError):
    """A lock of another client was in the way for the whole time limit."""


class ConnectUnavailableError(ConnectionError, ConnectError):
    """Hub or S3 could not be reached within the time limit."""


class ConnectFailedError(OSError, ConnectError):
    """Refused for another reason; `errno` and the message say which."""


_CONNECT: tuple[type[OSError], ...] = (
    ConnectNotFoundError,
    ConnectExistsError,
    ConnectAccessError,
    ConnectPathError,
    ConnectTimeoutError,
    ConnectUnavailableError,
)


def connect_error(fault: Fault, path: str | None = None) -> OSError:
    """The exception of Connect for a refusal: a RuntimeError, and the builtin that it means. It has the `code`."""
    plain = fault.to_exception(path)
    made = next((each for each in _CONNECT if isinstance(plain, each.__mro__[1])), ConnectFailedError)
    error = made(plain.errno, plain.strerror) if path is None else made(plain.errno, plain.strerror, path)
    error.code = fault.code  # type: ignore[attr-defined]
    return error


class InvalidArgumentError(OSError, ValueError):
    """A path, size or offset that no file can have: EINVAL for code made for files, ValueError for checks."""


__all__ = [
    "AuthenticationError",
    "ClientError",
    "ConfigurationError",
    "ConnectAccessError",
    "ConnectConfigurationError",
    "ConnectError",
    "ConnectExistsError",
    "ConnectFailedError",
    "ConnectNotFoundError",
    "ConnectPathError",
    "ConnectTimeoutError",
    "ConnectUnavailableError",
    "DaemonError",
    "FilespaceAccessError",
    "FilespaceAlreadyLinkedError",
    "FilespaceError",
    "FilespaceNotFoundError",
    "FilespaceSyncError",
    "FilespaceUnavailableError",
    "InvalidArgumentError",
    "LucidLinkError",
]
