"""Keeps a folder of a filespace like a prefix of a bucket: links what is new, follows what changed, unlinks what went.

What is linked already stands in a temporary SQLite file meanwhile, not in memory; the bucket is listed once, page by
page. Objects are told apart by their ETags: times and sizes can be the same for other bytes.
"""

from __future__ import annotations

import posixpath
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from lucidfs.limits import LINKS_PER_REQUEST_MAX
from lucidfs.objects.s3.client import S3Object

if TYPE_CHECKING:
    from lucidlink import ConnectManager
    from lucidlink.connect_models import ExternalFile


class Mirrored(NamedTuple):
    """What one round did, or would do."""

    objects: int = 0  # seen in the bucket
    linked: int = 0
    changed: int = 0
    unlinked: int = 0
    vanished: int = 0  # linked, and no longer in the bucket; unlinked only when that was asked for
    skipped: int = 0  # their paths are taken by something else, or no paths: told one by one


class Report(NamedTuple):
    """What is told while a round runs."""

    change: Callable[[str, str], None]  # verb, path
    progress: Callable[[int], None]  # objects seen so far


def mirror(
    connect: ConnectManager,
    store: str,
    objects: Iterable[S3Object],
    prefix: str,
    folder: str,
    *,
    delete: bool,
    dry_run: bool,
    report: Report,
) -> Mirrored:
    """One round.

    Args:
        connect: of the filespace.
        store: name of the data store that the objects are in.
        objects: what the bucket holds below the prefix; taken as it comes.
        prefix: of the keys; what follows it is the path below `folder`.
        folder: absolute path in the filespace.
        delete: unlink files whose objects are gone.
        dry_run: change nothing.
        report: told what happens.

    Raises:
        OSError, RuntimeError: as `ConnectManager` does.
    """
    with tempfile.TemporaryDirectory(prefix="lucid-mirror-") as temporary:
        known = _Known(Path(temporary) / "links.sqlite")
        try:
            known.load(file for file in connect.iter_external_files(store) if _is_below(file.path, folder))
            round_ = _Round(connect, store, prefix, folder, known, dry_run, report)
            for page in _pages(objects):
                round_.page(page)
            round_.vanished(delete)
            return round_.done
        finally:
            known.close()


class _Round:
    def __init__(
        self,
        connect: ConnectManager,
        store: str,
        prefix: str,
        folder: str,
        known: _Known,
        dry_run: bool,
        report: Report,
    ) -> None:
        self.done = Mirrored()
        self._connect = connect
        self._store = store
        self._prefix = prefix
        self._folder = folder
        self._known = known
        self._dry_run = dry_run
        self._report = report

    def page(self, objects: list[S3Object]) -> None:
        """Link and follow up to a thousand objects."""
        new: list[tuple[str, str, str, int, str]] = []
        for found in objects:
            path = path_of(found.key, self._prefix, self._folder)
            if path is None:
                if not found.key.endswith("/"):  # those are what consoles make for folders
                    self._skip(found.key, "is no path")
                continue
            before = self._known.see(path)
            if before is None:
                new.append((path, self._store, found.key, found.size, found.etag))
            elif before != (found.key, found.etag, found.size):
                self._report.change("change", path)
                self._count(changed=1)
                if not self._dry_run:
                    self._connect.relink_file(path, found.key, found.size, found.etag)
        self._link(new)
        self._count(objects=len(objects))
        self._report.progress(self.done.objects)

    def _link(self, new: list[tuple[str, str, str, int, str]]) -> None:
        """Link all at once; when one is refused, each by itself, so that the others are linked all the same."""
        if not new:
            return
        linked = len(new)
        if not self._dry_run:
            try:
                self._connect.link_files(new)
            except (FileExistsError, NotADirectoryError, ValueError):
                linked = sum(map(self._link_one, new))
        for request in new if linked == len(new) else ():
            self._report.change("link", request[0])
        self._count(linked=linked)

    def _link_one(self, request: tuple[str, str, str, int, str]) -> bool:
        try:
            self._connect.link_file(*request)
        except FileExistsError:
            if self._is_ours(request[0]):  # linked with the others before one of them was refused
                self._report.change("link", request[0])
                return True
            self._skip(request[0], "exists already")
            return False
        except (NotADirectoryError, ValueError) as error:
            self._skip(request[0], str(error))
            return False
        self._report.change("link", request[0])
        return True

    def _is_ours(self, path: str) -> bool:
        return self._connect.is_external(path)

    def vanished(self, delete: bool) -> None:
        """What was linked and was not seen in the bucket."""
        for path in self._known.unseen():
            self._count(vanished=1)
            if not delete:
                continue
            self._report.change("unlink", path)
            self._count(unlinked=1)
            if not self._dry_run:
                self._connect.unlink_file(path)

    def _skip(self, path: str, why: str) -> None:
        self._report.change("skip", f"{path}: {why}")
        self._count(skipped=1)

    def _count(self, **more: int) -> None:
        self.done = self.done._replace(**{name: getattr(self.done, name) + count for name, count in more.items()})


class _Known:
    """What was linked before the round, on disk."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
            "CREATE TABLE link (path TEXT PRIMARY KEY, key TEXT, etag TEXT, size INTEGER, seen INTEGER) WITHOUT ROWID"
        )

    def load(self, files: Iterable[ExternalFile]) -> None:
        rows = ((file.path, file.object_id, file.checksum, file.size) for file in files)
        self._database.execute("BEGIN")
        self._database.executemany("INSERT OR REPLACE INTO link VALUES (?, ?, ?, ?, 0)", rows)
        self._database.execute("COMMIT")

    def see(self, path: str) -> tuple[str, str, int] | None:
        """Key, ETag and size with which a path was linked; it counts as seen from now on."""
        row = self._database.execute("SELECT key, etag, size FROM link WHERE path = ?", (path,)).fetchone()
        if row is None:
            return None
        self._database.execute("UPDATE link SET seen = 1 WHERE path = ?", (path,))
        return str(row[0]), str(row[1]), int(row[2])

    def unseen(self) -> Iterator[str]:
        for row in self._database.execute("SELECT path FROM link WHERE seen = 0 ORDER BY path"):
            yield str(row[0])

    def close(self) -> None:
        self._database.close()


def path_of(key: str, prefix: str, folder: str) -> str | None:
    """Where an object is shown; None for a key that is no path (empty names, `.` and `..`, a slash at the end)."""
    relative = key[len(prefix) :].removeprefix("/")
    names = relative.split("/")
    if any(name in ("", ".", "..") or "\0" in name or len(name.encode()) > 255 for name in names):
        return None
    return posixpath.join(folder, relative)


def _is_below(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip("/") + "/")


def _pages(objects: Iterable[S3Object]) -> Iterator[list[S3Object]]:
    stream = iter(objects)
    while page := list(islice(stream, LINKS_PER_REQUEST_MAX)):
        yield page
