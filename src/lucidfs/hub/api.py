"""The management API over HTTP: JSON in, a rule of `operations.manage` applied, JSON out. No rules live here."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

import msgspec
from aiohttp import web

from lucidfs.errors import MEANINGS, Code, Fault
from lucidfs.hub import bucket_requests
from lucidfs.hub.bearers import Bearers, account_of
from lucidfs.hub.database.base import Tx
from lucidfs.hub.operations import manage, observe, outside, placing
from lucidfs.hub.operations.live import Live
from lucidfs.hub.operations.manage import Desk, Ended, Outcome, account_view
from lucidfs.limits import LOGIN_S, MANAGEMENT_BODY_BYTES_MAX, MANAGEMENT_BODY_S
from lucidfs.types import id_text, id_value
from lucidfs.wire import management as m
from lucidfs.wire.openapi import document

logger = logging.getLogger(__name__)
_Handler = Callable[[web.Request], Awaitable[web.Response]]
_T = TypeVar("_T")

RULES = {**manage.OPERATIONS, **observe.OPERATIONS, **outside.OPERATIONS, **placing.OPERATIONS}


class Office(bucket_requests.Asker, Protocol):
    """What the API needs of the hub."""

    @property
    def live(self) -> Live:
        """What goes on at this moment."""
        ...

    async def change(self, apply: Callable[[Tx], _T]) -> _T:
        """Run a change in the next group; returns when it is durable. Raises what `apply` raised (nothing applied)."""
        ...

    def store_changed(self, filespace: int) -> None:
        """Have the clients of a filespace connect again, so that they are told where its objects are."""
        ...

    def end_sessions(self, account: int, filespace: int, reason: str) -> None:
        """End an account's sessions in a filespace (0: all of them) at once, with their locks."""
        ...

    def check_open(self) -> None:
        """Raises Fault(SHUTTING_DOWN) unless the hub takes new work."""
        ...

    def check_logins(self, address: str) -> None:
        """Raises Fault(TOO_MANY) when too many logins failed from this address."""
        ...

    def login_failed(self, address: str) -> None:
        """Count a failed login."""
        ...


def mount(app: web.Application, hub: Office) -> None:
    """Add the management API to an application.

    Args:
        app: where the routes go, below `/api/v1`.
        hub: whose filespaces and accounts are managed.
    """
    api = Api(hub)
    described = msgspec.json.encode(document())

    async def describe(request: web.Request) -> web.Response:
        return web.Response(body=described, content_type="application/json")

    async def unknown(request: web.Request) -> web.Response:
        return _refuse(Fault(Code.NOT_FOUND, f"there is no {request.method} {request.path}: see openapi.json"))

    app.router.add_get(f"{m.API_PREFIX}/openapi.json", describe)
    for kind, route in m.ROUTES.items():
        app.router.add_route(route.method, m.API_PREFIX + route.path, _handler(api, kind))
    app.router.add_route("*", m.API_PREFIX + "/{path:.*}", unknown)


class Api:
    """Requests of administrators, each judged with the account as it is at that moment."""

    def __init__(self, hub: Office) -> None:
        self._hub = hub
        self._bearers = Bearers(hub.clock, hub.random)

    async def answer(self, request: m.Record, bearer: str, address: str) -> m.Record:
        """The reply to one request. Raises Fault for every refusal."""
        self._hub.check_open()
        if isinstance(request, m.BeginLogin):
            self._hub.check_logins(address)
            return m.LoginChallenge(nonce=self._bearers.challenge(request, address), versions=[request.version])
        if isinstance(request, m.FinishLogin):
            return self._log_in(request, address)
        if isinstance(request, m.EndLogin):
            self._bearers.find(bearer)
            self._bearers.end(bearer)
            return m.Done()
        return await self._operate(request, bearer)

    def _log_in(self, request: m.FinishLogin, address: str) -> m.LoggedIn:
        self._hub.check_logins(address)
        with self._hub.database.read() as tx:
            try:
                bearer, account = self._bearers.login(tx, request)
            except Fault:
                self._hub.login_failed(address)
                raise
            workspace = tx.workspace(account.workspace)
            return m.LoggedIn(
                bearer=bearer,
                expires=m.time_text(self._hub.clock.now_ns() + int(LOGIN_S * 1e9)),
                workspace=id_text(account.workspace),
                workspace_name=workspace.name if workspace is not None else "",
                account=account_view(tx, account),
            )

    async def _operate(self, request: m.Record, bearer: str) -> m.Record:
        login = self._bearers.find(bearer)
        operation = RULES[type(request)]
        now_ns = self._hub.clock.now_ns()
        fresh_id = int.from_bytes(self._hub.random(8), "big") >> 1 or 1

        def desk(tx: Tx) -> Desk:
            return Desk(tx, account_of(tx, login), now_ns, fresh_id, self._hub.live, self._hub.secrets)

        tried = await bucket_requests.ask(self._hub, request, desk)

        def apply(tx: Tx) -> Outcome:
            return operation(desk(tx)._replace(tried=tried), request)

        if m.ROUTES[type(request)].change:
            outcome = await self._hub.change(apply)
            self._end_sessions(outcome.ended)
            if isinstance(request, m.MoveStore):
                self._hub.store_changed(id_value(request.filespace))
        else:
            with self._hub.database.read() as tx:
                outcome = apply(tx)
        return outcome.reply

    def _end_sessions(self, ended: tuple[Ended, ...]) -> None:
        for item in ended:
            self._hub.end_sessions(item.account, item.filespace, item.reason)


def _handler(api: Api, kind: type[m.Record]) -> _Handler:
    """An aiohttp handler for one kind of request."""

    async def handle(http: web.Request) -> web.Response:
        try:
            request = await _read(http, kind)
            reply = await api.answer(request, _bearer(http), http.remote or "")
        except Fault as fault:
            return _refuse(fault)
        except Exception:
            logger.exception("the management request %s failed", kind.__name__)
            return _refuse(Fault(Code.INTERNAL, "the hub failed; its log says why"))
        return _json(reply, 200)

    return handle


async def _read(http: web.Request, kind: type[m.Record]) -> m.Record:
    """The request that an HTTP request spells: its body or query, with the fields of the path on top."""
    fields: Any = dict(http.query)
    if m.ROUTES[kind].has_body:
        try:
            fields = msgspec.json.decode(await asyncio.wait_for(_body(http), MANAGEMENT_BODY_S))
        except asyncio.TimeoutError:
            raise Fault(Code.INVALID, "the body took too long") from None
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise Fault(Code.BAD_MESSAGE, f"the body is not JSON: {error}") from None
        if not isinstance(fields, dict):
            raise Fault(Code.BAD_MESSAGE, "the body is not a JSON object")
    try:
        return msgspec.convert({**fields, **http.match_info}, kind)
    except msgspec.ValidationError as error:
        raise Fault(Code.INVALID, str(error)) from None


async def _body(http: web.Request) -> bytes:
    body = bytearray()
    async for chunk in http.content.iter_any():
        body += chunk
        if len(body) > MANAGEMENT_BODY_BYTES_MAX:
            raise Fault(Code.TOO_LARGE, f"a management request has at most {MANAGEMENT_BODY_BYTES_MAX} bytes")
    return bytes(body)


def _bearer(http: web.Request) -> str:
    scheme, _, bearer = http.headers.get("Authorization", "").partition(" ")
    return bearer.strip() if scheme.lower() == "bearer" else ""


def _refuse(fault: Fault) -> web.Response:
    return _json(m.Refusal(code=fault.code.name, message=fault.message), MEANINGS[fault.code].http_status)


def _json(record: m.Record, status: int) -> web.Response:
    body = msgspec.json.encode(record)
    headers = {"Cache-Control": "no-store"}  # bearers and sealed keys are not for proxies
    return web.Response(body=body, status=status, content_type="application/json", headers=headers)
