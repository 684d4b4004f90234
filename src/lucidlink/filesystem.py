"""Files and folders of a linked filespace, as calls that wait: thin over the engine, with Python's own errors."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Literal, overload

from lucidfs.engine.engine import Engine
from lucidfs.engine.node import Node
from lucidfs.errors import Fault
from lucidfs.limits import BUFFER_BYTES, LOCK_TIMEOUT_S
from lucidfs.types import Kind, LockMode
from lucidfs.wire import messages
from lucidlink._buffered import (
    LucidBufferedRandom,
    LucidBufferedReader,
    LucidBufferedStream,
    LucidBufferedWriter,
    LucidTextStream,
    buffered,
    raw_of,
)
from lucidlink._legacy import FileHandle
from lucidlink._link import Link
from lucidlink._modes import Mode, check_buffering, check_timeout, open_lock, parse_mode, range_lock
from lucidlink._paths import ABSENT, PathText, invalid, path_text
from lucidlink.filesystem_models import DirEntry, FilespaceSize, FilespaceStatistics, LockInfo
from lucidlink.stream import LucidFileStream

if TYPE_CHECKING:
    from _typeshed import (
        OpenBinaryMode,
        OpenBinaryModeReading,
        OpenBinaryModeUpdating,
        OpenBinaryModeWriting,
        OpenTextMode,
        ReadableBuffer,
    )

Stream = LucidFileStream | LucidBufferedStream | LucidTextStream

_TYPES = {Kind.FILE: "file", Kind.FOLDER: "dir", Kind.LINK: "link", Kind.EXTERNAL: "file"}
_LOCK_NAMES = {LockMode.SHARED: "shared", LockMode.EXCLUSIVE: "exclusive"}
_NS = 1_000_000_000


class Filesystem:
    """Got from `filespace.fs`. Any thread may use it. Paths are `str` or `os.PathLike`, from the linked root.

    Every call raises FilespaceError after `unlink`, ConnectionError when the hub stays away past the time limit,
    PermissionError when the account's role is too small, OSError(EINVAL), also a ValueError, for a path that cannot be.
    """

    def __init__(self, link: Link) -> None:
        self._link = link

    # --- opening -------------------------------------------------------------------------------------------------

    @overload
    def open(
        self,
        path: PathText,
        mode: OpenTextMode,
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        lock_type: str = "",
        *,
        lock_timeout: float | None = None,
    ) -> LucidTextStream: ...

    @overload
    def open(  # type: ignore[overload-overlap]  # `buffering` 0 is an int too; the first that fits is taken
        self,
        path: PathText,
        mode: OpenBinaryMode,
        buffering: Literal[0],
        encoding: None = None,
        errors: None = None,
        newline: None = None,
        lock_type: str = "",
        *,
        lock_timeout: float | None = None,
    ) -> LucidFileStream: ...

    @overload
    def open(
        self,
        path: PathText,
        mode: OpenBinaryModeReading = "rb",
        buffering: int = -1,
        encoding: None = None,
        errors: None = None,
        newline: None = None,
        lock_type: str = "",
        *,
        lock_timeout: float | None = None,
    ) -> LucidBufferedReader: ...

    @overload
    def open(
        self,
        path: PathText,
        mode: OpenBinaryModeWriting,
        buffering: int = -1,
        encoding: None = None,
        errors: None = None,
        newline: None = None,
        lock_type: str = "",
        *,
        lock_timeout: float | None = None,
    ) -> LucidBufferedWriter: ...

    @overload
    def open(
        self,
        path: PathText,
        mode: OpenBinaryModeUpdating,
        buffering: int = -1,
        encoding: None = None,
        errors: None = None,
        newline: None = None,
        lock_type: str = "",
        *,
        lock_timeout: float | None = None,
    ) -> LucidBufferedRandom: ...

    @overload
    def open(
        self,
        path: PathText,
        mode: str,
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        lock_type: str = "",
        *,
        lock_timeout: float | None = None,
    ) -> Stream: ...

    def open(
        self,
        path: PathText,
        mode: str = "rb",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        lock_type: str = "",
        *,
        lock_timeout: float | None = None,
    ) -> Stream:
        """Open a file. What is written shows to others when `flush` or `close` returns, whole; see `lucidlink.stream`.

        Args:
            path: the file; links are followed.
            mode: as for the builtin `open`; bare "r", "w", "a", "x" are text.
            buffering: -1: 128 KiB; 0: none, binary only; 1: by line, text only; more: bytes.
            encoding: of text; None: UTF-8.
            errors: what to do with bytes that are no text; None: "strict".
            newline: as for the builtin `open`.
            lock_type: "", "shared" or "exclusive": a lock on the whole file, held until close.
            lock_timeout: seconds to wait for locks of others; None: 60; 0: not at all.

        Raises:
            FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError: as the builtin `open`.
            TimeoutError: a lock of another client stayed.
            ValueError: mode, buffering or lock_type that cannot be.
        """
        parsed = parse_mode(mode)
        check_buffering(parsed, buffering)
        if parsed.text:
            return self.open_text(path, mode, buffering, encoding, errors, newline, lock_type, lock_timeout)
        for name, value in (("encoding", encoding), ("errors", errors), ("newline", newline)):
            if value is not None:
                raise ValueError(f"binary mode doesn't take {'an' if name[0] in 'e' else 'a'} {name} argument")
        if buffering == 0:
            return self._open_raw(path, parsed, lock_type, lock_timeout)
        return self.open_binary(path, mode, buffering, lock_type, lock_timeout)

    def open_binary(
        self, path: PathText, mode: str, buffering: int = -1, lock_type: str = "", lock_timeout: float | None = None
    ) -> LucidBufferedStream:
        """`open` for a binary mode, with a buffer."""
        parsed = parse_mode(mode)
        raw = self._open_raw(path, parsed, lock_type, lock_timeout)
        return buffered(raw, parsed, BUFFER_BYTES if buffering in (-1, 1) else buffering)

    def open_text(
        self,
        path: PathText,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        lock_type: str = "",
        lock_timeout: float | None = None,
    ) -> LucidTextStream:
        """`open` for a text mode."""
        parsed = parse_mode(mode)
        raw = self._open_raw(path, parsed, lock_type, lock_timeout)
        try:
            below = buffered(raw, parsed, BUFFER_BYTES if buffering in (-1, 1) else buffering)
            return LucidTextStream(below, mode, encoding or "utf-8", errors, newline, buffering == 1)
        except BaseException:
            raw.abort()
            raise

    def _open_raw(self, path: PathText, mode: Mode, lock_type: str, lock_timeout: float | None) -> LucidFileStream:
        text = path_text(path)
        lock = open_lock(lock_type)
        timeout_s = check_timeout(lock_timeout, LOCK_TIMEOUT_S)
        live = self._link.connect()
        handle = self._link.call(
            lambda engine: engine.files.open(
                text,
                read=mode.reading,
                write=mode.writing,
                create=mode.creating,
                exclusive=mode.exclusive,
                truncate=mode.truncating,
                append=mode.appending,
                lock=lock,
                lock_timeout_s=timeout_s,
            ),
            text,
        )
        return LucidFileStream(self._link, live, handle, text, mode)

    def open_legacy(self, path: PathText, mode: str = "r") -> FileHandle:
        """Open for reading and writing at given offsets.

        Args:
            path: the file.
            mode: "r", "w", "a", "x", with or without "+" and "b".
        """
        binary = mode.replace("b", "") + "b" if isinstance(mode, str) else mode
        return FileHandle(self._open_raw(path, parse_mode(binary), "", None), mode)

    # --- whole files ---------------------------------------------------------------------------------------------

    def read_file(self, path: PathText) -> bytes:
        """All bytes of a file, of one revision."""
        text = path_text(path)
        return self._link.call(lambda engine: engine.files.read_file(text), text)

    def write_file(self, path: PathText, data: ReadableBuffer) -> None:
        """Create or replace a file with `data`, in one step. Raises TypeError for what is not bytes-like."""
        text = path_text(path)
        try:
            view = memoryview(data)
        except TypeError:
            raise TypeError(f"a bytes-like object is required, not {type(data).__name__!r}") from None
        body = view.cast("B") if view.nbytes else b""
        self._link.call(lambda engine: engine.files.write_file(text, body), text)

    def truncate(self, path: PathText, size: int) -> None:
        """Cut a file, or extend it with zeros, to `size` bytes. Takes no longer for a large size."""
        text, length = path_text(path), operator.index(size)
        if length < 0:
            raise invalid(f"negative size {length}", text)
        self._link.call(lambda engine: engine.files.truncate(text, length), text)

    # --- folders -------------------------------------------------------------------------------------------------

    def create_dir(self, path: PathText) -> None:
        """Make a folder, and those missing above it. Raises FileExistsError if it is there."""
        text = path_text(path)
        self._link.call(lambda engine: engine.tree.make_folders(text), text)

    def read_dir(self, path: PathText) -> list[DirEntry]:
        """The entries of a folder at one moment, sorted by name."""
        text = path_text(path)
        return [_entry(node) for node in self._link.call(lambda engine: engine.tree.list(text), text)]

    def list_dir(self, path: PathText) -> list[str]:
        """The names in a folder, sorted."""
        text = path_text(path)
        return [node.name for node in self._link.call(lambda engine: engine.tree.list(text), text)]

    def delete(self, path: PathText) -> None:
        """Remove a file or a link. Raises IsADirectoryError for a folder."""
        text = path_text(path)
        self._link.call(lambda engine: engine.tree.delete(text), text)

    def delete_dir(self, path: PathText, recursive: bool = False) -> None:
        """Remove a folder, in one step. Raises OSError(ENOTEMPTY) if it is not empty and not `recursive`."""
        text = path_text(path)
        self._link.call(lambda engine: engine.tree.delete_folder(text, recursive), text)

    def move(self, src: PathText, dst: PathText) -> None:
        """Give a file, link or folder another path, in one step.

        Raises:
            FileExistsError: something is at `dst`.
            OSError(EINVAL): a folder into itself.
        """
        source, target = path_text(src), path_text(dst)
        self._link.call(lambda engine: engine.tree.move(source, target), source, target)

    # --- asking --------------------------------------------------------------------------------------------------

    def file_exists(self, path: PathText) -> bool:
        """Whether a file is there; links are followed."""
        node = self._look(path)
        return node is not None and node.kind in (Kind.FILE, Kind.EXTERNAL)

    def dir_exists(self, path: PathText) -> bool:
        """Whether a folder is there; links are followed."""
        node = self._look(path)
        return node is not None and node.kind is Kind.FOLDER

    def _look(self, path: PathText) -> Node | None:
        async def look(engine: Engine) -> Node | None:
            try:
                return await engine.tree.entry(text, follow=True)
            except Fault as fault:
                if fault.code in ABSENT:
                    return None
                raise

        try:
            text = path_text(path)
        except ValueError:  # as os.path.exists answers for a path that cannot be
            return None
        return self._link.call(look, text)

    def get_entry(self, path: PathText) -> DirEntry:
        """What is at a path; a link itself, not what it points to. Raises FileNotFoundError."""
        text = path_text(path)
        return _entry(self._link.call(lambda engine: engine.tree.entry(text), text))

    def get_size(self) -> FilespaceSize:
        """Bytes of the whole filespace; kept up to date, not walked."""
        told = self._link.call(lambda engine: engine.statistics())
        return FilespaceSize(
            told.entries_bytes, told.data_bytes, told.storage_bytes, told.external_bytes, told.external_files
        )

    def get_statistics(self) -> FilespaceStatistics:
        """Counts and bytes of the whole filespace; kept up to date, not walked."""
        told = self._link.call(lambda engine: engine.statistics())
        return FilespaceStatistics(
            file_count=told.files,
            directory_count=told.folders,
            symlink_count=told.links,
            entries_size=told.entries_bytes,
            data_size=told.data_bytes,
            storage_size=told.storage_bytes,
            external_files_size=told.external_bytes,
            external_files_count=told.external_files,
        )

    # --- links ---------------------------------------------------------------------------------------------------

    def create_symlink(self, target_path: PathText, link_path: PathText) -> None:
        """Make a symbolic link; the target need not exist. Raises FileExistsError."""
        target, text = path_text(target_path), path_text(link_path)
        self._link.call(lambda engine: engine.tree.make_link(target, text), text)

    def read_symlink(self, link_path: PathText) -> str:
        """Where a link points, as it was given. Raises OSError(EINVAL) for what is no link."""
        text = path_text(link_path)
        return self._link.call(lambda engine: engine.tree.read_link(text), text)

    # --- handles and locks ---------------------------------------------------------------------------------------

    def create(self, path: PathText) -> int:
        """Make an empty file and return a handle id for the lock calls; end it with `close`.

        Raises:
            FileExistsError: something is there.
        """
        text = path_text(path)
        live = self._link.connect()
        handle = self._link.call(lambda engine: engine.files.create(text), text)
        stream = LucidFileStream(self._link, live, handle, text, parse_mode("rb+"))
        self._link.created[handle.id] = stream
        return handle.id

    def close(self, handle_id: int | Stream) -> None:
        """End a handle and its locks. Raises OSError(EBADF) for a number that is no handle."""
        if isinstance(handle_id, int):
            self._raw(handle_id).close()
        else:
            handle_id.close()

    def lock_byte_range(
        self,
        handle_id: int | Stream,
        offset: int,
        length: int,
        lock_type: str = "exclusive",
        blocking: bool = True,
        *,
        lock_timeout: float | None = None,
    ) -> bool:
        """Lock bytes of an open file against every other handle; what the stream reads afterwards is the newest.

        Args:
            handle_id: a stream, or the number that `create` returned or `stream.handle_id` is.
            offset: first byte.
            length: bytes; 0: to the end, however far.
            lock_type: "exclusive" (= "write") or "shared" (= "read").
            blocking: wait for locks of others.
            lock_timeout: for how many seconds; None: 60.

        Returns:
            True; False if not `blocking` and somebody has a lock there.

        Raises:
            TimeoutError: not granted in time.
            OSError(EBADF): no such handle.
        """
        mode = range_lock(lock_type)
        timeout_s = check_timeout(lock_timeout, LOCK_TIMEOUT_S) if blocking else 0.0
        raw = self._raw(handle_id)
        try:
            raw.lock_range(mode, *_range(offset, length, raw.name), timeout_s)
        except TimeoutError:
            if blocking:
                raise
            return False
        (raw if isinstance(handle_id, int) else handle_id).refresh()
        return True

    def unlock_byte_range(self, handle_id: int | Stream, offset: int, length: int) -> None:
        """Release what the handle has locked of these bytes; the rest stays locked. `flush` first what must be seen."""
        raw = self._raw(handle_id)
        raw.unlock_range(*_range(offset, length, raw.name))

    def unlock_all_byte_ranges(self, handle_id: int | Stream) -> None:
        """Release every lock of the handle."""
        self._raw(handle_id).unlock_range(0, 0)

    def list_locks(self, path: PathText) -> list[LockInfo]:
        """Locks that anybody holds on a file or waits for, in the order of their bytes."""
        text = path_text(path)

        async def holders(engine: Engine) -> list[messages.LockInfo]:
            node = await engine.tree.entry(text, follow=True)
            return await engine.locks.holders(node.id)

        locks = [
            LockInfo(
                handle_id=lock.handle,
                account=lock.account,
                lock_type=_LOCK_NAMES[lock.mode],
                offset=lock.offset,
                length=lock.length,
                waiting=lock.waiting,
                since=lock.since_ns / _NS,
                session=lock.session,
            )
            for lock in self._link.call(holders, text)
        ]
        return sorted(locks, key=lambda lock: (lock.waiting, lock.offset, lock.since))

    def _raw(self, handle_id: int | Stream) -> LucidFileStream:
        if isinstance(handle_id, int):
            return self._link.stream(handle_id)
        return raw_of(handle_id)

    def __repr__(self) -> str:
        return f"<Filesystem of {self._link.name!r}>"


def _entry(node: Node) -> DirEntry:
    return DirEntry(
        name=node.name or "/",
        size=node.size,
        type=_TYPES.get(node.kind, "unknown"),
        file_id=node.id,
        file_id_external=node.id if node.kind is Kind.EXTERNAL else 0,
        ctime=node.ctime_ns / _NS,
        mtime=node.mtime_ns / _NS,
    )


def _range(offset: int, length: int, path: str) -> tuple[int, int]:
    first, count = operator.index(offset), operator.index(length)
    if first < 0 or count < 0:
        raise invalid(f"a byte range cannot start at {first} and be {count} long", path)
    return first, count


class FsUtils:
    """Whole files as bytes, under the names of later releases.

    Args:
        fs: of a linked filespace.
    """

    def __init__(self, fs: Filesystem) -> None:
        self._fs = fs

    def read_bytes(self, path: PathText) -> bytes:
        """As `Filesystem.read_file`."""
        return self._fs.read_file(path)

    def write_bytes(self, path: PathText, data: ReadableBuffer) -> None:
        """As `Filesystem.write_file`."""
        self._fs.write_file(path, data)


__all__ = ["DirEntry", "FileHandle", "FilespaceSize", "FilespaceStatistics", "Filesystem", "FsUtils", "LockInfo"]
