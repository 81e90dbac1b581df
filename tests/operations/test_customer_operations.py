"""Customers as staff have them: the credit limit, the account at a glance, its statement, many at once."""

from collections.abc import Mapping
from typing import Any

import pytest
from django.db import connection

from hawker.accounts.models import User
from hawker.audit.actions import list_audit_events
from hawker.ledger.customers import OpenedCustomer
from hawker.operations.errors import BadInput, ChangedSince, Refused
from hawker.operations.running import EVERYTHING, run_operation
from hawker.operations.versions import read_version
from one_process import Call, run_commands
from panel import Panel
from people import ANNA, STAFF

ID = "9a4e1a54-52ff-4d0a-8f5c-0f3f7d2c6f77"


def run(panel: Panel, name: str, values: Mapping[str, Any], **more: Any) -> Any:
    return run_operation(name, values, **{"actor": ANNA, "permissions": EVERYTHING, "now": panel.clock.now(), **more})


def email_of(customer: OpenedCustomer) -> str:
    return User.objects.get(id=customer.user_id).email


def test_a_credit_limit_lets_orders_take_the_balance_below_0(panel: Panel) -> None:
    customer, service = panel.customer(credit="0.05"), panel.service()
    email = email_of(customer)
    limit = ("customer", "limit", email.upper(), "10", "--reason", "pays monthly")
    refused, limited, again = run_commands(
        [Call(["customer", "limit", "--reason", "x", email, "--", "-1"]), Call(limit), Call(limit)]
    )
    assert (refused.code, refused.stdout) == (1, "")
    assert "amount: '-1' is not an amount" in refused.stderr
    assert limited.answer == again.answer == {"customer": email, "credit_limit": "10.00", "balance": "0.05"}
    panel.place(customer, service)
    assert panel.balance(customer) == -40_000
    event = list_audit_events(action="customer.limit", limit=5)[-1]
    assert (event["before"], event["after"]) == ({"credit_limit": "0.00"}, {"credit_limit": "10.00"})
    assert (event["subject"], event["reason"]) == ({"kind": "customer", "id": email}, "pays monthly")
    panel.assert_verified()


def test_a_credit_limit_is_not_below_what_is_overdrawn_now(panel: Panel) -> None:
    customer, service = panel.customer(credit="0.05"), panel.service()
    email = email_of(customer)
    run(panel, "customer.limit", {"email": email, "amount": "10", "reason": "x"})
    panel.place(customer, service)
    with pytest.raises(Refused, match=r"the balance is -0\.04: the credit limit cannot be below 0\.04"):
        run(panel, "customer.limit", {"email": email, "amount": "0.03999", "reason": "x"})
    assert run(panel, "customer.limit", {"email": email, "amount": "0.04", "reason": "x"}).credit_limit == "0.04"
    assert len(list_audit_events(action="customer.limit", limit=5)) == 2


def test_an_edit_of_a_customer_that_somebody_changed_since_is_refused(panel: Panel) -> None:
    email = email_of(panel.customer())
    (shown,) = run_commands([Call(["customer", "show", email])])
    seen = str(shown.answer["version"])
    run(panel, "customer.limit", {"email": email, "amount": "7", "reason": "x"}, actor=STAFF)
    edit = ["customer", "limit", email, "9", "--reason", "y", "--seen"]
    conflict, shown, edited = run_commands(
        [
            Call([*edit, seen]),
            Call(["customer", "show", email]),
            Call([*edit, str(read_version("customer", email))]),
        ]
    )
    assert (conflict.code, conflict.stdout) == (1, "")
    assert "credit limit 0.00 → 7.00 by staff:ben" in conflict.stderr.replace("_", " ")
    assert (shown.answer["credit_limit"], edited.answer["credit_limit"]) == ("7.00", "9.00")
    with pytest.raises(ChangedSince):
        run(panel, "customer.credit", {"email": email, "amount": "1", "reason": "x"}, seen=int(seen))


def test_a_customer_is_shown_with_everything_that_staff_ask_for(panel: Panel) -> None:
    customer, service = panel.customer(credit="10.00"), panel.service()
    email = email_of(customer)
    first, _ = (panel.place(customer, service, link=f"https://example.com/{n}") for n in range(2))
    run(panel, "order.cancel", {"order": first, "reason": "asked"})
    shown, stranger = run_commands([Call(["customer", "show", email]), Call(["customer", "show", "x@example.com"])])
    assert shown.answer == shown.answer | {
        "customer": email,
        "account": customer.account_id,
        "active": True,
        "balance": "9.91",
        "credit_limit": "0.00",
        "currency": "USD",
        "price_group": None,
        "keys": 1,
        "open_orders": 1,
    }
    assert list(shown.answer)[-1] == "version"
    assert (stranger.code, stranger.stderr) == (1, "hawker: there is no customer x@example.com\n")


def test_a_statement_says_what_each_entry_was_for_and_the_balance_after_it(panel: Panel) -> None:
    customer, service = panel.customer(credit="10.00"), panel.service()
    email = email_of(customer)
    panel.clock.advance(days=2)
    since = panel.clock.now().isoformat()
    order = panel.place(customer, service)
    run(panel, "order.cancel", {"order": order, "reason": "asked"})
    run(panel, "customer.credit", {"email": email, "amount": "5", "reason": "bank", "transaction": "t-1"})
    run(panel, "customer.credit", {"email": email, "amount": "-1", "reason": "wrong person"})
    all_of_it, newest, recent = run_commands(
        [Call(["customer", "statement", email, *more]) for more in ([], ["--limit", "2"], ["--since", since])]
    )
    told = [(entry["kind"], entry["amount"], entry["balance"], entry["order"]) for entry in all_of_it.answer]
    assert told == [
        ("correction", "-1.00", "14.00", None),
        ("deposit", "5.00", "15.00", None),
        ("refund", "0.09", "10.00", order),
        ("charge", "-0.09", "9.91", order),
        ("deposit", "10.00", "10.00", None),
    ]
    correction, deposit, refund, _, opening = all_of_it.answer
    assert (correction["reason"], deposit["reason"], opening["reason"]) == ("wrong person", "bank", "opening credit")
    assert (deposit["gateway"], deposit["transaction"], refund["service"]) == ("manual", "t-1", service.name)
    assert [entry["entry"] for entry in all_of_it.answer] == [5, 4, 3, 2, 1]
    assert newest.answer == all_of_it.answer[:2]
    assert newest.stderr.startswith("showing 2 of 5; --after ")
    assert (recent.answer, all_of_it.stderr) == (all_of_it.answer[:4], "")


def test_several_customers_are_kept_out_at_once(panel: Panel) -> None:
    emails = [email_of(panel.customer()) for _ in range(3)]
    (done,) = run_commands([Call(["customer", "disable", *emails, "nobody@example.com"])])
    assert (done.answer["done"], done.answer["refused"]) == (3, 1)
    assert done.stderr == "there is no customer nobody@example.com\n"
    assert not User.objects.filter(email__in=emails, is_active=True).exists()
    assert {event["subject"]["id"] for event in list_audit_events(action="customer.disable", limit=9)} == set(emails)


def test_a_customer_added_twice_under_one_id_is_one_with_one_key_that_stays_secret(panel: Panel) -> None:
    first, again = (
        run(panel, "customer.add", {"email": "New@example.com", "credit": "5"}, operation_id=ID) for _ in range(2)
    )
    assert first == again
    assert len(first.api_key) == 64
    assert first.api_key not in repr(first)
    with connection.cursor() as cursor:
        cursor.execute("SELECT result, is_encrypted FROM operation_run")
        ((result, is_encrypted),) = cursor.fetchall()
        assert is_encrypted
        assert first.api_key.encode() not in bytes(result)
        cursor.execute("SELECT string_agg(audit_event::text, '') FROM audit_event")
        assert first.api_key not in cursor.fetchone()[0]
    told = list_audit_events(action="customer.add", limit=5)
    assert sorted(event["subject"]["kind"] for event in told) == ["account", "customer"]
    assert User.objects.filter(email="new@example.com").count() == 1


@pytest.mark.parametrize(
    ("name", "values", "field"),
    [
        ("customer.add", {"email": "nobody"}, "email"),
        ("customer.add", {"email": f"{'a' * 250}@example.com"}, "email"),
        ("customer.add", {"email": "a@example.com", "credit": "-5"}, "credit"),
        ("customer.credit", {"amount": "0"}, "amount"),
        ("customer.credit", {"amount": "--5"}, "amount"),
        ("customer.credit", {"amount": "1e3"}, "amount"),
        ("customer.credit", {"amount": "5", "reason": " "}, "reason"),
        ("customer.credit", {"amount": "5", "transaction": ""}, "transaction"),
        ("customer.credit", {"amount": "5", "transaction": "t" * 129}, "transaction"),
        ("customer.limit", {"amount": "-1"}, "amount"),
        ("customer.limit", {"amount": "1.234567"}, "amount"),
    ],
)
def test_a_wrong_field_of_a_customer_is_named(panel: Panel, name: str, values: dict[str, Any], field: str) -> None:
    customer = panel.customer()
    given = values if name == "customer.add" else {"email": email_of(customer), "reason": "x", **values}
    before = list_audit_events(limit=5)
    with pytest.raises(BadInput) as caught:
        run(panel, name, given)
    assert caught.value.field == field
    assert panel.balance(customer) == 100_000_000
    assert list_audit_events(limit=5) == before
