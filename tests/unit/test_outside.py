"""The hub connects to public addresses only, whatever name or wrapping they come in, unless that is allowed."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest

from lucidfs.errors import Code, Fault
from lucidfs.hub.outside import check_address, check_outside, is_public
from lucidfs.objects.http import Http

INSIDE = [
    "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254",
    "224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "fe80::1%eth0", "fd00::1", "ff02::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:7f00:1::", "2002:a00:1::1", "not an address", "",
]  # fmt: skip


@pytest.mark.parametrize("address", INSIDE)
def test_what_is_inside(address: str) -> None:
    assert not is_public(address)
    with pytest.raises(Fault, match="--allow-private-endpoints") as refused:
        check_address(address)
    assert refused.value.code is Code.DENIED


@pytest.mark.parametrize("address", ["8.8.8.8", "52.219.1.1", "2600:1fa0::1", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_what_is_outside(address: str) -> None:
    assert is_public(address)
    check_address(address)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "https://localhost/x", "http://[::1]:80", "http://2130706433"])
def test_names_are_resolved(url: str) -> None:
    with pytest.raises(Fault) as refused:
        check_outside(url)
    assert refused.value.code is Code.DENIED
    check_outside(url, allow_private=True)


@pytest.mark.parametrize("url", ["http://host.invalid", "http://", "nothing", "http://a:b", "http://a..b"])
def test_what_is_no_host(url: str) -> None:
    for allowed in (False, True):
        with pytest.raises(Fault) as refused:
            check_outside(url, allow_private=allowed)
        assert refused.value.code is Code.INVALID


def test_every_address_of_a_name_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    def two(*_: Any, **__: Any) -> list[Any]:
        return [(0, 0, 0, "", ("8.8.8.8", 443)), (0, 0, 0, "", ("10.0.0.1", 443))]

    monkeypatch.setattr(socket, "getaddrinfo", two)
    with pytest.raises(Fault, match=r"10\.0\.0\.1"):
        check_outside("https://two.example")


@pytest.fixture
def asked() -> Iterator[tuple[str, list[str]]]:
    """A server on this machine, and what it was asked for."""
    heard: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/", heard
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_name_that_leads_inside_only_later_hears_nothing(asked: tuple[str, list[str]]) -> None:
    url, heard = asked
    guarded, open_ = Http(check_address=check_address), Http()
    try:
        with pytest.raises(Fault) as refused:
            with guarded.request("GET", url, {}):
                pass
        assert refused.value.code is Code.DENIED
        assert heard == []
        with open_.request("GET", url, {}) as answer:
            assert answer.status == 200
        assert heard == ["/"]
    finally:
        guarded.close()
        open_.close()
