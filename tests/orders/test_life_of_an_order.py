"""One order from the API to the last cent, against a real upstream."""

import pytest

from hawker.core.money import format_micros
from panel import Panel
from processes import SandboxProcess, ServeProcess


def place_and_deliver(panel: Panel, server: ServeProcess, sandbox: SandboxProcess, fate: str) -> tuple[int, str, str]:
    """An order of 1,000 at 0.90 with 10.00 on the account: its number, its status and the balance at its end."""
    customer = panel.customer(credit="10.00")
    service = panel.service(provider=panel.provider(sandbox), rate="0.90")
    link = f"https://example.com/a?fate={fate}"
    placed = server.call(customer.api_key, "add", service=service.id, link=link, quantity=1000)
    order: int = placed.json["order"]
    panel.clock.advance(minutes=1)
    panel.sweep()
    sandbox.advance(days=30)
    panel.clock.advance(seconds=10)
    panel.sweep()
    status = server.call(customer.api_key, "status", order=order)
    return order, status.body.decode(), server.call(customer.api_key, "balance").json["balance"]


@pytest.mark.quick
def test_a_completed_order_is_paid_in_full(panel: Panel, server: ServeProcess, sandbox: SandboxProcess) -> None:
    order, status, balance = place_and_deliver(panel, server, sandbox, "completed")
    assert '"charge":"0.90"' in status
    assert '"status":"Completed","remains":"0","currency":"USD"' in status
    assert balance == "9.10"
    assert panel.order(order)["earned"] == "0.90"


@pytest.mark.quick
def test_a_partial_order_refunds_what_was_not_delivered(
    panel: Panel, server: ServeProcess, sandbox: SandboxProcess
) -> None:
    order, status, balance = place_and_deliver(panel, server, sandbox, "partial&remains=157")
    # 0.90 × 157 / 1000 = 0.1413, rounded down to five decimals.
    assert '"charge":"0.7587"' in status
    assert '"status":"Partial","remains":"157"' in status
    assert balance == "9.2413"
    assert [(t["kind"], t["amount"]) for t in panel.order(order)["transfers"]] == [
        ("charge", "0.90"),
        ("refund", "0.1413"),
        ("delivery", "0.7587"),
    ]


@pytest.mark.quick
def test_a_canceled_order_refunds_everything(panel: Panel, server: ServeProcess, sandbox: SandboxProcess) -> None:
    order, status, balance = place_and_deliver(panel, server, sandbox, "canceled")
    assert '"charge":"0.00"' in status
    assert '"status":"Canceled","remains":"1000"' in status
    assert balance == "10.00"
    assert panel.order(order)["earned"] == "0.00"


def test_the_start_count_and_falling_remains_are_shown_on_the_way(
    panel: Panel, server: ServeProcess, sandbox: SandboxProcess
) -> None:
    customer = panel.customer()
    service = panel.service(provider=panel.provider(sandbox), maximum=100_000)
    link = "https://example.com/a?fate=completed"
    order = server.call(customer.api_key, "add", service=service.id, link=link, quantity=10_000).json["order"]
    assert server.call(customer.api_key, "status", order=order).json["start_count"] == "0"
    panel.clock.advance(minutes=1)
    panel.sweep()
    seen: list[dict[str, str]] = []
    while not seen or (seen[-1]["status"] != "Completed" and len(seen) < 300):
        sandbox.advance(minutes=10)
        panel.clock.advance(minutes=10)
        panel.sweep()
        seen.append(server.call(customer.api_key, "status", order=order).json)
    remains = [int(status["remains"]) for status in seen]
    assert remains == sorted(remains, reverse=True)
    assert len(set(remains)) > 3
    assert {"In progress", "Completed"} <= {status["status"] for status in seen}
    assert int(seen[-1]["start_count"]) > 0


@pytest.mark.parametrize(
    ("type_name", "upstream", "fields", "forwarded", "charge"),
    [
        ("Package", 3, {}, {"service", "link"}, "2.50"),
        (
            "Custom Comments",
            2,
            {"comments": "one\r\n\r\ntwo 😀\n  three  \n"},
            {"service", "link", "comments"},
            "0.0075",
        ),
    ],
)
def test_other_types_are_priced_and_forwarded_by_their_table(
    panel: Panel,
    server: ServeProcess,
    sandbox: SandboxProcess,
    type_name: str,
    upstream: int,
    fields: dict[str, str],
    forwarded: set[str],
    charge: str,
) -> None:
    customer = panel.customer()
    service = panel.service(
        type=type_name, rate="2.50", minimum=1, provider=panel.provider(sandbox), upstream_service=upstream
    )
    link = "https://example.com/a?fate=completed"
    order = server.call(customer.api_key, "add", service=service.id, link=link, **fields).json["order"]
    panel.clock.advance(minutes=1)
    panel.sweep()
    (call,) = sandbox.calls("add")
    assert set(call["fields"]) == forwarded
    assert call["fields"].get("comments", "one\ntwo 😀\nthree") == "one\ntwo 😀\nthree"
    assert panel.order(order)["charge"] == charge


def test_a_thousand_statuses_cost_ten_calls(panel: Panel, sandbox: SandboxProcess) -> None:
    customer = panel.customer(credit="1000.00")
    service = panel.service(provider=panel.provider(sandbox))
    for _ in range(1000):
        panel.place(customer, service)
    panel.clock.advance(minutes=1)
    panel.sweep()
    panel.clock.advance(seconds=10)
    panel.sweep()
    calls = sandbox.calls("status")
    # Lanes claim side by side, so that one or two may find less than a hundred left.
    assert 10 <= len(calls) <= 14
    assert sum(len(call["fields"]["orders"].split(",")) for call in calls) == 1000


def test_the_balance_says_what_the_ledger_says(panel: Panel, server: ServeProcess) -> None:
    customer = panel.customer(credit="100.84292")
    assert server.call(customer.api_key, "balance").body == b'{"balance":"100.84292","currency":"USD"}'
    assert format_micros(panel.balance(customer)) == "100.84292"
