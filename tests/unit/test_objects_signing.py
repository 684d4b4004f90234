"""Signed URLs: good for one method, one object, one hub and a time."""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lucidfs.errors import Code, Fault
from lucidfs.objects.base import ObjectName
from lucidfs.objects.signing import sign_url, verify
from lucidfs.types import FilespaceId, ObjectId

KEY = b"k" * 32
NAME = ObjectName(FilespaceId(7), ObjectId(0x1234))


def taken_apart(url: str) -> tuple[str, str, str, str]:
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    _, _, filespace, object_ = parts.path.split("/")
    return filespace, object_, query["expires"][0], query["signature"][0]


def test_a_url_is_signed_as_documented() -> None:
    text = b"PUT\n0000000000000007\n0000000000001234\n1000"
    signature = hmac.new(KEY, text, hashlib.sha256).hexdigest()
    expected = f"http://h:1/objects/0000000000000007/0000000000001234?expires=1000&signature={signature}"
    assert sign_url(KEY, "http://h:1", "PUT", NAME, 1000) == expected
    assert sign_url(KEY, "http://h:1/", "PUT", NAME, 1000) == expected


@given(st.integers(1, 2**63 - 1), st.integers(1, 2**63 - 1), st.sampled_from(["GET", "PUT"]))
def test_what_is_signed_verifies_until_it_ends(filespace: int, object_: int, method: str) -> None:
    name = ObjectName(FilespaceId(filespace), ObjectId(object_))
    parts = taken_apart(sign_url(KEY, "http://h", method, name, 1000))
    assert verify(KEY, method, *parts, now_s=999.9) == name
    with pytest.raises(Fault):
        verify(KEY, method, *parts, now_s=1000)


FILESPACE, OBJECT, EXPIRES, SIGNATURE = taken_apart(sign_url(KEY, "http://h", "GET", NAME, 1000))


@pytest.mark.parametrize(
    ("method", "filespace", "object_", "expires", "signature"),
    [
        ("PUT", FILESPACE, OBJECT, EXPIRES, SIGNATURE),
        ("GET", "0" * 16, OBJECT, EXPIRES, SIGNATURE),
        ("GET", FILESPACE, "0" * 16, EXPIRES, SIGNATURE),
        ("GET", OBJECT, FILESPACE, EXPIRES, SIGNATURE),
        ("GET", FILESPACE, OBJECT, "2000", SIGNATURE),
        ("GET", FILESPACE, OBJECT, "01000", SIGNATURE),
        ("GET", FILESPACE, OBJECT, EXPIRES, ""),
        ("GET", FILESPACE, OBJECT, EXPIRES, SIGNATURE.upper()),
        ("GET", FILESPACE, OBJECT, EXPIRES, SIGNATURE[:-1]),
        ("GET", FILESPACE, OBJECT, EXPIRES, "é" * 64),
        ("GET", FILESPACE, OBJECT, "\ud800", "\ud800"),
        ("GET", FILESPACE, "../../etc/passwd", EXPIRES, SIGNATURE),
    ],
)
def test_anything_else_is_denied_in_the_same_words(
    method: str, filespace: str, object_: str, expires: str, signature: str
) -> None:
    with pytest.raises(Fault) as caught:
        verify(KEY, method, filespace, object_, expires, signature, now_s=0)
    assert caught.value.code is Code.DENIED
    with pytest.raises(Fault) as ended:
        verify(KEY, "GET", FILESPACE, OBJECT, EXPIRES, SIGNATURE, now_s=5000)
    assert caught.value.message == ended.value.message


def test_another_hubs_signature_is_denied() -> None:
    with pytest.raises(Fault):
        verify(b"x" * 32, "GET", FILESPACE, OBJECT, EXPIRES, SIGNATURE, now_s=0)
