"""Errors inside the system: one append-only list of codes, one table that says what each means to Python and HTTP.

Inside, everything raises `Fault(code, message)`. At the border to the user it becomes the builtin that the table
names, with a true `errno` and `filename`:

    Exception
    └── Fault            (internal; crosses the wire as code + message)
            │  to_exception(path)
            ▼
    OSError ── FileNotFoundError, FileExistsError, NotADirectoryError, IsADirectoryError,
               PermissionError, TimeoutError, ConnectionError, OSError(errno)
"""

from __future__ import annotations

import errno
from enum import IntEnum
from typing import NamedTuple


class Code(IntEnum):
    """Sent on the wire: append only, never renumber."""

    NOT_FOUND = 1
    EXISTS = 2
    NOT_A_FOLDER = 3
    IS_A_FOLDER = 4
    NOT_EMPTY = 5
    INVALID = 6
    DENIED = 7
    LOCKED = 8  # a lock of another client stayed for the whole time limit
    STALE = 9  # the content is no longer at the revision that the change was made against
    FENCED = 10  # the lock that the change relied on is gone
    SESSION_EXPIRED = 11
    UNAUTHENTICATED = 12
    BAD_MESSAGE = 13
    UNKNOWN_MESSAGE = 14
    VERSION = 15
    TOO_LARGE = 16
    TOO_MANY = 17
    SHUTTING_DOWN = 18
    NO_SPACE = 19
    INTERNAL = 20
    NAME_TOO_LONG = 21
    LINK_IN_PATH = 22  # the client must follow a symbolic link, which only it can read, and ask again
    LOOP = 23
    CORRUPT = 24
    UNAVAILABLE = 25
    ID_TAKEN = 26
    UNSUPPORTED = 27
    REPLACED = 28  # an external object is no longer the one that was linked


class Meaning(NamedTuple):
    """What a code is to the rest of the world."""

    errno: int
    exception: type[OSError]
    http_status: int
    passing: bool  # the same request may succeed later


MEANINGS: dict[Code, Meaning] = {
    Code.NOT_FOUND: Meaning(errno.ENOENT, FileNotFoundError, 404, False),
    Code.EXISTS: Meaning(errno.EEXIST, FileExistsError, 409, False),
    Code.NOT_A_FOLDER: Meaning(errno.ENOTDIR, NotADirectoryError, 409, False),
    Code.IS_A_FOLDER: Meaning(errno.EISDIR, IsADirectoryError, 409, False),
    Code.NOT_EMPTY: Meaning(errno.ENOTEMPTY, OSError, 409, False),
    Code.INVALID: Meaning(errno.EINVAL, OSError, 400, False),
    Code.DENIED: Meaning(errno.EACCES, PermissionError, 403, False),
    Code.LOCKED: Meaning(errno.ETIMEDOUT, TimeoutError, 423, True),
    Code.STALE: Meaning(errno.EAGAIN, BlockingIOError, 409, True),
    Code.FENCED: Meaning(errno.ESTALE, OSError, 409, False),
    Code.SESSION_EXPIRED: Meaning(errno.ESTALE, OSError, 401, False),
    Code.UNAUTHENTICATED: Meaning(errno.EACCES, PermissionError, 401, False),
    Code.BAD_MESSAGE: Meaning(errno.EPROTO, OSError, 400, False),
    Code.UNKNOWN_MESSAGE: Meaning(errno.EPROTO, OSError, 400, False),
    Code.VERSION: Meaning(errno.EPROTONOSUPPORT, OSError, 426, False),
    Code.TOO_LARGE: Meaning(errno.EFBIG, OSError, 413, False),
    Code.TOO_MANY: Meaning(errno.EAGAIN, BlockingIOError, 429, True),
    Code.SHUTTING_DOWN: Meaning(errno.ECONNREFUSED, ConnectionRefusedError, 503, True),
    Code.NO_SPACE: Meaning(errno.ENOSPC, OSError, 507, False),
    Code.INTERNAL: Meaning(errno.EIO, OSError, 500, False),
    Code.NAME_TOO_LONG: Meaning(errno.ENAMETOOLONG, OSError, 400, False),
    Code.LINK_IN_PATH: Meaning(errno.ELOOP, OSError, 409, False),
    Code.LOOP: Meaning(errno.ELOOP, OSError, 409, False),
    Code.CORRUPT: Meaning(errno.EIO, OSError, 500, False),
    Code.UNAVAILABLE: Meaning(errno.ECONNREFUSED, ConnectionError, 503, True),
    Code.ID_TAKEN: Meaning(errno.EEXIST, FileExistsError, 409, False),
    Code.UNSUPPORTED: Meaning(errno.ENOTSUP, OSError, 501, False),
    Code.REPLACED: Meaning(errno.ESTALE, OSError, 409, False),
}


class Fault(Exception):
    """A refusal with a code: raised by the rules, carried by the wire, turned into a builtin at the user's border.

    Args:
        code: which refusal.
        message: what was tried, on what, and what to do; never content, names or secrets when made in the hub.
    """

    def __init__(self, code: Code, message: str = "") -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message or code.name.lower().replace("_", " ")

    @property
    def passing(self) -> bool:
        """Whether the same request may succeed later."""
        return MEANINGS[self.code].passing

    def to_exception(self, path: str | None = None) -> OSError:
        """The builtin exception that a user catches, with `errno` and, where there is one, `filename`."""
        meaning = MEANINGS[self.code]
        if path is None:
            return meaning.exception(meaning.errno, self.message)
        return meaning.exception(meaning.errno, self.message, path)

    def __str__(self) -> str:
        return f"{self.message} [{self.code.name}]"
