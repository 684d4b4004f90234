"""The management API over real HTTP: logging in, every refusal with its status, and what a revocation ends."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import urllib3

import lucidlink
from lucidfs.crypto.account import AccountKeys
from lucidfs.crypto.token import Token
from lucidfs.engine.administration import Administration, NewToken, fingerprint
from lucidfs.errors import MEANINGS, Code, Fault
from lucidfs.hub.settings import HubSettings
from lucidfs.identity import management_transcript
from lucidfs.limits import MANAGEMENT_BODY_BYTES_MAX
from lucidfs.testing.hubs import HubThread, new_hub
from lucidfs.types import Role
from lucidfs.wire import management as m
from lucidfs.wire.openapi import document

ID = "0" * 15 + "1"


class Http:
    """A bare HTTP client of one hub: what a program in another language would do."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.pool = urllib3.PoolManager(retries=False)
        self.bearer = ""

    def send(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
        if self.bearer:
            headers.setdefault("Authorization", f"Bearer {self.bearer}")
        data = body if isinstance(body, bytes) else None if body is None else msgspec.json.encode(body)
        answer = self.pool.request(method, f"{self.url}/api/v1{path}", body=data, headers=headers)
        return answer.status, json.loads(answer.data)

    def begin(self, key_id: str, nonce: bytes, version: int = 1) -> tuple[int, Any]:
        return self.send("POST", "/login/challenge", m.BeginLogin(version=version, key_id=key_id, nonce=nonce))

    def login(self, token: str, *, signer: Token | None = None) -> tuple[int, Any]:
        """Log in with the key id of `token`, signing as `signer` (default: the same)."""
        parsed = Token.parse(token)
        nonce = os.urandom(32)
        _, answer = self.begin(parsed.key_id, nonce)
        challenge = msgspec.convert(answer, m.LoginChallenge).nonce
        keys = AccountKeys(signer or parsed)
        signature = keys.sign(management_transcript(1, parsed.key_id, nonce, challenge))
        finish = m.FinishLogin(version=1, key_id=parsed.key_id, nonce=nonce, challenge=challenge, signature=signature)
        status, reply = self.send("POST", "/login", finish)
        if status == 200:
            self.bearer = reply["bearer"]
        return status, reply


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[tuple[HubThread, str]]:
    hub, token = new_hub(tmp_path, settings=HubSettings(failed_logins_max=3))
    yield hub, token
    hub.stop()


@pytest.fixture
def http(hub: tuple[HubThread, str]) -> Iterator[Http]:
    http = Http(hub[0].url)
    yield http
    http.pool.clear()


@pytest.fixture
def admin(hub: tuple[HubThread, str]) -> Iterator[Administration]:
    admin = Administration(hub[0].url, Token.parse(hub[1]), os.urandom)
    yield admin
    admin.close()


def refusal(answer: tuple[int, Any], code: Code) -> str:
    """The message of a refusal with this code and the status that belongs to it."""
    status, body = answer
    assert (status, body["code"]) == (MEANINGS[code].http_status, code.name)
    message: str = body["message"]
    assert message
    return message


def test_the_document_is_served_without_a_login(http: Http) -> None:
    assert http.send("GET", "/openapi.json") == (200, document())


def test_logging_in_tells_who_one_is(http: Http, hub: tuple[HubThread, str]) -> None:
    status, reply = http.login(hub[1])
    assert status == 200
    assert (reply["workspace_name"], reply["account"]["name"], reply["account"]["workspace_admin"]) == (
        "demo",
        "admin",
        True,
    )
    status, me = http.send("GET", "/self")
    assert (status, me["name"]) == (200, "admin")
    assert http.send("POST", "/logout", {}) == (200, {})
    refusal(http.send("GET", "/self"), Code.UNAUTHENTICATED)


def test_unknown_accounts_and_wrong_signatures_are_told_the_same(http: Http, hub: tuple[HubThread, str]) -> None:
    stranger = Token.generate(os.urandom)
    unknown = http.login(stranger.text())
    wrong = http.login(hub[1], signer=stranger)
    assert unknown == wrong
    refusal(unknown, Code.UNAUTHENTICATED)


def test_a_recorded_login_cannot_be_replayed(http: Http, hub: tuple[HubThread, str]) -> None:
    token = Token.parse(hub[1])
    nonce = os.urandom(32)
    challenge = msgspec.convert(http.begin(token.key_id, nonce)[1], m.LoginChallenge).nonce
    signature = AccountKeys(token).sign(management_transcript(1, token.key_id, nonce, challenge))
    finish = m.FinishLogin(version=1, key_id=token.key_id, nonce=nonce, challenge=challenge, signature=signature)
    assert http.send("POST", "/login", finish)[0] == 200
    refusal(http.send("POST", "/login", finish), Code.UNAUTHENTICATED)


def test_failed_logins_are_limited(http: Http, hub: tuple[HubThread, str]) -> None:
    for _ in range(3):
        refusal(http.login(Token.generate(os.urandom).text()), Code.UNAUTHENTICATED)
    refusal(http.begin(Token.parse(hub[1]).key_id, os.urandom(32)), Code.TOO_MANY)


def test_another_version_is_refused_by_name(http: Http) -> None:
    assert "1" in refusal(http.begin("0" * 16, os.urandom(32), version=2), Code.VERSION)


@pytest.mark.parametrize(
    ("method", "path", "body", "code"),
    [
        ("POST", "/filespaces", b"{not json", Code.BAD_MESSAGE),
        ("POST", "/filespaces", b"", Code.BAD_MESSAGE),
        ("POST", "/filespaces", [1, 2], Code.BAD_MESSAGE),
        ("POST", "/filespaces", {"name": "data"}, Code.INVALID),
        ("POST", "/filespaces", b" " * (MANAGEMENT_BODY_BYTES_MAX + 1), Code.TOO_LARGE),
        ("PATCH", f"/filespaces/{ID}", {"name": "two.dots"}, Code.INVALID),
        ("PATCH", f"/filespaces/{ID}", {"name": ""}, Code.INVALID),
        ("PATCH", f"/filespaces/{ID}", {"name": 5}, Code.INVALID),
        ("PATCH", f"/filespaces/{ID}", {"name": "data"}, Code.NOT_FOUND),
        ("PATCH", "/filespaces/no-id", {"name": "data"}, Code.INVALID),
        ("PATCH", "/filespaces/ffffffffffffffff", {"name": "data"}, Code.INVALID),
        ("DELETE", f"/filespaces/{ID}", None, Code.INVALID),
        ("DELETE", f"/filespaces/{ID}?name=data", None, Code.NOT_FOUND),
        ("GET", f"/filespaces/{ID}/grants", None, Code.NOT_FOUND),
        ("PUT", f"/filespaces/{ID}/grants/{ID}", {"role": "owner", "sealed_key": "AAAA"}, Code.INVALID),
        ("PUT", f"/filespaces/{ID}/grants/{ID}", {"role": "read", "sealed_key": "not base64!"}, Code.INVALID),
        ("DELETE", f"/accounts/{ID}", None, Code.NOT_FOUND),
        ("POST", f"/filespaces/{ID}/move", {}, Code.NOT_FOUND),
        ("POST", f"/filespaces/{ID}/move", {"store": {"bucket": "b"}}, Code.INVALID),
        ("GET", f"/filespaces/{ID}/move", None, Code.NOT_FOUND),
        ("PUT", f"/filespaces/{ID}/store/keys", {"access_key": "a", "secret_key": "with space"}, Code.NOT_FOUND),
        ("GET", "/nothing/here", None, Code.NOT_FOUND),
        ("PUT", "/accounts", {}, Code.NOT_FOUND),
    ],
)
def test_requests_that_cannot_be_meant(
    http: Http, hub: tuple[HubThread, str], method: str, path: str, body: object, code: Code
) -> None:
    http.login(hub[1])
    refusal(http.send(method, path, body), code)


@pytest.mark.parametrize("kind", [kind for kind, route in m.ROUTES.items() if route.login], ids=lambda k: k.__name__)
def test_nothing_is_answered_without_a_bearer(http: Http, kind: type[m.Record]) -> None:
    samples = {"id": ID, "name": "data", "role": "read", "key_id": "a" * 16, "keys": []}
    key = msgspec.json.decode(msgspec.json.encode(bytes(32)))
    fields = {"root": ID, "filespace": ID, "account": ID, "sealed_key": key, "login_public": key, "sealing_public": key}
    route = m.ROUTES[kind]
    path = route.path.format(filespace=ID, account=ID, name="data") + ("" if route.has_body else "?name=data")
    bucket = dict.fromkeys(("access_key", "secret_key", "bucket_name", "region"), "bucket")
    body = {**samples, **fields, **bucket} if route.has_body else None
    for headers in ({}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic bm9ib2R5"}):
        refusal(http.send(route.method, path, body, **headers), Code.UNAUTHENTICATED)


def make(admin: Administration, name: str, role: Role, filespace: str = "data") -> NewToken:
    return admin.create_account(name, {filespace: role})


def as_account(hub: HubThread, made: NewToken) -> Administration:
    return Administration(hub.url, made.token, os.urandom)


def code_of(error: pytest.ExceptionInfo[Fault]) -> Code:
    return error.value.code


def test_a_life_of_filespaces(admin: Administration) -> None:
    made = admin.create_filespace("data")
    with pytest.raises(Fault) as error:
        admin.create_filespace("data")
    assert code_of(error) is Code.EXISTS
    assert admin.rename_filespace("data", "archive").id == made.id
    assert [view.name for view in admin.filespaces()] == ["archive"]
    assert admin.filespace(made.id).name == "archive"
    with pytest.raises(Fault) as error:
        admin.filespace("data")
    assert code_of(error) is Code.NOT_FOUND
    admin.delete_filespace("archive")
    assert admin.filespaces() == []


def test_roles_decide_who_may_administer(admin: Administration, hub: tuple[HubThread, str]) -> None:
    admin.create_filespace("data")
    boss, writer = make(admin, "boss", Role.ADMIN), make(admin, "writer", Role.WRITE)
    as_writer = as_account(hub[0], writer)
    for act in (
        lambda: as_writer.create_filespace("mine"),
        lambda: as_writer.rename_filespace("data", "mine"),
        lambda: as_writer.delete_filespace("data"),
        lambda: as_writer.accounts(),
        lambda: as_writer.create_account("eve", {"data": Role.READ}),
        lambda: as_writer.revoke("boss"),
        lambda: as_writer.rotate("boss"),
    ):
        with pytest.raises(Fault) as error:
            act()
        assert code_of(error) is Code.DENIED
    as_writer.close()
    as_boss = as_account(hub[0], boss)
    made = make(as_boss, "reader", Role.READ)
    as_boss.grant("reader", "data", Role.WRITE, expected=fingerprint(made.account))
    with pytest.raises(Fault) as error:
        as_boss.grant("reader", "data", Role.WRITE, expected="0" * 16)
    assert code_of(error) is Code.CORRUPT
    as_boss.revoke("reader", "data")
    assert as_boss.account("reader").grants == []
    as_boss.close()


def test_a_workspace_admin_without_a_key_cannot_hand_it_out(admin: Administration, hub: tuple[HubThread, str]) -> None:
    admin.create_filespace("data")
    ops = as_account(hub[0], admin.create_account("ops", workspace_admin=True))
    with pytest.raises(Fault) as error:
        make(ops, "eve", Role.READ)
    assert code_of(error) is Code.DENIED
    assert "key" in error.value.message
    assert "eve" not in [view.name for view in ops.accounts()]
    ops.close()


def test_rotation_ends_the_old_token_and_keeps_the_files(admin: Administration, hub: tuple[HubThread, str]) -> None:
    admin.create_filespace("data")
    old = make(admin, "ann", Role.WRITE)
    itself = as_account(hub[0], old)
    assert itself.whoami().name == "ann"
    new = itself.rotate("ann")
    with pytest.raises(Fault) as error:
        itself.whoami()
    assert code_of(error) is Code.UNAUTHENTICATED
    itself.close()
    config = {"hub.url": hub[0].url}
    with lucidlink.create_daemon(config) as daemon:
        with pytest.raises(lucidlink.AuthenticationError):
            daemon.authenticate(lucidlink.ServiceAccountCredentials(old.token.text()))
        workspace = daemon.authenticate(lucidlink.ServiceAccountCredentials(new.token.text()))
        with workspace.link_filespace(name="data") as filespace:
            filespace.fs.write_file("/a", b"after the rotation")
            newest = admin.rotate("ann")
            with pytest.raises(OSError):
                filespace.fs.read_file("/a")
    assert newest.account.key_id != new.account.key_id


def test_revocation_ends_sessions_at_once(admin: Administration, hub: tuple[HubThread, str]) -> None:
    admin.create_filespace("data")
    made = make(admin, "ann", Role.WRITE)
    with lucidlink.create_daemon({"hub.url": hub[0].url}) as daemon:
        workspace = daemon.authenticate(lucidlink.ServiceAccountCredentials(made.token.text()))
        filespace = workspace.link_filespace(name="data", sync_mode=lucidlink.SyncMode.SYNC_NONE)
        filespace.fs.write_file("/a", b"1")
        admin.revoke("ann", "data")
        with pytest.raises(PermissionError):
            filespace.fs.write_file("/a", b"2")
        admin.grant("ann", "data", Role.READ)
        assert [info.name for info in workspace.list_filespaces()] == ["data"]
        admin.revoke("ann")
        with pytest.raises(PermissionError):
            workspace.list_filespaces()


def test_a_hub_that_is_gone_is_told(tmp_path: Path) -> None:
    hub, token = new_hub(tmp_path)
    admin = Administration(hub.url, Token.parse(token), os.urandom)
    assert admin.workspace() == "demo"
    hub.stop()
    with pytest.raises(Fault) as error:
        admin.filespaces()
    assert code_of(error) is Code.UNAVAILABLE
    admin.close()


def test_what_answers_may_be_no_hub(hub: tuple[HubThread, str]) -> None:
    elsewhere = Administration(f"{hub[0].url}/elsewhere", Token.parse(hub[1]), os.urandom)
    with pytest.raises(Fault) as error:
        elsewhere.filespaces()
    assert code_of(error) is Code.UNAVAILABLE
    elsewhere.close()
