"""From a URL to a filespace and a path in it, and work on its engine: what all other parts stand on."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

from fsspec import AbstractFileSystem

from lucidfs.engine.engine import Engine
from lucidfs.errors import Fault
from lucidlink import _bulk
from lucidlink._link import Link
from lucidlink._paths import to_builtin
from lucidlink._sharing import Shared
from lucidlink.filesystem import Filesystem

Info = dict[str, Any]
Coroutine = Any  # of an engine's loop


class Places(AbstractFileSystem):
    """Paths of the form `workspace/filespace/path`, and what they lead to."""

    protocol: ClassVar[str] = "lucidlink"
    root_marker: ClassVar[str] = ""

    def _client(self) -> Shared:
        """The client that serves this instance. Overridden by whoever has the options."""
        raise NotImplementedError

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        """`workspace/filespace/path`, without a slash at either end, for each form of a URL."""
        if isinstance(path, list):
            return [cls._strip_protocol(each) for each in path]
        text = os.fspath(path)
        for prefix in ("lucidlink://", "lucidlink::"):
            text = text.removeprefix(prefix)
        parts = [part for part in text.split("/") if part not in ("", ".")]
        if parts and "." in parts[0].strip("."):
            filespace, _, workspace = parts[0].partition(".")
            parts[:1] = [workspace, filespace]
        return "/".join(parts)

    @classmethod
    def _get_kwargs_from_urls(cls, path: str) -> Info:
        return {}

    def unstrip_protocol(self, name: str) -> str:
        return f"lucidlink://{self._strip_protocol(name)}"

    def _locate(self, path: Any) -> tuple[str, str, str]:
        """Workspace, filespace and the path in it (`/` and more); empty where the path is shorter than that."""
        workspace, _, rest = self._strip_protocol(path).partition("/")
        filespace, _, inner = rest.partition("/")
        return workspace, filespace, f"/{inner}" if filespace else ""

    def _place(self, path: Any) -> tuple[Filesystem, str]:
        """The filesystem that a path is in, and the path there. Raises FileNotFoundError; PermissionError."""
        workspace, filespace, inner = self._locate(path)
        shared = self._client()
        if not filespace or workspace != shared.workspace.name:
            raise FileNotFoundError(errno.ENOENT, "no such workspace or filespace", self._strip_protocol(path))
        with self._naming(path):
            return shared.filespace(filespace).fs, inner

    @contextmanager
    def _naming(self, path: Any) -> Iterator[None]:
        """Refusals inside name the path as this driver's users write it."""
        try:
            yield
        except OSError as error:
            if error.filename is not None:
                error.filename = self._strip_protocol(path)
            raise

    def _run(self, path: Any, work: Callable[[Engine, str], Coroutine]) -> Any:
        """Run a coroutine on a path's engine; its refusals are builtins that name the path."""
        fs, inner = self._place(path)
        return fs._link.call(lambda engine: work(engine, inner), self._strip_protocol(path))

    def _for_each(self, keys: Sequence[str], work: Callable[[Engine, str, str], Coroutine]) -> dict[str, Any]:
        """What `work(engine, path in the filespace, key)` made of each path, all at once; refusals as exceptions."""
        return self._for_all(keys, lambda engine, members: _bulk.each(lambda member: work(engine, *member), members))

    def _for_all(
        self, keys: Sequence[str], work: Callable[[Engine, list[tuple[str, str]]], Coroutine]
    ) -> dict[str, Any]:
        """As `_for_each`, for `work` that takes all (path in the filespace, key) of one filespace in one call."""
        groups: dict[Link, list[tuple[str, str]]] = {}
        results: dict[str, Any] = {}
        for key in keys:
            try:
                fs, inner = self._place(key)
                groups.setdefault(fs._link, []).append((inner, key))
            except OSError as error:
                results[key] = error
        for link, members in groups.items():
            found = link.call(lambda engine, m=members: work(engine, m))  # type: ignore[misc]
            for (_, key), result in zip(members, found, strict=True):
                results[key] = to_builtin(result, key) if isinstance(result, Fault) else result
        return {key: results[key] for key in keys}


def chosen(found: dict[str, Any], on_error: str) -> dict[str, Any]:
    """What `on_error` wants of results among which there may be exceptions."""
    if on_error == "return":
        return found
    failed = [result for result in found.values() if isinstance(result, Exception)]
    if failed and on_error == "raise":
        raise failed[0]
    return {name: result for name, result in found.items() if not isinstance(result, Exception)}
