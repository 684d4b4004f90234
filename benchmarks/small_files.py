"""Many small files, created durable and read by a client that never saw them: from threads, and from processes."""

from __future__ import annotations

import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

import lucidlink
from benchmarks.measure import Result, in_turns, rate
from benchmarks.rivals import JuiceFS, environment, rclone_copy
from benchmarks.stage import NAME, Stage

KIB = 1024
SIZES = (4 * KIB, 100 * KIB)
PROCESSES = 4


def run(stage: Stage, count: int, rounds: int) -> Iterator[Result]:
    """Yield the table's lines."""
    for size in SIZES:
        for threads in (1, 8):
            yield from _from_threads(stage, count if threads > 1 else count // 2, size, threads, rounds)
        yield _from_processes(stage, count, size, rounds)


def _from_threads(stage: Stage, count: int, size: int, threads: int, rounds: int) -> Iterator[Result]:
    what = f"{size // KIB} KiB files, {threads} thread{'s' * (threads > 1)}"
    data, counted, reads = os.urandom(size), {"create": "", "read": ""}, []
    plain = stage.folder / "small"

    def create() -> float:
        with stage.linked() as linked:
            folder = f"/small-{os.urandom(4).hex()}"
            linked.fs.create_dir(folder)
            before = linked.traffic
            value = rate(count, lambda: _each(threads, count, lambda n: linked.fs.write_file(f"{folder}/{n}", data)))
            counted["create"] = linked.traffic.since(before).each(count)
        with stage.linked() as linked:
            before = linked.traffic
            reads.append(rate(count, lambda: _each(threads, count, lambda n: linked.fs.read_file(f"{folder}/{n}"))))
            counted["read"] = linked.traffic.since(before).each(count)
        return value

    def local() -> float:
        shutil.rmtree(plain, ignore_errors=True)
        plain.mkdir()
        return rate(count, lambda: _each(threads, count, partial(_write_synced, plain, data)))

    contestants: dict[str, Callable[[], float]] = {"openlucid": create, "local disk, fsync": local}
    rival_reads: list[float] = []
    with suppress(FileNotFoundError):
        venv = environment()
        if venv is not None and threads == 1:
            contestants["JuiceFS, fsync"] = _juicefs(JuiceFS(venv, _fresh(stage.folder)), count, size, rival_reads)
        if venv is not None and threads > 1:
            contestants["rclone copy"] = partial(_rclone, venv, plain, stage.folder / "copy", count, threads)
    for who, value in in_turns(contestants, rounds).items():
        durable = "no" if who.startswith("rclone") else "yes"
        yield Result(f"create {what}", who, value, "/s", durable, counted["create"] * (who == "openlucid"))
    yield Result(f"read {what}", "openlucid", sorted(reads)[len(reads) // 2], "/s", "", counted["read"])
    if rival_reads:
        yield Result(f"read {what}", "JuiceFS", sorted(rival_reads)[len(rival_reads) // 2], "/s")


def _from_processes(stage: Stage, count: int, size: int, rounds: int) -> Result:
    """Files a second of several processes, each with a client of its own; the clock runs while all are linked."""
    context = multiprocessing.get_context("spawn")

    def create() -> float:
        barrier = context.Barrier(PROCESSES + 1)
        arguments = (stage.url, stage.token, count // PROCESSES, size, barrier)
        workers = [context.Process(target=_process, args=arguments) for _ in range(PROCESSES)]
        for worker in workers:
            worker.start()
        barrier.wait()
        value = rate(count // PROCESSES * PROCESSES, barrier.wait)
        for worker in workers:
            worker.join()
        return value

    value = in_turns({"openlucid": create}, rounds)["openlucid"]
    return Result(f"create {size // KIB} KiB files, {PROCESSES} processes", "openlucid", value, "/s", "yes")


def _process(url: str, token: str, count: int, size: int, barrier: multiprocessing.synchronize.Barrier) -> None:
    data, folder = os.urandom(size), f"/process-{os.urandom(4).hex()}"
    with lucidlink.create_daemon({"hub.url": url}) as daemon:
        workspace = daemon.authenticate(lucidlink.ServiceAccountCredentials(token))
        with workspace.link_filespace(name=NAME) as filespace:
            filespace.fs.create_dir(folder)
            barrier.wait()
            for number in range(count):
                filespace.fs.write_file(f"{folder}/{number}", data)
            barrier.wait()


def _each(threads: int, count: int, work: Callable[[int], object]) -> None:
    if threads == 1:
        for number in range(count):
            work(number)
        return
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(work, range(count)):
            pass


def _write_synced(folder: Path, data: bytes, number: int) -> None:
    with open(folder / str(number), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _juicefs(volume: JuiceFS, count: int, size: int, reads: list[float]) -> Callable[[], float]:
    def create() -> float:
        times = volume.small_files(count, size)
        reads.append(count / times["read"])
        return count / times["create"]

    return create


def _rclone(venv: Path, source: Path, target: Path, count: int, threads: int) -> float:
    shutil.rmtree(target, ignore_errors=True)
    return rate(count, lambda: rclone_copy(venv, source, target, threads)) if source.exists() else 0.0


def _fresh(folder: Path) -> Path:
    fresh = folder / os.urandom(4).hex()
    fresh.mkdir()
    return fresh
