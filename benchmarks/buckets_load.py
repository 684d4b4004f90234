"""One contestant of `buckets.py`: does what is asked in a fresh process, prints a line of JSON (name -> seconds).

Usage: PYTHON buckets_load.py WHO OPTIONS TASK SCALE, options and scale as JSON. Runs in openlucid's environment, or in
one with obstore and s3fs. Imports and connecting are not counted.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

MIB = 1024 * 1024
PIECE = 4 * MIB
SMALL = 100 * 1024
Steps = Iterator[tuple[str, Callable[[], object]]]


class OpenLucid:
    """The SDK; paths are of a linked filespace."""

    def __init__(self, options: dict[str, Any]) -> None:
        import lucidlink

        self._daemon = lucidlink.create_daemon({"hub.url": options["hub"]})
        self._daemon.start()
        credentials = lucidlink.ServiceAccountCredentials(options["token"])
        self._filespace = self._daemon.authenticate(credentials).link_filespace(name=options["filespace"])
        self._fs = self._filespace.fs

    def read_through(self, path: str) -> int:
        buffer, count = bytearray(PIECE), 0
        with self._fs.open(path, "rb", buffering=0) as stream:
            while more := stream.readinto(buffer):
                count += more
        return count

    def read_at(self, path: str, offsets: list[int], length: int) -> None:
        with self._fs.open(path, "rb", buffering=0) as stream:
            for offset in offsets:
                stream.seek(offset)
                assert len(stream.read(length)) == length

    def write_through(self, path: str, pieces: int, piece: bytes) -> None:
        with self._fs.open(path, "wb") as stream:
            for _ in range(pieces):
                stream.write(piece)

    def read(self, path: str) -> int:
        return len(self._fs.read_file(path))

    def write(self, path: str, data: bytes) -> None:
        self._fs.write_file(path, data)

    def folder(self, path: str) -> None:
        self._fs.create_dir(path)

    def close(self) -> None:
        self._daemon.stop()


class ObStore:
    """obstore; paths are keys."""

    def __init__(self, options: dict[str, Any]) -> None:
        import obstore
        from obstore.store import S3Store

        self._module = obstore
        self._store = S3Store(
            options["bucket"],
            endpoint=options["endpoint"],
            access_key_id=options["key"],
            secret_access_key=options["secret"],
            region="us-east-1",
            virtual_hosted_style_request=False,
            client_options={"allow_http": True},
        )

    def read_through(self, path: str) -> int:
        return sum(len(piece) for piece in self._module.get(self._store, path).stream(min_chunk_size=PIECE))

    def read_at(self, path: str, offsets: list[int], length: int) -> None:
        for offset in offsets:
            assert len(self._module.get_range(self._store, path, start=offset, length=length)) == length

    def write_through(self, path: str, pieces: int, piece: bytes) -> None:
        with self._module.open_writer(self._store, path, buffer_size=8 * MIB) as writer:
            for _ in range(pieces):
                writer.write(piece)

    def read(self, path: str) -> int:
        return len(self._module.get(self._store, path).bytes())

    def write(self, path: str, data: bytes) -> None:
        self._module.put(self._store, path, data)

    def folder(self, path: str) -> None:
        """S3 has none."""

    def close(self) -> None:
        """Nothing to end."""


class S3Fs:
    """s3fs; paths are keys."""

    def __init__(self, options: dict[str, Any]) -> None:
        import s3fs

        config = {"request_checksum_calculation": "when_required", "response_checksum_validation": "when_required"}
        self._fs = s3fs.S3FileSystem(
            key=options["key"], secret=options["secret"], endpoint_url=options["endpoint"], config_kwargs=config
        )
        self._base = f"{options['bucket']}/"

    def read_through(self, path: str) -> int:
        count = 0
        with self._fs.open(self._base + path, "rb") as stream:
            while piece := stream.read(PIECE):
                count += len(piece)
        return count

    def read_at(self, path: str, offsets: list[int], length: int) -> None:
        with self._fs.open(self._base + path, "rb", cache_type="none") as stream:
            for offset in offsets:
                stream.seek(offset)
                assert len(stream.read(length)) == length

    def write_through(self, path: str, pieces: int, piece: bytes) -> None:
        with self._fs.open(self._base + path, "wb") as stream:
            for _ in range(pieces):
                stream.write(piece)

    def read(self, path: str) -> int:
        return len(self._fs.cat_file(self._base + path))

    def write(self, path: str, data: bytes) -> None:
        self._fs.pipe_file(self._base + path, data)

    def folder(self, path: str) -> None:
        """S3 has none."""

    def close(self) -> None:
        """Nothing to end."""


CONTESTANTS: dict[str, Any] = {"openlucid": OpenLucid, "obstore": ObStore, "s3fs": S3Fs}


def linked_large(who: Any, base: str, megabytes: int) -> Steps:
    """A large object from its start to its end, then again; and pieces of 4 KiB from anywhere."""

    def read() -> None:
        assert who.read_through(f"{base}large") == megabytes * MIB

    chance = random.Random(5)
    offsets = [chance.randrange(megabytes * MIB - 4096) for _ in range(500)]
    yield "read, cold", read
    yield "read, again", read
    yield "500 reads of 4 KiB", lambda: who.read_at(f"{base}large", offsets, 4096)


def linked_random(who: Any, base: str, megabytes: int) -> Steps:
    """Pieces of 4 KiB from anywhere in an object that nothing was read of."""
    chance = random.Random(6)
    offsets = [chance.randrange(megabytes * MIB - 4096) for _ in range(500)]
    yield "500 reads of 4 KiB, cold", lambda: who.read_at(f"{base}large", offsets, 4096)


def linked_small(who: Any, base: str, count: int) -> Steps:
    """Small objects, one after the other."""
    yield "read one by one", lambda: [who.read(f"{base}small/{number}") for number in range(count)]


def stream_write(who: Any, base: str, megabytes: int) -> Steps:
    """A large file, durable when the clock stops."""
    piece = os.urandom(PIECE)
    yield "write", lambda: who.write_through(f"{base}stream", megabytes * MIB // PIECE, piece)


def stream_read(who: Any, base: str, megabytes: int) -> Steps:
    """The same in a fresh process."""

    def read() -> None:
        assert who.read_through(f"{base}stream") == megabytes * MIB

    yield "read", read


def files_write(who: Any, base: str, count: int) -> Steps:
    """Files of 100 KiB, each durable before the next: from one thread, and from sixteen."""
    data = os.urandom(SMALL)
    for threads in (1, 16):
        place = f"{base}files-{threads}"
        who.folder(place)
        yield (
            f"write, {threads} thread{'s' * (threads > 1)}",
            lambda place=place, threads=threads: _each(threads, count, lambda n: who.write(f"{place}/{n}", data)),
        )


def files_read(who: Any, base: str, count: int) -> Steps:
    """The same in a fresh process."""
    for threads in (1, 16):
        place = f"{base}files-{threads}"
        yield (
            f"read, {threads} thread{'s' * (threads > 1)}",
            lambda place=place, threads=threads: _each(threads, count, lambda n: who.read(f"{place}/{n}")),
        )


def _each(threads: int, count: int, work: Callable[[int], object]) -> None:
    if threads == 1:
        for number in range(count):
            work(number)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(count)))


TASKS: dict[str, Callable[[Any, str, int], Steps]] = {
    task.__name__: task
    for task in (
        linked_large, linked_random, linked_small, stream_write, stream_read, files_write, files_read,
    )
}  # fmt: skip


def main() -> None:
    """Entry point."""
    name, options, task, scale = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    who = CONTESTANTS[name](options)
    found = {}
    for step, work in TASKS[task](who, options.get("base", ""), scale):
        begin = time.perf_counter()
        work()
        found[step] = time.perf_counter() - begin
    who.close()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
