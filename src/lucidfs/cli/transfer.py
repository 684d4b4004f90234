"""Copies files and folders between two sides: folders first, then files many at once, then links.

A file that fails does not stop the others; what failed is reported at the end. Each file appears at its target whole
or not at all, so an interrupted copy leaves whole files only, and running it again finishes it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

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


def run(work: Plan, jobs: int, advance: Callable[[int], None]) -> list[Failed]:
    """Copy everything of a plan.

    Args:
        work: what `plan` made.
        jobs: files at once.
        advance: told how many bytes were copied more; called from several threads.

    Returns:
        What was not copied.
    """
    stop = threading.Event()
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
            for act, some in ((lambda job: _copy(job, stop, advance), work.files), (_copy_link, work.links)):
                for future in [pool.submit(attempt, act, job) for job in some]:
                    future.result()
        except BaseException:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return failed


def _copy(job: Job, stop: threading.Event, advance: Callable[[int], None]) -> None:
    with job.source.side.read(job.source.path) as source:
        with job.target.side.write(job.target.path) as target:
            while chunk := source.read(CHUNK_BYTES):
                rest = memoryview(chunk)
                while rest:
                    written = target.write(rest)
                    assert written, "a blocking file takes at least one byte"
                    rest = rest[written:]
                advance(len(chunk))
                if stop.is_set():
                    raise Stopped


def _copy_link(job: Job) -> None:
    job.target.side.make_link(job.source.side.read_link(job.source.path), job.target.path)
