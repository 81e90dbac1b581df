"""What a customer is shown is what a customer pays: price lists through the front door."""

import threading
from decimal import ROUND_CEILING, Decimal
from itertools import pairwise
from time import monotonic
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hawker.catalog.errors import BadPrice, GroupInUse, NoSuchGroup, NoSuchService
from hawker.catalog.models import CatalogueVersion, CustomerPrice, CustomerRate, Service
from hawker.catalog.pricing import AgreedRate, add_group, agree_rates, price_accounts, remove_group, set_group
from hawker.core.money import format_micros
from hawker.ledger.customers import OpenedCustomer
from hawker.orders import Draft, place_orders
from hawker.orders.invariants import check_invariants
from hawker.orders.models import Order
from panel import Panel
from plain_http import http_client
from processes import ServeProcess, eventually, start_serve

LINK = "https://example.com/page"


def shown(server: ServeProcess, customer: OpenedCustomer) -> dict[int, str]:
    """The rates that this customer is shown, by service."""
    rows = server.call(customer.api_key, "services").json
    return {row["service"]: row["rate"] for row in rows}


def order(server: ServeProcess, customer: OpenedCustomer, service: Service, quantity: int = 1000) -> Order:
    """An order over HTTP, as it was written."""
    fields = {"quantity": quantity} if service.type == "Default" else {}
    answer = server.call(customer.api_key, "add", service=service.id, link=LINK, **fields)
    return Order.objects.get(id=answer.json["order"])


def agree(customer: OpenedCustomer, service: Service, rate: str | None) -> object:
    return agree_rates([AgreedRate(customer.account_id, service.id, rate)])[0]


def version() -> int:
    return CatalogueVersion.objects.get().version


# --- whose price goes before whose -----------------------------------------------------------------


@pytest.mark.quick
def test_an_agreed_rate_goes_before_the_own_percentage_and_that_before_the_groups(
    panel: Panel, server: ServeProcess
) -> None:
    customer, service = panel.customer(), panel.service(rate="0.90")
    seen = []

    def look() -> None:
        placed = order(server, customer, service)
        assert placed.rate == shown(server, customer)[service.id]
        seen.append((placed.rate, format_micros(placed.charge_micros)))

    look()
    add_group("Resellers", "-10")
    price_accounts([customer.account_id], group="Resellers")
    look()
    price_accounts([customer.account_id], percent="25")
    look()
    agree(customer, service, "0.70")
    look()
    price_accounts([customer.account_id], percent="0")
    agree(customer, service, None)
    look()
    price_accounts([customer.account_id], percent=None)
    look()
    price_accounts([customer.account_id], group=None)
    look()
    assert seen == [
        ("0.90", "0.90"),
        ("0.81", "0.81"),
        ("1.125", "1.125"),
        ("0.70", "0.70"),
        ("0.90", "0.90"),
        ("0.81", "0.81"),
        ("0.90", "0.90"),
    ]


def test_a_groups_new_percentage_holds_for_all_its_customers_and_for_nobody_else(
    panel: Panel, server: ServeProcess
) -> None:
    inside, also_inside, outside = (panel.customer() for _ in range(3))
    service = panel.service(rate="2")
    add_group("Friends", "-50")
    price_accounts([inside.account_id, also_inside.account_id], group="Friends")
    set_group("Friends", "-75.5")
    assert [order(server, who, service).rate for who in (inside, also_inside, outside)] == ["0.49", "0.49", "2"]
    assert [shown(server, who)[service.id] for who in (inside, also_inside, outside)] == ["0.49", "0.49", "2"]


@pytest.mark.parametrize("rate", ["0.90", "8", "0.9", "1.23456789", "000.50", "0.00000001"])
def test_what_is_not_discounted_prints_as_the_operator_wrote_it(panel: Panel, server: ServeProcess, rate: str) -> None:
    """Also beside another service that this customer has a rate of their own for."""
    customer, service, other = panel.customer(), panel.service(rate=rate), panel.service(rate="5")
    agree(customer, other, "4.0000")
    assert shown(server, customer) == {service.id: rate, other.id: "4.0000"}
    assert order(server, customer, service).rate == rate


def test_a_discount_never_makes_a_charge_vanish(panel: Panel, server: ServeProcess) -> None:
    customer = panel.customer()
    small, smallest = panel.service(rate="0.0005"), panel.service(rate="0.00000001")
    price_accounts([customer.account_id], percent="-99.99")
    # One step of a rate is the least; what lies below it already is not made dearer by rounding up.
    assert shown(server, customer) == {small.id: "0.00001", smallest.id: "0.00000001"}
    placed = [order(server, customer, service, 100) for service in (small, smallest)]
    assert [format_micros(row.charge_micros) for row in placed] == ["0.00001", "0.00001"]


def test_what_is_free_stays_free_and_shows_the_catalogues_rate(panel: Panel, server: ServeProcess) -> None:
    customer, trial = panel.customer(), panel.service(rate="0.50", free=True)
    price_accounts([customer.account_id], percent="100")
    refusal = agree(customer, trial, "0.20")
    assert isinstance(refusal, BadPrice)
    CustomerRate.objects.create(account_id=customer.account_id, service=trial, rate="0.20")
    assert shown(server, customer) == {trial.id: "0.50"}
    assert order(server, customer, trial).charge_micros == 0


def test_a_package_costs_its_discounted_rate_once(panel: Panel, server: ServeProcess) -> None:
    customer = panel.customer()
    package = panel.service(type="Package", rate="12.345", minimum=1, maximum=1)
    price_accounts([customer.account_id], percent="-33.33")
    assert shown(server, customer)[package.id] == "8.23042"
    assert order(server, customer, package).charge_micros == 8_230_420


# --- services and add agree ------------------------------------------------------------------------

rates = st.one_of(
    st.from_regex(r"\A[0-9]{1,3}\.[0-9]{1,8}\Z").filter(lambda text: any(digit in "123456789" for digit in text)),
    st.integers(1, 999).map(str),
    st.sampled_from(["0.90", "8", "0.00001", "0.00000001", "0.333333"]),
)
percents = st.integers(-9_999, 30_000).map(lambda hundredths: str(Decimal(hundredths) / 100))
quantities = st.integers(50, 10_000)


@pytest.fixture
def priced(panel: Panel, server: ServeProcess) -> tuple[Panel, ServeProcess, list[OpenedCustomer], list[Service]]:
    """Two customers with money enough and six services, priced anew for each example."""
    customers = [panel.customer(credit="1000000.00") for _ in range(2)]
    add_group("group", "0")
    return panel, server, customers, [panel.service() for _ in range(6)]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_services_and_add_agree_to_the_last_digit(
    priced: tuple[Panel, ServeProcess, list[OpenedCustomer], list[Service]], data: st.DataObject
) -> None:
    _, server, customers, services = priced
    for service in services:
        Service.objects.filter(id=service.id).update(rate=data.draw(rates))
    set_group("group", data.draw(percents))
    for customer in customers:
        price_accounts(
            [customer.account_id],
            group=data.draw(st.sampled_from(["group", None])),
            percent=data.draw(st.one_of(st.none(), percents)),
        )
    agreed = [
        AgreedRate(customer.account_id, service.id, data.draw(st.one_of(st.none(), rates)))
        for customer in customers
        for service in services[:3]
    ]
    assert agree_rates(agreed) == [None] * len(agreed)
    with http_client() as client:

        def ask(customer: OpenedCustomer, **fields: str) -> Any:
            return client.post(server.api, data={"key": customer.api_key, **fields}).json()

        for customer in customers:
            listed = {row["service"]: row["rate"] for row in ask(customer, action="services")}
            asked = {}
            for service in services:
                quantity = data.draw(quantities)
                fields = {"service": str(service.id), "link": LINK, "quantity": str(quantity)}
                asked[ask(customer, action="add", **fields)["order"]] = (service.id, quantity)
            told = ask(customer, action="status", orders=",".join(map(str, asked)))
            for written in Order.objects.filter(id__in=asked):
                number, quantity = asked[written.id]
                assert written.rate == listed[number]
                charge = (Decimal(written.rate) * quantity / 1000).quantize(Decimal("0.00001"), ROUND_CEILING)
                assert Decimal(told[str(written.id)]["charge"]) == max(charge, Decimal("0.00001"))
                assert told[str(written.id)]["charge"] == format_micros(written.charge_micros)


@pytest.mark.parametrize("type_", ["Default", "Package"])
def test_a_charge_that_is_not_its_rate_times_its_quantity_is_found(panel: Panel, type_: str) -> None:
    customer, service = panel.customer(), panel.service(type=type_, rate="0.0012345", minimum=1)
    placed = panel.place(customer, service, quantity=777)
    panel.assert_verified()
    for rate in ("0.0013", "0.0012", "NaN", "none"):
        Order.objects.filter(id=placed).update(rate=rate)
        (breach,) = check_invariants().breaches
        assert (breach.invariant, f"order {placed}" in breach.what) == ("price", True)
    Order.objects.filter(id=placed).update(rate="0.0012345")


def test_two_accounts_in_one_batch_each_pay_their_own_price(panel: Panel) -> None:
    service = panel.service(rate="1.00")
    customers = [panel.customer(credit="50.00") for _ in range(4)]
    percentages = ["-20", "-20", "50", None]
    for customer, percent in zip(customers, percentages, strict=True):
        price_accounts([customer.account_id], percent=percent)
    agree(customers[1], service, "0.33")
    fields = {"service": str(service.id), "link": LINK, "quantity": "1000"}
    drafts = [Draft(customer.account_id, fields) for customer in customers for _ in range(2)]
    placed = place_orders(drafts, now=panel.clock.now())
    found = {row.id: row for row in Order.objects.all()}
    written = [found[number] for number in placed if isinstance(number, int)]
    assert [row.account_id for row in written] == [draft.account_id for draft in drafts]
    assert [row.rate for row in written] == [rate for rate in ("0.80", "0.33", "1.50", "1.00") for _ in range(2)]
    assert [panel.balance(customer) for customer in customers] == [48_400_000, 49_340_000, 47_000_000, 48_000_000]


# --- a price is never stale at the charge ----------------------------------------------------------


def test_every_change_of_a_price_gives_the_catalogue_a_new_number(panel: Panel) -> None:
    customer, service = panel.customer(), panel.service()
    account = customer.account_id
    changes = [
        lambda: add_group("a", "5"),
        lambda: set_group("a", "6"),
        lambda: price_accounts([account], group="a"),
        lambda: price_accounts([account], group=None),
        lambda: price_accounts([account], percent="1"),
        lambda: remove_group("a"),
        lambda: agree(customer, service, "1"),
        lambda: agree(customer, service, "2"),
        lambda: agree(customer, service, None),
        lambda: CustomerPrice.objects.all().delete(),
    ]
    numbers = [version()]
    for change in changes:
        change()
        numbers.append(version())
    assert all(before < after for before, after in pairwise(numbers))


def test_a_new_price_holds_in_every_process_from_the_moment_it_is_set(panel: Panel, server: ServeProcess) -> None:
    """Orders run through two servers all the while: none that was sent after a change pays the price before it."""
    customer, service = panel.customer(credit="100000.00"), panel.service(rate="1.00")
    form = {"key": customer.api_key, "action": "add", "service": service.id, "link": LINK, "quantity": 1000}
    sent: list[tuple[float, float, int]] = []
    over = threading.Event()

    def keep_ordering(url: str) -> None:
        with http_client() as client:
            while not over.is_set():
                at = monotonic()
                number = client.post(url, data=form).json()["order"]
                sent.append((at, monotonic(), number))

    changes: list[tuple[float, float, str]] = []
    with start_serve() as other:
        threads = [threading.Thread(target=keep_ordering, args=(url,)) for url in [server.api, other.api] * 2]
        for thread in threads:
            thread.start()
        try:
            for number in range(1, 31):
                began = monotonic()
                if number % 2:
                    price_accounts([customer.account_id], percent=str(number))
                    rate = f"1.{number:02d}"
                else:
                    agree(customer, service, f"2.{number:02d}")
                    rate = f"2.{number:02d}"
                changes.append((began, monotonic(), rate))
                if number % 2 == 0:
                    began = monotonic()
                    agree(customer, service, None)
                    changes.append((began, monotonic(), f"1.{number - 1:02d}"))
                over.wait(0.02)
        finally:
            over.set()
            for thread in threads:
                thread.join()
    paid = dict(Order.objects.values_list("id", "rate"))
    spans = [
        (done, next_began, rate) for (_, done, rate), (next_began, _, _) in pairwise([*changes, (monotonic(), 0.0, "")])
    ]
    certain = [
        (rate, paid[number])
        for at, answered, number in sent
        for done, next_began, rate in spans
        if done <= at and answered <= next_began
    ]
    assert certain
    assert [rate for rate, _ in certain] == [rate for _, rate in certain]
    assert len(paid) == len(sent)


def test_a_new_price_waits_for_the_batch_that_is_placing_with_the_old_one(panel: Panel, server: ServeProcess) -> None:
    """Else an order with the old price could be committed after the new price was."""
    customer, service = panel.customer(), panel.service(rate="1.00")
    slow = {"HAWKER_TESTING": "1", "HAWKER_FAILPOINTS": "place-before-commit=sleep:0.5"}
    with start_serve(slow) as sleeper:
        fields = {"service": service.id, "link": LINK, "quantity": 1000}
        thread = threading.Thread(target=sleeper.call, args=(customer.api_key, "add"), kwargs=fields)
        thread.start()
        eventually("the batch is placing", _somebody_places)
        assert not Order.objects.exists()
        agree(customer, service, "0.25")
        placed_before = Order.objects.get()
        thread.join()
    assert placed_before.rate == "1.00"
    assert order(server, customer, service).rate == "0.25"


def _somebody_places() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ShareLock' AND granted")
        row: tuple[int] = cursor.fetchone()
    return row[0] > 0


# --- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "percent", ["", "-100", "-99.991", "1000.01", "1e2", "5%", "٥", "--5", "1_0", "nan", "+", "12.", ".5", "9" * 400]
)
def test_what_is_no_percentage_is_refused_and_changes_nothing(panel: Panel, percent: str) -> None:
    customer = panel.customer()
    add_group("group", "1")
    before = version()
    for refused in (
        lambda: add_group("other", percent),
        lambda: set_group("group", percent),
        lambda: price_accounts([customer.account_id], percent=percent),
    ):
        with pytest.raises(BadPrice):
            refused()
    assert version() == before


@pytest.mark.parametrize(
    "rate", ["", "0", "0.000", "-1", "1e5", "1,5", "1000000000", "1.123456789", "٣", " 1", "9" * 400]
)
def test_what_is_no_rate_is_refused_and_changes_nothing(panel: Panel, rate: str) -> None:
    customer, service = panel.customer(), panel.service()
    agree(customer, service, "0.5")
    before = version()
    assert isinstance(agree(customer, service, rate), BadPrice)
    assert version() == before
    assert CustomerRate.objects.get().rate == "0.5"


def test_a_refused_rate_does_not_disturb_its_neighbours(panel: Panel) -> None:
    customer, service, free = panel.customer(), panel.service(), panel.service(free=True)
    account = customer.account_id
    answers = agree_rates(
        [
            AgreedRate(account, service.id, "0.1"),
            AgreedRate(account, 10**12, "0.1"),
            AgreedRate(account, free.id, "0.1"),
            AgreedRate(account, service.id, "x"),
            AgreedRate(account, service.id, "0.2"),
        ]
    )
    assert [type(answer) for answer in answers] == [type(None), NoSuchService, BadPrice, BadPrice, type(None)]
    assert [(row.service_id, row.rate) for row in CustomerRate.objects.all()] == [(service.id, "0.2")]


def test_a_group_with_customers_is_not_removed(panel: Panel) -> None:
    customer = panel.customer()
    add_group("group", "-5")
    price_accounts([customer.account_id], group="group")
    with pytest.raises(GroupInUse):
        remove_group("group")
    with pytest.raises(NoSuchGroup):
        price_accounts([customer.account_id], group="another", percent="3")
    price = CustomerPrice.objects.get()
    assert (price.group is not None, price.percent_hundredths) == (True, None)
