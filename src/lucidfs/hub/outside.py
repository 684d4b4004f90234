"""Where the hub may connect to when an account names the address: the outside world, and nothing behind its own walls.

Whoever may name an address could otherwise have the hub knock at services that only it can reach: those of its own
machine, of its network, and the metadata of a cloud (169.254.169.254).
"""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

from lucidfs.errors import Code, Fault

OPTION = "--allow-private-endpoints"  # of `lucid hub start`; HubSettings.allow_private_endpoints

_NAT64 = ip_network("64:ff9b::/96")


def check_outside(url: str, *, allow_private: bool = False, what: str = "endpoint") -> None:
    """See whether the hub may send requests to a URL. Resolves its host, so it may block: call it in a thread.

    A name can resolve to something else a moment later: hand `check_address` to the connections too, as
    `objects.http.Http` takes it.

    Args:
        url: `http(s)://host[:port]…`, as an account gave it.
        allow_private: the administrator allowed addresses that are not public.
        what: the field that holds the URL, for messages.

    Raises:
        Fault: INVALID when there is no such host, or DENIED when any of its addresses is not public; says what to do.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        known = socket.getaddrinfo(host, port or 443, type=socket.SOCK_STREAM) if host else []
    except (OSError, UnicodeError, ValueError):
        known = []
    if not known:
        raise Fault(Code.INVALID, f"{what}: there is no host {urlsplit(url).netloc!r} as far as the hub can tell")
    if not allow_private:
        for *_, address in known:
            check_address(str(address[0]), what)


def check_address(address: str, what: str = "endpoint") -> None:
    """Raises Fault(DENIED) unless an IP address is one of the public internet; `what` is the field that led there."""
    if not is_public(address):
        raise Fault(
            Code.DENIED,
            f"{what}: {address} is an address of the hub's own machine or network: whoever runs the hub can allow"
            f" such addresses with `lucid hub start {OPTION}`",
        )


def is_public(address: str) -> bool:
    """Whether an IP address leads outside; one that is wrapped in another counts as what is inside."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    inner = _inner(found) if isinstance(found, IPv6Address) else None
    if inner is not None:
        found = inner
    return found.is_global and not found.is_multicast and not found.is_reserved


def _inner(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 address stands for: mapped, 6to4, Teredo or NAT64."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo is not None else None)
