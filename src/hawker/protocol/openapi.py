"""The OpenAPI 3.1 document of API v2, made of the tables that requests are read by."""

from collections.abc import Iterable, Mapping
from typing import Any

from hawker.protocol.actions import ACTIONS, EXAMPLE_VALUES, KEY, Action, example_order
from hawker.protocol.errors import TEXTS
from hawker.protocol.params import MAX_LINK, REQUEST_ID, Param, ParamKind
from hawker.protocol.reply_schemas import SCHEMAS, Schema, ref
from hawker.protocol.service_types import TYPES, ServiceType

PATH = "/api/v2"
MEDIA_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data", "application/json")


def build_document(*, version: str) -> dict[str, Any]:
    """The whole document, ready to be written as JSON."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "API v2",
            "version": version,
            "summary": "Order, follow, refill and cancel.",
            "description": (
                "One address for everything. `key` and `action` go with every call. Every answer is JSON, an error "
                'too: `{"error":"…"}` with HTTP 200, and 413, 429 and 503 where the status says so. Unknown '
                "parameters are ignored; empty values count as not sent."
            ),
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}, {}],
        "paths": {PATH: {"post": _post(), "get": _get()}},
        "components": {
            "schemas": {**dict(_request_schemas()), **SCHEMAS},
            "headers": _headers(),
            "responses": _responses(),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "The API key, in place of `key`"}
            },
        },
    }


def schema_of(param: Param) -> Schema:
    """What a parameter takes, as JSON Schema. Numbers may come as strings too: everything may, in a form."""
    return {**_kind_schema(param), "description": param.doc}


def _kind_schema(param: Param) -> Schema:
    match param.kind:
        case ParamKind.LINK:
            return {"type": "string", "minLength": 1, "maxLength": MAX_LINK}
        case ParamKind.TEXT | ParamKind.NAME:
            return {"type": "string", "minLength": 1, "maxLength": param.max_length}
        case ParamKind.LINES | ParamKind.IDS:
            return {"type": "string", "minLength": 1}
        case ParamKind.DATE:
            return {"type": "string", "pattern": "^[0-9]{1,2}/[0-9]{1,2}/[0-9]{4}$"}
        case ParamKind.CHOICE:
            return {"type": "integer", "enum": list(param.choices)}
        case _:
            return {"type": "integer", "minimum": param.minimum, "maximum": param.maximum}


def type_schema_name(service_type: ServiceType) -> str:
    """The name of the schema of an `add` for services of this type."""
    return f"AddOrder{service_type.name.replace(' ', '')}"


def _request_schemas() -> Iterable[tuple[str, Schema]]:
    names = []
    for action in ACTIONS:
        if action.name == "add":
            for kind in TYPES:
                schema = _request_schema(action, (*action.params, *kind.params), f"Add order, type {kind.name}")
                if kind.drip_feed:
                    schema["dependentRequired"] = {"runs": ["interval"], "interval": ["runs"]}
                names.append(type_schema_name(kind))
                yield names[-1], schema
        else:
            names.append(action.schema_name)
            yield names[-1], _request_schema(action, action.params, action.title)
    yield "Request", {"anyOf": [ref(name) for name in names]}


def _request_schema(action: Action, params: Iterable[Param], title: str) -> Schema:
    params = list(params)
    return {
        "type": "object",
        "title": title,
        "description": action.doc,
        "properties": {
            "key": schema_of(KEY),
            "action": {"const": action.name},
            **{param.name: schema_of(param) for param in params},
        },
        "required": ["action", *(param.name for param in params if param.required)],
    }


def _post() -> dict[str, Any]:
    content = {"schema": ref("Request"), "examples": dict(_examples())}
    return {
        "operationId": "call",
        "summary": "Any action",
        "parameters": [
            {
                "name": "Idempotency-Key",
                "in": "header",
                "description": "Can replace `request_id` of an `add`",
                "schema": _kind_schema(REQUEST_ID),
            },
            {
                "name": "If-None-Match",
                "in": "header",
                "description": "The ETag of your copy of the list of services; only `services` uses it",
                "schema": {"type": "string"},
            },
        ],
        "requestBody": {"required": True, "content": dict.fromkeys(MEDIA_TYPES, content)},
        "responses": _responses_of(ACTIONS),
    }


def _examples() -> Iterable[tuple[str, Mapping[str, Any]]]:
    for action in ACTIONS:
        sent = {"key": "YOUR_API_KEY", "action": action.name}
        if action.name != "add":
            value = {**sent, **_typed(action.params, action.example)}
            yield action.schema_name, {"summary": action.title, "value": value}
            continue
        for kind in TYPES:
            value = {**sent, **_typed((*action.params, *kind.params), example_order(kind))}
            yield type_schema_name(kind), {"summary": f"{action.title}, type {kind.name}", "value": value}


def _typed(params: Iterable[Param], fields: Mapping[str, str]) -> dict[str, str | int]:
    """The texts of a form as their schemas have them."""
    whole = {param.name for param in params if _kind_schema(param)["type"] == "integer"}
    return {name: int(text) if name in whole else text for name, text in fields.items()}


def _get() -> dict[str, Any]:
    reading = [action for action in ACTIONS if not action.writes]
    params = {param.name: param for action in reading for param in action.params}
    asked = [
        {"name": param.name, "in": "query", "description": param.doc, "schema": _kind_schema(param)}
        for param in (KEY, *params.values())
    ]
    names = list(dict.fromkeys(action.name for action in reading))
    return {
        "operationId": "read",
        "summary": "Actions that only read; the operator can allow orders too",
        "parameters": [
            {"name": "action", "in": "query", "required": True, "schema": {"type": "string", "enum": names}},
            *asked,
        ],
        "responses": _responses_of(reading),
    }


def _responses_of(actions: Iterable[Action]) -> dict[str, Any]:
    actions = list(actions)
    examples = {action.schema_name: {"summary": action.title, "value": action.answer} for action in actions}
    examples["Error"] = {"summary": "An error", "value": {"error": TEXTS["incorrect_order"]}}
    names = dict.fromkeys([*(action.reply for action in actions), "Error"])
    return {
        "200": {
            "description": "The answer, or an error",
            "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in _RATE_LIMIT},
            "content": {"application/json": {"schema": {"anyOf": [ref(name) for name in names]}, "examples": examples}},
        },
        "304": {"description": "The list of services has not changed since the ETag in If-None-Match"},
        **{status: {"$ref": f"#/components/responses/{name}"} for status, name in _FAILURES.items()},
    }


_RATE_LIMIT = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
_FAILURES = {"413": "TooLarge", "429": "TooManyRequests", "503": "Unavailable"}


def _headers() -> dict[str, Any]:
    docs = {
        "X-RateLimit-Limit": "Requests that you can send at once and per minute, if the operator limits them",
        "X-RateLimit-Remaining": "Requests left now",
        "X-RateLimit-Reset": "The Unix time at which the full limit is available again",
        "Retry-After": "Seconds to wait",
    }
    return {name: {"description": doc, "schema": {"type": "integer"}} for name, doc in docs.items()}


def _responses() -> dict[str, Any]:
    def failure(doc: str, code: str, *headers: str) -> dict[str, Any]:
        example = {"error": TEXTS[code]}
        return {
            "description": doc,
            "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in headers},
            "content": {"application/json": {"schema": ref("Error"), "example": example}},
        }

    return {
        "TooLarge": failure("The body is too large", "body_too_large"),
        "TooManyRequests": failure(
            "Too many requests; nothing was done", "too_many_requests", "Retry-After", *_RATE_LIMIT
        ),
        "Unavailable": failure("The panel is temporarily unavailable; nothing was done", "unavailable"),
    }


assert all(param.name in EXAMPLE_VALUES for kind in TYPES for param in kind.params), "a parameter without an example"
