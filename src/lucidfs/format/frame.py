"""Frames: 64 KiB of plaintext, compressed where it helps, sealed for one place in one file."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence

from lucidfs.crypto.aead import Aead, Bytes
from lucidfs.crypto.keys import FilespaceKeys
from lucidfs.errors import Code, Fault
from lucidfs.format.compression import ALGORITHMS, Algorithm, expand_into, shrink
from lucidfs.limits import FRAME_BYTES, FRAME_OVERHEAD_BYTES

VERSION = 1
KEY_NUMBER = 1

_HEADER = struct.Struct(">BBH")
_HEADERS = {algorithm: _HEADER.pack(VERSION, algorithm, KEY_NUMBER) for algorithm in Algorithm}
_ALGORITHM_OF = {header: algorithm for algorithm, header in _HEADERS.items()}
_PLACE = struct.Struct(">QQQ")
_LENGTH_BYTES = 4


def _own_memory(length: int) -> memoryview:
    return memoryview(bytearray(length))


class Frames:
    """Seals and opens frames of one filespace. Thread-safe; most of the time is spent outside the GIL.

    Args:
        keys: the filespace's keys.
        algorithm: "lz4", "zstd" or "none": how new frames are compressed. Frames of all are opened.

    Raises:
        ValueError: an unknown algorithm.
    """

    def __init__(self, keys: FilespaceKeys, algorithm: str = "lz4") -> None:
        if algorithm not in ALGORITHMS:
            raise ValueError(f"unknown compression {algorithm!r}: one of {', '.join(ALGORITHMS)}")
        self._keys = keys
        self._algorithm = ALGORITHMS[algorithm]

    def seal_into(
        self, out: memoryview, plain: Bytes, origin: int, index: int, generation: int, *, compress: bool = True
    ) -> int:
        """Seal one frame into memory; the bytes that it takes. (origin, index, generation) must be used once only.

        Args:
            out: at least `len(plain) + FRAME_OVERHEAD_BYTES` long; sealed frames of memory of their own would cost
                three times as much (measured: 2.0 against 0.7 s of processor time a GiB, most of it page faults).
            plain: 1 to FRAME_BYTES bytes.
            origin: node whose key seals.
            index: number of the frame in that file.
            generation: marks this sealing.
            compress: look whether it shrinks; not worth it for what is kept for a while only.

        Raises:
            ValueError: `plain` is empty or too long.
        """
        if not 0 < len(plain) <= FRAME_BYTES:
            raise ValueError(f"a frame has 1 to {FRAME_BYTES} bytes, not {len(plain)}")
        packed = shrink(plain, self._algorithm) if compress else None
        if packed is None or len(packed) + _LENGTH_BYTES >= len(plain):
            header, body = _HEADERS[Algorithm.STORED], plain
        else:
            header, body = _HEADERS[self._algorithm], len(plain).to_bytes(_LENGTH_BYTES, "big") + packed
        length = len(body) + FRAME_OVERHEAD_BYTES
        place = _PLACE.pack(origin, index, generation)
        self._keys.frame_cipher(origin).seal_into(out[:length], header, body, header + place)
        return length

    def open(
        self, sealed: Bytes, origin: int, index: int, generation: int, room: Callable[[int], memoryview] = _own_memory
    ) -> memoryview:
        """The plaintext, at most FRAME_BYTES, of a frame that was sealed as (origin, index, generation).

        Args:
            sealed: what `seal_into` wrote.
            origin, index, generation: what it was sealed as.
            room: gives writable memory of a length for the plaintext.

        Raises:
            Fault: CORRUPT when it was changed, cut, sealed as another frame or under another key.
        """
        return _open(self._keys.frame_cipher(origin), memoryview(sealed), _PLACE.pack(origin, index, generation), room)

    def open_run(
        self,
        sealed: memoryview,
        lengths: Sequence[int],
        origin: int,
        index: int,
        generation: int,
        room: Callable[[int], memoryview] = _own_memory,
    ) -> Iterator[memoryview]:
        """As `open`, for frames that stand one after the other and were sealed as (origin, index …, generation).

        Args:
            sealed: begins with them.
            lengths: sealed bytes of each.
        """
        cipher = self._keys.frame_cipher(origin)
        start = 0
        for place, length in enumerate(lengths, index):
            yield _open(cipher, sealed[start : start + length], _PLACE.pack(origin, place, generation), room)
            start += length


def _open(cipher: Aead, sealed: memoryview, place: bytes, room: Callable[[int], memoryview]) -> memoryview:
    if not FRAME_OVERHEAD_BYTES < len(sealed) <= FRAME_BYTES + FRAME_OVERHEAD_BYTES:
        raise Fault(Code.CORRUPT, f"no sealed frame has {len(sealed)} bytes")
    header = bytes(sealed[: _HEADER.size])
    algorithm = _ALGORITHM_OF.get(header)
    if algorithm is None:
        raise _unknown(header)
    if algorithm is Algorithm.STORED:
        plain = room(len(sealed) - FRAME_OVERHEAD_BYTES)
        cipher.open_into(plain, sealed, _HEADER.size, header + place)
        return plain
    body = memoryview(cipher.open(sealed, _HEADER.size, header + place))
    length = int.from_bytes(body[:_LENGTH_BYTES], "big")
    if not 0 < length <= FRAME_BYTES:
        raise Fault(Code.CORRUPT, "a compressed frame claims an impossible length")
    plain = room(length)
    expand_into(plain, body[_LENGTH_BYTES:], algorithm)
    return plain


def _unknown(header: bytes) -> Fault:
    version, algorithm, key_number = _HEADER.unpack(header)
    if version != VERSION or key_number != KEY_NUMBER:
        return Fault(Code.CORRUPT, f"a frame of unknown version {version} or key {key_number}")
    return Fault(Code.CORRUPT, f"a frame of unknown compression {algorithm}")
