"""The OpenAPI document: complete, consistent, and made of what the declarations say."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from lucidfs.errors import MEANINGS, Code
from lucidfs.wire.management import ROUTES
from lucidfs.wire.openapi import document

METHODS = {"get", "put", "post", "delete", "patch"}


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    made: dict[str, Any] = json.loads(json.dumps(document()))
    return made


def operations(described: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_it_has_what_openapi_3_1_requires(described: dict[str, Any]) -> None:
    assert described["openapi"] == "3.1.0"
    assert described["info"]["title"]
    assert described["info"]["version"]
    assert described["servers"] == [{"url": "/api/v1"}]
    for path, method, operation in operations(described):
        assert path.startswith("/")
        assert method in METHODS
        assert operation["description"]
        assert operation["responses"]["200"]["description"]
        assert all(re.fullmatch("[1-5][0-9][0-9]", status) for status in operation["responses"])


def test_every_route_is_in_it_and_nothing_else(described: dict[str, Any]) -> None:
    there = {(path, method) for path, method, _ in operations(described)}
    assert there == {(route.path, route.method.lower()) for route in ROUTES.values()}
    names = [operation["operationId"] for _, _, operation in operations(described)]
    assert len(names) == len(set(names))


def test_every_reference_leads_somewhere_and_every_schema_is_used(described: dict[str, Any]) -> None:
    found = set(references(described))
    there = {f"#/components/schemas/{name}" for name in described["components"]["schemas"]}
    assert found == there


def test_path_parameters_are_those_of_the_path(described: dict[str, Any]) -> None:
    for path, _, operation in operations(described):
        parameters = operation.get("parameters", [])
        in_path = {item["name"] for item in parameters if item["in"] == "path"}
        assert in_path == set(re.findall(r"{(\w+)}", path))
        assert all(item["required"] for item in parameters if item["in"] == "path")
        assert all("schema" in item for item in parameters)


def test_bodies_hold_what_is_not_in_the_path(described: dict[str, Any]) -> None:
    for path, method, operation in operations(described):
        assert ("requestBody" in operation) == (method in ("post", "put", "patch"))
        if "requestBody" in operation:
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            assert not set(schema["properties"]) & set(re.findall(r"{(\w+)}", path))
            assert set(schema["required"]) <= set(schema["properties"])


def test_refusals_are_told_by_status(described: dict[str, Any]) -> None:
    for route in ROUTES.values():
        responses = described["paths"][route.path][route.method.lower()]["responses"]
        for code in (*route.refusals, Code.INTERNAL):
            assert code.name in responses[str(MEANINGS[code].http_status)]["description"]


def test_only_logging_in_needs_no_bearer(described: dict[str, Any]) -> None:
    open_ones = {path for path, _, operation in operations(described) if not operation["security"]}
    assert open_ones == {"/login", "/login/challenge"}
