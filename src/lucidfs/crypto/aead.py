"""Sealing with AES-256-GCM: the one way in which bytes are made unreadable and unchangeable here."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lucidfs.errors import Code, Fault

Bytes: TypeAlias = bytes | bytearray | memoryview

KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16
_COPIED_SOONER = 512


class Aead:
    """Seals and opens under one key. Thread-safe; outside the GIL for 64 KiB and more.

    Nonces are random: 2**32 sealings under one key keep the chance of a repeat below 2**-32.

    Args:
        key: 32 bytes.
        random: source of random bytes for the nonces.
    """

    __slots__ = ("_cipher", "_random")

    def __init__(self, key: bytes, random: Callable[[int], bytes]) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a key has {KEY_BYTES} bytes")
        self._cipher = AESGCM(key)
        self._random = random

    def seal(self, header: bytes, plain: Bytes, associated: bytes) -> bytes:
        """`header | nonce | ciphertext | tag`. The header is only protected where `associated` repeats it."""
        nonce = self._random(NONCE_BYTES)
        return b"".join((header, nonce, self._cipher.encrypt(nonce, plain, associated)))

    def seal_into(self, out: memoryview, header: bytes, plain: Bytes, associated: bytes) -> None:
        """As `seal`, into memory of just that length: `len(header) + NONCE_BYTES + len(plain) + TAG_BYTES`."""
        nonce = self._random(NONCE_BYTES)
        start = len(header) + NONCE_BYTES
        out[:start] = header + nonce
        self._cipher.encrypt_into(nonce, plain, associated, out[start:])

    def open(self, sealed: Bytes, header_bytes: int, associated: bytes) -> bytes:
        """What `seal` was given, with a header of `header_bytes`. Raises Fault(CORRUPT) if a bit differs."""
        # Slices of a name are copied sooner than a view of it is made.
        view = sealed if type(sealed) is bytes and len(sealed) < _COPIED_SOONER else memoryview(sealed)
        start = header_bytes + NONCE_BYTES
        if len(view) < start + TAG_BYTES:
            raise Fault(Code.CORRUPT, "sealed bytes are too short")
        try:
            return self._cipher.decrypt(view[header_bytes:start], view[start:], associated)
        except InvalidTag:
            raise _does_not_open() from None

    def open_into(self, out: memoryview, sealed: Bytes, header_bytes: int, associated: bytes) -> None:
        """As `open`, into memory of just that length, whose content is undefined when it raises."""
        view = memoryview(sealed)
        start = header_bytes + NONCE_BYTES
        if len(view) != start + len(out) + TAG_BYTES:
            raise Fault(Code.CORRUPT, "sealed bytes are too short")
        try:
            self._cipher.decrypt_into(view[header_bytes:start], view[start:], associated, out)
        except InvalidTag:
            raise _does_not_open() from None


def _does_not_open() -> Fault:
    return Fault(Code.CORRUPT, "sealed bytes do not open: changed, misplaced or under another key")
