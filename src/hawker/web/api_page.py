"""The page `/api`: every action, parameter, type, reply and error of API v2, and how to call them."""

import json
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.html import escape

from hawker.protocol.actions import ACTIONS, KEY, Action, example_order
from hawker.protocol.errors import MEANINGS, TEXTS
from hawker.protocol.params import MAX_LINES, Param, ParamKind
from hawker.protocol.reply_schemas import Schema, members_of
from hawker.protocol.service_types import TYPES, QuantityRule, ServiceType
from hawker.web.examples import curl_example, examples_of
from hawker.web.files import OPENAPI_PATH, STYLE_PATH
from hawker.web.visitors import PLACEHOLDER_KEY, address_of_site, key_to_show

_ANY_SITE = "https://site.invalid"
"""Stands in the page that is kept where the visitor's own address belongs."""


def api_page(request: HttpRequest) -> HttpResponse:
    """The page for this visitor, with the address that it has of this site."""
    site = address_of_site(request)
    key = key_to_show(request)
    if key == PLACEHOLDER_KEY:
        # Rendered once: a stranger who asks again and again costs no more than a search for the address.
        response = HttpResponse(_page_for_anybody().replace(_ANY_SITE, escape(site)))
        response["Cache-Control"] = "private, no-cache"
    else:
        response = HttpResponse(_render(site, key))
        response["Cache-Control"] = "private, no-store"
    response["Vary"] = "Cookie"
    return response


@cache
def _page_for_anybody() -> str:
    return _render(_ANY_SITE, PLACEHOLDER_KEY)


def _render(site: str, key: str) -> str:
    url = f"{site}/api/v2"
    return render_to_string(
        "api.html",
        {
            "url": url,
            "key": key,
            "key_is_shown": key != PLACEHOLDER_KEY,
            "style": STYLE_PATH,
            "openapi": OPENAPI_PATH,
            "actions": [_action(action, url, key) for action in ACTIONS],
            "errors": [{"text": text, "meaning": MEANINGS[code]} for code, text in TEXTS.items()],
        },
    )


def _action(action: Action, url: str, key: str) -> dict[str, Any]:
    sent = {"key": key, "action": action.name, **action.example}
    constant = {"name": "action", "optional": False, "doc": action.name, "takes": "constant"}
    return {
        "name": action.name,
        "title": action.title,
        "slug": action.slug,
        "doc": action.doc,
        "params": [_param(KEY), constant, *map(_param, action.params)],
        "types": [_type(kind, url, key) for kind in TYPES] if action.name == "add" else [],
        "members": _members(members_of(action.reply)),
        "answer": json.dumps(action.answer, indent=2, ensure_ascii=False),
        "examples": examples_of(url, sent),
    }


def _type(kind: ServiceType, url: str, key: str) -> dict[str, Any]:
    return {
        "name": kind.name,
        "slug": f"type-{kind.name.lower().replace(' ', '-')}",
        "params": [_param(param) for param in kind.params],
        "quantity": _quantity(kind),
        "drip_feed": kind.drip_feed,
        "example": curl_example(url, {"key": key, "action": "add", **example_order(kind)}),
    }


def _param(param: Param) -> dict[str, Any]:
    return {"name": param.name, "optional": not param.required, "doc": param.doc, "takes": _takes(param)}


def _takes(param: Param) -> str:
    match param.kind:
        case ParamKind.LINK:
            return "http(s) address or @name"
        case ParamKind.LINES:
            return f"one a line, up to {MAX_LINES:,}"
        case ParamKind.CHOICE:
            return ", ".join(map(str, param.choices))
        case ParamKind.TEXT | ParamKind.NAME:
            return f"text, up to {param.max_length} characters"
        case ParamKind.DATE:
            return "d/m/Y"
        case ParamKind.COUNT:
            return f"{param.minimum:,} to {param.maximum:,}"
        case ParamKind.IDS:
            return "1,2,3"
        case _:
            return "whole number"


def _quantity(kind: ServiceType) -> str:
    match kind.quantity:
        case QuantityRule.GIVEN:
            return "The quantity is what quantity says."
        case QuantityRule.LINES:
            return f"The quantity is the number of lines in {kind.counted}."
        case QuantityRule.FIXED:
            return "One package: the rate is its price."
        case QuantityRule.PER_POST:
            return "The quantity is decided for each post, between min and max."


def _members(members: Mapping[str, Schema]) -> Iterable[dict[str, str]]:
    return [
        {"name": name, "type": _json_type(schema), "doc": schema.get("description", "")}
        for name, schema in members.items()
    ]


def _json_type(schema: Schema) -> str:
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(map(_json_type, schema["anyOf"])))
    if "const" in schema:
        return "integer"
    kind = schema.get("type", "object")
    return kind if isinstance(kind, str) else " or ".join(kind)
