"""`action=orders`: a client that lost an answer finds its order."""

import psycopg
import pytest
from django.db import connection

from hawker.accounts.actions import issue_key
from hawker.accounts.models import KeyScope, User
from hawker.core.settings import settings
from hawker.orders import ListAsk, list_orders
from hawker.orders.status.queries import LIST_ORDERS
from panel import Panel
from processes import SandboxProcess, ServeProcess


@pytest.mark.quick
def test_pages_join_without_gaps_and_show_what_status_shows(panel: Panel, server: ServeProcess) -> None:
    customer, stranger = panel.customer(), panel.customer()
    service = panel.service()
    placed = [panel.place(who, service) for _ in range(130) for who in (customer, stranger)][::2]
    first = server.call(customer.api_key, "orders").json
    rest = server.call(customer.api_key, "orders", before=first[-1]["order"]).json
    assert [row["order"] for row in first + rest] == placed[::-1]
    assert len(first) == 100
    assert server.call(customer.api_key, "orders", limit=1000).json == first + rest
    shown = ("charge", "start_count", "status", "remains", "currency")
    statuses = server.call(customer.api_key, "status", orders=",".join(str(row["order"]) for row in rest)).json
    assert {str(row["order"]): {name: row[name] for name in shown} for row in rest} == statuses


def test_many_accounts_asked_at_once_get_each_their_own(panel: Panel) -> None:
    service = panel.service()
    customers = [panel.customer() for _ in range(3)]
    placed = [[panel.place(customer, service) for _ in range(count)] for count, customer in enumerate(customers)]
    first, second, third = (customer.account_id for customer in customers)
    asks = [ListAsk(third, 10), ListAsk(first, 10), ListAsk(second, 10), ListAsk(third, 1), ListAsk(third, 10)]
    lists = list_orders(asks)
    assert list(map(len, lists)) == [2, 0, 1, 1, 2]
    assert lists[0] == lists[4]
    assert lists[3] == lists[0][:1]
    assert all(f'"order":{placed[2][1]},' in text for text in lists[3])


def test_a_key_that_may_only_read_may_list(panel: Panel, server: ServeProcess) -> None:
    customer = panel.customer()
    order = panel.place(customer, panel.service())
    reader = issue_key(
        User.objects.get(account__id=customer.account_id), now=panel.clock.now(), scope=KeyScope.READ
    ).key
    assert [row["order"] for row in server.call(reader, "orders").json] == [order]
    assert server.call("wrong", "orders").error == "Invalid API key"


def test_a_subscription_and_a_drip_feed_are_listed_flat(
    panel: Panel, server: ServeProcess, sandbox: SandboxProcess
) -> None:
    customer = panel.customer()
    provider = panel.provider(sandbox)
    drip = panel.place(customer, panel.service(provider=provider, dripfeed=True), runs=2, interval=60)
    panel.clock.advance(seconds=1)
    panel.sweep()
    standing = panel.service(type="Subscriptions", provider=provider, subscription="forwarded")
    subscription = panel.place(customer, standing, username="somebody", min=50, max=60, delay=0)
    assert isinstance(subscription, int), subscription
    rows = {row["order"]: row for row in server.call(customer.api_key, "orders").json}
    assert (rows[subscription]["link"], rows[subscription]["status"]) == ("somebody", "Active")
    assert rows[drip]["quantity"] == "200"
    (run,) = (row for row in rows.values() if row.get("parent") == drip)
    assert run["quantity"] == "100"
    assert all("orders" not in row and "runs" not in row for row in rows.values())


@pytest.mark.parametrize("limit", [1, 1_000])
def test_a_list_reads_by_the_index_of_accounts(panel: Panel, limit: int) -> None:
    customer, service = panel.customer(), panel.service()
    for who in (customer, panel.customer(), panel.customer()):
        for _ in range(10):
            panel.place(who, service)
    with psycopg.connect(settings().folder.embedded_url("hawker"), autocommit=True) as owner:
        # Without figures the planner guesses, and reads an empty table by whichever index it likes.
        owner.execute("VACUUM (FULL, ANALYZE) orders")
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")
        cursor.execute(f"EXPLAIN {LIST_ORDERS}", [[0], [customer.account_id], [2**63 - 1], [limit]])
        plan = "\n".join(row[0] for row in cursor.fetchall())
        cursor.execute("RESET enable_seqscan")
    assert "orders_account" in plan
    assert "Sort Key: orders" not in plan
