"""Changes of the tree: folders, removing, moving, copying."""

from __future__ import annotations

import errno
import os
import posixpath
from typing import Any

from lucidfs.engine.engine import Engine
from lucidfs.limits import MIB
from lucidlink import _bulk
from lucidlink._fsspec.contents import Contents

COPY_BYTES = 4 * MIB


class Changes(Contents):
    """What makes, moves and removes."""

    def mkdir(self, path: Any, create_parents: bool = True, **kwargs: Any) -> None:
        """Make a folder. Raises FileExistsError; without `create_parents`, FileNotFoundError for a missing parent."""
        fs, inner = self._place(path)
        if inner == "/":
            raise FileExistsError(errno.EEXIST, "filespaces are made with `lucid filespace create`", path)
        if not create_parents and not fs.dir_exists(posixpath.dirname(inner)):
            raise FileNotFoundError(errno.ENOENT, "no such folder", self._parent(path))
        fs.create_dir(inner)

    def makedirs(self, path: Any, exist_ok: bool = False) -> None:
        """Make a folder and those above it. Raises FileExistsError, unless it may be there."""
        fs, inner = self._place(path)
        if exist_ok:
            self._run(path, _bulk.make_folders)
        elif inner == "/":
            raise FileExistsError(errno.EEXIST, "it exists already", path)
        else:
            fs.create_dir(inner)

    def rmdir(self, path: Any) -> None:
        """Remove an empty folder. Raises OSError(ENOTEMPTY)."""
        fs, inner = self._place(path)
        fs.delete_dir(inner)

    def rm_file(self, path: Any) -> None:
        """Remove a file or a link."""
        fs, inner = self._place(path)
        fs.delete(inner)

    _rm = rm_file

    def rm(self, path: Any, recursive: bool = False, maxdepth: int | None = None) -> None:
        """Remove files, and with `recursive` folders with all that is in them, each folder in one step."""
        paths = [path] if isinstance(path, (str, os.PathLike)) else list(path)
        found = self.expand_path(paths, recursive=recursive and maxdepth is not None, maxdepth=maxdepth)
        gone: set[str] = set()
        for each in found if maxdepth is None else reversed(found):
            if any(each.startswith(f"{above}/") for above in gone):
                continue
            fs, inner = self._place(each)
            if inner == "/":
                raise PermissionError(errno.EACCES, "filespaces are deleted with `lucid filespace delete`", each)
            try:
                fs.delete(inner)
            except IsADirectoryError:
                if not recursive:
                    raise
                fs.delete_dir(inner, recursive=maxdepth is None)
                gone.add(each)

    def mv(self, path1: Any, path2: Any, recursive: bool = False, maxdepth: int | None = None, **kwargs: Any) -> None:
        """Move files or a folder in one step, without copying; a file takes the place of another.

        Raises:
            ValueError: the two are in different filespaces.
        """
        if isinstance(path1, (list, tuple)) or maxdepth is not None or "*" in str(path1):
            super().mv(path1, path2, recursive=recursive, maxdepth=maxdepth, **kwargs)
            return
        (fs, source), (other, target) = self._place(path1), self._place(path2)
        if fs is not other:
            raise ValueError(f"{path1} and {path2} are in different filespaces: copy, then remove")
        if self._strip_protocol(path1) == self._strip_protocol(path2):
            return
        if str(path2).endswith("/") or fs.dir_exists(target):
            target = posixpath.join(target, posixpath.basename(source))

        async def move(engine: Engine, inner: str) -> None:
            await _bulk.above(engine, target, lambda: engine.tree.move(source, target, replace=True))

        self._run(path1, move)

    def cp_file(self, path1: Any, path2: Any, **kwargs: Any) -> None:
        """Copy one file, or make a folder like it. Within one filespace no byte moves."""
        (fs, source), (other, target) = self._place(path1), self._place(path2)
        if fs is other:
            try:
                self._run(path1, lambda engine, inner: _bulk.copy(engine, source, target))
                return
            except IsADirectoryError:
                if not fs.dir_exists(source):
                    raise
                self.makedirs(path2, exist_ok=True)
                return
            except OSError as error:
                if error.errno != errno.EFBIG:  # more extents than one commit takes: its bytes do move
                    raise
        if fs.dir_exists(source):
            self.makedirs(path2, exist_ok=True)
            return
        with self.open(path1, "rb") as old, self.open(path2, "wb") as new:
            while chunk := old.read(COPY_BYTES):
                new.write(chunk)
