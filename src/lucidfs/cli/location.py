"""Where a file is: `lucidlink://workspace/filespace/path`, or a path of this machine."""

from __future__ import annotations

import posixpath
from typing import NamedTuple

from lucidfs.cli.exits import UsageError

SCHEME = "lucidlink://"


class Location(NamedTuple):
    """A place in a filespace. Names are taken as they are: `%`, `?` and `#` mean themselves.

    Args:
        workspace: its name, empty for `lucidlink://`.
        filespace: its name or id, empty for `lucidlink://workspace`.
        path: absolute, without a slash at the end; `/` is the root.
    """

    workspace: str
    filespace: str
    path: str

    def __str__(self) -> str:
        parts = [part for part in (self.workspace, self.filespace) if part]
        return SCHEME + "/".join(parts) + (self.path if self.filespace else "")

    @property
    def name(self) -> str:
        """The last part of the path; empty for the root."""
        return posixpath.basename(self.path)

    def join(self, relative: str) -> Location:
        """A place below this one."""
        return self._replace(path=posixpath.join(self.path, relative)) if relative else self


def is_remote(text: str) -> bool:
    return text.startswith(SCHEME)


def parse(text: str) -> Location:
    """The location that a URL names. Raises UsageError."""
    if not is_remote(text):
        raise UsageError(f"{text!r} is not in a filespace: write {SCHEME}WORKSPACE/FILESPACE/PATH")
    workspace, _, rest = text[len(SCHEME) :].partition("/")
    filespace, _, path = rest.partition("/")
    if not workspace and filespace:
        raise UsageError(f"{text!r} names no workspace: write {SCHEME}WORKSPACE/FILESPACE/PATH")
    return Location(workspace, filespace, posixpath.normpath("/" + path.lstrip("/")))


def parse_in_filespace(text: str) -> Location:
    """The same, for commands that need a filespace."""
    location = parse(text)
    if not location.filespace:
        raise UsageError(f"{text!r} names no filespace: write {SCHEME}WORKSPACE/FILESPACE/PATH")
    return location
