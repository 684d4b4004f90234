"""What the hub must keep secret and be able to use: keys of S3 buckets, sealed at rest with a key beside the database.

AES-SIV (RFC 5297) needs no nonce, so that sealing is a plain function that operations may call: the same secret in the
same place seals to the same bytes, which tells nothing, because the place is part of it. The key is a file of its own,
so that a copy of the database alone opens nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from lucidfs.errors import Code, Fault

KEY_FILE = "secrets.key"  # in the data folder, readable by its owner only
KEY_BYTES = 64  # AES-256 twice: one half authenticates, one encrypts


class Secrets:
    """Seals and opens.

    Args:
        key: KEY_BYTES random bytes.

    Attributes:
        key_id: tells keys apart and gives nothing away; 16 hex digits.
    """

    def __init__(self, key: bytes) -> None:
        assert len(key) == KEY_BYTES, "a key of the wrong length"
        self._cipher = AESSIV(key)
        self.key_id = hashlib.sha256(b"lucid/v1/secrets\0" + key).hexdigest()[:16]

    def seal(self, secret: str, place: str) -> bytes:
        """A secret sealed for one place, such as a column of one row; it opens nowhere else."""
        return self._cipher.encrypt(b"\0" + secret.encode(), [place.encode()])  # SIV seals no empty text

    def open(self, sealed: bytes, place: str) -> str:
        """The secret. Raises Fault(CORRUPT) when it was sealed with another key, for another place, or was changed."""
        try:
            return self._cipher.decrypt(sealed, [place.encode()])[1:].decode()
        except InvalidTag:
            raise Fault(
                Code.CORRUPT, f"a stored secret does not open: is {KEY_FILE} the one of this database?"
            ) from None


def load_secrets(data: Path, random: Callable[[int], bytes]) -> Secrets:
    """The secrets of a hub's data folder; the key is made when there is none.

    Args:
        data: the folder.
        random: source of random bytes.

    Raises:
        Fault: CORRUPT when the key file is not one.
        OSError: it cannot be read or written.
    """
    with contextlib.suppress(FileExistsError):
        _make(data / KEY_FILE, random(KEY_BYTES))
    return _read(data / KEY_FILE)


def read_secrets(data: Path) -> Secrets | None:
    """The same without making a key; None: there is none, so that no secret was ever sealed. Raises as it does."""
    path = data / KEY_FILE
    return _read(path) if path.exists() else None


def _read(path: Path) -> Secrets:
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise Fault(Code.CORRUPT, f"{path} has {len(key)} bytes, not {KEY_BYTES}: bring it back from a backup")
    return Secrets(key)


def _make(path: Path, key: bytes) -> None:
    """Write the key so that the file is there whole or not at all, unless it is there. Raises FileExistsError."""
    if path.exists():
        raise FileExistsError
    partial = path.with_name(f".{path.name}-{os.getpid()}")
    file = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(file, key)
        os.fsync(file)
        os.link(partial, path)
    finally:
        os.close(file)
        os.unlink(partial)
