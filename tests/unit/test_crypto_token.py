"""Tokens: what parses is what prints, and no secret is shown by accident."""

from __future__ import annotations

import pickle
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lucidfs.crypto.token import Token

TOKEN = Token("0123456789abcdef", bytes(range(32)))
TEXT = "sa_live:0123456789abcdef:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"


def test_text() -> None:
    assert TOKEN.text() == TEXT
    assert Token.parse(TEXT) == TOKEN


@given(st.binary(min_size=8, max_size=8), st.binary(min_size=32, max_size=32))
def test_every_token_parses(key_id: bytes, secret: bytes) -> None:
    token = Token(key_id.hex(), secret)
    assert Token.parse(token.text()) == token


def test_generated_ones_use_the_given_randomness() -> None:
    assert Token.generate(bytes) == Token("0" * 16, bytes(32))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sa_live",
        "sa_live:your_token_here",
        TEXT[:-1],
        TEXT + "A",
        TEXT + "\n",
        " " + TEXT,
        TEXT.replace("sa_live", "sa_test"),
        TEXT.replace("abcdef", "ABCDEF"),
        TEXT.replace("AAEC", "AA+C"),
        TEXT.replace("AAEC", "AAé€"),
        TEXT[:-1] + "9",  # the same 32 bytes, with a spare bit set
        TEXT.replace(":", ";"),
    ],
)
def test_what_is_malformed_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="token") as caught:
        Token.parse(text)
    shown = "".join(traceback.format_exception(caught.value))
    assert not text.strip() or len(text) < 10 or text not in shown
    assert "AAEC" not in shown


def test_the_secret_is_not_shown() -> None:
    for shown in (repr(TOKEN), str(TOKEN), f"{TOKEN}", "%s %r" % (TOKEN, [TOKEN])):  # noqa: UP031
        assert TOKEN.key_id in shown
        assert "AAEC" not in shown
        assert repr(TOKEN.secret)[2:10] not in shown


def test_tokens_travel_to_other_processes() -> None:
    assert pickle.loads(pickle.dumps(TOKEN)) == TOKEN
    assert len({TOKEN, Token.parse(TEXT)}) == 1
