"""What a writer was told is done, on disk before it goes on, and what must therefore be there after any crash.

One journal belongs to one writer with one folder of its own. It holds JSON lines: an operation before it is asked for,
`true` after it returned, `false` after it was refused with an error that says that it was not applied.
"""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any, NamedTuple

Operation = list[Any]
State = dict[str, "bytes | None"]  # files with their content, folders with None
LINE = "{:>8} {:>8}\n"  # of the log that all writers share: who, which


def content(seed: int, size: int) -> bytes:
    """Bytes that no other seed makes, and that do not compress."""
    return random.Random(seed).randbytes(size)


def apply(state: State, operation: Operation) -> None:
    """What an operation does to the writer's folder, as a local disk would do it."""
    kind, name, *more = operation
    if kind in ("write", "create", "stream"):
        state[name] = content(*more)
    elif kind == "append":
        state[name] = _file(state, name) + content(*more)
    elif kind == "patch":
        offset, seed, size = more
        new = content(seed, size)
        old = _file(state, name)
        state[name] = old[:offset] + new + old[offset + size :]
    elif kind == "truncate":
        state[name] = _file(state, name)[: more[0]].ljust(more[0], b"\0")
    elif kind == "folder":
        state[name] = None
    elif kind == "delete":
        del state[name]
    elif kind == "move":
        state[more[0]] = state.pop(name)
    else:
        assert kind == "line", kind


def _file(state: State, name: str) -> bytes:
    found = state[name]
    assert found is not None
    return found


class Journal:
    """The writer's side.

    Args:
        path: a file that is not there yet.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def note(self, what: Operation | bool) -> None:
        """On disk when this returns."""
        os.write(self._file, json.dumps(what).encode() + b"\n")
        os.fsync(self._file)


class Account(NamedTuple):
    """What a journal tells.

    Attributes:
        states: the folder is in one of these: the last operation may have been applied when nobody heard of it.
        lines: numbers of the lines in the shared log that were acknowledged, in order.
        open_line: one that may be there or not; else -1.
        done, refused: how many operations.
    """

    states: list[State]
    lines: list[int]
    open_line: int
    done: int
    refused: int


def read(path: Path) -> Account:
    """Replay a journal, whose last line may be torn."""
    state: State = {}
    lines: list[int] = []
    waiting: Operation | None = None
    done = refused = 0
    for text in path.read_bytes().split(b"\n")[:-1]:
        entry = json.loads(text)
        if not isinstance(entry, bool):
            assert waiting is None, f"{path}: two operations at once"
            waiting = entry
            continue
        assert waiting is not None
        if entry:
            done += 1
            apply(state, waiting)
            if waiting[0] == "line":
                lines.append(waiting[2])
        else:
            refused += 1
        waiting = None
    states, open_line = [state], -1
    if waiting is not None:
        states.append(dict(state))
        apply(states[1], waiting)
        open_line = waiting[2] if waiting[0] == "line" else -1
    return Account(states, lines, open_line, done, refused)
