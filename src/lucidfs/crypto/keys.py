"""What a filespace's key derives: tokens and seals of names and targets, MACs of content maps, keys of files."""

from __future__ import annotations

import hmac
import struct
from collections.abc import Callable
from functools import lru_cache, partial

from lucidfs.crypto.aead import KEY_BYTES, Aead
from lucidfs.errors import Code, Fault
from lucidfs.limits import NAME_BYTES_MAX, TARGET_BYTES_MAX

TOKEN_BYTES = 16
MAC_BYTES = 16
FRAME_CIPHERS_KEPT = 1024  # file keys derived and kept; one is about 1 KiB with its key schedule, and 10 µs to make

_VERSION = b"\x01"
_NAME_ROOMS = (16, 32, 64, 128, 256)  # sealed names show one of five lengths, not their own
_TARGET_ROOM = 64
_NAME_PLACE = struct.Struct(">4sQQB")
_NO_NAMES = (b"", b".", b"..")


class FilespaceKeys:
    """All that is done under one filespace key. Thread-safe. Whatever does not open is Fault(CORRUPT).

    Args:
        key: the filespace key, 32 bytes.
        random: source of random bytes for the nonces.
    """

    def __init__(self, key: bytes, random: Callable[[int], bytes]) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a filespace key has {KEY_BYTES} bytes")
        self._token_key = _subkey(key, b"lucid/v1/name-token")
        self._map_key = _subkey(key, b"lucid/v1/map")
        self._names = Aead(_subkey(key, b"lucid/v1/name"), random)
        self._targets = Aead(_subkey(key, b"lucid/v1/target"), random)
        self._frames = lru_cache(FRAME_CIPHERS_KEPT)(partial(_frame_cipher, key, random))

    def name_token(self, name: str) -> bytes:
        """16 bytes that are equal for equal names of this filespace and tell the hub nothing else.

        Raises Fault(INVALID) or Fault(NAME_TOO_LONG) for what cannot be a name.
        """
        return hmac.digest(self._token_key, _name_bytes(name), "sha256")[:TOKEN_BYTES]

    def seal_name(self, name: str, parent: int, node: int, kind: int) -> bytes:
        """The name for its place: node `node` of kind `kind` in folder `parent`.

        Raises Fault(INVALID) or Fault(NAME_TOO_LONG) for what cannot be a name.
        """
        raw = _name_bytes(name)
        room = next(room for room in _NAME_ROOMS if len(raw) < room)
        plain = bytes((len(raw),)) + raw
        return self._names.seal(_VERSION, plain.ljust(room, b"\0"), _name_place(parent, node, kind))

    def open_name(self, sealed: bytes, parent: int, node: int, kind: int) -> str:
        """The name, if it was sealed for this place. Raises Fault(CORRUPT)."""
        if sealed[:1] != _VERSION:  # written out, as what follows: a tree of a million names is opened one by one
            raise _unknown_version()
        plain = self._names.open(sealed, 1, _NAME_PLACE.pack(b"name", parent, node, kind))
        room = len(plain)
        if room not in _NAME_ROOMS:
            raise Fault(Code.CORRUPT, "a sealed name has no legal length")
        end = plain[0] + 1
        if end > room or plain.count(0, end) != room - end:
            raise _wrongly_padded()
        raw = plain[1:end]
        if raw in _NO_NAMES or b"/" in raw or b"\0" in raw:  # another client sealed it: it may have put anything in
            raise Fault(Code.CORRUPT, "a sealed name is not a legal name")
        try:
            return raw.decode()
        except UnicodeDecodeError:
            raise Fault(Code.CORRUPT, "a sealed name is not a legal name") from None

    def seal_target(self, target: str, node: int) -> bytes:
        """A link's target for node `node`. Raises Fault(INVALID) or Fault(NAME_TOO_LONG)."""
        raw = _target_bytes(target)
        plain = len(raw).to_bytes(2, "big") + raw
        room = -(-len(plain) // _TARGET_ROOM) * _TARGET_ROOM
        return self._targets.seal(_VERSION, plain.ljust(room, b"\0"), _target_place(node))

    def open_target(self, sealed: bytes, node: int) -> str:
        """The target, if it was sealed for this node. Raises Fault(CORRUPT)."""
        if sealed[:1] != _VERSION:
            raise _unknown_version()
        plain = self._targets.open(sealed, 1, _target_place(node))
        try:
            target = _unpad(plain).decode()
            _target_bytes(target)
        except (UnicodeDecodeError, Fault):
            raise Fault(Code.CORRUPT, "a sealed link target is not legal") from None
        return target

    def map_mac(self, data: bytes) -> bytes:
        """16 bytes that only holders of the filespace key can make for `data`."""
        return hmac.digest(self._map_key, data, "sha256")[:MAC_BYTES]

    def frame_cipher(self, origin: int) -> Aead:
        """The cipher of the file key of node `origin`; the most recently used ones are kept."""
        return self._frames(origin)


def _subkey(key: bytes, label: bytes) -> bytes:
    return hmac.digest(key, label + b"\x01", "sha256")  # one block of HKDF-Expand


def _frame_cipher(key: bytes, random: Callable[[int], bytes], origin: int) -> Aead:
    return Aead(_subkey(key, b"lucid/v1/file" + origin.to_bytes(8, "big")), random)


def _name_place(parent: int, node: int, kind: int) -> bytes:
    return _NAME_PLACE.pack(b"name", parent, node, kind)


def _target_place(node: int) -> bytes:
    return b"target" + node.to_bytes(8, "big")


def _unknown_version() -> Fault:
    return Fault(Code.CORRUPT, "sealed bytes of an unknown version")


def _wrongly_padded() -> Fault:
    return Fault(Code.CORRUPT, "sealed text is padded wrongly")


def _name_bytes(name: str) -> bytes:
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise Fault(Code.INVALID, "a name is not empty, not '.' or '..', and has no '/' or NUL")
    raw = _utf8(name, "a name")
    if len(raw) > NAME_BYTES_MAX:
        raise Fault(Code.NAME_TOO_LONG, f"a name has at most {NAME_BYTES_MAX} bytes, this one has {len(raw)}")
    return raw


def _target_bytes(target: str) -> bytes:
    if not target or "\0" in target:
        raise Fault(Code.INVALID, "a link target is not empty and has no NUL")
    raw = _utf8(target, "a link target")
    if len(raw) > TARGET_BYTES_MAX:
        raise Fault(Code.NAME_TOO_LONG, f"a link target has at most {TARGET_BYTES_MAX} bytes, this one has {len(raw)}")
    return raw


def _utf8(text: str, what: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise Fault(Code.INVALID, f"{what} is text that UTF-8 can hold (no lone surrogates)") from None


def _unpad(plain: bytes) -> bytes:
    """`length | bytes | zeros`, the length in two bytes. Raises Fault(CORRUPT) for anything else."""
    end = 2 + int.from_bytes(plain[:2], "big")
    if end > len(plain) or plain.count(0, end) != len(plain) - end:
        raise _wrongly_padded()
    return plain[2:end]
