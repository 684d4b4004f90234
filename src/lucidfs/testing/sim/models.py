"""The subjects of a run as models: a dict would hold each of these states under its path."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lucidfs.testing.sim.history import NEVER, Model, Op


class WholeFile(Model):
    """A file that is only ever replaced whole, made and deleted. State: None, or the number of its content."""

    first: Any = None

    def after(self, state: Any, op: Op) -> Iterator[Any]:
        if op.name == "read":
            yield from _if(state is None if op.outcome == "NOT_FOUND" else state == op.result, state)
        elif op.name == "delete":
            if op.outcome == "NOT_FOUND":
                yield from _if(state is None, state)
            else:
                yield from _if(state is not None, None)
        elif op.name == "create":  # exclusively
            if op.outcome == "EXISTS":
                yield from _if(state is not None, state)
            else:
                yield from _if(state is None, op.args[0])
        else:  # write, replace, copy
            yield op.args[0]


class Slots(Model):
    """A file of slots that are written in place. State: their numbers; its length is the file's."""

    def __init__(self, count: int) -> None:
        self.first: Any = (0,) * count

    def after(self, state: Any, op: Op) -> Iterator[Any]:
        if op.name == "read":
            yield from _if(op.outcome == "ok" and state == op.result, state)
        elif op.name == "cut":
            size: Any = op.args[0]
            yield (*state[:size], *(0,) * (size - len(state)))
        else:  # patch
            slots = list(state)
            patch: Any = op.args[0]
            for at, number in patch:
                slots += [0] * (at + 1 - len(slots))
                slots[at] = number
            yield tuple(slots)


class Log(Model):
    """A file that is only appended to, made and deleted. State: the numbers of its entries, None: it is not there.

    Args:
        there: whether it is there at the beginning.
    """

    def __init__(self, there: bool = True) -> None:
        self.first: Any = () if there else None
        self._last: Any = None

    def foresee(self, ops: list[Op]) -> None:
        """A log that is never deleted only grows, so whatever it was is how the last read begins."""
        last = max(ops, key=lambda op: -1 if op.ended == NEVER else op.ended, default=None)
        if last is not None and last.name == "read" and not any(op.name == "delete" for op in ops):
            self._last = last.result

    def after(self, state: Any, op: Op) -> Iterator[Any]:
        if op.outcome == "NOT_FOUND":  # also of an append whose file was deleted under it
            yield from _if(state is None, state)
        elif op.name == "read":
            yield from _if(state == op.result, state)
        elif op.name == "delete":
            yield from _if(state is not None, None)
        else:  # append
            after = (*(state or ()), *op.args)
            yield from _if(self._last is None or after == self._last[: len(after)], after)


class Counter(Model):
    """A file that is read and written under an exclusive lock. State: its number."""

    first: Any = 1

    def after(self, state: Any, op: Op) -> Iterator[Any]:
        if op.name == "read" or (op.name == "add" and op.outcome == "ok"):
            allowed = op.outcome == "ok" and state == op.result
        else:
            allowed = True
        yield from _if(allowed, state if op.name == "read" else state + 1)


class Folder(Model):
    """A folder with what is in it, two levels deep. State: paths of files, links and folders (these end in a slash).

    An error may be any that is true at that moment: which of two true ones is told is not promised.
    """

    first: Any = frozenset()

    def after(self, state: Any, op: Op) -> Iterator[Any]:
        if op.outcome in ("ok", "unknown"):
            yield from getattr(self, "_" + op.name)(state, op)
        else:
            paths: Any = op.args
            yield from _if(any(_is_true(op.outcome, state, path) for path in paths), state)

    def _list(self, state: Any, op: Op) -> Iterator[Any]:
        names = frozenset(path for path in state if "/" not in path[:-1])
        yield from _if(op.result == names, state)

    def _mkdir(self, state: Any, op: Op) -> Iterator[Any]:
        path: Any = op.args[0]
        yield from _if(not _there(state, path), state | {path + "/"})

    def _create(self, state: Any, op: Op) -> Iterator[Any]:
        path: Any = op.args[0]
        yield from _if(not _there(state, path) and _parent_there(state, path), state | {path})

    _link = _create

    def _delete(self, state: Any, op: Op) -> Iterator[Any]:
        path: Any = op.args[0]
        yield from _if(path in state, state - {path})

    def _rmdir(self, state: Any, op: Op) -> Iterator[Any]:
        path: Any = op.args[0]
        inside = {each for each in state if each.startswith(path + "/")}
        yield from _if(path + "/" in state, state - inside)

    def _move(self, state: Any, op: Op) -> Iterator[Any]:
        source: Any = op.args[0]
        target: Any = op.args[1]
        allowed = source in state and not _there(state, target) and _parent_there(state, target)
        yield from _if(allowed, (state - {source}) | {target})


def _is_true(code: str, state: Any, path: str) -> bool:
    if code == "EXISTS":
        return _there(state, path)
    if code == "NOT_FOUND":
        return not _there(state, path) or not _parent_there(state, path)
    return False


def _there(state: Any, path: str) -> bool:
    return path in state or path + "/" in state


def _parent_there(state: Any, path: str) -> bool:
    return "/" not in path or path.rpartition("/")[0] + "/" in state


def _if(allowed: bool, state: Any) -> Iterator[Any]:
    if allowed:
        yield state
