"""The management client's addresses and requests, without a hub."""

from __future__ import annotations

import pytest

from lucidfs.errors import Code, Fault
from lucidfs.wire import management as m
from lucidfs.wire.rest import check_url, is_loopback, place


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("http://127.0.0.1:7117", "http://127.0.0.1:7117"),
        ("http://localhost:7117/", "http://localhost:7117"),
        ("http://[::1]:7117", "http://[::1]:7117"),
        ("ws://127.0.0.1:7117", "http://127.0.0.1:7117"),
        ("wss://hub.example.com", "https://hub.example.com"),
        ("https://hub.example.com/base/", "https://hub.example.com/base"),
    ],
)
def test_addresses_that_may_be_used(given: str, used: str) -> None:
    assert check_url(given, allow_plaintext=False) == used


@pytest.mark.parametrize("url", ["", "hub.example.com", "ftp://hub", "http://", "https:///x", "http://h:port"])
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(Fault) as refusal:
        check_url(url, allow_plaintext=True)
    assert refusal.value.code is Code.INVALID


def test_plaintext_leaves_the_machine_only_when_asked_for() -> None:
    with pytest.raises(Fault) as refusal:
        check_url("http://hub.example.com", allow_plaintext=False)
    assert refusal.value.code is Code.DENIED
    assert check_url("http://hub.example.com", allow_plaintext=True) == "http://hub.example.com"


def test_loopback_is_an_address_and_not_a_name_that_looks_like_one() -> None:
    assert is_loopback("127.8.9.1")
    assert is_loopback("::1")
    assert not is_loopback("127.0.0.1.example.com")
    assert not is_loopback("10.0.0.1")


def test_fields_fill_the_path_and_the_rest_travels() -> None:
    request = m.PutGrant(filespace="0" * 16, account="1" * 16, role="read", sealed_key=b"k")
    path, rest = place(request, m.ROUTES[m.PutGrant])
    assert path == f"/filespaces/{'0' * 16}/grants/{'1' * 16}"
    assert rest == {"role": "read", "sealed_key": b"k"}
