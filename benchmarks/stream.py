"""One large file: written as a stream, read cold by a client that never saw it, read again from memory."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from benchmarks.measure import MIB, Result, in_turns, rate
from benchmarks.stage import Linked, Stage
from lucidfs.crypto.keys import FilespaceKeys
from lucidfs.format.frame import Frames
from lucidfs.limits import FRAME_BYTES, OBJECT_BYTES_MIN, WORKERS
from lucidfs.objects.base import ObjectName
from lucidfs.objects.local import LocalStore
from lucidfs.types import FilespaceId, ObjectId

_CHUNK = MIB
_WORDS = b"the quick brown fox jumps over the lazy dog while seven wizards make toxic brew for an evil queen "


def noise(size: int) -> bytes:
    """Bytes that do not compress."""
    return os.urandom(size)


def text(size: int) -> bytes:
    """Lines that compress about threefold with lz4, none like the other."""
    lines = (
        f"{n:09d} {n * 2654435761 % 2**32:08x} ".encode() + _WORDS[n % 50 : n % 50 + 40] + b"\n"
        for n in range(size // 60 + 1)
    )
    return b"".join(lines)[:size]


def run(stage: Stage, size_mib: int, rounds: int) -> Iterator[Result]:
    """Yield the table's lines."""
    for kind, make in (("incompressible", noise), ("text", text)):
        block = make(64 * MIB)
        yield from _write_and_read(stage, kind, block, size_mib, rounds)
    yield from _warm(stage, noise(64 * MIB), rounds)


def _write_and_read(stage: Stage, kind: str, block: bytes, size_mib: int, rounds: int) -> Iterator[Result]:
    size, counted = size_mib * MIB, {"write": "", "read": ""}
    plain, ceiling = stage.folder / "plain", _Ceiling(stage.folder / "ceiling", block, size)

    def write() -> float:
        with stage.linked() as linked:
            value = rate(size_mib, lambda: _write(linked, block, size))
            counted["write"] = linked.traffic.whole()
        return value

    def read() -> float:
        with stage.linked() as linked:
            before = linked.traffic
            value = rate(size_mib, lambda: _read(partial(linked.fs.open, "/stream", "rb")))
            counted["read"] = linked.traffic.since(before).whole()
        return value

    writers = {
        "openlucid": write,
        "ceiling: seal + files": lambda: rate(size_mib, ceiling.write),
        "local disk, fsync": lambda: rate(size_mib, lambda: _write_plain(plain, block, size)),
    }
    readers = {
        "openlucid": read,
        "ceiling: files + open": lambda: rate(size_mib, ceiling.read),
        "local disk": lambda: rate(size_mib, lambda: _read(partial(open, plain, "rb"))),
    }
    for who, value in in_turns(writers, rounds).items():
        yield Result(
            f"write {size_mib} MiB {kind}", who, value, "MiB/s", "yes", counted["write"] * (who == "openlucid")
        )
    for who, value in in_turns(readers, rounds).items():
        yield Result(
            f"cold read {size_mib} MiB {kind}", who, value, "MiB/s", "", counted["read"] * (who == "openlucid")
        )
    ceiling.remove()


def _warm(stage: Stage, block: bytes, rounds: int) -> Iterator[Result]:
    size, plain = len(block), stage.folder / "plain"
    plain.write_bytes(block)
    with stage.linked() as linked:
        _write(linked, block, size)
        ours = partial(linked.fs.open, "/stream", "rb")
        _read(ours)
        contestants = {
            "openlucid": lambda: rate(size / MIB, lambda: _read(ours)),
            "local disk, in page cache": lambda: rate(size / MIB, lambda: _read(partial(open, plain, "rb"))),
        }
        for who, value in in_turns(contestants, 3 * rounds).items():
            yield Result(f"warm re-read {size // MIB} MiB", who, value, "MiB/s")


class _Ceiling:
    """Sealing and plain files of the same bytes with as many threads: what is left when all else costs nothing."""

    def __init__(self, folder: Path, block: bytes, size: int) -> None:
        self._frames = Frames(FilespaceKeys(bytes(32), os.urandom))
        self._folder, self._block, self._size = folder, memoryview(block), size
        self._store = LocalStore(folder)
        self._lengths: list[list[int]] = []
        self._round = 0

    def write(self) -> None:
        self._round += 1
        shutil.rmtree(self._folder / f"{self._round - 1:016x}", ignore_errors=True)
        with ThreadPoolExecutor(WORKERS) as pool:
            self._lengths = list(pool.map(self._put, range(self._size // OBJECT_BYTES_MIN)))

    def read(self) -> None:
        with ThreadPoolExecutor(WORKERS) as pool:
            assert sum(pool.map(self._get, range(self._size // OBJECT_BYTES_MIN))) == self._size

    def remove(self) -> None:
        shutil.rmtree(self._folder)

    def _name(self, number: int) -> ObjectName:
        return ObjectName(FilespaceId(self._round), ObjectId(number))

    def _put(self, number: int) -> list[int]:
        at = number * OBJECT_BYTES_MIN % len(self._block)
        starts = range(at, at + OBJECT_BYTES_MIN, FRAME_BYTES)
        sealed = [self._frames.seal(self._block[s : s + FRAME_BYTES], 1, s, number) for s in starts]
        self._store.put(self._name(number), sealed)
        return [len(one) for one in sealed]

    def _get(self, number: int) -> int:
        lengths = self._lengths[number]
        body = memoryview(self._store.get(self._name(number), 0, sum(lengths)))
        index, total, at = number * OBJECT_BYTES_MIN % len(self._block), 0, 0
        for place, length in enumerate(lengths):
            total += len(self._frames.open(body[at : at + length], 1, index + place * FRAME_BYTES, number))
            at += length
        return total


def _write(linked: Linked, block: bytes, size: int) -> None:
    with linked.fs.open("/stream", "wb") as file:
        _fill(file.write, block, size)


def _write_plain(path: Path, block: bytes, size: int) -> None:
    with open(path, "wb") as file:
        _fill(file.write, block, size)
        file.flush()
        os.fsync(file.fileno())


def _fill(write: Callable[[memoryview], object], block: bytes, size: int) -> None:
    view = memoryview(block)
    for at in range(0, size, _CHUNK):
        write(view[at % len(block) : at % len(block) + _CHUNK])


def _read(opened: Callable[[], object]) -> None:
    with opened() as file:  # type: ignore[attr-defined]
        buffer = bytearray(_CHUNK)
        while file.readinto(buffer):
            pass
