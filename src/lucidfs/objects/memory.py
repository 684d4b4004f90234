"""Objects in a dict: for tests and simulation."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from lucidfs.clock import Clock
from lucidfs.objects.base import ObjectName, ObjectStat
from lucidfs.types import FilespaceId


class MemoryStore:
    """An `ObjectStore` that lives as long as the process.

    Args:
        clock: tells `list` when an object was put; without one everything is from 1970.

    Attributes:
        contents: the objects themselves, for tests that look at them or tamper with them.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self.contents: dict[ObjectName, bytes] = {}
        self._put_ns: dict[ObjectName, int] = {}
        self._clock = clock
        self._lock = threading.Lock()

    def put(self, name: ObjectName, data: bytes | bytearray | memoryview | list[bytes]) -> None:
        body = b"".join(data) if isinstance(data, list) else bytes(data)
        with self._lock:
            if self.contents.setdefault(name, body) != body:
                raise FileExistsError(f"object {name.object:016x} is there with other bytes")
            self._put_ns.setdefault(name, self._clock.now_ns() if self._clock else 0)

    def get(self, name: ObjectName, offset: int, length: int) -> bytes:
        with self._lock:
            body = self.contents.get(name)
        if body is None:
            raise FileNotFoundError(f"no object {name.object:016x}")
        if offset + length > len(body):
            raise EOFError(f"object {name.object:016x} has {len(body)} bytes, not {offset + length}")
        return body[offset : offset + length]

    def delete(self, name: ObjectName) -> None:
        with self._lock:
            self.contents.pop(name, None)
            self._put_ns.pop(name, None)

    def list(self, filespace: FilespaceId) -> Iterator[ObjectStat]:
        with self._lock:
            stats = [
                ObjectStat(name, len(body), self._put_ns.get(name, 0))
                for name, body in self.contents.items()
                if name.filespace == filespace
            ]
        return iter(stats)

    def close(self) -> None:
        """Nothing to let go of; the objects stay."""
