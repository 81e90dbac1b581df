"""A panel with orders of two customers in several states."""

import pytest
from trade import Trade

from hawker.orders import CancelAsk, request_cancels
from hawker.orders.models import WorkKind
from panel import Panel
from people import TEST
from processes import SandboxProcess


@pytest.fixture
def trade(panel: Panel, sandbox: SandboxProcess) -> Trade:
    customer, stranger, provider = panel.customer(), panel.customer(), panel.provider(sandbox, name="acme")
    service, staffed = panel.service(provider=provider), panel.service()
    submitted = panel.place(customer, service, link="https://example.com/submitted")
    panel.clock.pass_by_the_server()
    panel.sweep(WorkKind.DISPATCH)
    unknown = panel.place(customer, service, link="https://example.com/unknown")
    sandbox.faults("empty=1")
    panel.clock.pass_by_the_server()
    panel.sweep(WorkKind.DISPATCH)
    sandbox.faults()
    canceled, queued = panel.place(customer, service, quantity=60), panel.place(customer, service, quantity=70)
    request_cancels([CancelAsk(None, [str(canceled)])], actor=TEST, reason="a test", now=panel.clock.now())
    for_staff = panel.place(customer, staffed)
    others = panel.place(stranger, service)
    return Trade(
        panel, customer, stranger, provider, service, staffed, submitted, unknown, canceled, queued, for_staff, others
    )
