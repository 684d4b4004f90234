"""Account keys: what was sealed to one account opens there, for its filespace, and nowhere else."""

from __future__ import annotations

import hashlib
import os

import pytest

from lucidfs import identity
from lucidfs.crypto.account import (
    SEALED_KEY_BYTES,
    AccountKeys,
    filespace_id,
    new_filespace_key,
    seal_filespace_key,
)
from lucidfs.crypto.token import Token
from lucidfs.errors import Code, Fault

ALICE = AccountKeys(Token("0" * 16, b"a" * 32))
BOB = AccountKeys(Token("1" * 16, b"b" * 32))
KEY = b"K" * 32
FILESPACE = filespace_id(KEY)


def sealed() -> bytes:
    return seal_filespace_key(KEY, FILESPACE, ALICE.sealing_public, os.urandom)


def test_the_key_arrives() -> None:
    assert len(sealed()) == SEALED_KEY_BYTES == 93
    assert ALICE.open_filespace_key(sealed(), FILESPACE) == KEY


def test_the_id_pins_the_key() -> None:
    expected = int.from_bytes(hashlib.sha256(b"lucid/v1/filespace-id" + KEY).digest()[:8], "big") // 2
    assert expected == FILESPACE
    assert 0 < FILESPACE < 2**63


def test_sealing_is_fresh_each_time_and_shows_nothing() -> None:
    first, second = sealed(), sealed()
    assert first[1:33] != second[1:33]
    assert first[33:] != second[33:]
    assert KEY not in first


def refused(keys: AccountKeys, data: bytes, filespace: int = FILESPACE) -> Code:
    with pytest.raises(Fault) as caught:
        keys.open_filespace_key(data, filespace)
    assert not caught.value.passing
    return caught.value.code


def test_every_changed_byte_is_noticed() -> None:
    good = sealed()
    for index in range(len(good)):
        bad = bytearray(good)
        bad[index] ^= 1
        assert refused(ALICE, bytes(bad)) is Code.CORRUPT, index


@pytest.mark.parametrize(
    "data",
    [b"\x01", sealed()[:-1], sealed() + b"!", b"\x02" + sealed()[1:], bytes(93)],
    ids=["short", "cut", "longer", "of another version", "zeros"],
)
def test_malformed_bytes_are_refused(data: bytes) -> None:
    assert refused(ALICE, data) is Code.CORRUPT


def test_a_point_of_low_order_is_refused() -> None:
    assert refused(ALICE, b"\x01" + bytes(32) + sealed()[33:]) is Code.CORRUPT


def test_another_account_cannot_open_it() -> None:
    assert refused(BOB, sealed()) is Code.CORRUPT


def test_a_key_is_not_taken_for_another_filespaces() -> None:
    assert refused(ALICE, sealed(), FILESPACE + 1) is Code.CORRUPT
    wrong_pair = seal_filespace_key(KEY, 77, ALICE.sealing_public, os.urandom)
    assert refused(ALICE, wrong_pair, 77) is Code.CORRUPT


def test_no_key_at_all_is_a_denial() -> None:
    assert refused(ALICE, b"") is Code.DENIED


def test_a_public_key_must_be_one() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        seal_filespace_key(KEY, FILESPACE, b"short", os.urandom)


def test_the_account_signs_logins() -> None:
    transcript = identity.management_transcript(1, ALICE.key_id, bytes(32), bytes(32))
    assert identity.verify(ALICE.login_public, ALICE.sign(transcript), transcript)
    assert not identity.verify(BOB.login_public, ALICE.sign(transcript), transcript)


def test_the_keys_of_one_token_are_the_same_and_unlike_each_other() -> None:
    again = AccountKeys(Token("0" * 16, b"a" * 32))
    assert (again.login_public, again.sealing_public) == (ALICE.login_public, ALICE.sealing_public)
    assert len({ALICE.login_public, ALICE.sealing_public, BOB.login_public, BOB.sealing_public}) == 4


def test_a_new_filespace_key_is_random() -> None:
    assert len(new_filespace_key(os.urandom)) == 32
    assert new_filespace_key(os.urandom) != new_filespace_key(os.urandom)
