"""An order that waits to be sent, and those it is between."""

import pytest

from hawker.ledger.customers import OpenedCustomer
from hawker.providers.models import Provider
from panel import Panel
from processes import SandboxProcess


@pytest.fixture
def customer(panel: Panel) -> OpenedCustomer:
    return panel.customer(credit="10.00")


@pytest.fixture
def upstream(panel: Panel, sandbox: SandboxProcess) -> Provider:
    return panel.provider(sandbox)


@pytest.fixture
def order(panel: Panel, customer: OpenedCustomer, upstream: Provider) -> int:
    """An order of 100 at 0.90 per 1,000, due for sending, of a service that offers cancels."""
    placed: int = panel.place(customer, panel.service(provider=upstream, cancel=True))
    panel.clock.advance(seconds=1)
    return placed
