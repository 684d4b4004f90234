"""Which hosts a URL that somebody else gave may lead to: not those of one's own network, unless that is allowed.

A URL is given by one account and fetched by another's client, which may stand where the first one may not go.
"""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

from lucidfs.errors import Code, Fault


def check_url(url: str, characters_max: int) -> str:
    """The host of an http(s) URL. Raises Fault(INVALID) for what is none."""
    try:
        parts = urlsplit(url)
        host = parts.hostname if parts.port != 0 else None
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https") or len(url) > characters_max or not url.isprintable():
        raise Fault(Code.INVALID, f"url: expected http(s)://host/… of up to {characters_max} characters")
    if parts.username is not None or parts.password is not None:
        raise Fault(Code.INVALID, "url: names and passwords before the host are not sent")
    return host


def check_literal(host: str, field: str = "url") -> None:
    """Raises Fault(DENIED), naming the field, for an address inside somebody's own network. Asks nobody."""
    if host == "localhost" or host.endswith(".localhost") or not _outside(host):
        raise _refusal(host, field)


def check_outside(host: str, field: str = "url") -> None:
    """Raises Fault: DENIED when a host is inside somebody's own network, UNAVAILABLE when its name leads nowhere."""
    check_literal(host, field)
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise Fault(Code.UNAVAILABLE, f"{field}: the host {host} cannot be found: {error.strerror}") from None
    if not all(_outside(str(address[4][0])) for address in found):
        raise _refusal(host, field)


def _outside(host: str) -> bool:
    """Whether it is no address of a private, loopback, link-local or reserved range (or no address at all)."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return not host.replace(".", "").replace("x", "").isdecimal()  # 127.1, 0x7f000001, 2130706433
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_global


def _refusal(host: str, field: str) -> Fault:
    return Fault(
        Code.DENIED,
        f"{field}: {host} is an address of a private network; the hub's administrator can allow those"
        " (lucid hub start --allow-private-endpoints)",
    )
