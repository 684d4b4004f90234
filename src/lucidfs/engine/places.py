"""Where folders were when they were last seen: guesses that the hub checks, so that a new file costs one round trip.

A guess is never trusted: the request that builds on it carries the path, and the hub refuses it (STALE) when the path
leads elsewhere now. Names that were seen to exist are remembered too: there the guess "it is new" would cost more than
it saves. Belongs to the loop's thread.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import TypeVar

from lucidfs.engine.node import Node

_FOLDERS_MAX = 4096
_TAKEN_MAX = 65_536  # paths; about 10 MiB

_T = TypeVar("_T")
_Names = tuple[str, ...]


class Places:
    """Folders and taken names of one filespace, by their names from the linked root."""

    def __init__(self) -> None:
        self._folders: OrderedDict[_Names, Node] = OrderedDict()
        self._taken: OrderedDict[_Names, None] = OrderedDict()

    def saw(self, names: Sequence[str], node: Node | None, folder: Node | None) -> None:
        """A walk without links ended here: at a node, or in the folder that does not hold it."""
        path = tuple(names)
        if node is not None and node.is_folder:
            _keep(self._folders, path, node, _FOLDERS_MAX)
        if not path:
            return
        if folder is not None:
            _keep(self._folders, path[:-1], folder, _FOLDERS_MAX)
        if node is None:
            self._taken.pop(path, None)
        else:
            self.taken(path)

    def taken(self, names: Sequence[str]) -> None:
        """There is something of this name."""
        _keep(self._taken, tuple(names), None, _TAKEN_MAX)

    def gone(self, names: Sequence[str]) -> None:
        """A guess about the folder of this path was wrong."""
        self._folders.pop(tuple(names[:-1]), None)

    def folder_for(self, names: Sequence[str]) -> Node | None:
        """The folder in which a file of this path is probably made new; None when nothing is known."""
        path = tuple(names)
        if not path or path in self._taken:
            return None
        return self._folders.get(path[:-1])


def _keep(kept: OrderedDict[_Names, _T], path: _Names, value: _T, most: int) -> None:
    kept[path] = value
    kept.move_to_end(path)
    if len(kept) > most:
        kept.popitem(last=False)
