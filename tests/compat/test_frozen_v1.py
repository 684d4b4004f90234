"""Bytes that version 1 wrote are read for ever, and what has to be equal everywhere is made the same for ever."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import pytest

from lucidfs.crypto.keys import FilespaceKeys
from lucidfs.crypto.token import Token
from lucidfs.format.content import check_content
from lucidfs.format.frame import Frames
from lucidfs.identity import management_transcript, verify
from lucidfs.objects.signing import verify as verify_url
from lucidfs.wire.messages import Content
from tests.compat import frozen_v1 as v1

FROZEN = {
    title: base64.b64decode(text)
    for title, text in json.loads((Path(__file__).parent / "frozen_v1.json").read_text(encoding="utf-8")).items()
}
KEYS = FilespaceKeys(v1.FILESPACE_KEY, os.urandom)
COMPRESSED = {
    title for title in FROZEN if title.startswith(("frame lz4", "frame zstd"))
}  # a library may pack otherwise


def test_nothing_was_forgotten() -> None:
    assert set(FROZEN) == set(v1.made())


@pytest.mark.parametrize("title", sorted(set(FROZEN) - COMPRESSED))
def test_the_same_is_made_today(title: str) -> None:
    assert v1.made()[title] == FROZEN[title]


def test_tokens() -> None:
    assert Token.parse(FROZEN["token"].decode()) == v1.TOKEN


def test_logins() -> None:
    public = FROZEN["login public key"]
    manage = management_transcript(1, v1.TOKEN.key_id, b"c" * 32, b"h" * 32)
    assert verify(public, FROZEN["login signature"], FROZEN["login transcript"])
    assert verify(public, FROZEN["management signature"], manage)


def test_filespace_keys() -> None:
    assert int.from_bytes(FROZEN["filespace id"], "big") == v1.FILESPACE
    assert v1.account().open_filespace_key(FROZEN["sealed filespace key"], v1.FILESPACE) == v1.FILESPACE_KEY


@pytest.mark.parametrize("name", v1.NAMES)
def test_names(name: str) -> None:
    assert KEYS.open_name(FROZEN[f"sealed {name[:8]}"], v1.PARENT, v1.NODE, v1.KIND) == name


def test_targets() -> None:
    assert KEYS.open_target(FROZEN["sealed target"], v1.NODE) == v1.TARGET


@pytest.mark.parametrize("title", sorted(title for title in FROZEN if title.startswith("frame ")))
def test_frames(title: str) -> None:
    assert Frames(KEYS).open(FROZEN[title], *v1.PLACE) == v1.PLAINS[title.split()[-1]]


def test_each_way_to_compress_is_among_the_frames() -> None:
    assert {FROZEN[title][1] for title in FROZEN if title.startswith("frame ")} == {0, 1, 2}


def test_content_maps() -> None:
    check_content(KEYS, v1.NODE, Content(1, v1.SIZE, v1.GENERATION, FROZEN["content mac"], v1.EXTENTS))
    check_content(KEYS, v1.NODE, Content(0, 0, 0, FROZEN["empty content mac"]))


def test_object_urls() -> None:
    path, _, query = FROZEN["object url"].decode().removeprefix("https://hub/objects/").partition("?")
    expires, signature = (part.partition("=")[2] for part in query.split("&"))
    filespace, object_ = path.split("/")
    assert verify_url(b"k" * 32, "PUT", filespace, object_, expires, signature, now_s=0) == v1.OBJECT
