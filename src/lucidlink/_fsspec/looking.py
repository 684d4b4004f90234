"""Looking at the tree: what is there, where, how large and how old."""

from __future__ import annotations

import errno
import posixpath
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from typing import Any

from fsspec import AbstractFileSystem

from lucidfs.engine.node import Node
from lucidfs.types import Kind
from lucidlink import _bulk
from lucidlink._fsspec.places import Info, Places

_NS = 1_000_000_000
_FOLDER, _LINK = Kind.FOLDER, Kind.LINK  # looking them up in the enum takes a tenth of the time of an entry


class Looking(Places):
    """What changes nothing and reads no content."""

    def info(self, path: Any, **kwargs: Any) -> Info:
        """Name, type, size, created, mtime, ino and revision; links are followed, and `islink` tells of one."""
        name = self._strip_protocol(path)
        workspace, filespace, inner = self._locate(path)
        if not filespace:
            known = self._client().workspace.name
            if workspace and workspace != known:
                raise FileNotFoundError(errno.ENOENT, "no such workspace", name)
            return _folder_info(name)
        node, link = self._run(path, _bulk.what_is_there)
        return info_of(name, node, link) if inner != "/" else _folder_info(name, node)

    def exists(self, path: Any, **kwargs: Any) -> bool:
        """Whether something is there. What prevents an answer is raised, not taken for a no."""
        return self._type(path) is not None

    def isfile(self, path: Any) -> bool:
        """Whether it is a file."""
        return self._type(path) == "file"

    def isdir(self, path: Any) -> bool:
        """Whether it is a folder."""
        return self._type(path) == "directory"

    def _type(self, path: Any) -> str | None:
        try:
            kind: str = self.info(path)["type"]
        except (FileNotFoundError, NotADirectoryError):
            return None
        return kind

    def ls(self, path: Any, detail: bool = True, **kwargs: Any) -> list[Any]:
        """Entries of a folder, sorted; of a file, itself. A link is shown as one ("link"), where it leads by `info`."""
        name = self._strip_protocol(path)
        workspace, filespace, _ = self._locate(path)
        if not filespace:
            infos = self._ls_above(name, workspace)
        else:
            try:
                nodes = self._run(path, lambda engine, inner: engine.tree.list(inner))
                infos = [info_of(f"{name}/{node.name}", node) for node in nodes]
            except NotADirectoryError:
                infos = [self.info(path)]
        return infos if detail else [info["name"] for info in infos]

    def _ls_above(self, name: str, workspace: str) -> list[Info]:
        shared = self._client()
        if not workspace:
            return [_folder_info(shared.workspace.name)]
        if workspace != shared.workspace.name:
            raise FileNotFoundError(errno.ENOENT, "no such workspace", name)
        return [_folder_info(f"{name}/{each.name}") for each in shared.workspace.list_filespaces()]

    def find(
        self, path: Any, maxdepth: int | None = None, withdirs: bool = False, detail: bool = False, **kwargs: Any
    ) -> Any:
        """Everything below a path, one round trip for each page of the tree; see AbstractFileSystem."""
        name = self._strip_protocol(path)
        if not self._locate(path)[1]:
            return super().find(path, maxdepth, withdirs, detail, **kwargs)
        try:
            top, found = self._run(path, lambda engine, inner: _bulk.tree(engine, inner, maxdepth))
        except (FileNotFoundError, NotADirectoryError):
            return {} if detail else []
        infos = {f"{name}/{below}": node for below, node in found.items() if withdirs or node.kind is not _FOLDER}
        if not top.is_folder or withdirs:
            infos[name] = top
        names = sorted(infos)
        return {each: info_of(each, infos[each]) for each in names} if detail else names

    def walk(
        self, path: Any, maxdepth: int | None = None, topdown: bool = True, on_error: Any = "omit", **kwargs: Any
    ) -> Iterator[Any]:
        """As `os.walk`, of the tree as it was found at the start; see AbstractFileSystem."""
        if not self._locate(path)[1]:
            yield from super().walk(path, maxdepth, topdown, on_error, **kwargs)
            return
        try:
            infos = self.find(path, maxdepth, withdirs=True, detail=True)
            if not infos:
                raise FileNotFoundError(errno.ENOENT, "no such file or folder", self._strip_protocol(path))
        except OSError as error:
            if on_error == "raise":
                raise
            if callable(on_error):
                on_error(error)
            return
        yield from _Snapshot(infos).walk(self._strip_protocol(path), maxdepth, topdown, on_error, **kwargs)

    def du(
        self, path: Any, total: bool = True, maxdepth: int | None = None, withdirs: bool = False, **kwargs: Any
    ) -> Any:
        """Bytes of the files below a path, together or by name."""
        if not self._locate(path)[1]:
            return super().du(path, total, maxdepth, withdirs, **kwargs)
        sizes = {name: info["size"] for name, info in self.find(path, maxdepth, withdirs, detail=True).items()}
        return sum(sizes.values()) if total else sizes

    def created(self, path: Any) -> datetime:
        """When it was made, in UTC."""
        return _time(self.info(path)["created"])

    def modified(self, path: Any) -> datetime:
        """When its content was last published, in UTC."""
        return _time(self.info(path)["mtime"])

    def ukey(self, path: Any) -> str:
        """Changes exactly when the content does."""
        info = self.info(path)
        return f"{info.get('ino', 0):016x}:{info.get('revision', 0)}"

    def checksum(self, path: Any) -> int:
        """`ukey` as a number."""
        node, _, revision = self.ukey(path).partition(":")
        return int(node, 16) << 64 | int(revision)


class _Snapshot:
    """A tree that was found, for `AbstractFileSystem.walk`."""

    walk = AbstractFileSystem.walk

    def __init__(self, infos: Mapping[str, Info]) -> None:
        self._entries: dict[str, list[Info]] = {}
        for name, info in infos.items():
            if info["type"] == "directory":
                self._entries.setdefault(name, [])
            self._entries.setdefault(posixpath.dirname(name), []).append(info)

    def _strip_protocol(self, path: str) -> str:
        return path

    def ls(self, path: str, detail: bool = True, **kwargs: Any) -> list[Info]:
        return self._entries[path]


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.utc)


def _folder_info(name: str, node: Node | None = None) -> Info:
    known = {} if node is None else info_of(name, node)
    return {**known, "name": name, "size": 0, "type": "directory"}


def info_of(name: str, node: Node, link: Node | None = None) -> Info:
    folder = node.kind is _FOLDER
    shown = link or node
    info: Info = {
        "name": name,
        "size": 0 if folder else node.size,
        "type": "directory" if folder else "link" if node.kind is _LINK else "file",
        "created": node.ctime_ns / _NS,
        "mtime": node.mtime_ns / _NS,
        "ino": node.id,
        "revision": node.version if folder else node.revision,
        "islink": shown.kind is _LINK,
    }
    if shown.target is not None:
        info["destination"] = shown.target
    return info
