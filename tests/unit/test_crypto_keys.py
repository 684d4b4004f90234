"""Filespace keys: names, targets and MACs are made as docs/FORMAT.md says and open in their own place only."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from lucidfs.crypto.aead import Aead
from lucidfs.crypto.keys import FRAME_CIPHERS_KEPT, FilespaceKeys
from lucidfs.errors import Code, Fault

KEY = bytes(range(32))
KEYS = FilespaceKeys(KEY, os.urandom)
OTHERS = FilespaceKeys(bytes(32), os.urandom)
PARENT, NODE, KIND = 3, 2**63 - 1, 1

names = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=255).filter(
    lambda name: name not in (".", "..") and len(name.encode()) <= 255
)
targets = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=1000)


def subkey(label: bytes) -> bytes:
    return hmac.new(KEY, label + b"\x01", hashlib.sha256).digest()


def corrupt(call: Callable[..., object], *arguments: object) -> bool:
    try:
        call(*arguments)
    except Fault as fault:
        return fault.code is Code.CORRUPT
    return False


# --- names


@given(names)
def test_names_arrive(name: str) -> None:
    sealed = KEYS.seal_name(name, PARENT, NODE, KIND)
    assert KEYS.open_name(sealed, PARENT, NODE, KIND) == name


@given(names)
def test_a_sealed_name_shows_one_of_five_lengths(name: str) -> None:
    length = len(KEYS.seal_name(name, PARENT, NODE, KIND)) - 29
    assert length == next(room for room in (16, 32, 64, 128, 256) if len(name.encode()) + 1 <= room)


def test_a_name_is_sealed_as_documented() -> None:
    sealed = KEYS.seal_name("häl", PARENT, NODE, KIND)
    place = b"name" + PARENT.to_bytes(8, "big") + NODE.to_bytes(8, "big") + b"\x01"
    plain = AESGCM(subkey(b"lucid/v1/name")).decrypt(sealed[1:13], sealed[13:], place)
    assert sealed[:1] == b"\x01"
    assert plain == b"\x04h\xc3\xa4l".ljust(16, b"\0")


def test_a_token_is_made_as_documented() -> None:
    expected = hmac.new(subkey(b"lucid/v1/name-token"), "häl".encode(), hashlib.sha256).digest()[:16]
    assert KEYS.name_token("häl") == expected


@given(names, names)
def test_tokens_are_equal_for_equal_names(one: str, other: str) -> None:
    assert (KEYS.name_token(one) == KEYS.name_token(other)) == (one == other)
    assert KEYS.name_token(one) != OTHERS.name_token(one)


def test_names_are_not_normalised() -> None:
    assert KEYS.name_token("\u00e9") != KEYS.name_token("e\u0301")


@pytest.mark.parametrize("place", [(PARENT + 1, NODE, KIND), (PARENT, NODE - 1, KIND), (PARENT, NODE, 2)])
def test_a_name_opens_in_its_place_only(place: tuple[int, int, int]) -> None:
    sealed = KEYS.seal_name("name", PARENT, NODE, KIND)
    assert corrupt(KEYS.open_name, sealed, *place)
    assert corrupt(OTHERS.open_name, sealed, PARENT, NODE, KIND)


def test_every_changed_or_missing_byte_of_a_name_is_noticed() -> None:
    sealed = KEYS.seal_name("name", PARENT, NODE, KIND)
    for index in range(len(sealed)):
        changed = sealed[:index] + bytes((sealed[index] ^ 0x80,)) + sealed[index + 1 :]
        assert corrupt(KEYS.open_name, changed, PARENT, NODE, KIND)
        assert corrupt(KEYS.open_name, sealed[:index], PARENT, NODE, KIND)
    assert corrupt(KEYS.open_name, sealed + b"\0", PARENT, NODE, KIND)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/", "a\0", "\ud800", "x\udcff"])
def test_what_cannot_be_a_name_is_refused(name: str) -> None:
    with pytest.raises(Fault) as sealing:
        KEYS.seal_name(name, PARENT, NODE, KIND)
    with pytest.raises(Fault) as naming:
        KEYS.name_token(name)
    assert sealing.value.code is naming.value.code is Code.INVALID


def test_names_have_at_most_255_bytes() -> None:
    assert KEYS.open_name(KEYS.seal_name("n" * 255, PARENT, NODE, KIND), PARENT, NODE, KIND) == "n" * 255
    for name in ("n" * 256, "é" * 128):
        with pytest.raises(Fault) as caught:
            KEYS.name_token(name)
        assert caught.value.code is Code.NAME_TOO_LONG


@pytest.mark.parametrize(
    "plain",
    [
        b"",
        b"\x01a",  # not padded
        bytes(16),  # empty
        b"\x02..".ljust(16, b"\0"),
        b"\x03a/b".ljust(16, b"\0"),
        b"\x02a\0".ljust(16, b"\0"),
        b"\x01\xff".ljust(16, b"\0"),  # not UTF-8
        b"\x10" + b"a" * 15,  # longer than its room
        b"\x01a".ljust(15, b"\0") + b"b",  # something in the padding
        b"\x01a".ljust(48, b"\0"),  # no legal room
    ],
)
def test_a_name_that_another_client_sealed_wrongly_is_refused(plain: bytes) -> None:
    place = b"name" + PARENT.to_bytes(8, "big") + NODE.to_bytes(8, "big") + b"\x01"
    sealed = Aead(subkey(b"lucid/v1/name"), os.urandom).seal(b"\x01", plain, place)
    assert corrupt(KEYS.open_name, sealed, PARENT, NODE, KIND)


# --- targets


@given(targets)
def test_targets_arrive(target: str) -> None:
    sealed = KEYS.seal_target(target, NODE)
    assert KEYS.open_target(sealed, NODE) == target
    assert (len(sealed) - 29) % 64 == 0


def test_a_target_is_sealed_as_documented() -> None:
    sealed = KEYS.seal_target("../häl", NODE)
    place = b"target" + NODE.to_bytes(8, "big")
    plain = AESGCM(subkey(b"lucid/v1/target")).decrypt(sealed[1:13], sealed[13:], place)
    assert plain == b"\0\x07../h\xc3\xa4l".ljust(64, b"\0")


def test_a_target_opens_in_its_place_only() -> None:
    sealed = KEYS.seal_target("/a", NODE)
    assert corrupt(KEYS.open_target, sealed, NODE - 1)
    assert corrupt(OTHERS.open_target, sealed, NODE)
    assert corrupt(KEYS.open_target, b"\x02" + sealed[1:], NODE)
    assert corrupt(KEYS.open_target, b"", NODE)


@pytest.mark.parametrize(
    ("target", "code"),
    [("", Code.INVALID), ("a\0", Code.INVALID), ("\udfff", Code.INVALID), ("t" * 4097, Code.NAME_TOO_LONG)],
)
def test_what_cannot_be_a_target_is_refused(target: str, code: Code) -> None:
    with pytest.raises(Fault) as caught:
        KEYS.seal_target(target, NODE)
    assert caught.value.code is code


@pytest.mark.parametrize("plain", [bytes(64), b"\0\x01\xff".ljust(64, b"\0"), b"\xff\xff" + b"a" * 62, b"\0"])
def test_a_target_that_another_client_sealed_wrongly_is_refused(plain: bytes) -> None:
    sealed = Aead(subkey(b"lucid/v1/target"), os.urandom).seal(b"\x01", plain, b"target" + NODE.to_bytes(8, "big"))
    assert corrupt(KEYS.open_target, sealed, NODE)


# --- ciphers of files


def test_a_map_mac_is_made_as_documented() -> None:
    assert KEYS.map_mac(b"map") == hmac.new(subkey(b"lucid/v1/map"), b"map", hashlib.sha256).digest()[:16]


def test_a_file_key_is_made_as_documented() -> None:
    sealed = KEYS.frame_cipher(NODE).seal(b"head", b"plain", b"associated")
    key = subkey(b"lucid/v1/file" + NODE.to_bytes(8, "big"))
    assert sealed[:4] == b"head"
    assert AESGCM(key).decrypt(sealed[4:16], sealed[16:], b"associated") == b"plain"


def test_ciphers_are_kept_but_not_without_bound() -> None:
    keys = FilespaceKeys(KEY, os.urandom)
    first = keys.frame_cipher(1)
    assert keys.frame_cipher(1) is first
    for origin in range(2, FRAME_CIPHERS_KEPT + 2):
        keys.frame_cipher(origin)
    assert keys.frame_cipher(1) is not first


def test_one_cipher_serves_many_threads() -> None:
    cipher = KEYS.frame_cipher(5)

    def work(number: int) -> bool:
        plain = bytes((number,)) * 66_000
        return all(cipher.open(cipher.seal(b"", plain, b"ad"), 0, b"ad") == plain for _ in range(20))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(16)))


def test_nonces_are_the_given_randomness() -> None:
    assert Aead(KEY, bytes).seal(b"", b"", b"")[:12] == bytes(12)


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_keys_have_32_bytes(length: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        FilespaceKeys(bytes(length), os.urandom)
    with pytest.raises(ValueError, match="32 bytes"):
        Aead(bytes(length), os.urandom)
