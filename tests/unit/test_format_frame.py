"""Frames: what is sealed opens as the same frame of the same file, and as nothing else."""

from __future__ import annotations

import hashlib
import hmac
import os

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from lucidfs.crypto.keys import FilespaceKeys
from lucidfs.errors import Code, Fault
from lucidfs.format.compression import ALGORITHMS, Algorithm, expand_into, shrink
from lucidfs.format.frame import Frames
from lucidfs.limits import FRAME_BYTES, FRAME_OVERHEAD_BYTES

KEY = bytes(range(32))
KEYS = FilespaceKeys(KEY, os.urandom)
PLACE = (7, 3, 9)
TEXT = b"".join(b"line %d of something that shrinks\n" % number for number in range(3000))[:FRAME_BYTES]
NOISE = hashlib.shake_256(b"noise").digest(FRAME_BYTES)
MIXED = NOISE[: FRAME_BYTES // 2] + TEXT[: FRAME_BYTES // 2]
PLAINS = {"text": TEXT, "noise": NOISE, "mixed": MIXED, "zeros": bytes(FRAME_BYTES), "one": b"x", "short": b"ab" * 99}
EACH_ALGORITHM = pytest.mark.parametrize("algorithm", list(ALGORITHMS))


def file_key(origin: int) -> bytes:
    return hmac.new(KEY, b"lucid/v1/file" + origin.to_bytes(8, "big") + b"\x01", hashlib.sha256).digest()


def place_bytes(header: bytes, place: tuple[int, int, int] = PLACE) -> bytes:
    return header + b"".join(number.to_bytes(8, "big") for number in place)


def seal(frames: Frames, plain: bytes | memoryview, *place: int) -> bytes:
    room = memoryview(bytearray(len(plain) + FRAME_OVERHEAD_BYTES))
    length = frames.seal_into(room, plain, *place)
    return bytes(room[:length])


def forged(header: bytes, body: bytes) -> bytes:
    """A frame that another client sealed in its own way."""
    return header + bytes(12) + AESGCM(file_key(PLACE[0])).encrypt(bytes(12), body, place_bytes(header))


def is_corrupt(sealed: bytes | memoryview, place: tuple[int, int, int] = PLACE, keys: FilespaceKeys = KEYS) -> bool:
    try:
        Frames(keys).open(sealed, *place)
    except Fault as fault:
        return fault.code is Code.CORRUPT
    return False


def _expanded(packed: bytes, algorithm: Algorithm, length: int) -> bytes:
    out = bytearray(length)
    expand_into(memoryview(out), packed, algorithm)
    return bytes(out)


@EACH_ALGORITHM
@pytest.mark.parametrize("length", range(1, 40))
def test_no_frame_is_longer_sealed_than_stored(algorithm: str, length: int) -> None:
    sealed = seal(Frames(KEYS, algorithm), b"s" * length, *PLACE)
    assert len(sealed) <= length + FRAME_OVERHEAD_BYTES
    assert Frames(KEYS).open(sealed, *PLACE) == b"s" * length


@EACH_ALGORITHM
@pytest.mark.parametrize("plain", PLAINS.values(), ids=PLAINS)
def test_frames_arrive(algorithm: str, plain: bytes) -> None:
    sealed = seal(Frames(KEYS, algorithm), memoryview(plain), *PLACE)
    assert Frames(KEYS).open(memoryview(sealed), *PLACE) == plain
    assert len(sealed) <= len(plain) + FRAME_OVERHEAD_BYTES


@EACH_ALGORITHM
@given(plain=st.binary(min_size=1, max_size=2000), repeats=st.integers(1, 40))
def test_any_bytes_arrive(algorithm: str, plain: bytes, repeats: int) -> None:
    plain = (plain * repeats)[:FRAME_BYTES]
    assert Frames(KEYS).open(seal(Frames(KEYS, algorithm), plain, *PLACE), *PLACE) == plain


@pytest.mark.parametrize(
    ("algorithm", "plain", "expected"),
    [
        ("none", TEXT, Algorithm.STORED),
        ("lz4", TEXT, Algorithm.LZ4),
        ("zstd", TEXT, Algorithm.ZSTD),
        ("lz4", MIXED, Algorithm.LZ4),
        ("zstd", MIXED, Algorithm.ZSTD),
        ("lz4", NOISE, Algorithm.STORED),
        ("zstd", NOISE, Algorithm.STORED),
        ("lz4", b"short", Algorithm.STORED),
        ("zstd", b"short", Algorithm.STORED),
    ],
)
def test_only_what_shrinks_is_compressed(algorithm: str, plain: bytes, expected: Algorithm) -> None:
    sealed = seal(Frames(KEYS, algorithm), plain, *PLACE)
    assert sealed[:4] == bytes((1, expected, 0, 1))
    stored = expected is Algorithm.STORED
    assert (len(sealed) == len(plain) + FRAME_OVERHEAD_BYTES) == stored


def test_a_frame_is_sealed_as_documented() -> None:
    sealed = seal(Frames(KEYS, "none"), b"plain", *PLACE)
    plain = AESGCM(file_key(PLACE[0])).decrypt(sealed[4:16], sealed[16:], place_bytes(b"\x01\0\0\x01"))
    assert plain == b"plain"
    sealed = seal(Frames(KEYS, "lz4"), TEXT, *PLACE)
    body = AESGCM(file_key(PLACE[0])).decrypt(sealed[4:16], sealed[16:], place_bytes(b"\x01\x01\0\x01"))
    assert body[:4] == len(TEXT).to_bytes(4, "big")


@pytest.mark.parametrize("place", [(8, 3, 9), (7, 4, 9), (7, 3, 10), (3, 7, 9)])
def test_a_frame_opens_in_its_place_only(place: tuple[int, int, int]) -> None:
    sealed = seal(Frames(KEYS), TEXT, *PLACE)
    assert is_corrupt(sealed, place)
    assert is_corrupt(sealed, keys=FilespaceKeys(bytes(32), os.urandom))


@pytest.mark.parametrize("plain", [b"some bytes", TEXT], ids=["stored", "lz4"])
def test_every_changed_or_missing_byte_is_noticed(plain: bytes) -> None:
    sealed = seal(Frames(KEYS), plain, *PLACE)
    for index in range(len(sealed)):
        changed = bytearray(sealed)
        changed[index] ^= 1
        assert is_corrupt(bytes(changed)), index
        assert is_corrupt(sealed[:index]), index
    assert is_corrupt(sealed + b"\0")


@pytest.mark.parametrize("header", [b"\x02\0\0\x01", b"\x01\x03\0\x01", b"\x01\xff\0\x01", b"\x01\0\0\x02"])
def test_what_a_later_version_may_write_is_refused(header: bytes) -> None:
    assert is_corrupt(forged(header, b"plain"))


@EACH_ALGORITHM
def test_a_frame_that_grows_when_opened_is_refused(algorithm: str) -> None:
    number = ALGORITHMS[algorithm]
    if number is Algorithm.STORED:
        assert is_corrupt(forged(b"\x01\0\0\x01", bytes(FRAME_BYTES + 1)))
        return
    bomb = shrink(bytes(100 * FRAME_BYTES), number)
    assert bomb is not None and len(bomb) < FRAME_BYTES
    header = bytes((1, number, 0, 1))
    for claimed in (0, 1, FRAME_BYTES, FRAME_BYTES + 1, 100 * FRAME_BYTES, 2**32 - 1):
        assert is_corrupt(forged(header, claimed.to_bytes(4, "big") + bomb)), claimed


@pytest.mark.parametrize("algorithm", [Algorithm.LZ4, Algorithm.ZSTD])
@pytest.mark.parametrize("off", [-1, 1, 5])
def test_a_frame_that_lies_about_its_length_is_refused(algorithm: Algorithm, off: int) -> None:
    packed = shrink(TEXT, algorithm)
    assert packed is not None
    assert _expanded(packed, algorithm, len(TEXT)) == TEXT
    with pytest.raises(Fault):
        _expanded(packed, algorithm, len(TEXT) + off)


@pytest.mark.parametrize("algorithm", [Algorithm.LZ4, Algorithm.ZSTD])
@given(packed=st.binary(max_size=300))
def test_noise_is_refused_or_expands_to_its_length(algorithm: Algorithm, packed: bytes) -> None:
    try:
        assert len(_expanded(packed, algorithm, 100)) == 100
    except Fault as fault:
        assert fault.code is Code.CORRUPT


@pytest.mark.parametrize("body", [b"", b"\0", b"\0\0\0", b"\0\0\0\x05"])
def test_a_compressed_frame_without_content_is_refused(body: bytes) -> None:
    assert is_corrupt(forged(b"\x01\x01\0\x01", body))
    assert is_corrupt(forged(b"\x01\x02\0\x01", body))


@pytest.mark.parametrize("length", [0, FRAME_BYTES + 1])
def test_a_frame_has_1_to_65536_bytes(length: int) -> None:
    with pytest.raises(ValueError, match="frame"):
        seal(Frames(KEYS), bytes(length), *PLACE)


def test_the_same_frame_never_seals_to_the_same_bytes() -> None:
    assert seal(Frames(KEYS), TEXT, *PLACE) != seal(Frames(KEYS), TEXT, *PLACE)


def test_unknown_compression_is_refused() -> None:
    with pytest.raises(ValueError, match="lz4"):
        Frames(KEYS, "brotli")
