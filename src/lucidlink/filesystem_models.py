"""Values about files: entries, sizes, statistics, locks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DirEntry:
    """A file, folder or link.

    Attributes:
        name: last part of the path; "/" for the root.
        size: bytes; 0 for folders.
        type: "file", "dir", "link" or "unknown".
        file_id: number that stays the same through moves.
        file_id_external: not 0 for a file that lives in a data store of the user.
        ctime: when it was made, Unix seconds.
        mtime: when its content (a folder: its entries) last changed, Unix seconds.
    """

    name: str
    size: int
    type: str
    file_id: int
    file_id_external: int
    ctime: float
    mtime: float

    def is_file(self) -> bool:
        return self.type == "file"

    def is_dir(self) -> bool:
        return self.type == "dir"

    def is_link(self) -> bool:
        return self.type == "link"


@dataclass(frozen=True)
class FilespaceSize:
    """Bytes of a filespace.

    Attributes:
        entries: metadata (sealed names, link targets, content maps).
        data: sum of file sizes.
        storage: sealed bytes that files take in database and object store.
        external_files_size: bytes of external files.
        external_files_count: number of external files.
    """

    entries: int
    data: int
    storage: int
    external_files_size: int
    external_files_count: int


@dataclass(frozen=True)
class FilespaceStatistics:
    """Counts and bytes of a filespace; sizes as in `FilespaceSize`."""

    file_count: int
    directory_count: int
    symlink_count: int
    entries_size: int
    data_size: int
    storage_size: int
    external_files_size: int
    external_files_count: int


@dataclass(frozen=True)
class LockInfo:
    """A lock that somebody holds, or waits for.

    Attributes:
        handle_id: handle of the holder's client; equal to `stream.handle_id` for a lock of this client.
        account: name of the service account that holds it.
        lock_type: "shared" or "exclusive".
        offset: first byte.
        length: number of bytes; 0: to the end, however far.
        waiting: True while it is asked for and not granted.
        since: Unix seconds of the grant (waiting: of the request).
        session: number of the holding client's session.
    """

    handle_id: int
    account: str
    lock_type: str
    offset: int
    length: int
    waiting: bool
    since: float
    session: int


__all__ = ["DirEntry", "FilespaceSize", "FilespaceStatistics", "LockInfo"]
