"""Orders that were delivered, and the refills that are asked for them."""

from datetime import UTC, datetime, timedelta

from hawker.catalog.models import Service
from hawker.ledger.customers import OpenedCustomer
from panel import Panel
from processes import SandboxProcess, ServeProcess


def deliver(
    panel: Panel,
    sandbox: SandboxProcess,
    customer: OpenedCustomer,
    service: Service,
    *,
    wishes: str = "fate=completed",
    days_ago: float = 3,
) -> int:
    """An order that was delivered so many days ago; the panel's clock is a little ahead of the
    server's after it, so that what is asked for there is due here."""
    panel.clock.instant = datetime.now(UTC) - timedelta(days=days_ago)
    order: int = panel.place(customer, service, link=f"https://example.com/a?{wishes}")
    panel.clock.advance(seconds=1)
    panel.sweep()
    sandbox.advance(days=2)
    panel.clock.advance(seconds=10)
    panel.sweep()
    # From here on the provider too has waited for a day.
    sandbox.advance(days=2)
    panel.clock.instant = datetime.now(UTC) + timedelta(minutes=1)
    return order


def refill(server: ServeProcess, customer: OpenedCustomer, order: object) -> int:
    """The number of a refill that the API grants."""
    answer = server.call(customer.api_key, "refill", order=order).json
    assert list(answer) == ["refill"], answer
    return int(answer["refill"])


def status(server: ServeProcess, customer: OpenedCustomer, number: object) -> str:
    return str(server.call(customer.api_key, "refill_status", refill=number).json["status"])


def follow(panel: Panel, sandbox: SandboxProcess, **amount: float) -> None:
    """Let time pass on both sides, and the worker ask how things go."""
    sandbox.advance(**amount)
    panel.clock.advance(**amount)
    panel.sweep()
