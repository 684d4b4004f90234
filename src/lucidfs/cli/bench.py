"""`lucid bench`: how fast a filespace is from here: a big file, small files, metadata, latencies."""

from __future__ import annotations

import errno
import os
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from lucidfs.cli import options
from lucidfs.cli.exits import reporting
from lucidfs.cli.location import Location, parse_in_filespace
from lucidfs.cli.output import print_json, print_table
from lucidfs.cli.remote import Remote
from lucidfs.limits import MIB

if TYPE_CHECKING:
    import lucidlink

EXAMPLES = """\b
Examples:
  lucid bench lucidlink://demo/production-data
  lucid bench --size 4096 --files 10000 -j 32 lucidlink://demo/production-data/scratch
  lucid bench --json lucidlink://demo/production-data

It works in a folder of its own below URL, which it removes at the end. Files do not compress. Everything that is
written is durable when its clock stops; "cold" is read by a second client whose caches are empty."""

_SMALL = 4096
_BLOCK = MIB


class Figure(NamedTuple):
    """One line: what was done, how fast; of single calls also the slowest in a hundred, in ms."""

    what: str
    value: float
    unit: str
    slow_ms: float | None = None


def bench(
    url: Annotated[str, typer.Argument(metavar="URL", help="A filespace, or a folder in it.")],
    size: Annotated[int, typer.Option("--size", "-s", min=1, help="Of the big file, in MiB.")] = 256,
    files: Annotated[int, typer.Option("--files", "-n", min=1, help="How many small files, of 4 KiB.")] = 500,
    calls: Annotated[int, typer.Option("--calls", min=1, help="How often each single call is timed.")] = 200,
    jobs: options.JobsOption = options.JOBS_DEFAULT,
    hub: options.HubOption = options.HUB_DEFAULT,
    token: options.TokenOption = "",
    allow_plaintext: options.PlaintextOption = False,
    json: options.JsonOption = False,
) -> None:
    """Measure a filespace from here: a big file, small files, and how long single calls take.

    The figures are of this machine, this network and this moment: run it twice before you believe it.
    """
    with reporting(json):
        location = parse_in_filespace(url)
        with Remote(hub, token, allow_plaintext) as remote, Remote(hub, token, allow_plaintext) as other:
            with _folder(remote.fs(location), location) as folder:
                figures = list(_figures(remote.fs(location), other.fs(location), folder, size, files, calls, jobs))
        if json:
            print_json([figure._asdict() for figure in figures])
        else:
            print_table([("", "result", "", "slowest of 100"), *map(_row, figures)], right=frozenset({1, 3}))


def _row(figure: Figure) -> tuple[str, ...]:
    value = f"{figure.value:,.0f}" if figure.value >= 100 else f"{figure.value:.2f}"
    return figure.what, value, figure.unit, "" if figure.slow_ms is None else f"{figure.slow_ms:.2f} ms"


@contextmanager
def _folder(fs: lucidlink.Filesystem, location: Location) -> Iterator[str]:
    """A new folder, gone afterwards with all that is in it. Raises FileNotFoundError, NotADirectoryError."""
    if location.path != "/" and not fs.get_entry(location.path).is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "not a folder", str(location))
    path = location.join(f"lucid-bench-{os.urandom(4).hex()}").path
    fs.create_dir(path)
    try:
        yield path
    finally:
        fs.delete_dir(path, recursive=True)


def _figures(
    fs: lucidlink.Filesystem, cold: lucidlink.Filesystem, folder: str, size: int, files: int, calls: int, jobs: int
) -> Iterator[Figure]:
    yield from _big_file(fs, cold, f"{folder}/big", size)
    yield from _small_files(fs, cold, f"{folder}/small", files, jobs)
    yield from _single_calls(fs, f"{folder}/calls", calls)


def _big_file(fs: lucidlink.Filesystem, cold: lucidlink.Filesystem, path: str, size: int) -> Iterator[Figure]:
    block = memoryview(os.urandom(_BLOCK + size))  # another part each time: no two blocks are the same

    def write() -> None:
        with fs.open(path, "wb") as file:
            for start in range(size):
                file.write(block[start : start + _BLOCK])

    def read(fs: lucidlink.Filesystem) -> None:
        buffer = bytearray(_BLOCK)
        with fs.open(path, "rb") as file:
            while file.readinto(buffer):
                pass

    yield Figure(f"write {size} MiB", size / _seconds(write), "MiB/s")
    yield Figure(f"read {size} MiB, cold", size / _seconds(lambda: read(cold)), "MiB/s")
    yield Figure(f"read {size} MiB, again", size / _seconds(lambda: read(cold)), "MiB/s")


def _small_files(
    fs: lucidlink.Filesystem, cold: lucidlink.Filesystem, folder: str, files: int, jobs: int
) -> Iterator[Figure]:
    fs.create_dir(folder)
    data = os.urandom(_SMALL)

    def each(work: Callable[[str], object]) -> None:
        with ThreadPoolExecutor(jobs) as pool:
            for _ in pool.map(work, (f"{folder}/{number:06d}" for number in range(files))):
                pass

    for what, work in (
        ("create", lambda path: fs.write_file(path, data)),
        ("read, cold", cold.read_file),
        ("stat", cold.get_entry),
    ):
        taken = _seconds(lambda work=work: each(work))  # type: ignore[misc]
        yield Figure(f"{what} {files} small files, {jobs} at once", files / taken, "files/s")
    yield Figure(f"list {files} entries", _seconds(lambda: cold.read_dir(folder)) * 1000, "ms")
    taken = _seconds(lambda: each(fs.delete))
    yield Figure(f"delete {files} small files, {jobs} at once", files / taken, "files/s")


def _single_calls(fs: lucidlink.Filesystem, folder: str, calls: int) -> Iterator[Figure]:
    fs.create_dir(folder)
    data = os.urandom(_SMALL)
    fs.write_file(f"{folder}/known", data)
    timed: tuple[tuple[str, Callable[[int], object]], ...] = (
        ("look up", lambda _: fs.get_entry(f"{folder}/known")),
        ("create a folder", lambda n: fs.create_dir(f"{folder}/d{n}")),
        ("create a small file", lambda n: fs.write_file(f"{folder}/f{n}", data)),
        ("open and read a small file", lambda _: fs.read_file(f"{folder}/known")),
        ("rename", lambda n: fs.move(f"{folder}/f{n}", f"{folder}/r{n}")),
    )
    for what, call in timed:
        times = sorted(_seconds(lambda n=n, call=call: call(n)) for n in range(calls))  # type: ignore[misc]
        slow = times[min(calls - 1, calls * 99 // 100)]
        yield Figure(what, statistics.median(times) * 1000, "ms", slow * 1000)


def _seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin
