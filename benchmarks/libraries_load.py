"""One contestant of `libraries.py`: does what is asked through fsspec in a fresh process, prints a line of JSON.

Usage: PYTHON libraries_load.py URL OPTIONS TASK SCALE, options and scale as JSON. Runs in the environment of whoever is
measured: openlucid's, or one with s3fs. What the process needed before (imports, the data to write) is not counted.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pandas as pd  # type: ignore[import-untyped,unused-ignore]
import zarr

COLUMNS = [f"c{number}" for number in range(40)]
SMALL_BYTES = 10_000
CHUNK = 16_384  # float64: 128 KiB

Task = Callable[[Any, str, int], Iterator[tuple[str, Callable[[], object]]]]


class Counted:
    """Requests and bytes fetched, by whichever driver it is."""

    def __init__(self, fs: Any) -> None:
        self.requests = 0
        self.bytes = 0
        self._engine: Any = None
        if hasattr(fs, "_call_s3"):
            self._count_s3(fs)
        elif fs.protocol == "lucidlink":
            self._count_openlucid(fs)

    def _count_s3(self, fs: Any) -> None:
        kind = type(fs)  # zarr makes another instance
        original = kind._call_s3

        async def call(fs: Any, method: str, *args: Any, **kwargs: Any) -> Any:
            self.requests += 1
            answer = await original(fs, method, *args, **kwargs)
            if method == "get_object":
                self.bytes += answer["ContentLength"]
            return answer

        kind._call_s3 = call

    def _count_openlucid(self, fs: Any) -> None:
        self._engine = fs._place(fs._top)[0]._link.live.engine
        original = self._engine.session.call

        async def call(body: Any, **options: Any) -> Any:
            self.requests += 1
            return await original(body, **options)

        self._engine.session.call = call

    def now(self) -> tuple[int, int]:
        """Requests so far (to the hub and for bodies), and bytes fetched."""
        if self._engine is None:
            return self.requests, self.bytes
        moved = self._engine._bodies.store.statistics()
        return self.requests + moved.puts + moved.gets, moved.get_bytes


def frame(megabytes: int) -> pd.DataFrame:
    """Forty columns of numbers that do not compress."""
    rows = megabytes * 1_000_000 // (8 * len(COLUMNS))
    numbers = np.random.default_rng(7)
    return pd.DataFrame({name: numbers.random(rows) for name in COLUMNS})


def write_parquet(fs: Any, base: str, megabytes: int) -> Iterator[tuple[str, Callable[[], object]]]:
    """Written in row groups of 100,000."""
    data = frame(megabytes)

    def write() -> None:
        with fs.open(f"{base}/big.parquet", "wb") as file:
            data.to_parquet(file, row_group_size=100_000)

    yield "write", write


def read_parquet(fs: Any, base: str, megabytes: int) -> Iterator[tuple[str, Callable[[], object]]]:
    """All of it in a fresh process, then again."""

    def read() -> None:
        found = pd.read_parquet(f"{base}/big.parquet", filesystem=fs)
        assert len(found) == megabytes * 1_000_000 // (8 * len(COLUMNS))

    yield "cold", read
    yield "warm", read


def project_parquet(fs: Any, base: str, megabytes: int) -> Iterator[tuple[str, Callable[[], object]]]:
    """Two of forty columns in a fresh process."""
    yield "2 of 40", lambda: pd.read_parquet(f"{base}/big.parquet", filesystem=fs, columns=["c3", "c30"])


def make_tree(fs: Any, base: str, folders: int) -> Iterator[tuple[str, Callable[[], object]]]:
    """Fifty empty files in each folder."""
    paths = [f"{base}/tree/{number // 50:04d}/{number % 50:02d}" for number in range(folders * 50)]
    for path in {path.rpartition("/")[0] for path in paths}:
        if "file" in fs.protocol:
            fs.makedirs(path)
    yield "make", lambda: fs.pipe(dict.fromkeys(paths, b""))


def find(fs: Any, base: str, folders: int) -> Iterator[tuple[str, Callable[[], object]]]:
    """With details, listed from nothing."""

    def look() -> None:
        fs.invalidate_cache()
        assert len(fs.find(f"{base}/tree", detail=True)) == folders * 50

    yield "find", look


def small_files(fs: Any, base: str, count: int) -> Iterator[tuple[str, Callable[[], object]]]:
    """Put from and get to a local folder, recursively."""
    with tempfile.TemporaryDirectory(prefix="lucid-bench-") as folder:
        source, target = Path(folder, "source"), Path(folder, "target")
        for number in range(count):
            path = source / f"{number // 100:03d}" / f"{number:05d}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(os.urandom(SMALL_BYTES))
        yield "put", lambda: fs.put(f"{source}/", f"{base}/small/", recursive=True)
        fs.invalidate_cache()
        yield "get", lambda: fs.get(f"{base}/small/", f"{target}/", recursive=True)
        assert sum(path.stat().st_size == SMALL_BYTES for path in target.rglob("*") if path.is_file()) == count


def chunks(fs: Any, base: str, count: int) -> Iterator[tuple[str, Callable[[], object]]]:
    """A zarr 3 array without a compressor, a chunk for each row."""
    values = np.random.default_rng(7).random((count, CHUNK))
    url = fs.unstrip_protocol(f"{base}/array.zarr")
    options = dict(fs.storage_options) or None
    if options is None:
        url = f"{base}/array.zarr"  # zarr's own store for local folders

    def write() -> None:
        array = zarr.create_array(
            url, storage_options=options, shape=values.shape, chunks=(1, CHUNK), dtype="f8", compressors=None
        )
        array[:] = values

    def read() -> None:
        found = zarr.open_array(url, mode="r", storage_options=options)[:]
        np.testing.assert_array_equal(found, values)

    yield "write", write
    yield "read", read


TASKS: dict[str, Task] = {
    "write_parquet": write_parquet,
    "read_parquet": read_parquet,
    "project_parquet": project_parquet,
    "make_tree": make_tree,
    "find": find,
    "small_files": small_files,
    "chunks": chunks,
}


@contextmanager
def _opened(url: str, options: dict[str, Any]) -> Iterator[tuple[Any, str]]:
    fs, base = fsspec.url_to_fs(url, **options)
    try:
        fs.ls(base)  # connected, signed in
    except FileNotFoundError:
        fs.makedirs(base, exist_ok=True)
    yield fs, base
    if hasattr(fs, "close"):
        fs.close()


def main(url: str, options: str, task: str, scale: str) -> None:
    """Entry point."""
    told: dict[str, dict[str, float]] = {}
    with _opened(url, json.loads(options)) as (fs, base):
        fs._top = base
        counted = Counted(fs)
        for name, work in TASKS[task](fs, base, int(scale)):
            before = counted.now()
            begin = time.perf_counter()
            work()
            spent = time.perf_counter() - begin
            requests, fetched = (now - then for now, then in zip(counted.now(), before, strict=True))
            told[name] = {"seconds": spent, "requests": requests, "bytes": fetched}
    print(json.dumps(told), flush=True)
    sys.stdout.flush()
    asyncio.set_event_loop(None)
    os._exit(0)  # s3fs leaves sessions behind that complain at the end


if __name__ == "__main__":
    main(*sys.argv[1:])
