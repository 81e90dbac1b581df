"""The OpenAPI document: valid, complete, and true of what the endpoint answers."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from hawker.protocol.actions import ACTIONS, EXAMPLE_VALUES, Action, example_order
from hawker.protocol.errors import MEANINGS, TEXTS
from hawker.protocol.openapi import MEDIA_TYPES, build_document, schema_of
from hawker.protocol.service_types import TYPES, ServiceType, read_order_form
from panel import Panel
from processes import ServeProcess

PATH = "/api/v2/openapi.json"
DOCUMENT = build_document(version="1")


def validator(name: str) -> Draft202012Validator:
    """Of one of the document's schemas."""
    resource = Resource.from_contents(DOCUMENT, default_specification=DRAFT202012)
    registry: Registry[Any] = Registry().with_resource("urn:api", resource)
    return Draft202012Validator({"$ref": f"urn:api#/components/schemas/{name}"}, registry=registry)


@pytest.mark.quick
def test_the_document_is_openapi_3_1(server: ServeProcess) -> None:
    answer = server.send("GET", path=PATH)
    assert answer.headers["content-type"] == "application/json"
    assert answer.json["openapi"] == "3.1.0"
    OpenAPIV31SpecValidator(answer.json).validate()


def test_it_comes_again_only_where_it_has_changed(server: ServeProcess) -> None:
    tag = server.send("GET", path=PATH).headers["etag"]
    for named in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = server.send("GET", path=PATH, headers={"If-None-Match": named})
        assert (again.http_status, again.body) == (304, b"")
    assert server.send("GET", path=PATH, headers={"If-None-Match": '"other"'}).http_status == 200


def test_the_table_of_actions_is_what_the_door_knows() -> None:
    from hawker.api.endpoint import Endpoint

    assert {action.name for action in ACTIONS} == Endpoint().actions


def test_every_action_and_every_type_has_a_schema_of_its_own() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    offered = [reference["$ref"].rpartition("/")[2] for reference in schemas["Request"]["anyOf"]]
    assert len(offered) == len(set(offered)) == len(ACTIONS) - 1 + len(TYPES)
    assert {schemas[name]["properties"]["action"]["const"] for name in offered} == {action.name for action in ACTIONS}
    for kind in TYPES:
        (schema,) = (schemas[name] for name in offered if schemas[name]["title"] == f"Add order, type {kind.name}")
        assert {param.name for param in kind.params} < set(schema["properties"])
        assert {param.name for param in kind.params if param.required} < set(schema["required"])


def test_the_body_may_come_in_three_ways_and_failures_tell_their_headers() -> None:
    call = DOCUMENT["paths"]["/api/v2"]["post"]
    assert tuple(call["requestBody"]["content"]) == MEDIA_TYPES
    assert list(call["responses"]) == ["200", "304", "413", "429", "503"]
    assert "Retry-After" in DOCUMENT["components"]["responses"]["TooManyRequests"]["headers"]


def test_example_requests_are_what_their_schemas_say() -> None:
    examples = DOCUMENT["paths"]["/api/v2"]["post"]["requestBody"]["content"]["application/json"]["examples"]
    assert len(examples) == len(ACTIONS) - 1 + len(TYPES)
    for name, example in examples.items():
        validator(name).validate(example["value"])


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.title)
def test_example_replies_are_what_their_schemas_say(action: Action) -> None:
    validator(action.reply).validate(action.answer)


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.name)
def test_example_values_are_read_by_the_table_and_fit_its_schemas(kind: ServiceType) -> None:
    read_order_form(kind, example_order(kind))
    for param in kind.params:
        text = EXAMPLE_VALUES[param.name]
        value = int(text) if schema_of(param)["type"] == "integer" else text
        Draft202012Validator(schema_of(param)).validate(value)
        param.read(text)


def test_every_error_text_has_its_meaning() -> None:
    assert list(MEANINGS) == list(TEXTS)


def test_what_the_server_answers_is_what_the_schemas_say(panel: Panel, server: ServeProcess) -> None:
    customer = panel.customer()
    service = panel.service(refill=True, cancel=True, dripfeed=True)

    def ask(reply: str, action: str, **fields: object) -> Any:
        answer = server.call(customer.api_key, action, **fields).json
        validator(reply).validate(answer)
        return answer

    placed = {"service": service.id, "link": "https://example.com/a", "quantity": 100}
    order = ask("AddReply", "add", **placed, request_id="mine")["order"]
    parent = ask("AddReply", "add", **placed, runs=2, interval=1)["order"]
    ask("ServicesReply", "services")
    ask("BalanceReply", "balance")
    ask("StatusReply", "status", order=order)
    assert "runs" in ask("StatusReply", "status", order=parent)
    ask("StatusesReply", "status", orders=f"{order},{parent},7,x")
    ask("OrdersReply", "orders")
    ask("RefillsReply", "refill", orders=f"{order},7,x")
    ask("RefillStatusesReply", "refill_status", refills="1,2,x")
    ask("CancelsReply", "cancel", orders=f"{order},7,x")
    ask("Error", "refill", order=order)
    ask("Error", "nothing")
