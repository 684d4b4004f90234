"""Files and folders of a linked filespace, as calls that wait: thin over the engine, with Python's own errors."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING

from lucidfs.engine.engine import Engine
from lucidfs.engine.node import Node
from lucidfs.errors import Fault
from lucidfs.types import Kind
from lucidlink._legacy import FileHandle
from lucidlink._link import Link
from lucidlink._locking import Locking
from lucidlink._opening import Opening
from lucidlink._paths import ABSENT, PathText, invalid, path_text
from lucidlink.filesystem_models import DirEntry, FilespaceSize, FilespaceStatistics, LockInfo

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_TYPES = {Kind.FILE: "file", Kind.FOLDER: "dir", Kind.LINK: "link", Kind.EXTERNAL: "file"}
_NS = 1_000_000_000


class Filesystem(Opening, Locking):
    """Got from `filespace.fs`. Any thread may use it. Paths are `str` or `os.PathLike`, from the linked root.

    Every call raises FilespaceError after `unlink`, ConnectionError when the hub stays away past the time limit,
    PermissionError when the account's role is too small, OSError(EINVAL), also a ValueError, for a path that cannot be.
    """

    def __init__(self, link: Link) -> None:
        self._link = link

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

    # --- for the command line and fsspec --------------------------------------------------------------------------

    def _node(self, path: PathText, follow: bool = True) -> Node:
        """What the engine knows of a path, with its revision. Raises FileNotFoundError."""
        text = path_text(path)
        return self._link.call(lambda engine: engine.tree.entry(text, follow), text)

    def _copy(self, source: PathText, target: PathText) -> Node:
        """Make or replace `target` with the content of `source`; no byte of it moves. OSError(EFBIG) where that
        takes more than one commit."""
        old, new = path_text(source), path_text(target)
        return self._link.call(lambda engine: engine.files.copy(old, new), old, new)

    # --- links ---------------------------------------------------------------------------------------------------

    def create_symlink(self, target_path: PathText, link_path: PathText) -> None:
        """Make a symbolic link; the target need not exist. Raises FileExistsError."""
        target, text = path_text(target_path), path_text(link_path)
        self._link.call(lambda engine: engine.tree.make_link(target, text), text)

    def read_symlink(self, link_path: PathText) -> str:
        """Where a link points, as it was given. Raises OSError(EINVAL) for what is no link."""
        text = path_text(link_path)
        return self._link.call(lambda engine: engine.tree.read_link(text), text)

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
