"""fsspec and what stands on it, beside s3fs on an S3 server and beside the local disk.

Each contestant runs in fresh processes (`libraries_load.py`), so "cold" means: nothing in the client's caches; what the
hub and the servers hold stays warm, for the local disk too. Needs `pip install -e '.[ecosystem]'`. The rival needs an
environment of its own (its pins do not suit others) and a running server, and is left out without them:

    python -m venv /tmp/s3fs && /tmp/s3fs/bin/pip install s3fs pandas pyarrow zarr
    BENCH_S3FS=/tmp/s3fs BENCH_S3=http://KEY:SECRET@127.0.0.1:9704 python -m benchmarks libraries
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from benchmarks.measure import Result
from benchmarks.stage import Stage

_LOAD = Path(__file__).parent / "libraries_load.py"
Measured = dict[str, dict[str, float]]


class Contestant(NamedTuple):
    """Who is measured, by which Python, and where.

    Attributes:
        durable: whether what was written is safe when the call returns.
        base: a URL below which it may write.
    """

    who: str
    durable: str
    python: str
    base: str
    options: dict[str, Any]

    def run(self, task: str, scale: int, place: str = "") -> Measured:
        """What the task measured, by name."""
        command = [self.python, str(_LOAD), f"{self.base}{place}", json.dumps(self.options), task, str(scale)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{self.who}, {task}: {done.stderr[-2000:]}")
        found: Measured = json.loads(done.stdout.splitlines()[-1])
        return found


def contestants(stage: Stage) -> list[Contestant]:
    """Ours first; s3fs where its environment and a server are named; the local disk."""
    options: dict[str, Any] = {"token": stage.token, "hub": stage.url}
    found = [
        Contestant(
            "openlucid",
            "yes",
            sys.executable,
            f"{stage.driver_url}/libraries",
            options,
        )
    ]
    venv, server = os.environ.get("BENCH_S3FS", ""), os.environ.get("BENCH_S3", "")
    if venv and server:
        parts = urlsplit(server)
        endpoint = f"{parts.scheme}://{parts.hostname}:{parts.port}"
        config = {"request_checksum_calculation": "when_required", "response_checksum_validation": "when_required"}
        options = {"key": parts.username, "secret": parts.password, "endpoint_url": endpoint, "config_kwargs": config}
        bucket = f"bench-{os.getpid()}"
        found.append(Contestant("s3fs", "yes", f"{venv}/bin/python", f"s3://{bucket}/libraries", options))
    found.append(Contestant("local disk", "no", sys.executable, f"file://{stage.folder}/libraries", {}))
    return found


def run(stage: Stage, megabytes: int, folders: int, small: int, chunks: int, rounds: int) -> Iterator[Result]:
    """Yield the table's lines."""
    fields = contestants(stage)
    yield from _table(fields, "write_parquet", megabytes, 1, f"{megabytes} MB parquet", megabytes / 1.048576)
    yield from _table(fields, "read_parquet", megabytes, rounds, f"{megabytes} MB parquet", megabytes / 1.048576)
    yield from _table(fields, "project_parquet", megabytes, rounds, f"{megabytes} MB parquet", 0, megabytes / 20)
    yield from _table(fields, "make_tree", folders, 1, f"{folders * 50:,} empty files in {folders:,} folders", 0)
    yield from _table(fields, "find", folders, rounds, f"{folders * 50:,} files in {folders:,} folders", 0)
    yield from _table(fields, "small_files", small, rounds, f"{small:,} files of 10 kB", 0, apart=True)
    yield from _table(fields, "chunks", chunks, rounds, f"zarr, {chunks:,} chunks of 128 KiB", chunks / 8, apart=True)


def _table(
    fields: list[Contestant],
    task: str,
    scale: int,
    rounds: int,
    subject: str,
    mib: float,
    needed_mb: float = 0,
    apart: bool = False,
) -> Iterator[Result]:
    """In turns; the medians. With `apart` each round has a folder of its own. As a rate where MiB are told."""
    found: dict[str, list[Measured]] = {each.who: [] for each in fields}
    for number in range(rounds):
        for each in fields[:: 1 - 2 * (number % 2)]:
            found[each.who].append(each.run(task, scale, f"/{number}" if apart else ""))
    for name in found[fields[0].who][0]:
        for each in fields:
            lines = [measured[name] for measured in found[each.who]]
            spent = statistics.median(line["seconds"] for line in lines)
            counted = f"{lines[0]['requests']:,.0f} requests" if lines[0]["requests"] else ""
            if needed_mb and lines[0]["bytes"]:
                counted += f", {lines[0]['bytes'] / 1e6:.1f} MB fetched, {needed_mb:.1f} needed"
            value, unit = (mib / spent, "MiB/s") if mib else (spent, "s")
            durable = each.durable if name in ("write", "put", "make") else ""
            yield Result(f"{subject}: {name}", each.who, value, unit, durable, counted)
