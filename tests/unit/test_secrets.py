"""Secrets of the hub: open in their place, with their key, unchanged; and the key file is made once, whole, private."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from lucidfs.errors import Code, Fault
from lucidfs.hub.secrets import KEY_BYTES, KEY_FILE, Secrets, load_secrets

KEY = bytes(range(KEY_BYTES))


@pytest.mark.parametrize("secret", ["", "s", "testsecret", "ä€" * 500])
def test_what_is_sealed_opens(secret: str) -> None:
    secrets = Secrets(KEY)
    sealed = secrets.seal(secret, "store 1")
    assert secret.encode() not in sealed or not secret
    assert secrets.open(sealed, "store 1") == secret


@pytest.mark.parametrize("wrong", ["key", "place", "bit", "length"])
def test_what_is_not_as_it_was_sealed_is_refused(wrong: str) -> None:
    sealed = Secrets(KEY).seal("testsecret", "store 1")
    if wrong == "bit":
        sealed = bytes((sealed[0] ^ 1,)) + sealed[1:]
    if wrong == "length":
        sealed = sealed[:3]
    key = KEY[::-1] if wrong == "key" else KEY
    with pytest.raises(Fault) as caught:
        Secrets(key).open(sealed, "store 2" if wrong == "place" else "store 1")
    assert caught.value.code is Code.CORRUPT


def test_sealing_needs_no_luck() -> None:
    assert Secrets(KEY).seal("a", "b") == Secrets(KEY).seal("a", "b") != Secrets(KEY).seal("a", "c")


def test_the_key_file_is_made_once_and_private(tmp_path: Path) -> None:
    sealed = load_secrets(tmp_path, lambda count: b"k" * count).seal("testsecret", "")
    assert load_secrets(tmp_path, lambda count: b"other"[:1] * count).open(sealed, "") == "testsecret"
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [KEY_FILE]


def test_a_broken_key_file_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).write_bytes(b"short")
    with pytest.raises(Fault, match="backup"):
        load_secrets(tmp_path, lambda count: b"k" * count)
    assert (tmp_path / KEY_FILE).read_bytes() == b"short"
