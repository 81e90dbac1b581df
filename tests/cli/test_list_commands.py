"""List commands: the same filters, positions and formats for every list, and a word where a list was cut."""

import csv
import io
import re
from typing import Any

import pytest

from hawker.accounts.models import User
from hawker.ledger.customers import OpenedCustomer
from hawker.lists.registry import LISTS
from one_process import Call, Done, run_commands
from panel import Panel


@pytest.fixture
def orders(panel: Panel) -> list[int]:
    """Three orders, newest first."""
    customer, service = panel.customer(), panel.service()
    links = ("https://example.com/1", "@handle", "https://example.com/3")
    return [panel.place(customer, service, link=link) for link in links][::-1]


def listed(*commands: str) -> list[Done]:
    return run_commands([Call(words.split()) for words in commands])


def numbers(done: Done) -> list[int]:
    assert done.code == 0, done.stderr
    return [row["order"] for row in done.answer]


def test_a_list_that_was_cut_says_how_many_there_are_and_goes_on(orders: list[int]) -> None:
    cut, whole, everything = listed("order list --limit 2", "order list --limit 3", "order list --limit 0")
    assert numbers(cut) == orders[:2]
    told = re.fullmatch(r"showing 2 of 3; --after (\S+) shows the next\n", cut.stderr)
    assert told, cut.stderr
    assert (numbers(whole), whole.stderr) == (orders, "")
    assert (numbers(everything), everything.stderr) == (orders, "")
    (rest,) = listed(f"order list --limit 2 --after {told[1]}")
    assert (numbers(rest), rest.stderr) == (orders[2:], "")


def test_orders_are_filtered_and_sorted_by_words(orders: list[int]) -> None:
    by_link, oldest, none, both, wrong, twice, bad = listed(
        "order list --filter link=https://example.com/3 --filter state=queued",
        "order list --sort=-order --limit 1",
        "order list --filter unknown",
        "order list --held --state queued",
        "order list --filter colour=red",
        "order list --state queued --filter state=queued",
        "order list --after nowhere",
    )
    assert numbers(by_link) == orders[:1]
    assert numbers(oldest) == orders[2:]
    assert numbers(none) == numbers(both) == []
    for refused, sentence in (
        (wrong, "hawker: there is no filter 'colour' of orders; there are: order, state, unknown, held, "),
        (twice, "hawker: the filter state is given twice"),
        (bad, "hawker: 'nowhere' is no position in the list of orders: take it from the page before"),
    ):
        assert (refused.code, refused.stdout) == (1, "")
        assert refused.stderr.startswith(sentence)


def test_csv_has_the_columns_of_the_list_and_runs_nothing(orders: list[int]) -> None:
    added, done, customers = listed(
        "customer add =1+1@example.com", "order list --format csv", "customer list --limit 1 --format csv"
    )
    assert added.code == 0
    assert f"\r\n{added.answer['customer']},'=1+1@example.com," in customers.stdout
    rows = list(csv.DictReader(io.StringIO(done.stdout, newline="")))
    assert [int(row["order"]) for row in rows] == orders
    assert [row["link"] for row in rows] == ["https://example.com/3", "@handle", "https://example.com/1"]
    assert {(row["charge"], row["provider"], row["at_a_loss"]) for row in rows} == {("0.09", "", "no")}


def test_customers_are_listed_shown_and_have_a_statement(panel: Panel) -> None:
    anna, _ = panel.customer(credit="5.00"), panel.customer()
    order = panel.place(anna, panel.service())
    email = _email(anna)
    customers, part, shown, statement, nobody = listed(
        "customer list",
        f"customer list --filter email={email[:12]}",
        f"customer show {email}",
        f"customer statement {email}",
        "customer show nobody@example.com",
    )
    row: dict[str, Any] = customers.answer[1]
    assert (len(customers.answer), row["email"], row["balance"], row["credit_limit"]) == (2, email, "4.91", "0.00")
    assert row in part.answer
    assert (shown.answer["customer"], shown.answer["balance"]) == (email, "4.91")
    assert [(entry["kind"], entry["amount"], entry["balance"], entry["order"]) for entry in statement.answer] == [
        ("charge", "-0.09", "4.91", order),
        ("deposit", "5.00", "5.00", None),
    ]
    assert (nobody.code, nobody.stderr) == (1, "hawker: there is no customer nobody@example.com\n")


def test_any_list_is_there_by_its_name(orders: list[int]) -> None:
    transfers, unknown = listed("list transfers --filter kind=charge", "list nonsense")
    assert [row["order"] for row in transfers.answer] == orders
    assert (unknown.code, unknown.stderr) == (
        1,
        f"hawker: there is no list 'nonsense'; there are: {', '.join(LISTS)}\n",
    )


def _email(customer: OpenedCustomer) -> str:
    return User.objects.get(id=customer.user_id).email
