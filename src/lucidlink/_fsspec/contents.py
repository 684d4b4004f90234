"""Content: whole files and ranges, many at once, and streams."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from lucidfs.engine.engine import Engine
from lucidfs.limits import BUFFER_BYTES
from lucidlink import _bulk
from lucidlink._buffered import raw_of
from lucidlink._fsspec.layers import Text, compressed
from lucidlink._fsspec.looking import Looking, info_of
from lucidlink._fsspec.places import Info, chosen
from lucidlink._fsspec.transactions import DeferredFile, Whole


class Contents(Looking):
    """Reading and writing files."""

    transaction_type = Whole

    def cat_file(self, path: Any, start: int | None = None, end: int | None = None, **kwargs: Any) -> bytes:
        """Content of a file, or bytes [start, end) of it; negative numbers count from its end."""
        data: bytes = self._run(path, lambda engine, inner: _bulk.read_range(engine, inner, start, end))
        return data

    def cat(self, path: Any, recursive: bool = False, on_error: str = "raise", **kwargs: Any) -> Any:
        """Content of one file, or of many at once by name; see AbstractFileSystem."""
        paths = self.expand_path(path, recursive=recursive)
        if len(paths) == 1 and not isinstance(path, list) and paths[0] == self._strip_protocol(path):
            return self.cat_file(paths[0], **kwargs)
        start, end = kwargs.get("start"), kwargs.get("end")
        if recursive:
            folders = {name for name, info in self._infos(paths).items() if info["type"] == "directory"}
            paths = [each for each in paths if each not in folders]
        found = self._for_each(paths, lambda engine, inner, _: _bulk.read_range(engine, inner, start, end))
        return chosen(found, on_error)

    def _infos(self, paths: Sequence[str]) -> dict[str, Info]:
        async def look(engine: Engine, inner: str, name: str) -> Info:
            return info_of(name, await engine.tree.entry(inner, follow=True))

        return {name: info for name, info in self._for_each(paths, look).items() if not isinstance(info, Exception)}

    def cat_ranges(
        self,
        paths: list[Any],
        starts: Any,
        ends: Any,
        max_gap: int | None = None,
        on_error: str = "return",
        **kwargs: Any,
    ) -> list[Any]:
        """Byte ranges of files, each file opened once, all at once. Neighbours share requests by themselves."""
        if not isinstance(paths, list):
            raise TypeError(f"paths: expected a list, got {type(paths).__name__}")
        first = starts if isinstance(starts, (list, tuple)) else [starts] * len(paths)
        last = ends if isinstance(ends, (list, tuple)) else [ends] * len(paths)
        if len(first) != len(paths) or len(last) != len(paths):
            raise ValueError("starts and ends: as many as paths, or one number for all")
        wanted: dict[str, list[tuple[int, int | None, int | None]]] = {}
        for place, path in enumerate(paths):
            wanted.setdefault(self._strip_protocol(path), []).append((place, first[place], last[place]))
        found = self._for_each(
            list(wanted),
            lambda engine, inner, name: _bulk.read_ranges(engine, inner, [each[1:] for each in wanted[name]]),
        )
        results: list[Any] = [None] * len(paths)
        for name, asked in wanted.items():
            for at, (place, *_) in enumerate(asked):
                results[place] = found[name] if isinstance(found[name], Exception) else found[name][at]
        failed = [result for result in results if isinstance(result, Exception)]
        if failed and on_error == "raise":
            raise failed[0]
        return results

    def pipe_file(self, path: Any, value: Any, mode: str = "overwrite", **kwargs: Any) -> None:
        """Make or replace a file in one step; with mode "create" it must be new."""
        if mode not in ("overwrite", "create"):
            raise ValueError(f"mode: expected 'overwrite' or 'create', got {mode!r}")
        if mode == "create" or self._intrans:
            with self.open(path, "xb" if mode == "create" else "wb") as file:
                file.write(value)
            return
        self._run(path, lambda engine, inner: _bulk.write(engine, inner, memoryview(value).cast("B")))

    def pipe(self, path: Any, value: Any = None, **kwargs: Any) -> None:
        """Make or replace one file, or many at once from a dict."""
        if not isinstance(path, Mapping):
            self.pipe_file(path, value, **kwargs)
            return
        values = {self._strip_protocol(each): data for each, data in path.items()}
        if self._intrans or kwargs.get("mode", "overwrite") != "overwrite":
            for each, data in values.items():
                self.pipe_file(each, data, **kwargs)
            return

        def write(engine: Engine, members: list[tuple[str, str]]) -> Any:
            return _bulk.write_all(engine, [(inner, memoryview(values[key]).cast("B")) for inner, key in members])

        chosen(self._for_all(list(values), write), "raise")

    def open(
        self,
        path: Any,
        mode: str = "rb",
        block_size: int | None = None,
        cache_options: Any = None,
        compression: str | None = None,
        **kwargs: Any,
    ) -> Any:
        """A stream of the SDK on a file; see `Filesystem.open`, whose `lock_type` and `lock_timeout` it takes.

        A `with` block that ends in an exception publishes nothing, in text modes too. In a transaction whatever is
        opened for writing is published when it ends, and with `autocommit=False` by `commit` of the file (in text
        modes of its `buffer`). Options for caches of other drivers (`cache_type` and the like) are ignored.
        """
        deferred = not kwargs.pop("autocommit", not self._intrans) and not set(mode).isdisjoint("wax+")
        text: Info = {name: kwargs.pop(name) for name in ("encoding", "errors", "newline") if name in kwargs}
        if compression is None and not deferred:
            return self._opened(path, mode, block_size, {} if "b" in mode else text, **kwargs)
        binary = mode.replace("t", "").replace("b", "") + "b"
        below: Any = self._opened(path, binary, block_size, {}, **kwargs)
        if deferred:
            below = DeferredFile(below, self, self._strip_protocol(path))
            if self._intrans:
                self.transaction.files.append(below)
        if compression is not None:
            below = compressed(below, self._strip_protocol(path), compression, mode[0])
        return below if "b" in mode else Text(below, **{"encoding": "utf-8", **text})

    def _open(self, path: str, mode: str = "rb", block_size: int | None = None, **kwargs: Any) -> Any:
        return self.open(path, mode, block_size, **kwargs)

    def _opened(self, path: Any, mode: str, block_size: int | None, text: Info, **kwargs: Any) -> Any:
        locks = {name: kwargs.pop(name) for name in ("lock_type", "lock_timeout") if name in kwargs}
        fs, inner = self._place(path)
        buffering = block_size if isinstance(block_size, int) and block_size > 1 else BUFFER_BYTES
        with self._naming(path):
            try:
                stream = fs.open(inner, mode, buffering, **text, **locks)
            except FileNotFoundError:
                if mode[0] not in "wax":
                    raise
                self.makedirs(self._parent(path), exist_ok=True)
                stream = fs.open(inner, mode, buffering, **text, **locks)
        _describe(stream, self, self._strip_protocol(path))
        return stream

    def touch(self, path: Any, truncate: bool = True, **kwargs: Any) -> None:
        """Make an empty file, or with `truncate` empty one. The time of a file cannot be set otherwise."""
        if truncate:
            self.pipe_file(path, b"")
        elif not self.exists(path):
            self.pipe_file(path, b"", mode="create")
        else:
            raise NotImplementedError("the modification time of a file is that of its last change")


def _describe(stream: Any, fs: Contents, path: str) -> None:
    """What users of fsspec ask a file about."""
    stream.fs, stream.path, stream.full_name = fs, path, fs.unstrip_protocol(path)
    raw = raw_of(stream)
    raw.warns = not raw.readable() or raw.writable()  # pyarrow and duckdb drop their readers without a close
    stream.size = raw.size_seen
    stream.blocksize = BUFFER_BYTES
    stream.autocommit = True
    stream.info = functools.partial(fs.info, path)
