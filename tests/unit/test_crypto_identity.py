"""Login signatures: the transcript is what docs/PROTOCOL.md says, and nothing else verifies."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lucidfs import identity

SEED = bytes(range(32))
C, H = b"c" * 32, b"h" * 32
TRANSCRIPT = identity.login_transcript(1, "0123456789abcdef", C, H, 5, 6)


def test_the_transcript_is_the_documented_one() -> None:
    head = b"lucid/v1/login\0" + b"\0\0\0\x01" + b"\0\x10" + b"0123456789abcdef"
    assert head + C + H + (5).to_bytes(8, "big") + (6).to_bytes(8, "big") == TRANSCRIPT
    assert identity.management_transcript(1, "k", C, H) == (
        b"lucid/v1/manage\0" + b"\0\0\0\x01" + b"\0\x01" + b"k" + C + H + bytes(16)
    )


def test_a_signature_verifies() -> None:
    signature = identity.sign(SEED, TRANSCRIPT)
    assert len(signature) == identity.SIGNATURE_BYTES
    assert identity.verify(identity.public_key(SEED), signature, TRANSCRIPT)


@pytest.mark.parametrize(
    "other",
    [
        identity.login_transcript(2, "0123456789abcdef", C, H, 5, 6),
        identity.login_transcript(1, "0123456789abcdee", C, H, 5, 6),
        identity.login_transcript(1, "0123456789abcdef", H, H, 5, 6),
        identity.login_transcript(1, "0123456789abcdef", C, C, 5, 6),
        identity.login_transcript(1, "0123456789abcdef", C, H, 6, 6),
        identity.login_transcript(1, "0123456789abcdef", C, H, 5, 5),
        identity.management_transcript(1, "0123456789abcdef", C, H),
    ],
)
def test_it_is_good_for_one_transcript_only(other: bytes) -> None:
    assert not identity.verify(identity.public_key(SEED), identity.sign(SEED, TRANSCRIPT), other)


@given(st.binary(max_size=40), st.binary(max_size=80))
def test_verify_never_raises(public: bytes, signature: bytes) -> None:
    assert not identity.verify(public, signature, TRANSCRIPT)
    assert not identity.verify(identity.public_key(SEED), signature, TRANSCRIPT)
    assert not identity.verify(public, identity.sign(SEED, TRANSCRIPT), TRANSCRIPT)


def test_another_account_is_not_verified() -> None:
    assert not identity.verify(identity.public_key(bytes(32)), identity.sign(SEED, TRANSCRIPT), TRANSCRIPT)


@pytest.mark.parametrize("nonces", [(C, H[1:]), (C + b"!", H), (b"", H)])
def test_nonces_have_their_length(nonces: tuple[bytes, bytes]) -> None:
    with pytest.raises(ValueError, match="nonce"):
        identity.login_transcript(1, "k", *nonces)


@pytest.mark.parametrize(("version", "filespace", "resume"), [(-1, 0, 0), (2**32, 0, 0), (1, 2**64, 0), (1, 0, -1)])
def test_numbers_fit_their_fields(version: int, filespace: int, resume: int) -> None:
    with pytest.raises(ValueError, match="fit"):
        identity.login_transcript(version, "k", C, H, filespace, resume)
