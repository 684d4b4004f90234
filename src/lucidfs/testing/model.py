"""A filesystem as a dict: what a filespace must look like from outside, in the fewest words.

Paths are tuples of names; the value is bytes (a file), FOLDER, or a `Link`. Every operation has the name and the
errors of the SDK's call, so that a test can do the same to both and compare. No locks, no revisions, one thread.
"""

from __future__ import annotations

import errno
import os
from typing import Final, NamedTuple

HOPS_MAX = 40
Parts = tuple[str, ...]


class Folder:
    """The one value that marks folders."""


class Link(NamedTuple):
    """A symbolic link."""

    target: str


FOLDER: Final = Folder()
Node = bytes | Folder | Link


def error(number: int, path: str) -> OSError:
    """The builtin that Python raises for an errno, with the path as its filename."""
    return OSError(number, os.strerror(number), path)


def split(path: str) -> Parts:
    """Names of a path; `..` is resolved as text and does not lead above the root (EINVAL)."""
    parts: list[str] = []
    for name in path.split("/"):
        if name == "..":
            if not parts:
                raise error(errno.EINVAL, path)
            parts.pop()
        elif name not in ("", "."):
            parts.append(name)
    return tuple(parts)


class ModelFilesystem:
    """The dict and what may be done to it."""

    def __init__(self) -> None:
        self.nodes: dict[Parts, Node] = {(): FOLDER}

    # --- finding ---

    def resolve(self, path: str, *, follow: bool = True) -> Parts:
        """The place that a path means: its folder exists, it itself may not. Links on the way are followed."""
        parts = split(path)
        for _ in range(HOPS_MAX + 1):
            step = self._first_link(parts, path, follow)
            if step is None:
                return parts
            at, target = step
            base = () if target.startswith("/") else parts[:at]
            parts = split("/".join((*base, target, *parts[at + 1 :])))
        raise error(errno.ELOOP, path)

    def _first_link(self, parts: Parts, path: str, follow: bool) -> tuple[int, str] | None:
        for at in range(len(parts)):
            last = at == len(parts) - 1
            node = self.nodes.get(parts[: at + 1])
            if isinstance(node, Link) and (follow or not last):
                return at, node.target
            if node is None and not last:
                raise error(errno.ENOENT, path)
            if isinstance(node, bytes) and not last:
                raise error(errno.ENOTDIR, path)
        return None

    def find(self, path: str, *, follow: bool = True) -> tuple[Parts, Node]:
        """The place of a path and what is there. ENOENT if nothing is."""
        parts = self.resolve(path, follow=follow)
        if parts not in self.nodes:
            raise error(errno.ENOENT, path)
        return parts, self.nodes[parts]

    def _file(self, path: str) -> tuple[Parts, bytes]:
        parts, node = self.find(path)
        if isinstance(node, bytes):
            return parts, node
        raise error(errno.EISDIR, path)

    def _children(self, parts: Parts) -> list[Parts]:
        return sorted(other for other in self.nodes if other[:-1] == parts and other)

    # --- files ---

    def read_file(self, path: str) -> bytes:
        return self._file(path)[1]

    def write_file(self, path: str, data: bytes) -> None:
        parts = self.resolve(path)
        if isinstance(self.nodes.get(parts), Folder):
            raise error(errno.EISDIR, path)
        self.nodes[parts] = data

    def create(self, path: str) -> None:
        """A new empty file; a link in its place counts as taken, also when it leads nowhere."""
        parts = self.resolve(path, follow=False)
        if parts in self.nodes:
            raise error(errno.EEXIST, path)
        self.nodes[parts] = b""

    def write_range(self, path: str, offset: int, data: bytes) -> None:
        """What a stream of mode `r+b` does. A write of nothing does not extend."""
        parts, old = self._file(path)
        if data:
            self.nodes[parts] = old[:offset].ljust(offset, b"\0") + data + old[offset + len(data) :]

    def append(self, path: str, data: bytes) -> None:
        parts = self.resolve(path)
        old = self.nodes.get(parts, b"")
        if not isinstance(old, bytes):
            raise error(errno.EISDIR, path)
        self.nodes[parts] = old + data

    def truncate(self, path: str, size: int) -> None:
        parts, old = self._file(path)
        self.nodes[parts] = old[:size].ljust(size, b"\0")

    # --- folders and links ---

    def create_dir(self, path: str) -> None:
        """With its missing parents, all or none."""
        before = dict(self.nodes)
        place: Parts = ()
        names = split(path)
        try:
            for name in names[:-1]:
                place = self._enter((*place, name), path)
            place += names[-1:]
            if place in self.nodes:
                raise error(errno.EEXIST, path)
            self.nodes[place] = FOLDER
        except OSError:
            self.nodes = before
            raise

    def _enter(self, place: Parts, path: str) -> Parts:
        """The folder that is, or now gets made, at a place; behind a link it must be there."""
        made = self.nodes.setdefault(place, FOLDER)
        if isinstance(made, Link):
            place, made = self.find("/".join(place))
        if not isinstance(made, Folder):
            raise error(errno.ENOTDIR, path)
        return place

    def list_dir(self, path: str) -> list[str]:
        parts, node = self.find(path)
        if not isinstance(node, Folder):
            raise error(errno.ENOTDIR, path)
        return [child[-1] for child in self._children(parts)]

    def delete(self, path: str) -> None:
        parts, node = self.find(path, follow=False)
        if isinstance(node, Folder):
            raise error(errno.EISDIR, path)
        del self.nodes[parts]

    def delete_dir(self, path: str, recursive: bool = False) -> None:
        parts, node = self.find(path, follow=False)
        if not isinstance(node, Folder):
            raise error(errno.ENOTDIR, path)
        inside = [other for other in self.nodes if other[: len(parts)] == parts]
        if len(inside) > 1 and not recursive:
            raise error(errno.ENOTEMPTY, path)
        for other in inside:
            del self.nodes[other]

    def move(self, src: str, dst: str) -> None:
        old, new = self.resolve(src, follow=False), self.resolve(dst, follow=False)
        if old not in self.nodes:
            raise error(errno.ENOENT, src)
        if new in self.nodes:
            raise error(errno.EEXIST, dst)
        if new[: len(old)] == old:
            raise error(errno.EINVAL, dst)
        for other in [other for other in self.nodes if other[: len(old)] == old]:
            self.nodes[new + other[len(old) :]] = self.nodes.pop(other)

    def create_symlink(self, target: str, path: str) -> None:
        parts = self.resolve(path, follow=False)
        if parts in self.nodes:
            raise error(errno.EEXIST, path)
        self.nodes[parts] = Link(target)

    def read_symlink(self, path: str) -> str:
        _, node = self.find(path, follow=False)
        if not isinstance(node, Link):
            raise error(errno.EINVAL, path)
        return node.target

    # --- counters ---

    def statistics(self) -> tuple[int, int, int, int]:
        """Files, folders (the root left out), links, and the bytes of all files."""
        files = [node for node in self.nodes.values() if isinstance(node, bytes)]
        links = sum(isinstance(node, Link) for node in self.nodes.values())
        return len(files), len(self.nodes) - len(files) - links - 1, links, sum(map(len, files))
