"""Walks a folder of a filespace: level by level, many folders at once, because each listing is a round trip."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from lucidlink import DirEntry, Filesystem


class Found(NamedTuple):
    """One entry below the folder that was walked.

    Args:
        path: absolute in the filespace.
        relative: below the folder.
        entry: as its folder lists it.
    """

    path: str
    relative: str
    entry: DirEntry


def walk(fs: Filesystem, top: str, jobs: int, depth: int | None = None) -> Iterator[Found]:
    """Everything below a folder, folders before what is in them; links are not followed.

    Args:
        fs: the filespace.
        top: absolute path of the folder.
        jobs: listings at once.
        depth: levels below `top`; None: all.

    Raises:
        FileNotFoundError, NotADirectoryError: `top` is not a folder. Folders that vanish meanwhile are left out.
    """
    with ThreadPoolExecutor(jobs, thread_name_prefix="lucid-list") as pool:
        level = [("", fs.read_dir(top))]
        while level:
            folders = []
            for relative, entries in level:
                for entry in entries:
                    below = posixpath.join(relative, entry.name)
                    yield Found(posixpath.join(top, below), below, entry)
                    if entry.is_dir():
                        folders.append(below)
            if depth is not None:
                depth -= 1
                if depth <= 0:
                    return
            level = list(
                zip(folders, pool.map(lambda below: _list(fs, posixpath.join(top, below)), folders), strict=True)
            )


def _list(fs: Filesystem, path: str) -> list[DirEntry]:
    try:
        return fs.read_dir(path)
    except (FileNotFoundError, NotADirectoryError):  # deleted or replaced since its parent was listed
        return []
