"""What an interrupted copy had finished, so that the same command goes on where it stopped.

A record is a file of lines. The first says whether the target was a folder to copy into: after the first run it is one
in any case, and the same command must mean the same. Then one for each file that was copied: where from, where to, and
a mark of what either side held. A mark (`Side.mark`) changes with the content: node and revision in a filespace; inode,
size and modification time on this machine. A file is skipped only if both marks are still what they were, so whatever
changed since, on either side, is copied again. A copy that succeeds deletes its record; without one all is copied.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple


class Copied(NamedTuple):
    """What the two sides held when a file had been copied."""

    source: str
    target: str


class Record:
    """The files that one command copied. Any thread may use it.

    Args:
        path: of the record; None, or a place that cannot be written, records nothing.

    Attributes:
        into: whether the unfinished run copied into its target; None when there was none.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self.into, self._known = _read(path) if path is not None else (None, {})
        self._file: int | None = None

    @classmethod
    def of(cls, command: Sequence[str]) -> Record:
        """The record of a command, told by everything that decides what it copies where."""
        name = hashlib.sha256("\0".join(command).encode("utf-8", "surrogateescape")).hexdigest()[:32]
        return cls(_folder() / f"{name}.jsonl")

    def begin(self, into: bool) -> None:
        """A run begins that copies into its target, or makes it."""
        if self.into is None:
            self.into = into
            self._write([into])

    def find(self, source: str, target: str) -> Copied | None:
        """What was noted of a file; None when it was not copied yet."""
        return self._known.get((source, target))

    def note(self, source: str, target: str, copied: Copied) -> None:
        """A file was copied."""
        self._write([source, target, *copied])

    def _write(self, line: list[str] | list[bool]) -> None:
        if self._path is None:
            return
        with self._lock, contextlib.suppress(OSError):  # without a record the next run only does more
            if self._file is None:
                self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            os.write(self._file, json.dumps(line).encode() + b"\n")

    def close(self, complete: bool) -> None:
        """End it. `complete`: everything was copied, there is nothing to resume."""
        with self._lock, contextlib.suppress(OSError):
            if self._file is not None:
                os.close(self._file)
                self._file = None
            if complete and self._path is not None:
                self._path.unlink(missing_ok=True)


def _folder() -> Path:
    state = os.environ.get("XDG_STATE_HOME", "")
    return (Path(state) if os.path.isabs(state) else Path.home() / ".local" / "state") / "lucid" / "copies"


def _read(path: Path) -> tuple[bool | None, dict[tuple[str, str], Copied]]:
    """Every whole line; the last one may be torn."""
    into, known = None, {}
    with contextlib.suppress(OSError):
        for line in path.read_text().splitlines():
            with contextlib.suppress(ValueError, TypeError):
                source, *others = json.loads(line)
                if isinstance(source, bool):
                    into = source
                elif into is not None:
                    known[source, others[0]] = Copied(*others[1:])
    return into, known
