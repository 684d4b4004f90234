"""What a token can do: log in, and open the filespace keys that were sealed to its account."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from lucidfs import identity
from lucidfs.crypto.aead import KEY_BYTES, NONCE_BYTES, TAG_BYTES, Aead
from lucidfs.crypto.token import Token
from lucidfs.errors import Code, Fault

SEALED_KEY_BYTES = 1 + 32 + NONCE_BYTES + KEY_BYTES + TAG_BYTES

_VERSION = b"\x01"
_POINT_BYTES = 32
_HEADER_BYTES = 1 + _POINT_BYTES
_FILESPACE_KEY = b"lucid/v1/filespace-key"


class AccountKeys:
    """The keys that a token's secret derives. Holds secrets: never printed, never sent.

    Attributes:
        key_id: names the account to the hub.
        login_public: 32 bytes, Ed25519; the hub verifies logins with it.
        sealing_public: 32 bytes, X25519; others seal filespace keys to it.
    """

    def __init__(self, token: Token) -> None:
        self.key_id = token.key_id
        self._login_seed = _derive(token.secret, None, b"lucid/v1/login-key")
        self._sealing = X25519PrivateKey.from_private_bytes(_derive(token.secret, None, b"lucid/v1/sealing-key"))
        self.login_public = identity.public_key(self._login_seed)
        self.sealing_public = self._sealing.public_key().public_bytes_raw()

    def sign(self, transcript: bytes) -> bytes:
        """The account's signature over a transcript of `lucidfs.identity`, 64 bytes."""
        return identity.sign(self._login_seed, transcript)

    def open_filespace_key(self, sealed: bytes, filespace: int) -> bytes:
        """The key of a filespace, as `seal_filespace_key` sealed it to this account.

        Raises:
            Fault: DENIED when the account was given no key (`sealed` is empty); CORRUPT when the bytes were
                changed, belong to another account or filespace, or hold a key that is not this filespace's.
        """
        if not sealed:
            raise Fault(Code.DENIED, "this account holds no key of the filespace: ask its administrator to grant it")
        if len(sealed) != SEALED_KEY_BYTES or sealed[:1] != _VERSION:
            raise Fault(Code.CORRUPT, "the sealed filespace key is malformed")
        try:
            shared = self._sealing.exchange(X25519PublicKey.from_public_bytes(sealed[1:_HEADER_BYTES]))
        except ValueError:  # a point of low order: nobody honest sends one
            raise Fault(Code.CORRUPT, "the sealed filespace key is malformed") from None
        cipher = _sealing_cipher(shared, sealed[1:_HEADER_BYTES], self.sealing_public, _no_random)
        key = cipher.open(sealed, _HEADER_BYTES, _associated(filespace))
        if filespace_id(key) != filespace:
            raise Fault(Code.CORRUPT, "the hub sent the key of another filespace")
        return key


def seal_filespace_key(key: bytes, filespace: int, recipient_public: bytes, random: Callable[[int], bytes]) -> bytes:
    """A filespace's key for the eyes of one account: 93 bytes that the hub may keep.

    Args:
        key: the filespace key, 32 bytes.
        filespace: its id.
        recipient_public: `AccountKeys.sealing_public` of the account.
        random: source of random bytes.

    Raises:
        ValueError: the public key is not one.
    """
    ephemeral = X25519PrivateKey.from_private_bytes(random(_POINT_BYTES))
    point = ephemeral.public_key().public_bytes_raw()
    shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(recipient_public))
    cipher = _sealing_cipher(shared, point, recipient_public, random)
    return cipher.seal(_VERSION + point, key, _associated(filespace))


def new_filespace_key(random: Callable[[int], bytes]) -> bytes:
    """A fresh filespace key, 32 bytes."""
    return random(KEY_BYTES)


def filespace_id(key: bytes) -> int:
    """The id that belongs to a filespace key, so that linking by id pins the key; below 2**63."""
    return int.from_bytes(hashlib.sha256(b"lucid/v1/filespace-id" + key).digest()[:8], "big") >> 1


def _sealing_cipher(shared: bytes, point: bytes, recipient: bytes, random: Callable[[int], bytes]) -> Aead:
    return Aead(_derive(shared, point + recipient, _FILESPACE_KEY), random)


def _associated(filespace: int) -> bytes:
    return _FILESPACE_KEY + filespace.to_bytes(8, "big")


def _derive(secret: bytes, salt: bytes | None, info: bytes) -> bytes:
    return HKDF(SHA256(), KEY_BYTES, salt, info).derive(secret)


def _no_random(count: int) -> bytes:
    raise AssertionError(f"opening takes no randomness ({count} bytes asked for)")
