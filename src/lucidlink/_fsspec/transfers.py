"""To and from this machine: many files at once, with fsspec's callbacks for progress."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fsspec import AbstractFileSystem
from fsspec.callbacks import DEFAULT_CALLBACK, Callback, NoOpCallback

from lucidfs.limits import SMALL_BYTES_MAX
from lucidlink._fsspec.changes import COPY_BYTES, Changes, Plan, at_once


class Transfers(Changes):
    """`put` and `get`."""

    def put_file(
        self, lpath: Any, rpath: Any, callback: Callback = DEFAULT_CALLBACK, mode: str = "overwrite", **kwargs: Any
    ) -> None:
        """Copy one local file here, or make a folder like it."""
        if os.path.isdir(lpath):
            self.makedirs(rpath, exist_ok=True)
            return
        size = os.path.getsize(lpath)
        callback.set_size(size)
        if size <= SMALL_BYTES_MAX:
            data = Path(lpath).read_bytes()
            self.pipe_file(rpath, data, mode)
            callback.relative_update(len(data))
            return
        with open(lpath, "rb", buffering=0) as source, self.open(rpath, "xb" if mode == "create" else "wb") as target:
            while chunk := source.read(COPY_BYTES):
                target.write(chunk)
                callback.relative_update(len(chunk))

    def get_file(
        self, rpath: Any, lpath: Any, callback: Callback = DEFAULT_CALLBACK, outfile: Any = None, **kwargs: Any
    ) -> None:
        """Copy one file to this machine, or make a folder like it; into `outfile` or `lpath` where they take bytes."""
        if outfile is None and hasattr(lpath, "write"):
            outfile = lpath
        try:
            source = self.open(rpath, "rb")
        except IsADirectoryError:
            os.makedirs(lpath, exist_ok=True)
            return
        with source:
            callback.set_size(source.size)
            if outfile is None:
                os.makedirs(os.path.dirname(os.path.abspath(lpath)), exist_ok=True)
            with open(lpath, "wb", buffering=0) if outfile is None else _Kept(outfile) as target:
                while chunk := source.read(COPY_BYTES):
                    target.write(chunk)
                    callback.relative_update(len(chunk))

    def put(
        self,
        lpath: Any,
        rpath: Any,
        recursive: bool = False,
        callback: Callback = DEFAULT_CALLBACK,
        maxdepth: int | None = None,
        **kwargs: Any,
    ) -> None:
        """Copy local files and folders here, many at once; see AbstractFileSystem for what goes where."""
        plan = Plan(self)
        AbstractFileSystem.put(plan, lpath, rpath, recursive, NoOpCallback(), maxdepth, **kwargs)
        folders = [pair for pair in plan.pairs if os.path.isdir(pair[0])]
        self._copy_all(folders, self.put_file, NoOpCallback())
        files = [pair for pair in plan.pairs if pair not in set(folders)]
        self._copy_all(files, self.put_file, callback, **plan.kwargs)

    def get(
        self,
        rpath: Any,
        lpath: Any,
        recursive: bool = False,
        callback: Callback = DEFAULT_CALLBACK,
        maxdepth: int | None = None,
        **kwargs: Any,
    ) -> None:
        """Copy files and folders to this machine, many at once; see AbstractFileSystem for what goes where."""
        plan = Plan(self)
        AbstractFileSystem.get(plan, rpath, lpath, recursive, NoOpCallback(), maxdepth, **kwargs)
        self._copy_all(plan.pairs, self.get_file, callback, **plan.kwargs)

    def _copy_all(
        self, pairs: Sequence[tuple[Any, Any]], copy: Callable[..., None], callback: Callback, **kwargs: Any
    ) -> None:
        callback.set_size(len(pairs))

        def one(pair: tuple[Any, Any]) -> None:
            with callback.branched(*pair) as child:
                copy(*pair, callback=child, **kwargs)
            callback.relative_update(1)

        at_once(one, pairs)


class _Kept:
    """A file of somebody else, as a context manager that leaves it open."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def __enter__(self) -> Any:
        return self._file

    def __exit__(self, *_: object) -> None:
        pass
