"""Who somebody is: Ed25519 signatures over the transcripts of a login. All the cryptography that a hub may use."""

from __future__ import annotations

import struct

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

NONCE_BYTES = 32
PUBLIC_KEY_BYTES = 32
SIGNATURE_BYTES = 64

_LOGIN = b"lucid/v1/login\0"
_MANAGE = b"lucid/v1/manage\0"


def login_transcript(
    version: int, key_id: str, nonce_c: bytes, nonce_h: bytes, filespace: int = 0, resume: int = 0
) -> bytes:
    """What a client signs to open a session (docs/PROTOCOL.md, "Handshake").

    Args:
        version: protocol version that both sides speak.
        key_id: the account's key id, at most 65,535 bytes of UTF-8.
        nonce_c: the client's 32 random bytes.
        nonce_h: the hub's 32 random bytes, fresh for this connection.
        filespace: the filespace to link, 0 for none.
        resume: the session to go on with, 0 for a new one.

    Raises:
        ValueError: a nonce of another length, or a number that does not fit.
    """
    return _transcript(_LOGIN, version, key_id, nonce_c, nonce_h, filespace, resume)


def management_transcript(version: int, key_id: str, nonce_c: bytes, nonce_h: bytes) -> bytes:
    """What a client signs to log in to the management API; cannot be taken for a session's transcript."""
    return _transcript(_MANAGE, version, key_id, nonce_c, nonce_h, 0, 0)


def _transcript(
    label: bytes, version: int, key_id: str, nonce_c: bytes, nonce_h: bytes, filespace: int, resume: int
) -> bytes:
    if len(nonce_c) != NONCE_BYTES or len(nonce_h) != NONCE_BYTES:
        raise ValueError(f"a login nonce has {NONCE_BYTES} bytes")
    name = key_id.encode()
    try:
        head = struct.pack(">IH", version, len(name))
        tail = struct.pack(">QQ", filespace, resume)
    except struct.error as error:
        raise ValueError(f"a number of the login does not fit its field: {error}") from None
    return b"".join((label, head, name, nonce_c, nonce_h, tail))


def public_key(seed: bytes) -> bytes:
    """The 32-byte public key of a 32-byte seed. Raises ValueError for a seed of another length."""
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def sign(seed: bytes, transcript: bytes) -> bytes:
    """The 64-byte signature of a transcript. Raises ValueError for a seed of another length than 32."""
    return Ed25519PrivateKey.from_private_bytes(seed).sign(transcript)


def verify(public: bytes, signature: bytes, transcript: bytes) -> bool:
    """Whether the owner of `public` signed the transcript. Never raises: malformed keys and signatures are False."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, transcript)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True
