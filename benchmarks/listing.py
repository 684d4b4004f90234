"""A folder of many entries: made in batches by the driver of `hub_load`, listed by the SDK, beside a local folder."""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from benchmarks.measure import Result, seconds
from benchmarks.stage import Stage


def run(stage: Stage, count: int, rounds: int) -> Iterator[Result]:
    """Yield the table's lines."""
    folder, plain = f"/many-{count}", stage.folder / "many"
    plain.mkdir()
    for number in range(count):
        (plain / f"entry-{number:06d}").touch()
    with stage.linked() as linked:
        linked.fs.create_dir(folder)
        with ThreadPoolExecutor(64) as pool:
            for _ in pool.map(lambda n: linked.fs.write_file(f"{folder}/entry-{n:06d}", b""), range(count)):
                pass
        before = linked.traffic
        lists: list[tuple[str, Callable[[], object]]] = [
            ("openlucid", lambda: linked.fs.read_dir(folder)),
            ("local disk: scandir + stat", lambda: [entry.stat() for entry in os.scandir(plain)]),
        ]
        for who, work in lists:
            value = statistics.median(seconds(work) for _ in range(rounds)) * 1000
            counted = linked.traffic.since(before).each(rounds) if who == "openlucid" else ""
            yield Result(f"list {count} entries", who, value, "ms", "", counted)
