"""Many at once, through two servers over one database: no cent too much, no order to a stranger."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import cycle

import pytest
from seed_document import read_strictly
from world import orders_written

from panel import Panel
from processes import ServeProcess, start_serve
from raw_http import Answer, Wire, post_form
from soaking import counting, rounds

ROUNDS = 10
"""How often 200 requests race in `make test`, for each kind of servers; see soaking.py for the long form."""

RACES = 100
"""How often two customers ask for each other's orders at the same moment."""

PARALLEL = 200
FUNDED = 20


AT_FULL_SPEED: dict[str, str] = {}
WITH_SLOW_COMMITS = {"HAWKER_TESTING": "1", "HAWKER_FAILPOINTS": "place-before-commit=sleep:0.02"}
"""Every batch holds its locks for a while, so that those of the two servers certainly meet."""


@pytest.fixture(scope="module", params=[AT_FULL_SPEED, WITH_SLOW_COMMITS], ids=["at full speed", "with slow commits"])
def servers(database: None, request: pytest.FixtureRequest) -> Iterator[list[ServeProcess]]:
    """Two `hawker serve` over this process's database."""
    with start_serve(request.param) as one, start_serve(request.param) as two:
        yield [one, two]


@contextmanager
def connections(servers: list[ServeProcess], count: int) -> Iterator[list[Wire]]:
    """So many connections, to each server in turn."""
    with ExitStack() as stack:
        urls = cycle(server.url for server in servers)
        yield [stack.enter_context(Wire(url)) for url, _ in zip(urls, range(count), strict=False)]


def ask_at_once(wires: list[Wire], requests: Iterable[bytes]) -> list[Answer]:
    """Write every request before the first answer is read."""
    for wire, request in zip(wires, requests, strict=True):
        wire.send(request)
    return [wire.answer() for wire in wires]


def test_of_two_hundred_parallel_orders_as_many_are_accepted_as_there_are_funds_for(
    panel: Panel, servers: list[ServeProcess]
) -> None:
    service = panel.service(rate="0.90")
    fields = {"action": "add", "service": str(service.id), "quantity": "100"}
    with connections(servers, PARALLEL) as wires, counting("parallel adds") as counted:
        for round_ in rounds(ROUNDS):
            customer, before = panel.customer(credit=f"{FUNDED * 9 // 100}.{FUNDED * 9 % 100:02d}"), orders_written()
            key, link = customer.api_key, f"https://example.com/{round_}"
            answers = ask_at_once(wires, [post_form(key=key, link=f"{link}/{n}", **fields) for n in range(PARALLEL)])
            assert {answer.status for answer in answers} == {200}
            placed = [answer.json["order"] for answer in answers if "order" in answer.json]
            refused = Counter(answer.body for answer in answers if "order" not in answer.json)
            overspent = orders_written() - before - FUNDED
            counted.update(rounds=1, requests=PARALLEL, orders=len(placed), overspent=overspent)
            assert len(set(placed)) == len(placed) == FUNDED
            assert refused == {b'{"error":"Not enough funds on balance"}': PARALLEL - FUNDED}
            assert panel.balance(customer) == 0
            assert overspent == 0
            check_now_and_then(panel, round_)


def test_two_hundred_parallel_orders_under_one_request_id_are_one_order_charged_once(
    panel: Panel, servers: list[ServeProcess]
) -> None:
    customer = panel.customer(credit="1000000.00")
    service = panel.service(rate="0.90")
    fields = {"action": "add", "service": str(service.id), "quantity": "100", "link": "https://example.com"}
    with connections(servers, PARALLEL) as wires, counting("one request_id") as counted:
        for round_ in rounds(ROUNDS):
            balance, before = panel.balance(customer), orders_written()
            request = post_form(key=customer.api_key, request_id=f"round {round_}", **fields)
            answers = ask_at_once(wires, [request] * PARALLEL)
            assert {answer.status for answer in answers} == {200}
            made = orders_written() - before
            counted.update(rounds=1, requests=PARALLEL, orders=made, doubles=made - 1)
            (body,) = {answer.body for answer in answers}
            assert body.startswith(b'{"order":')
            assert made == 1
            assert balance - panel.balance(customer) == 90_000
            check_now_and_then(panel, round_)


def check_now_and_then(panel: Panel, round_: int) -> None:
    """Every invariant after each tenth round, later after each hundredth, because a check reads all there is."""
    if round_ % (10 if round_ < 100 else 100) == 9:
        panel.assert_verified()


def test_parallel_request_ids_are_each_placed_once_while_there_are_funds(
    panel: Panel, servers: list[ServeProcess]
) -> None:
    """Twenty names, each sent ten times, with funds for seven: what is placed is placed once, all else is refused."""
    names, funded = 20, 7
    customer = panel.customer(credit="0.63")
    service = panel.service(rate="0.90")
    fields = {"action": "add", "service": str(service.id), "quantity": "100", "link": "https://example.com"}
    asked = [f"name {number}" for _ in range(10) for number in range(names)]
    with connections(servers, len(asked)) as wires:
        answers = ask_at_once(wires, (post_form(key=customer.api_key, request_id=name, **fields) for name in asked))
    told: dict[str, set[bytes]] = {}
    for name, answer in zip(asked, answers, strict=True):
        told.setdefault(name, set()).add(answer.body)
    assert all(len(bodies) == 1 for bodies in told.values()), told
    placed = {body for bodies in told.values() for body in bodies if b"order" in body}
    assert len(placed) == orders_written() == funded
    assert panel.balance(customer) == 0


@pytest.mark.parametrize("round_", range(3))
def test_of_two_hundred_parallel_orders_for_one_link_exactly_one_is_placed(
    panel: Panel, servers: list[ServeProcess], round_: int
) -> None:
    """By ten customers in both orders of their accounts, in several spellings, beside orders for other links."""
    service = panel.service(rate="0.90", one_active_per_link=True)
    customers = [panel.customer() for _ in range(10)]
    spellings = ["https://example.com/page", "http://www.Example.com:80/page/", "example.com/page?utm_source=x"]
    fields = {"action": "add", "service": str(service.id), "quantity": "100"}
    links = [spellings[number % 3] if number % 4 else f"https://example.com/{number}" for number in range(PARALLEL)]
    requests = [
        post_form(key=customers[number * 7 % 10].api_key, link=link, **fields) for number, link in enumerate(links)
    ]
    with connections(servers, PARALLEL) as wires:
        answers = ask_at_once(wires, requests)
    told = Counter(
        (link in spellings, b"order" in answer.body[:8]) for link, answer in zip(links, answers, strict=True)
    )
    assert told == {(True, True): 1, (True, False): PARALLEL * 3 // 4 - 1, (False, True): PARALLEL // 4}
    refused = {answer.body for answer in answers if b"error" in answer.body[:8]}
    assert refused == {b'{"error":"You have active order with this link. Please wait until order being completed."}'}
    assert orders_written() == 1 + PARALLEL // 4
    assert sum(panel.balance(customer) for customer in customers) == 1_000_000_000 - orders_written() * 90_000


def test_parallel_orders_of_many_customers_each_take_their_own_money(panel: Panel, servers: list[ServeProcess]) -> None:
    """Ten customers with funds for one, two, … ten orders, each asking for twenty at the same moment."""
    service = panel.service(rate="0.90")
    customers = [panel.customer(credit=f"{funds * 9 // 100}.{funds * 9 % 100:02d}") for funds in range(1, 11)]
    fields = {"action": "add", "service": str(service.id), "quantity": "100", "link": "https://example.com"}
    asked = [customer for _ in range(20) for customer in customers]
    with connections(servers, len(asked)) as wires:
        answers = ask_at_once(wires, (post_form(key=customer.api_key, **fields) for customer in asked))
    accepted = Counter(
        customer.account_id for customer, answer in zip(asked, answers, strict=True) if "order" in answer.json
    )
    assert [accepted[customer.account_id] for customer in customers] == list(range(1, 11))
    assert [panel.balance(customer) for customer in customers] == [0] * 10


def test_customers_who_ask_for_each_others_orders_at_once_see_only_their_own(
    panel: Panel, servers: list[ServeProcess]
) -> None:
    """The batch that answers them carries both: what is found must go to whom it belongs."""
    service = panel.service(rate="0.90")
    customers = [panel.customer(credit="50.00"), panel.customer(credit="70.00")]
    orders = [[panel.place(customer, service, quantity=100 * (n + 1)) for n in range(5)] for customer in customers]
    everybodys = sorted(orders[0] + orders[1])
    listed = ",".join(map(str, everybodys))
    questions: list[tuple[int, bytes]] = []
    for whose, customer in enumerate(customers):
        key = customer.api_key
        questions += [(whose, post_form(key=key, action="status", orders=listed)) for _ in range(8)]
        questions += [(whose, post_form(key=key, action="status", order=str(number))) for number in everybodys]
        questions += [(whose, post_form(key=key, action="balance")) for _ in range(2)]
    own = [
        own_answers(panel, servers[0], customer.api_key, mine) for customer, mine in zip(customers, orders, strict=True)
    ]
    before = [panel.balance(customer) for customer in customers]
    with connections(servers, len(questions)) as wires:
        for _ in range(RACES):
            answers = ask_at_once(wires, (request for _, request in questions))
            for (whose, request), answer in zip(questions, answers, strict=True):
                check_own(answer.body, request, own[whose], everybodys)
    assert [panel.balance(customer) for customer in customers] == before


def own_answers(panel: Panel, server: ServeProcess, key: str, orders: list[int]) -> dict[str, bytes]:
    """What this customer is told when nobody else asks: by order, and under "" the balance."""
    told = {str(number): server.call(key, "status", order=number).body for number in orders}
    assert all(b'"charge"' in body for body in told.values())
    return told | {"": server.call(key, "balance").body}


def check_own(body: bytes, request: bytes, own: dict[str, bytes], everybodys: list[int]) -> None:
    """The answer holds this customer's orders as they are, and of the others nothing but an error."""
    missing = b'{"error":"Incorrect order ID"}'
    if b"action=balance" in request:
        assert body == own[""]
    elif b"orders=" in request:
        expected = b",".join(b'"%d":%b' % (number, own.get(str(number), missing)) for number in everybodys)
        assert body == b"{%b}" % expected
        assert list(read_strictly(body)) == list(map(str, everybodys))
    else:
        asked = request.rpartition(b"order=")[2].decode()
        assert body == own.get(asked, missing)
