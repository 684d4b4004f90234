"""Copies files and folders between two sides: folders first, then files many at once, then links.

A file that fails does not stop the others; what failed is reported at the end. Each file appears at its target whole
or not at all, so an interrupted copy leaves whole files only, and running it again finishes it (`resume`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from lucidfs.cli.resume import Copied, Record
from lucidfs.cli.sides import Item, Side, not_copyable
from lucidfs.limits import MIB

CHUNK_BYTES = MIB  # bodies of 1 MiB are near wire speed, and a progress bar moves often enough


class Place(NamedTuple):
    """A path on one side, and how it is shown."""

    side: Side
    path: str
    shown: str

    def below(self, relative: str) -> Place:
        if not relative:
            return self
        return Place(self.side, self.side.join(self.path, relative), f"{self.shown.rstrip('/')}/{relative}")


class Job(NamedTuple):
    """One thing to copy."""

    source: Place
    target: Place
    item: Item


class Failed(NamedTuple):
    """One thing that was not copied."""

    path: str
    error: Exception


class Plan(NamedTuple):
    """What is to be copied; `bytes` counts the files."""

    folders: list[Job]
    files: list[Job]
    links: list[Job]
    failed: list[Failed]

    @property
    def bytes(self) -> int:
        return sum(job.item.size for job in self.files)


class Stopped(Exception):
    """The user interrupted; what is under way ends without being published."""


def plan(pairs: list[tuple[Place, Place]], jobs: int) -> Plan:
    """What copying each source to its target means.

    Args:
        pairs: sources that exist, with their own new places.
        jobs: listings at once.
    """
    result = Plan([], [], [], [])
    lists = {"dir": result.folders, "file": result.files, "link": result.links}
    for source, target in pairs:
        if source.side.kind(source.path) != "dir":
            size = source.side.size(source.path)
            result.files.append(Job(source, target, Item("", "file", size)))
            continue
        result.folders.append(Job(source, target, Item("", "dir", 0)))
        for item in source.side.walk(source.path, jobs):
            job = Job(source.below(item.relative), target.below(item.relative), item)
            if item.kind == "other":
                result.failed.append(Failed(job.source.shown, not_copyable(job.source.path)))
            else:
                lists[item.kind].append(job)
    return result


class Done(NamedTuple):
    """How a copy ended: what was not copied, and how many files an earlier run had copied."""

    failed: list[Failed]
    skipped: int


def run(work: Plan, jobs: int, advance: Callable[[int], None], record: Record) -> Done:
    """Copy everything of a plan.

    Args:
        work: what `plan` made.
        jobs: files at once.
        advance: told how many bytes were copied more; called from several threads.
        record: of what an earlier run copied; what is copied now is added.
    """
    stop = threading.Event()
    skipped: list[Job] = []
    failed = list(work.failed)

    def attempt(act: Callable[[Job], None], job: Job) -> None:
        if stop.is_set():
            return
        try:
            act(job)
        except Stopped:
            pass
        except Exception as error:  # noqa: BLE001  reported with the others at the end
            failed.append(Failed(job.source.shown, error))

    for job in work.folders:
        attempt(lambda job: job.target.side.make_folder(job.target.path), job)
    with ThreadPoolExecutor(jobs, thread_name_prefix="lucid-copy") as pool:
        try:
            files = _FileCopy(record, stop, advance, skipped.append)
            for act, some in ((files.copy, work.files), (_copy_link, work.links)):
                for future in [pool.submit(attempt, act, job) for job in some]:
                    future.result()
        except BaseException:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return Done(failed, len(skipped))


class _FileCopy(NamedTuple):
    """Copies files, unless the record says that they are there; see `run`."""

    record: Record
    stop: threading.Event
    advance: Callable[[int], None]
    skip: Callable[[Job], None]

    def copy(self, job: Job) -> None:
        source, target = job.source, job.target
        if self._is_there(job):
            self.skip(job)
            self.advance(job.item.size)
            return
        copied = self._clone(job) or self._stream(job)
        if copied.source and copied.target:
            self.record.note(source.path, target.path, copied)

    def _is_there(self, job: Job) -> bool:
        source, target = job.source, job.target
        known = self.record.find(source.path, target.path)
        try:
            return known is not None and known == (source.side.mark(source.path), target.side.mark(target.path))
        except OSError:
            return False

    def _clone(self, job: Job) -> Copied | None:
        """Within one filespace no byte moves; which revision was copied is not known then, so it is not noted."""
        mark = job.target.side.clone(job.source.side, job.source.path, job.target.path)
        if mark is None:
            return None
        self.advance(job.item.size)
        return Copied("", mark)

    def _stream(self, job: Job) -> Copied:
        with job.source.side.read(job.source.path) as source, job.target.side.write(job.target.path) as target:
            while chunk := source.file.read(CHUNK_BYTES):
                rest = memoryview(chunk)
                while rest:
                    written = target.file.write(rest)
                    assert written, "a blocking file takes at least one byte"
                    rest = rest[written:]
                self.advance(len(chunk))
                if self.stop.is_set():
                    raise Stopped
        return Copied(source.mark, target.mark)


def _copy_link(job: Job) -> None:
    job.target.side.make_link(job.source.side.read_link(job.source.path), job.target.path)
