"""Requests of every shape, made from the OpenAPI document, against a running panel: no 5xx, nothing undescribed."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from hawker.ledger.models import Transfer
from hawker.orders.models import Order
from hawker.protocol.service_types import TYPES
from panel import Panel
from processes import ServeProcess

CHECKS = [
    not_a_server_error,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
]
EXAMPLES = 75


@pytest.mark.parametrize("method", ["POST", "GET"])
@pytest.mark.parametrize("with_key", [True, False], ids=["good key", "any key"])
@pytest.mark.timeout(240)
def test_no_request_is_answered_with_what_is_not_described(
    panel: Panel, server: ServeProcess, method: str, with_key: bool
) -> None:
    customer = panel.customer()
    for number, kind in enumerate(TYPES, start=1):
        panel.service(id=number, type=kind.name, minimum=1, refill=True, cancel=True)
    schema = schemathesis.openapi.from_dict(server.send("GET", path="/api/v2/openapi.json").json)
    before = Transfer.objects.count()

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    @given(case=schema["/api/v2"][method].as_strategy())
    def attack(case: Any) -> None:
        if with_key and isinstance(case.body, dict):
            case.body["key"] = customer.api_key
        elif with_key and method == "GET":
            case.query = {**(case.query or {}), "key": customer.api_key}
        case.call_and_validate(base_url=server.url, checks=CHECKS)

    attack()
    # Whatever was placed is there with its charge, and what was refused has written nothing.
    assert Transfer.objects.count() - before == Order.objects.filter(charge_micros__gt=0).count()
    if not with_key or method == "GET":
        assert Order.objects.count() == 0
