"""The OpenAPI 3.1 document of the management API, made from its declarations."""

from __future__ import annotations

from typing import Any

import msgspec

from lucidfs.errors import MEANINGS, Code
from lucidfs.wire.management import API_PREFIX, ROUTES, Record, Refusal, Route

Json = dict[str, Any]

_ANY_REQUEST = (Code.BAD_MESSAGE, Code.INVALID, Code.TOO_LARGE, Code.SHUTTING_DOWN, Code.INTERNAL)
_REFERENCE = "#/components/schemas/{name}"


def document() -> Json:
    """The whole document, ready to be sent as JSON."""
    replies: list[type[Record]] = list(dict.fromkeys([route.reply for route in ROUTES.values()] + [Refusal]))
    # Nested values of requests (NewGrant, ResealedKey) are components too; requests themselves stand in their bodies.
    _, components = msgspec.json.schema_components([*replies, *ROUTES], ref_template=_REFERENCE)
    bodies = {request.__name__: components.pop(request.__name__) for request in ROUTES}
    paths: Json = {}
    for request, route in ROUTES.items():
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, bodies[request.__name__])
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "lucid hub: management",
            "version": "1",
            "description": "Filespaces, accounts and grants of one workspace. Ids are 16 hex digits, bytes base64.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": API_PREFIX}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(route: Route, schema: Json) -> Json:
    properties: Json = schema["properties"]
    operation: Json = {
        "operationId": schema["title"][0].lower() + schema["title"][1:],
        "description": schema.get("description", ""),
        "security": [{"bearer": []}] if route.login else [],
        "responses": _responses(route),
    }
    rest = {name: value for name, value in properties.items() if name not in route.path_fields}
    required = [name for name in schema.get("required", []) if name in rest]
    parameters = [_parameter(name, "path", properties[name], True) for name in route.path_fields]
    if route.has_body:
        body = {"type": "object", "properties": rest, "required": required}
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    else:
        parameters += [_parameter(name, "query", value, name in required) for name, value in rest.items()]
    if parameters:
        operation["parameters"] = parameters
    return operation


def _parameter(name: str, place: str, schema: Json, required: bool) -> Json:
    return {"name": name, "in": place, "required": required, "schema": schema}


def _responses(route: Route) -> Json:
    done = {"schema": {"$ref": _REFERENCE.format(name=route.reply.__name__)}}
    responses: Json = {"200": {"description": "Done.", "content": {"application/json": done}}}
    codes = (*route.refusals, *((Code.UNAUTHENTICATED,) if route.login else ()), *_ANY_REQUEST)
    by_status: dict[int, list[str]] = {}
    for code in dict.fromkeys(codes):
        by_status.setdefault(MEANINGS[code].http_status, []).append(code.name)
    refusal = {"schema": {"$ref": _REFERENCE.format(name=Refusal.__name__)}}
    for status, names in sorted(by_status.items()):
        responses[str(status)] = {"description": ", ".join(names), "content": {"application/json": refusal}}
    return responses
