"""Single calls of the SDK, uncontended, and how many round trips each costs; then the same over a slower network."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from benchmarks.delay import delayed
from benchmarks.measure import Result
from benchmarks.stage import Linked, Stage
from lucidfs.engine import nearby

ROUND_TRIPS_MS = (1, 10, 50)
_SMALL = os.urandom(4096)


def run(stage: Stage, count: int) -> Iterator[Result]:
    """Yield the table's lines: the loopback first, then with each delay."""
    with stage.linked() as linked:
        yield from _calls(linked, "loopback", count)
        yield from _local(stage.folder / "local", count)
        yield from buffered_reads(linked, stage.folder)
    original = nearby.open_folder
    nearby.open_folder = lambda told: None  # a far client has no folder to open
    try:
        for ms in ROUND_TRIPS_MS:
            with delayed(stage.url, ms) as url, stage.linked(url) as linked:
                yield from _calls(linked, f"{ms} ms round trip", max(5, count // (10 * ms)))
    finally:
        nearby.open_folder = original


def _calls(linked: Linked, network: str, count: int) -> Iterator[Result]:
    fs, numbers = linked.fs, iter(range(10**9))
    fs.write_file("/known", _SMALL)
    folder = f"/folder-{os.urandom(4).hex()}"
    fs.create_dir(folder)

    def read() -> None:
        with fs.open("/known", "rb") as file:
            file.read()

    calls: list[tuple[str, str, Callable[[], object]]] = [
        ("get_entry", "", lambda: fs.get_entry("/known")),
        ("file_exists", "", lambda: fs.file_exists("/known")),
        ("create_dir", "yes", lambda: fs.create_dir(f"{folder}/d{next(numbers)}")),
        ("create 4 KiB file", "yes", lambda: fs.write_file(f"{folder}/f{next(numbers)}", _SMALL)),
        ("open + read 4 KiB file", "", read),
        ("read_file 4 KiB", "", lambda: fs.read_file("/known")),
    ]
    for what, durable, call in calls:
        call()
        before = linked.traffic
        value = _median_us(call, count)
        counted = linked.traffic.since(before).each(count)
        yield Result(f"{what}, {network}", "openlucid", value, "µs", durable, counted)


def _local(folder: Path, count: int) -> Iterator[Result]:
    """The same on the disk of this machine, made as durable."""
    folder.mkdir()
    numbers = iter(range(10**9))

    def create() -> None:
        file = os.open(folder / f"f{next(numbers)}", os.O_CREAT | os.O_WRONLY)
        os.write(file, _SMALL)
        os.fsync(file)
        os.close(file)
        above = os.open(folder, os.O_RDONLY)
        os.fsync(above)
        os.close(above)

    (folder / "known").write_bytes(_SMALL)
    yield Result("get_entry, loopback", "local disk: stat", _median_us(lambda: os.stat(folder), count), "µs")
    yield Result("create 4 KiB file, loopback", "local disk, fsync", _median_us(create, count), "µs", "yes")
    yield Result(
        "open + read 4 KiB file, loopback", "local disk", _median_us((folder / "known").read_bytes, count), "µs"
    )


def buffered_reads(linked: Linked, folder: Path, size: int = 64 * 2**20) -> Iterator[Result]:
    """4 KiB at a time through a buffered stream whose file is in memory; then the same at random places."""
    data = os.urandom(size)
    linked.fs.write_file("/warm", data)
    (folder / "warm").write_bytes(data)
    places = [int.from_bytes(os.urandom(4), "big") % (size - 4096) for _ in range(5000)]
    openers: list[tuple[str, Callable[[], Any]]] = [
        ("openlucid", lambda: linked.fs.open("/warm", "rb")),
        ("local disk, in page cache", partial(open, folder / "warm", "rb")),
    ]
    for who, opener in openers:
        values = []
        for _ in range(7):
            with opener() as file:
                begin = time.perf_counter()
                while file.read(4096):
                    pass
                values.append((time.perf_counter() - begin) / (size // 4096) * 1e6)
        yield Result("warm 4 KiB read, in order, buffered", who, statistics.median(values), "µs")
        with opener() as file:
            yield Result("warm 4 KiB read, random", who, _random_us(file, places), "µs")


def _random_us(file: BinaryIO, places: list[int]) -> float:
    one = iter(places)

    def read() -> None:
        file.seek(next(one))
        file.read(4096)

    return _median_us(read, len(places))


def _median_us(call: Callable[[], object], count: int) -> float:
    values = []
    for _ in range(count):
        begin = time.perf_counter()
        call()
        values.append(time.perf_counter() - begin)
    return statistics.median(values) * 1e6
