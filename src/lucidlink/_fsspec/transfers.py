"""To and from this machine: many files at once, with fsspec's callbacks for progress."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from fsspec import AbstractFileSystem
from fsspec.callbacks import DEFAULT_CALLBACK, Callback, NoOpCallback

from lucidfs.limits import SMALL_BYTES_MAX
from lucidlink import _bulk
from lucidlink._fsspec.changes import COPY_BYTES, Changes, Plan, at_once

_BATCH = 512  # small files in memory at once: 64 MiB at most


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
        batched = not self._intrans and plan.kwargs.get("mode", "overwrite") == "overwrite"
        folders: list[tuple[Any, Any]] = []
        small: list[tuple[Any, Any]] = []
        others: list[tuple[Any, Any]] = []
        for pair in plan.pairs:
            if os.path.isdir(pair[0]):
                folders.append(pair)
            elif batched and os.path.getsize(pair[0]) <= SMALL_BYTES_MAX:
                small.append(pair)
            else:
                others.append(pair)
        self._copy_all(folders, self.put_file, NoOpCallback())
        callback.set_size(len(small) + len(others))
        self._put_small(small, callback)
        self._copy_all(others, self.put_file, callback, **plan.kwargs)

    def _put_small(self, pairs: Sequence[tuple[Any, Any]], callback: Callback) -> None:
        """All requests at once on one connection, instead of a thread that waits for each file."""
        for batch in _batches(pairs):
            contents = {target: Path(source).read_bytes() for source, target in batch}
            self.pipe(contents)
            for source, target in batch:
                _done(callback, source, target, len(contents[target]))

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
        callback.set_size(len(plan.pairs))
        pairs = plan.pairs if len(plan.pairs) == 1 else self._get_small(plan.pairs, callback)
        self._copy_all(pairs, self.get_file, callback, **plan.kwargs)

    def _get_small(self, pairs: Sequence[tuple[Any, Any]], callback: Callback) -> list[tuple[Any, Any]]:
        """As `_put_small`. Returns the pairs that it left: large files, folders, what cannot be read."""
        left = []
        for batch in _batches(pairs):
            found = self._for_each(
                [self._strip_protocol(source) for source, _ in batch],
                lambda engine, inner, _: _bulk.read_small(engine, inner, SMALL_BYTES_MAX),
            )
            for folder in {os.path.dirname(os.path.abspath(target)) for _, target in batch}:
                os.makedirs(folder, exist_ok=True)
            for source, target in batch:
                data = found[self._strip_protocol(source)]
                if isinstance(data, bytes):
                    Path(target).write_bytes(data)
                    _done(callback, source, target, len(data))
                else:
                    left.append((source, target))
        return left

    def _copy_all(
        self, pairs: Sequence[tuple[Any, Any]], copy: Callable[..., None], callback: Callback, **kwargs: Any
    ) -> None:
        def one(pair: tuple[Any, Any]) -> None:
            with callback.branched(*pair) as child:
                copy(*pair, callback=child, **kwargs)
            callback.relative_update(1)

        at_once(one, pairs)


def _batches(pairs: Sequence[tuple[Any, Any]]) -> Iterator[Sequence[tuple[Any, Any]]]:
    return (pairs[start : start + _BATCH] for start in range(0, len(pairs), _BATCH))


def _done(callback: Callback, source: Any, target: Any, size: int) -> None:
    """Tell of one file that it is there, whole."""
    with callback.branched(source, target) as child:
        child.set_size(size)
        child.relative_update(size)
    callback.relative_update(1)


class _Kept:
    """A file of somebody else, as a context manager that leaves it open."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def __enter__(self) -> Any:
        return self._file

    def __exit__(self, *_: object) -> None:
        pass
