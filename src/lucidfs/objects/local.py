"""Objects as files of a folder: written aside, synced, then linked into place, so that a name never holds a part."""

from __future__ import annotations

import errno
import hashlib
import itertools
import os
import re
import stat
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lucidfs.errors import Code, Fault
from lucidfs.objects.base import ObjectName, ObjectStat
from lucidfs.types import FilespaceId, ObjectId, id_text, id_value

_COMPARE_BYTES = 1024 * 1024
_TEMPORARY = "."  # object names are hex digits: whatever begins with a dot is unfinished
_PLAIN = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)  # neither on Windows, which has no need of them
_MARK = re.compile(r"\.(.+)-[0-9a-f]{32}")

_CODES = {
    errno.ENOSPC: Code.NO_SPACE,
    errno.EDQUOT: Code.NO_SPACE,
    errno.EACCES: Code.DENIED,
    errno.EPERM: Code.DENIED,
    errno.EROFS: Code.DENIED,
}


class LocalStore:
    """An `ObjectStore` in a folder of one machine, laid out as docs/FORMAT.md says. Several processes may share it.

    Args:
        root: the folder that holds one folder per filespace; made (0700) when it is missing.

    Raises:
        Fault: DENIED or NO_SPACE when the folder cannot be made.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._numbers = itertools.count()
        self._synced: set[Path] = set()  # folders whose own entry is known to be on disk; guarded by _lock
        self._lock = threading.Lock()
        with _door():
            self._make(root)

    def put(self, name: ObjectName, data: bytes | bytearray | memoryview | list[bytes]) -> None:
        path = self._path(name)
        parts = data if isinstance(data, list) else [data]
        with _door():
            self._make(path.parent)
            temporary = self._write_aside(path.parent, parts)
            try:
                os.link(temporary, path)
            except FileExistsError:
                if not _same(path, temporary):
                    raise FileExistsError(f"object {name.object:016x} is there with other bytes") from None
            finally:
                os.unlink(temporary)
            _sync_folder(path.parent)

    def get(self, name: ObjectName, offset: int, length: int) -> bytes:
        with _door():
            with _opened(self._path(name)) as file:
                return _read_exactly(file, offset, length)

    def delete(self, name: ObjectName) -> None:
        path = self._path(name)
        with _door():
            try:
                os.unlink(path)
            except FileNotFoundError:
                return
            _sync_folder(path.parent)

    def list(self, filespace: FilespaceId) -> Iterator[ObjectStat]:
        for path in self._files(self._root / id_text(filespace)):
            try:
                name, known = ObjectName(filespace, ObjectId(id_value(path.name))), path.lstat()
            except (ValueError, FileNotFoundError):
                continue  # not an object, or deleted since
            if stat.S_ISREG(known.st_mode):
                yield ObjectStat(name, known.st_size, known.st_mtime_ns)

    def close(self) -> None:
        """Nothing is held open."""

    def mark(self, random: Callable[[int], bytes]) -> Path:
        """Make an empty file beside the root, under a name that nobody can guess; those of earlier runs go.

        Whoever finds it has this very folder before him (`marked`), not a copy of it or another of the same path.
        """
        with _door():
            root = self._root.absolute()
            for path in root.parent.iterdir():
                if _MARK.fullmatch(path.name) and marked(path) == root:
                    path.unlink(missing_ok=True)
            mark = root.parent / f".{root.name}-{random(16).hex()}"
            mark.touch(mode=0o600, exist_ok=False)
        return mark

    def remove_unfinished(self, before_ns: int = 2**63) -> int:
        """Delete what crashed puts left behind; how many files that were.

        Args:
            before_ns: only files written before; whatever is younger may be a put under way, of any process.
        """
        count = 0
        with _door():
            for folder in self._folders(self._root):
                for path in self._files(folder):
                    if path.name.startswith(_TEMPORARY) and _written_before(path, before_ns):
                        path.unlink(missing_ok=True)
                        count += 1
        return count

    def strangers(self) -> Iterator[Path]:
        """What is in the folder and is neither an object in its place nor unfinished."""
        if not self._root.is_dir():
            return
        for folder in sorted(self._root.iterdir()):
            for spread in sorted(folder.iterdir()) if _is_id(folder) else ():
                for path in sorted(spread.iterdir()) if spread.is_dir() else ():
                    if not path.name.startswith(_TEMPORARY) and not self._in_place(path):
                        yield path
                if not spread.is_dir():
                    yield spread
            if not _is_id(folder):
                yield folder

    def _in_place(self, path: Path) -> bool:
        try:
            filespace, object = id_value(path.parent.parent.name), id_value(path.name)
        except ValueError:
            return False
        return (
            stat.S_ISREG(path.lstat().st_mode)
            and self._path(ObjectName(FilespaceId(filespace), ObjectId(object))) == path
        )

    def _path(self, name: ObjectName) -> Path:
        spread = hashlib.sha256(name.object.to_bytes(8, "big")).hexdigest()[:2]
        return self._root / id_text(name.filespace) / spread / id_text(name.object)

    def _make(self, folder: Path) -> None:
        """Make a folder and those above it, down to the root's parent, and put their entries on disk."""
        with self._lock:
            if folder in self._synced:
                return
        missing = [folder]
        while missing[-1] != self._root and missing[-1].parent != missing[-1]:
            missing.append(missing[-1].parent)
        for path in reversed(missing):
            path.mkdir(mode=0o700, parents=path == self._root, exist_ok=True)
            _sync_folder(path.parent)
        with self._lock:
            self._synced.update(missing)

    def _write_aside(self, folder: Path, parts: Sequence[bytes | bytearray | memoryview]) -> Path:
        """The parts in a synced file of a temporary name; nothing is left behind when that fails."""
        while True:
            path = folder / f"{_TEMPORARY}{os.getpid()}-{next(self._numbers)}"
            try:
                file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
                break
            except FileExistsError:
                continue  # an earlier process of this number crashed
        try:
            for part in parts:
                _write_all(file, part)
            os.fsync(file)
        except BaseException:
            os.unlink(path)
            raise
        finally:
            os.close(file)
        return path

    def _files(self, folder: Path) -> Iterator[Path]:
        """Files two levels below a filespace's folder."""
        for spread in self._folders(folder):
            try:
                yield from sorted(spread.iterdir())
            except FileNotFoundError:
                continue

    def _folders(self, folder: Path) -> Iterator[Path]:
        try:
            yield from sorted(path for path in folder.iterdir() if path.is_dir())
        except FileNotFoundError:
            return


def marked(mark: Path) -> Path | None:
    """The root of the store that made this mark; None if its name is no mark's."""
    name = _MARK.fullmatch(mark.name)
    return mark.parent / name[1] if name is not None else None


def _is_id(path: Path) -> bool:
    try:
        id_value(path.name)
    except ValueError:
        return False
    return path.is_dir()


def _written_before(path: Path, before_ns: int) -> bool:
    try:
        return path.stat().st_mtime_ns < before_ns
    except FileNotFoundError:
        return False


@contextmanager
def _door() -> Iterator[None]:
    """Tell the errors of a disk that stay (full, forbidden) from those that pass."""
    try:
        yield
    except (FileNotFoundError, FileExistsError):
        raise
    except OSError as error:
        code = _CODES.get(error.errno or 0)
        if code is None:
            raise
        raise Fault(code, f"the object folder refuses: {error.strerror}") from error


def _write_all(file: int, data: bytes | bytearray | memoryview) -> None:
    view = memoryview(data).cast("B")
    while view:
        view = view[os.write(file, view) :]


def _read_exactly(file: int, offset: int, length: int) -> bytes:
    data = os.pread(file, length, offset)
    while len(data) < length:
        more = os.pread(file, length - len(data), offset + len(data))
        if not more:
            raise EOFError(f"the object has {os.fstat(file).st_size} bytes, not {offset + length}")
        data += more
    return data


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _same(left: Path, right: Path) -> bool:
    try:
        with _opened(left) as one, _opened(right) as other:
            at = 0
            while (part := os.pread(one, _COMPARE_BYTES, at)) == os.pread(other, _COMPARE_BYTES, at):
                if not part:
                    return True
                at += len(part)
    except FileNotFoundError:
        pass
    return False


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """A file of the folder, to be read. What is no plain file is no object: a link leads out, a pipe never answers.

    Raises:
        FileNotFoundError: there is no such file.
    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | _PLAIN)
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.ENXIO):  # a link; a socket
            raise
        raise FileNotFoundError(errno.ENOENT, "not a plain file", str(path)) from None
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise FileNotFoundError(errno.ENOENT, "not a plain file", str(path))
        yield file
    finally:
        os.close(file)
