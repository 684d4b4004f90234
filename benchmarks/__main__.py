"""Runs the subjects and prints one table each: `python -m benchmarks [--quick] [SUBJECT…]`."""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Callable, Iterator, Sequence

from benchmarks import buckets, hub_load, libraries, listing, metadata, small_files, stream
from benchmarks.measure import Result
from benchmarks.stage import Stage, staged

Subject = Callable[[Stage, bool], Iterator[Result]]

SUBJECTS: dict[str, Subject] = {
    "stream": lambda stage, quick: stream.run(stage, 256 if quick else 1024, 3 if quick else 5),
    "metadata": lambda stage, quick: metadata.run(stage, 200 if quick else 2000),
    "hub": lambda stage, quick: hub_load.run(stage, 4000 if quick else 20_000, 3 if quick else 5),
    "files": lambda stage, quick: small_files.run(stage, 200 if quick else 10_000, 3),
    "libraries": lambda stage, quick: libraries.run(
        stage, *((100, 100, 500, 200, 1) if quick else (500, 1000, 5000, 2000, 3))
    ),
    "buckets": lambda stage, quick: buckets.run(stage.folder, *((128, 200, 200) if quick else (1024, 1000, 2000))),
    "listing": lambda stage, quick: listing.run(stage, 5_000 if quick else 100_000, 3),
}


def table(results: Sequence[Result]) -> str:
    """The results as Markdown; how we compare stands behind each ceiling and rival."""
    lines = ["| what | who | result | openlucid is | durable | counted |", "|---|---|--:|--:|---|---|"]
    ours: dict[str, float] = {}
    for result in results:
        value = f"{result.value:,.0f}" if result.value >= 100 else f"{result.value:,.1f}"
        ratio = ""
        if result.who.startswith("openlucid"):
            ours[result.subject] = result.value
        elif result.subject in ours and result.value:
            ratio = _compared(ours[result.subject], result)
        cells = (result.subject, result.who, f"{value} {result.unit}", ratio, result.durable, result.counted)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _compared(ours: float, other: Result) -> str:
    """Above 1 ours is better, whatever the unit."""
    factor = other.value / ours if other.better_when_lower else ours / other.value
    return f"{factor:.2f} ×"


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("subjects", nargs="*", help=f"of {', '.join(SUBJECTS)}; none: all")
    parser.add_argument("--quick", action="store_true", help="small amounts: minutes instead of an hour")
    parser.add_argument("--folder", help="on which disk; default: the temporary folder")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} cores, load {load:.1f} before the start, Python {platform.python_version()}\n")
    for name in options.subjects or SUBJECTS:
        with staged(options.folder) as stage:
            results = list(SUBJECTS[name](stage, options.quick))
        print(f"## {name}\n\n{table(results)}\n", flush=True)


if __name__ == "__main__":
    main()
