"""The two ends of a copy behind one protocol: folders of this machine, and folders of a filespace."""

from __future__ import annotations

import errno
import io
import os
import posixpath
import stat
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from lucidfs.cli.exits import missing
from lucidfs.cli.walk import walk

if TYPE_CHECKING:
    from lucidfs.engine.node import Node
    from lucidlink import Filesystem

Kind = Literal["file", "dir", "link", "other"]


class Item(NamedTuple):
    """Something below a folder that is copied.

    Args:
        relative: its path below the folder, with `/`.
        kind: what it is; links are not followed.
        size: bytes of a file, else 0.
    """

    relative: str
    kind: Kind
    size: int


class Stream:
    """A file that is read or written.

    Attributes:
        file: gives or takes the bytes.
        mark: of what was read or written (see `Side.mark`), once that has ended; empty: of nothing that can be told.
    """

    def __init__(self, file: io.RawIOBase) -> None:
        self.file = file
        self.mark = ""


class Side(Protocol):
    """Where files come from or go to. Paths are absolute; errors are those of `os`. Thread-safe."""

    def kind(self, path: str) -> Kind | None:
        """What is there, links followed; None: nothing."""
        ...

    def size(self, path: str) -> int: ...

    def walk(self, path: str, jobs: int) -> Iterator[Item]:
        """Everything below a folder, folders before what is in them."""
        ...

    def join(self, path: str, relative: str) -> str: ...

    def mark(self, path: str) -> str:
        """A text that changes whenever the content of a file does. Raises OSError when there is no file."""
        ...

    def read(self, path: str) -> AbstractContextManager[Stream]: ...

    def write(self, path: str) -> AbstractContextManager[Stream]:
        """A context manager of a file to write; the whole content appears when it ends well, else nothing does."""
        ...

    def clone(self, source: Side, path: str, target: str) -> str | None:
        """Copy a file of the same filespace without moving its bytes; its mark. None where that cannot be done."""
        ...

    def make_folder(self, path: str) -> None:
        """Make a folder in an existing one; it may be there already."""
        ...

    def read_link(self, path: str) -> str: ...

    def make_link(self, target: str, path: str) -> None:
        """Make a symbolic link; another link there is replaced."""
        ...


class LocalSide:
    """Folders of this machine."""

    def kind(self, path: str) -> Kind | None:
        try:
            return _kind(os.stat(path).st_mode)
        except FileNotFoundError:
            return None

    def size(self, path: str) -> int:
        return os.stat(path).st_size

    def walk(self, path: str, jobs: int) -> Iterator[Item]:
        folders = [""]
        while folders:
            below = folders.pop()
            with os.scandir(self.join(path, below)) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
            for entry in found:
                relative = posixpath.join(below, entry.name)
                known = entry.stat(follow_symlinks=False)
                kind = _kind(known.st_mode)
                yield Item(relative, kind, known.st_size if kind == "file" else 0)
                if kind == "dir":
                    folders.append(relative)

    def join(self, path: str, relative: str) -> str:
        return os.path.join(path, *relative.split("/")) if relative else path

    def mark(self, path: str) -> str:
        return _mark(os.stat(path))

    @contextmanager
    def read(self, path: str) -> Iterator[Stream]:
        with open(path, "rb", buffering=0) as file:
            before, stream = _mark(os.fstat(file.fileno())), Stream(file)
            yield stream
            stream.mark = before if _mark(os.fstat(file.fileno())) == before else ""

    @contextmanager
    def write(self, path: str) -> Iterator[Stream]:
        """Under another name in the same folder, then renamed: nobody sees half a file. Devices are written to."""
        real = os.path.realpath(path)
        if self.kind(real) == "other":
            with open(real, "wb", buffering=0) as file:
                yield Stream(file)
            return
        folder, name = os.path.split(real)
        # The name is cut so that it stays below the 255 bytes that filesystems take.
        part = os.path.join(folder, f".{name[:40]}.{os.getpid()}-{threading.get_ident()}.lucid-part")
        try:
            with open(part, "xb", buffering=0) as file:
                stream = Stream(file)
                yield stream
                stream.mark = _mark(os.fstat(file.fileno()))
            os.replace(part, real)
        except BaseException:
            if os.path.exists(part):
                os.unlink(part)
            raise

    def clone(self, source: Side, path: str, target: str) -> str | None:
        return None

    def make_folder(self, path: str) -> None:
        try:
            os.mkdir(path)
        except FileExistsError:
            if not os.path.isdir(path):
                raise

    def read_link(self, path: str) -> str:
        return os.readlink(path)

    def make_link(self, target: str, path: str) -> None:
        if os.path.islink(path):
            os.unlink(path)
        os.symlink(target, path)


class RemoteSide:
    """Folders of one filespace."""

    def __init__(self, fs: Filesystem) -> None:
        self._fs = fs

    def kind(self, path: str) -> Kind | None:
        if self._fs.dir_exists(path):
            return "dir"
        return "file" if self._fs.file_exists(path) else None

    def size(self, path: str) -> int:
        entry = self._fs.get_entry(path)
        return entry.size if entry.is_file() else 0  # a link: how much it leads to shows while it is copied

    def walk(self, path: str, jobs: int) -> Iterator[Item]:
        for found in walk(self._fs, path, jobs):
            kind: Kind = "dir" if found.entry.is_dir() else "link" if found.entry.is_link() else "file"
            yield Item(found.relative, kind, found.entry.size if kind == "file" else 0)

    def join(self, path: str, relative: str) -> str:
        return posixpath.join(path, relative) if relative else path

    def mark(self, path: str) -> str:
        return _node_mark(self._fs._node(path))

    def read(self, path: str) -> AbstractContextManager[Stream]:
        return self._open(path, "rb")

    def write(self, path: str) -> AbstractContextManager[Stream]:
        return self._open(path, "wb")

    @contextmanager
    def _open(self, path: str, mode: Literal["rb", "wb"]) -> Iterator[Stream]:
        with self._fs.open(path, mode, buffering=0) as file:
            stream = Stream(file)
            yield stream
        stream.mark = _node_mark(file.node)

    def clone(self, source: Side, path: str, target: str) -> str | None:
        if not isinstance(source, RemoteSide) or source._fs is not self._fs:
            return None
        try:
            return _node_mark(self._fs._copy(path, target))
        except OSError as error:
            if error.errno == errno.EFBIG:  # more extents than one commit takes
                return None
            raise

    def make_folder(self, path: str) -> None:
        parent = posixpath.dirname(path)
        if not self._fs.dir_exists(parent):  # `create_dir` would make it: a slip in the target must not
            raise missing(parent)
        try:
            self._fs.create_dir(path)
        except FileExistsError:
            if not self._fs.dir_exists(path):
                raise

    def read_link(self, path: str) -> str:
        return self._fs.read_symlink(path)

    def make_link(self, target: str, path: str) -> None:
        try:
            self._fs.create_symlink(target, path)
        except FileExistsError:
            if not self._fs.get_entry(path).is_link():
                raise
            self._fs.delete(path)
            self._fs.create_symlink(target, path)


def _mark(known: os.stat_result) -> str:
    return f"{known.st_dev}:{known.st_ino}:{known.st_size}:{known.st_mtime_ns}"


def _node_mark(node: Node | None) -> str:
    return f"{node.id:016x}:{node.revision}" if node is not None else ""


def _kind(mode: int) -> Kind:
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "dir"
    return "link" if stat.S_ISLNK(mode) else "other"


def not_copyable(path: str) -> OSError:
    """The error for devices, sockets and pipes inside a folder that is copied."""
    return OSError(errno.EINVAL, "neither a file, a folder nor a link", path)
