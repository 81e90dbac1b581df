"""Keys that may not pass: all answer alike, whatever is wrong with them, and write nothing."""

from datetime import timedelta

import pytest
from world import everything_written

from hawker.accounts.models import ApiKey, KeyScope, User
from hawker.ledger.customers import OpenedCustomer
from panel import Panel
from processes import Reply, ServeProcess, eventually

ADD = {"link": "https://example.com/page", "quantity": 50}
INVALID = b'{"error":"Invalid API key"}'


@pytest.fixture
def customer(panel: Panel) -> OpenedCustomer:
    panel.service(id=1)
    return panel.customer(credit="1.00")


def add(server: ServeProcess, key: str) -> Reply:
    return server.call(key, "add", service=1, **ADD)


def refused(server: ServeProcess, key: str) -> None:
    """Every action is refused, and nothing is written."""
    before = everything_written()
    for reply in (add(server, key), *(server.call(key, action) for action in ("services", "balance", "status"))):
        assert (reply.http_status, reply.body) == (200, INVALID)
    assert everything_written() == before


def test_the_key_of_a_disabled_customer_is_refused_within_two_seconds(
    patient_server: ServeProcess, customer: OpenedCustomer
) -> None:
    assert patient_server.call(customer.api_key, "balance").json["balance"] == "1.00"
    User.objects.filter(id=customer.user_id).update(is_active=False)
    eventually("refused", lambda: patient_server.call(customer.api_key, "balance").body == INVALID, seconds=2)
    refused(patient_server, customer.api_key)
    User.objects.filter(id=customer.user_id).update(is_active=True)
    eventually("let in again", lambda: b"order" in add(patient_server, customer.api_key).body, seconds=2)


def test_a_revoked_key_is_refused_within_two_seconds_and_the_others_are_not(
    panel: Panel, patient_server: ServeProcess, customer: OpenedCustomer
) -> None:
    other = panel.customer(credit="2.00")
    assert patient_server.call(customer.api_key, "balance").json["balance"] == "1.00"
    ApiKey.objects.filter(user_id=customer.user_id).update(revoked_at=panel.clock.now())
    eventually("refused", lambda: patient_server.call(customer.api_key, "balance").body == INVALID, seconds=2)
    refused(patient_server, customer.api_key)
    assert patient_server.call(other.api_key, "balance").json["balance"] == "2.00"


def test_an_expired_key_is_refused(panel: Panel, patient_server: ServeProcess, customer: OpenedCustomer) -> None:
    ApiKey.objects.filter(user_id=customer.user_id).update(expires_at=panel.clock.now() - timedelta(seconds=1))
    refused(patient_server, customer.api_key)


@pytest.mark.quick
def test_a_key_for_reading_reads_and_does_not_order(patient_server: ServeProcess, customer: OpenedCustomer) -> None:
    ApiKey.objects.filter(user_id=customer.user_id).update(scope=KeyScope.READ)
    before = everything_written()
    assert patient_server.call(customer.api_key, "balance").json["balance"] == "1.00"
    assert len(patient_server.call(customer.api_key, "services").json) == 1
    assert add(patient_server, customer.api_key).error == "Invalid API key"
    assert everything_written() == before


@pytest.mark.parametrize("change", [str.upper, lambda key: key + " ", lambda key: key[:-1], lambda key: f"{key}0"])
def test_a_key_that_is_nearly_right_is_wrong(
    patient_server: ServeProcess, customer: OpenedCustomer, change: "type[str]"
) -> None:
    refused(patient_server, change(customer.api_key))
