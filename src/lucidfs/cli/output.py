"""What a command prints: text for people, one JSON value for programs; names never reach a terminal raw."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime, timezone

import msgspec

_UNITS = "KMGTPE"


def encode(value: object) -> str:
    """A value as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def print_json(value: object) -> None:
    """The whole output of a command with `--json`."""
    print(encode(value))


def shown(text: str) -> str:
    """Text with control characters escaped: a file's name is somebody else's and may hold terminal commands."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


def print_table(rows: Sequence[tuple[str, ...]], right: frozenset[int] = frozenset()) -> None:
    """Columns padded to their widest cell.

    Args:
        rows: cells; all rows have the same length. The first row is the head.
        right: numbers of columns that are set to the right.
    """
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = [
            cell.rjust(w) if i in right else cell.ljust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())


def size_text(size: int) -> str:
    """Bytes for people: 5.2M."""
    if size < 1024:
        return str(size)
    amount, unit = float(size), 0
    while amount >= 1023.95 and unit < len(_UNITS):
        amount /= 1024
        unit += 1
    return f"{amount:.1f}{_UNITS[unit - 1]}"


def time_text(seconds: float) -> str:
    """A time in UTC for people; with its zone, because filespaces are shared between zones."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d %H:%M:%SZ")


def iso_time(seconds: float) -> str:
    """A time for programs: ISO 8601 in UTC."""
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat().replace("+00:00", "Z")


def on_terminal() -> bool:
    """Whether a person watches: only then there is a progress bar."""
    return sys.stderr.isatty()
