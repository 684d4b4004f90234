"""How commands show an entry: as JSON, and as a mark behind its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lucidfs.cli.output import iso_time, shown
from lucidfs.types import id_text

if TYPE_CHECKING:
    from lucidlink import DirEntry

_MARKS = {"dir": "/", "link": "@"}


def entry_json(entry: DirEntry, url: str) -> dict[str, Any]:
    """An entry for programs; times are ISO 8601, sizes bytes."""
    return {
        "name": entry.name,
        "url": url,
        "type": entry.type,
        "size": entry.size,
        "id": id_text(entry.file_id),
        "created": iso_time(entry.ctime),
        "modified": iso_time(entry.mtime),
    }


def marked(entry: DirEntry) -> str:
    """Its name, safe for a terminal, with `/` behind folders and `@` behind links."""
    return shown(entry.name) + _MARKS.get(entry.type, "")
