"""The management API, driven by schemathesis from the document that the hub serves about itself.

Whatever is sent, fitting the document or not, the answer is one that the document names: its status, its content type,
its shape; never a server error. Addresses that exist are put into the requests, so that they reach the rules too.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, NamedTuple

import hypothesis
import pytest
import requests
import schemathesis
from hypothesis import strategies as st
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from lucidfs.crypto.account import AccountKeys
from lucidfs.crypto.token import Token
from lucidfs.errors import Code, Fault
from lucidfs.hub import bucket_check
from lucidfs.hub.settings import HubSettings
from lucidfs.identity import management_transcript
from lucidfs.testing.hubs import new_hub
from lucidfs.types import Role
from lucidfs.wire import management as m
from lucidfs.wire.messages import PROTOCOL_VERSION
from lucidfs.wire.openapi import document
from lucidfs.wire.rest import ManagementClient
from tests.world import World

SCHEMA = schemathesis.openapi.from_dict(document())
OPERATIONS = {found.ok().label: found.ok() for found in SCHEMA.get_all_operations() if isinstance(found, Ok)}
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
MODES = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]
EXAMPLES = 15  # of each operation in each mode
A32, A64 = "A" * 43 + "=", "A" * 86 + "=="  # 32 and 64 zeros


class Office(NamedTuple):
    """A hub, its document's address, and ids that exist there."""

    world: World
    base: str
    session: requests.Session
    ids: dict[str, list[str]]

    def client(self) -> ManagementClient:
        keys = AccountKeys(Token.parse(self.world.token))

        def sign(nonce_c: bytes, nonce_h: bytes) -> bytes:
            return keys.sign(management_transcript(PROTOCOL_VERSION, keys.key_id, nonce_c, nonce_h))

        return ManagementClient(self.world.url, keys.key_id, sign, os.urandom)

    def bearer(self) -> str:
        return self.client().login().bearer


@pytest.fixture(scope="module", autouse=True)
def _nobody_outside_is_asked() -> Iterator[None]:
    """Invented requests name invented buckets: the hub must not look for them on the network."""

    def away(*arguments: Any, **more: Any) -> None:
        raise Fault(Code.UNAVAILABLE, "s3://invented: not asked")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bucket_check, "check_bucket", away)
        patch.setattr(bucket_check, "check_keys", away)
        yield


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    hub, token = new_hub(tmp_path_factory.mktemp("hub"), settings=HubSettings(failed_logins_max=10**6))
    try:
        world = World(hub, token)
        world.new_account(Role.WRITE)
        with world.client() as client:
            client.fs.write_file("/file", b"still here")
        administration = world.administration()
        ids = {
            "filespace": [filespace.id for filespace in administration.filespaces()],
            "account": [account.id for account in administration.accounts()],
        }
        administration.close()
        with requests.Session() as session:
            yield Office(world, f"{hub.url}{m.API_PREFIX}", session, ids)
    finally:
        hub.stop()


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.value)
@pytest.mark.parametrize("label", OPERATIONS)
def test_every_answer_is_one_that_the_document_names(office: Office, label: str, mode: GenerationMode) -> None:
    strategy = OPERATIONS[label].as_strategy(generation_mode=mode)
    bearer = office.bearer()

    @hypothesis.settings(
        max_examples=EXAMPLES, deadline=None, database=None, derandomize=True,
        suppress_health_check=list(hypothesis.HealthCheck), phases=[hypothesis.Phase.generate],
    )  # fmt: skip
    @hypothesis.given(case=strategy, known=st.booleans(), data=st.data())
    def drive(case: Case[Any], known: bool, data: Any) -> None:
        nonlocal bearer
        for name in set(case.path_parameters or ()) & set(office.ids) if known else ():
            case.path_parameters[name] = data.draw(st.sampled_from(office.ids[name]))
        if label == "POST /logout":
            bearer = office.bearer()
        if isinstance(case.body, dict) and "version" in case.body and known:
            case.body["version"] = PROTOCOL_VERSION
        headers = {"Authorization": f"Bearer {bearer}"}
        answer = case.call(base_url=office.base, session=office.session, headers=headers)
        case.validate_response(answer, checks=CHECKS)

    assert OPERATIONS.keys() == {f"{route.method} {route.path}" for route in m.ROUTES.values()}
    drive()


@pytest.mark.parametrize("known", [PROTOCOL_VERSION, 2**32, -1, 2**63])
def test_a_login_of_any_version_is_answered_without_a_fault(office: Office, known: int) -> None:
    body: Any = {"version": known, "key_id": "0" * 16, "nonce": A32, "challenge": A32, "signature": A64}
    answer = office.session.post(f"{office.base}/login", json=body)
    assert answer.status_code == (401 if known == PROTOCOL_VERSION else 426)


@pytest.mark.parametrize("text", ["a\n", "a\0", "a b", "../a", "ä", "a" * 64, "", "-a", "\na", "a/b", "a\r\nb: c"])
def test_a_name_is_what_the_document_says_and_nothing_else(office: Office, text: str) -> None:
    headers = {"Authorization": f"Bearer {office.bearer()}"}
    made = {"id": "0123456789abcdef", "root": "0123456789abcdee", "sealed_key": "AAAA"}
    answer = office.session.post(f"{office.base}/filespaces", json={**made, "name": text}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID")
    keys = {"key_id": "0" * 16, "login_public": A32, "sealing_public": A32}
    answer = office.session.post(f"{office.base}/accounts", json={**keys, "name": text * 2}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID")


@pytest.mark.parametrize("id_text", ["0123456789abcdef%0A", "8000000000000000", "%00", "..%2f..", "0" * 15, "０" * 16])
def test_an_id_is_what_the_document_says_and_nothing_else(office: Office, id_text: str) -> None:
    headers = {"Authorization": f"Bearer {office.bearer()}"}
    for method, path in (("GET", f"/filespaces/{id_text}/grants"), ("DELETE", f"/accounts/{id_text}")):
        answer = office.session.request(method, office.base + path, headers=headers)
        assert answer.status_code in (400, 404), answer.text


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Bearer null", "Basic {}", "bearer {}0", "{}"])
def test_a_bearer_that_is_not_quite_one_is_none(office: Office, header: str) -> None:
    headers = {"Authorization": header.format(office.bearer())}
    assert office.session.get(f"{office.base}/self", headers=headers).status_code == 401


def test_a_body_has_a_limit(office: Office) -> None:
    body = b'{"version": 1, "key_id": "' + b"0" * 2_000_000 + b'"}'
    assert office.session.post(f"{office.base}/login", data=body).status_code == 413
    for endless in (b"[" * 1_000_000, b'{"a":' * 200_000):
        assert office.session.post(f"{office.base}/login", data=endless).status_code == 400
