"""Paths and faults at the border: what a caller may pass, and what it gets back when something is refused."""

from __future__ import annotations

import errno
import os
from typing import Union

from lucidfs.errors import Code, Fault
from lucidlink.exceptions import InvalidArgumentError

PathText = Union[str, "os.PathLike[str]"]


def path_text(path: PathText) -> str:
    """The path as text. Raises TypeError for what is no path; which text is a path, the engine decides."""
    text = os.fspath(path)
    if not isinstance(text, str):
        raise TypeError(f"path should be str or os.PathLike of str, not {type(path).__name__}")
    if "\0" in text:
        raise InvalidArgumentError(errno.EINVAL, "path holds a null character", text)
    return text


def to_builtin(fault: Fault, path: str | None = None, path2: str | None = None) -> OSError:
    """The exception that a user gets for a refusal, with `errno`, `filename` and, for a move, `filename2`."""
    plain = fault.to_exception(path)
    if path2 is None:
        return plain
    return type(plain)(plain.errno, plain.strerror, path, None, path2)


def invalid(message: str, path: str | None = None) -> InvalidArgumentError:
    """The exception for an argument that no file can have."""
    if path is None:
        return InvalidArgumentError(errno.EINVAL, message)
    return InvalidArgumentError(errno.EINVAL, message, path)


# What tells "there is no such thing" as opposed to "it cannot be told": the same that os.path.exists takes for False.
ABSENT = frozenset({Code.NOT_FOUND, Code.NOT_A_FOLDER, Code.LOOP, Code.NAME_TOO_LONG, Code.INVALID})
