"""Changes of the tree: folders, removing, moving, copying."""

from __future__ import annotations

import errno
import os
import posixpath
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from fsspec import AbstractFileSystem

from lucidfs.engine.engine import Engine
from lucidfs.limits import MIB
from lucidlink import _bulk
from lucidlink._fsspec.contents import Contents
from lucidlink._fsspec.places import Info, chosen

T = TypeVar("T")

COPY_BYTES = 4 * MIB
_JOBS = 16  # files that are copied at once; the requests of all share one connection


class Changes(Contents):
    """What makes, moves and removes."""

    def mkdir(self, path: Any, create_parents: bool = True, **kwargs: Any) -> None:
        """Make a folder. Raises FileExistsError; without `create_parents`, FileNotFoundError for a missing parent."""
        fs, inner = self._place(path)
        if inner == "/":
            raise FileExistsError(errno.EEXIST, "filespaces are made with `lucid filespace create`", path)
        if not create_parents and not fs.dir_exists(posixpath.dirname(inner)):
            raise FileNotFoundError(errno.ENOENT, "no such folder", self._parent(path))
        self._run(path, lambda engine, inner: engine.tree.make_folders(inner))

    def makedirs(self, path: Any, exist_ok: bool = False) -> None:
        """Make a folder and those above it. Raises FileExistsError, unless it may be there."""
        self._run(path, lambda engine, inner: engine.tree.make_folders(inner, exist_ok))

    def rmdir(self, path: Any) -> None:
        """Remove an empty folder. Raises OSError(ENOTEMPTY)."""
        self._run(path, lambda engine, inner: engine.tree.delete_folder(inner))

    def rm_file(self, path: Any) -> None:
        """Remove a file or a link."""
        self._run(path, lambda engine, inner: engine.tree.delete(inner))

    _rm = rm_file

    def rm(self, path: Any, recursive: bool = False, maxdepth: int | None = None) -> None:
        """Remove files, many at once, and with `recursive` folders with all that is in them, each in one step."""
        paths = [path] if isinstance(path, (str, os.PathLike)) else list(path)
        found = self.expand_path(paths, recursive=recursive and maxdepth is not None, maxdepth=maxdepth)
        for each in found:
            if self._locate(each)[2] in ("", "/"):
                raise PermissionError(errno.EACCES, "filespaces are deleted with `lucid filespace delete`", each)
        if maxdepth is not None:  # what is deeper may stay, and then so do the folders above it
            for each in reversed(found):
                self._run(each, lambda engine, inner: _bulk.remove(engine, inner, folders=recursive))
            return
        if recursive:
            given = set(found)
            found = [each for each in found if not any(above in given for above in _above(each))]
        work = _bulk.remove_all if recursive else _bulk.remove
        chosen(self._for_each(found, lambda engine, inner, _: work(engine, inner)), "raise")

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
            except OSError as error:
                if error.errno != errno.EFBIG:  # more extents than one commit takes: its bytes do move
                    raise
        if fs.dir_exists(source):
            self.makedirs(path2, exist_ok=True)
            return
        with self.open(path1, "rb") as old, self.open(path2, "wb", autocommit=True) as new:
            while chunk := old.read(COPY_BYTES):
                new.write(chunk)

    def copy(
        self,
        path1: Any,
        path2: Any,
        recursive: bool = False,
        maxdepth: int | None = None,
        on_error: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Copy files and folders here, many at once; see AbstractFileSystem for what goes where."""
        plan = Plan(self)
        AbstractFileSystem.copy(plan, path1, path2, recursive, maxdepth, on_error, **kwargs)
        missing_is_fine = (on_error or ("ignore" if recursive else "raise")) == "ignore"

        def one(pair: tuple[Any, Any]) -> None:
            try:
                self.cp_file(*pair)
            except FileNotFoundError:
                if not missing_is_fine:
                    raise

        at_once(one, plan.pairs)


def at_once(work: Callable[[T], None], items: Sequence[T]) -> None:
    """Do something for each, several at a time; the first failure is raised when all under way have ended."""
    if len(items) == 1:
        work(items[0])
        return
    with ThreadPoolExecutor(_JOBS, thread_name_prefix="lucid-copy") as pool:
        futures = [pool.submit(work, item) for item in items]
        try:
            for future in futures:
                future.result()
        finally:
            for future in futures:
                future.cancel()


class Plan:
    """Stands in for a filesystem in `copy`, `put` and `get`: remembers what would be copied where."""

    def __init__(self, fs: AbstractFileSystem) -> None:
        self._fs = fs
        self.pairs: list[tuple[Any, Any]] = []
        self.kwargs: Info = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._fs, name)

    def cp_file(self, source: Any, target: Any, callback: Any = None, **kwargs: Any) -> None:
        self.pairs.append((source, target))
        self.kwargs = kwargs

    put_file = get_file = cp_file


def _above(path: str) -> Iterator[str]:
    while path := posixpath.dirname(path):
        yield path
