"""The administrator's side of the management API: logs in with a signature, then one typed call per request.

Synchronous (urllib3); a `ManagementClient` may be shared between threads. Changes are sent once: what a lost
connection left open is for the caller to look at. A bearer that ended is renewed and the call repeated.
"""

from __future__ import annotations

import contextlib
import ipaddress
import threading
from collections.abc import Callable
from types import TracebackType
from typing import TypeVar, cast
from urllib.parse import urlencode, urlsplit

import msgspec
import urllib3

from lucidfs.errors import MEANINGS, Code, Fault
from lucidfs.limits import CALL_DEADLINE_S, CONNECT_TIMEOUT_S, MANAGEMENT_REPLY_BYTES_MAX
from lucidfs.wire import management
from lucidfs.wire.management import API_PREFIX, ROUTES, Record, Route
from lucidfs.wire.messages import PROTOCOL_VERSION

ReplyT = TypeVar("ReplyT", bound=Record)

_SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}

# Signs (nonce of the client, nonce of the hub) as the account.
Signer = Callable[[bytes, bytes], bytes]


def check_url(url: str, *, allow_plaintext: bool) -> str:
    """The hub's http(s) address without a trailing slash; Fault(INVALID) or Fault(DENIED) when it may not be used."""
    try:
        parts = urlsplit(url)
        whole = bool(parts.hostname) and parts.port != 0  # `port` raises for what is no number
    except ValueError:
        whole = False
    if not whole or parts.scheme not in _SCHEMES:
        raise Fault(Code.INVALID, f"not a hub's address: {url!r} (expected http://HOST:PORT or https://HOST)")
    scheme = _SCHEMES[parts.scheme]
    if scheme == "http" and not allow_plaintext and not is_loopback(parts.hostname or ""):
        raise Fault(
            Code.DENIED, f"{url} is not encrypted and not on this machine: use https:// or allow plaintext by name"
        )
    return parts._replace(scheme=scheme, path=parts.path.rstrip("/"), query="", fragment="").geturl()


def is_loopback(host: str) -> bool:
    """Whether nothing sent to this host leaves the machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_hub(url: str, *, allow_plaintext: bool = False) -> None:
    """Ask a hub whether it is there, once. Raises Fault UNAVAILABLE (no hub), INVALID, DENIED (the address)."""
    base = check_url(url, allow_plaintext=allow_plaintext)
    with urllib3.PoolManager(timeout=CONNECT_TIMEOUT_S, retries=False) as pool:
        try:
            answer = pool.request("GET", f"{base}/healthz", redirect=False, preload_content=False)
            status = answer.status
            answer.close()
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Fault(Code.UNAVAILABLE, f"no hub answers at {base} ({_reason(error)})") from None
    if status == MEANINGS[Code.SHUTTING_DOWN].http_status:
        raise Fault(Code.SHUTTING_DOWN, f"the hub at {base} is shutting down")
    if status != 200:
        raise Fault(Code.UNAVAILABLE, f"what answers at {base} is not a hub (status {status})")


class ManagementClient:
    """Calls one hub as one account.

    Args:
        url: the hub's address, http(s).
        key_id: of the account's token.
        sign: signs a login as the account.
        random: source of random bytes.
        allow_plaintext: permit http:// to another machine.

    Raises:
        Fault: INVALID or DENIED for an address that may not be used.
    """

    def __init__(
        self, url: str, key_id: str, sign: Signer, random: Callable[[int], bytes], *, allow_plaintext: bool = False
    ) -> None:
        self._url = check_url(url, allow_plaintext=allow_plaintext)
        self._key_id = key_id
        self._sign = sign
        self._random = random
        self._lock = threading.Lock()  # guards the two fields below
        self._login: management.LoggedIn | None = None
        timeout = urllib3.Timeout(connect=CONNECT_TIMEOUT_S, read=CALL_DEADLINE_S)
        self._pool = urllib3.PoolManager(timeout=timeout, retries=False)

    def __enter__(self) -> ManagementClient:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def login(self) -> management.LoggedIn:
        """Who this is to the hub; logs in when needed. Raises Fault UNAUTHENTICATED, TOO_MANY, UNAVAILABLE."""
        with self._lock:
            if self._login is None:
                self._login = self._log_in()
            return self._login

    def call(self, request: Record, reply: type[ReplyT]) -> ReplyT:
        """Send one request.

        Args:
            request: any request of `management.ROUTES`.
            reply: the reply that `ROUTES` names for it.

        Raises:
            Fault: what the hub refused, or UNAVAILABLE when it cannot be reached.
        """
        route = ROUTES[type(request)]
        if route.reply is not reply:
            raise TypeError(f"{type(request).__name__} is answered by {route.reply.__name__}, not {reply.__name__}")
        login = self.login()
        try:
            return cast(ReplyT, self._send(request, route, login.bearer))
        except Fault as fault:
            if fault.code is not Code.UNAUTHENTICATED:
                raise
        with self._lock:
            if self._login is login:
                self._login = None
        return cast(ReplyT, self._send(request, route, self.login().bearer))

    def close(self) -> None:
        """Log out, if the hub is still there, and close the connections."""
        with self._lock:
            login, self._login = self._login, None
        if login is not None:
            with contextlib.suppress(Fault):  # the bearer ends by itself
                self._send(management.EndLogin(), ROUTES[management.EndLogin], login.bearer)
        self._pool.clear()

    def _log_in(self) -> management.LoggedIn:
        nonce = self._random(32)
        begin = management.BeginLogin(version=PROTOCOL_VERSION, key_id=self._key_id, nonce=nonce)
        challenge = self._send(begin, ROUTES[management.BeginLogin], None)
        assert isinstance(challenge, management.LoginChallenge)
        finish = management.FinishLogin(
            version=PROTOCOL_VERSION,
            key_id=self._key_id,
            nonce=nonce,
            challenge=challenge.nonce,
            signature=self._sign(nonce, challenge.nonce),
        )
        login = self._send(finish, ROUTES[management.FinishLogin], None)
        assert isinstance(login, management.LoggedIn)
        return login

    def _send(self, request: Record, route: Route, bearer: str | None) -> Record:
        path, rest = place(request, route)
        headers = {"Accept": "application/json"}
        if bearer is not None:
            headers["Authorization"] = f"Bearer {bearer}"
        url, body = f"{self._url}{API_PREFIX}{path}", None
        if route.has_body:
            body = msgspec.json.encode(rest)
            headers["Content-Type"] = "application/json"
        elif rest:
            url += "?" + urlencode(rest)
        try:
            answer = self._pool.request(
                route.method, url, body=body, headers=headers, redirect=False, preload_content=False
            )
            try:
                data = answer.read(MANAGEMENT_REPLY_BYTES_MAX + 1)
            finally:
                answer.close()  # of a connection that is still in use: a body read to its end gave it back
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Fault(Code.UNAVAILABLE, f"no hub answers at {self._url} ({_reason(error)})") from None
        if len(data) > MANAGEMENT_REPLY_BYTES_MAX:
            raise Fault(Code.UNAVAILABLE, f"what answers at {self._url} is not a hub (it does not stop)")
        return _decode(answer.status, data, route, self._url)


def place(request: Record, route: Route) -> tuple[str, dict[str, object]]:
    """A request's path, and the fields that did not go into it."""
    fields: dict[str, object] = {name: getattr(request, name) for name in request.__struct_fields__}
    path = route.path.format_map({name: fields.pop(name) for name in route.path_fields})
    return path, fields


def _decode(status: int, data: bytes, route: Route, url: str) -> Record:
    try:
        if status == 200:
            return msgspec.json.decode(data, type=route.reply)
        refusal = msgspec.json.decode(data, type=management.Refusal)
        code = Code[refusal.code]
    except (msgspec.MsgspecError, KeyError):
        raise Fault(Code.UNAVAILABLE, f"what answers at {url} is not a hub (status {status})") from None
    raise Fault(code, refusal.message)


def _reason(error: BaseException) -> str:
    """The innermost cause in a few words: urllib3 wraps what the system said several times."""
    inner: BaseException = error
    while isinstance(inner.__context__, Exception) and not isinstance(inner, OSError):
        inner = inner.__context__
    return inner.strerror if isinstance(inner, OSError) and inner.strerror else type(error).__name__
