"""What happens to this package in a forked child: everything that is alive is told, then rebuilds itself when used.

A child has none of the parent's threads, and shares its sockets. So it must neither use nor close anything of the
parent's engines: they are kept, untouched, for as long as the child lives. Locks are made anew, because another
thread of the parent may have held one at the fork.
"""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Forkable(Protocol):
    """Something that must know that it is in a child now."""

    def after_fork(self) -> None:
        """Called in the child, with no other thread running; must not block or raise."""
        ...


_alive: weakref.WeakSet[Forkable] = weakref.WeakSet()
_inherited: list[object] = []


def watch(thing: Forkable) -> None:
    """Tell `thing` about forks for as long as it is alive."""
    _alive.add(thing)


def keep(thing: object) -> None:
    """Never collect `thing`: its finalizers would act on what belongs to the parent."""
    _inherited.append(thing)


def _in_child() -> None:
    for thing in list(_alive):
        thing.after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_in_child)
