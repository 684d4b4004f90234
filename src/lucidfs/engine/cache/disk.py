"""Sealed frames on disk as they were fetched: segments that are only appended to, dropped whole, rebuilt by a scan.

A segment is records one after the other, each `magic | origin | frame | generation | length | sealed frame`. Nothing is
synced and nothing needs to be: a record is trusted only when its frame opens under its key, so a torn, foreign or
changed record costs one fetch. Each process appends to segments of its own, so several may share the folder; who
needs room drops the segment that was used least lately, whoever wrote it.

Any thread may call; one lock guards the index and gives out room. Reads and writes go on outside it (a segment's file
closes with its last user), so workers do not wait for each other's disk. A crash leaves room that was given out and
never written: whatever stands behind it in that segment is not found again.
"""

from __future__ import annotations

import contextlib
import errno
import os
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from lucidfs.engine.content import FrameKey
from lucidfs.limits import FRAME_BYTES, MIB

_RECORD = struct.Struct(">4sQQQI")
_MAGIC = b"lcd1"
_SUFFIX = ".segment"
_LENGTH_MAX = 2 * FRAME_BYTES  # no sealed frame is longer
_SEGMENT_BYTES_MAX = 32 * MIB  # dropped whole: a small part of the default gigabyte, and few enough files
_FRAMES_AT_ONCE = 512  # one write takes two parts of each, and IOV_MAX is 1024
_SEGMENTS_MIN = 8  # so that dropping one never empties a small cache


class _Segment:
    """One file of records. The descriptor closes with the last reference, so that a reader never loses it."""

    __slots__ = ("fd", "keys", "own", "path", "size", "used")

    def __init__(self, path: Path, fd: int, own: bool) -> None:
        self.path = path
        self.fd = fd
        self.own = own
        self.size = 0
        self.used = 0
        self.keys: list[FrameKey] = []

    def __del__(self) -> None:
        os.close(self.fd)


_Record = tuple[FrameKey, "bytes | memoryview"]


class _Place(NamedTuple):
    """Room that was given to some records."""

    segment: _Segment
    offset: int
    frames: list[_Record]


class DiskCache:
    """A bounded folder of sealed frames.

    Args:
        folder: made with mode 0700 when missing; may hold the segments of an earlier or another process.
        bytes_max: bound of all segments together.
        random: makes file names that no other process has.
    Raises:
        OSError: the folder cannot be made or listed.
    """

    def __init__(self, folder: Path, bytes_max: int, random: Callable[[int], bytes]) -> None:
        self._folder = folder
        self.bytes_max = bytes_max
        self._segment_max = max(1, min(_SEGMENT_BYTES_MAX, bytes_max // _SEGMENTS_MIN))
        self._random = random
        self._lock = threading.Lock()
        self._index: dict[FrameKey, tuple[_Segment, int, int]] = {}
        self._segments: dict[str, _Segment] = {}
        self._current: _Segment | None = None
        self._tick = 0
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._lock:
            self._find_segments()
            self._make_room(0)

    @property
    def bytes_held(self) -> int:
        """Bytes of all segments known at this moment."""
        with self._lock:
            return sum(segment.size for segment in self._segments.values())

    def has(self, key: FrameKey) -> bool:
        """Whether the frame is likely here."""
        return key in self._index

    def get(self, key: FrameKey) -> bytes | None:
        """The sealed frame, to be trusted only once it opens; None if it is not here."""
        with self._lock:
            found = self._index.get(key)
            if found is None:
                return None
            segment, offset, length = found
            self._touch(segment)
        try:
            sealed = os.pread(segment.fd, length, offset)
        except OSError:
            sealed = b""
        if len(sealed) == length:
            return sealed
        self.drop(key)
        return None

    def drop(self, key: FrameKey) -> None:
        """Forget a frame whose record turned out bad."""
        with self._lock:
            self._index.pop(key, None)

    def put(self, frames: Sequence[tuple[FrameKey, bytes | memoryview]]) -> None:
        """Keep sealed frames that were just fetched. A full or broken disk is no error: nothing is kept then."""
        with contextlib.suppress(OSError):
            fresh = list(frames)
            while fresh:
                with self._lock:
                    place = self._reserve([one for one in fresh if one[0] not in self._index])
                if place is None:
                    return
                self._write(*place)
                fresh = fresh[fresh.index(place.frames[-1]) + 1 :]

    def close(self) -> None:
        """Close every file; what is on disk stays for the next process."""
        with self._lock:
            self._index.clear()
            self._segments.clear()
            self._current = None

    def _reserve(self, frames: list[_Record]) -> _Place | None:
        """Room for the first of the frames, as many as fit into one segment; None when there is none for any."""
        for _ in range(2):
            room = self._segment_max - (self._current.size if self._current else 0)
            total = taken = 0
            for _, sealed in frames[:_FRAMES_AT_ONCE]:
                if total + _RECORD.size + len(sealed) > room:
                    break
                total += _RECORD.size + len(sealed)
                taken += 1
            if taken:
                self._make_room(total)
                segment = self._current or self._new_segment()
                offset = segment.size
                segment.size += total
                self._touch(segment)
                return _Place(segment, offset, frames[:taken])
            self._current = None  # full: the next one may hold what this one cannot
        return None

    def _write(self, segment: _Segment, offset: int, frames: list[_Record]) -> None:
        """Write records into their room, and only then let them be found. Nobody else writes there."""
        parts: list[bytes | memoryview] = []
        for key, sealed in frames:
            parts += (_RECORD.pack(_MAGIC, *key, len(sealed)), sealed)
        written = os.pwritev(segment.fd, parts, offset)
        with self._lock:
            if written != sum(map(len, parts)):
                if segment is self._current:
                    self._current = None  # the disk is full: leave the torn record and this segment
                raise OSError(errno.ENOSPC, "the cache's disk is full")
            if self._segments.get(segment.path.name) is not segment:
                return  # dropped meanwhile, to make room
            for key, sealed in frames:
                self._index[key] = (segment, offset + _RECORD.size, len(sealed))
                segment.keys.append(key)
                offset += _RECORD.size + len(sealed)

    def _new_segment(self) -> _Segment:
        self._find_segments()  # others that share the folder may have written or dropped some
        path = self._folder / f"{self._random(8).hex()}{_SUFFIX}"
        segment = _Segment(path, os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), own=True)
        self._segments[path.name] = self._current = segment
        return segment

    def _make_room(self, need: int) -> None:
        while sum(segment.size for segment in self._segments.values()) + need > self.bytes_max and self._segments:
            oldest = min(self._segments.values(), key=lambda segment: segment.used)
            self._forget(oldest)
            with contextlib.suppress(FileNotFoundError):
                oldest.path.unlink()

    def _forget(self, segment: _Segment) -> None:
        del self._segments[segment.path.name]
        if segment is self._current:
            self._current = None
        for key in segment.keys:
            found = self._index.get(key)
            if found is not None and found[0] is segment:
                del self._index[key]

    def _touch(self, segment: _Segment) -> None:
        self._tick += 1
        segment.used = self._tick

    def _find_segments(self) -> None:
        """Bring the list up to date with the folder: oldest first, so that age counts as disuse."""
        found = []
        for entry in os.scandir(self._folder):
            if entry.name.endswith(_SUFFIX):
                with contextlib.suppress(FileNotFoundError):
                    found.append((entry.stat().st_mtime_ns, entry.name))
        present = {name for _, name in found}
        for segment in [one for name, one in self._segments.items() if name not in present]:
            self._forget(segment)
        for _, name in sorted(found):
            known = self._segments.get(name)
            with contextlib.suppress(OSError):
                if known is None:
                    self._adopt(self._folder / name)
                elif not known.own:
                    known.size = os.fstat(known.fd).st_size

    def _adopt(self, path: Path) -> None:
        segment = _Segment(path, os.open(path, os.O_RDONLY | os.O_CLOEXEC), own=False)
        segment.size = os.fstat(segment.fd).st_size
        for key, offset, length in _records(segment):
            self._index[key] = (segment, offset, length)
            segment.keys.append(key)
        self._segments[path.name] = segment
        self._touch(segment)


def _records(segment: _Segment) -> Iterator[tuple[FrameKey, int, int]]:
    """Records of a segment up to the first that is torn or not one of ours."""
    offset = 0
    while offset + _RECORD.size <= segment.size:
        magic, origin, frame, generation, length = _RECORD.unpack(os.pread(segment.fd, _RECORD.size, offset))
        offset += _RECORD.size
        if magic != _MAGIC or length > _LENGTH_MAX or offset + length > segment.size:
            return
        yield (origin, frame, generation), offset, length
        offset += length
