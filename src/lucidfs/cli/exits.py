"""How a command ends: its exit code, and one line for the user instead of a traceback.

A script can tell apart what it can do something about: no hub (wait), not found, denied. The codes are part of the
interface; every command's help ends with them.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

import typer

from lucidfs.cli.output import encode, shown
from lucidfs.errors import Code, Fault


class Exit(IntEnum):
    """Exit codes of `lucid`."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NO_HUB = 3
    NOT_FOUND = 4
    DENIED = 5
    INTERRUPTED = 130


EXIT_CODES = """\b
Exit codes:
    0  done
    1  the operation failed
    2  the command was not understood
    3  no hub answers
    4  not found
    5  denied: a wrong or revoked token, or no right to do that
  130  interrupted by Ctrl-C"""


class UsageError(Exception):
    """What was typed cannot be meant; the message says what would be."""


_FAULTS = {
    Code.UNAVAILABLE: Exit.NO_HUB,
    Code.SHUTTING_DOWN: Exit.NO_HUB,
    Code.NOT_FOUND: Exit.NOT_FOUND,
    Code.DENIED: Exit.DENIED,
    Code.UNAUTHENTICATED: Exit.DENIED,
}


def exit_code(error: BaseException) -> Exit | None:
    """What an error is to the shell; None: a mistake of this program, to be shown whole."""
    if isinstance(error, Fault):
        return _FAULTS.get(error.code, Exit.FAILED)
    if isinstance(error, UsageError):
        return Exit.USAGE
    # Imported here: the SDK takes longer to load than all the rest, and `lucid hub start` does without it.
    from lucidlink.exceptions import ConfigurationError, LucidLinkError

    # The first that fits counts: some of the SDK's classes are builtins too.
    kinds: list[tuple[type[BaseException], Exit]] = [
        (ConfigurationError, Exit.USAGE),
        (FileNotFoundError, Exit.NOT_FOUND),
        (PermissionError, Exit.DENIED),
        (ConnectionError, Exit.NO_HUB),
        (OSError, Exit.FAILED),
        (LucidLinkError, Exit.FAILED),
    ]
    return next((code for kind, code in kinds if isinstance(error, kind)), None)


def explain(error: BaseException) -> str:
    """One line that says what happened."""
    if isinstance(error, Fault):
        return error.message
    if isinstance(error, OSError) and error.strerror:
        where = f": {error.filename}" if error.filename else ""
        return f"{error.strerror}{where}"
    return str(error) or type(error).__name__


@contextmanager
def reporting(json: bool) -> Iterator[None]:
    """Run a command: its errors become a line on stderr (with `json`: an object) and an exit code.

    Args:
        json: whether the user asked for machine-readable output.
    """
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of our output has gone (`lucid cat … | head`). Nothing may be written at exit any more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(Exit.FAILED) from None
    except KeyboardInterrupt:
        raise typer.Exit(Exit.INTERRUPTED) from None
    except Exception as error:
        code = exit_code(error)
        if code is None:
            raise
        report(error, code, json)
        raise typer.Exit(code) from None


def report(error: BaseException, code: Exit, json: bool) -> None:
    """Tell the user about an error, on stderr."""
    if json:
        filename = getattr(error, "filename", None)
        path = {"path": str(filename)} if filename else {}
        about = {"kind": code.name.lower(), "message": explain(error), "exit": int(code), **path}
        sys.stderr.write(encode({"error": about}) + "\n")
    else:
        sys.stderr.write(f"lucid: {shown(explain(error))}\n")
        if code is Exit.NO_HUB:
            sys.stderr.write("       start one with `lucid hub start`, or name it with --hub or LUCIDLINK_HUB\n")


def missing(path: str) -> FileNotFoundError:
    """The error for a path that leads nowhere."""
    return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
