"""One order from the API to the last cent, against a real upstream."""

import pytest
from panel import Panel
from processes import SandboxProcess, ServeProcess


@pytest.fixture
def fast(sandbox: SandboxProcess) -> SandboxProcess:
    return sandbox


def test_an_order_is_bought_delivered_and_earned(panel: Panel, server: ServeProcess, sandbox: SandboxProcess) -> None:
    customer = panel.customer(credit="10.00")
    service = panel.service(provider=panel.provider(sandbox), rate="0.90")
    placed = server.call(
        customer.api_key, "add", service=service.id, link="https://example.com/a?fate=completed", quantity=1000
    )
    assert placed.json["order"] > 0
    panel.clock.advance(seconds=1)
    panel.sweep()
    print(panel.order(placed.json["order"]))
    print(sandbox.calls("add"))
