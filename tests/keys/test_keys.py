"""Keys at the door of two servers: who may pass, from where, until when, and how soon a change holds in both."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
from callers import BEHIND_PROXIES, INVALID, ask, two_servers

from hawker.accounts.actions import find_customer, issue_key, list_keys, revoke_key, rotate_key, set_customer_active
from hawker.accounts.errors import BadKey, KeyInUse, KeyIsOver, NoSuchKey
from hawker.accounts.models import ApiKey, KeyScope, User
from hawker.core.addresses import read_network
from hawker.ledger.customers import OpenedCustomer
from hawker.orders.models import Order
from panel import Panel
from processes import ServeProcess, eventually, start_serve
from raw_http import Wire, post
from yardstick import in_time

PROMISED_SECONDS = 1.0
"""So long after a change of keys no process may go by what was before it."""


@pytest.fixture(scope="module")
def servers(database: None) -> Iterator[list[ServeProcess]]:
    with two_servers(BEHIND_PROXIES) as pair:
        yield pair


@pytest.fixture
def customer(panel: Panel) -> OpenedCustomer:
    panel.service(id=1)
    return panel.customer(credit="1.00")


def user_of(customer: OpenedCustomer) -> User:
    return User.objects.get(id=customer.user_id)


def new_key(customer: OpenedCustomer, *networks: str, expires_at: datetime | None = None) -> str:
    read = [read_network(text) for text in networks]
    return issue_key(user_of(customer), now=datetime.now(UTC), networks=read, expires_at=expires_at).key


def passes(server: ServeProcess, key: str, address: str = "192.0.2.1") -> bool:
    answer = ask(server, key, address=address)
    assert answer.status == 200
    assert (answer.body == INVALID) != (b'"balance"' in answer.body)
    return answer.body != INVALID


def last_pass_after(changed_at: float, servers: list[ServeProcess], key: str) -> float:
    """Ask both until both refuse; how long after the change the last request that passed was begun."""
    last = 0.0
    refused: set[int] = set()
    deadline = time.monotonic() + 30
    while len(refused) < len(servers):
        assert time.monotonic() < deadline, "the key passes still"
        for server in servers:
            begun = time.monotonic()
            if passes(server, key):
                last = max(last, begun - changed_at)
                refused.discard(server.pid)
            else:
                refused.add(server.pid)
    return last


# --- changes hold everywhere ------------------------------------------------------------------------


def test_a_revoked_key_passes_in_no_process_a_second_later(
    panel: Panel, servers: list[ServeProcess], customer: OpenedCustomer
) -> None:
    other = new_key(customer)
    assert all(passes(server, key) for server in servers for key in (customer.api_key, other))
    revoke_key(ApiKey.objects.get(hint=customer.api_key[-4:], user_id=customer.user_id).id, now=datetime.now(UTC))
    assert in_time(last_pass_after(time.monotonic(), servers, customer.api_key), PROMISED_SECONDS)
    assert all(passes(server, other) for server in servers), "the customer's other key is none the worse"


def test_a_disabled_customer_passes_in_no_process_a_second_later_and_comes_back(
    panel: Panel, servers: list[ServeProcess], customer: OpenedCustomer
) -> None:
    keys = [customer.api_key, new_key(customer)]
    assert all(passes(server, key) for server in servers for key in keys)
    email = user_of(customer).email
    set_customer_active(email, active=False)
    changed_at = time.monotonic()
    assert all(in_time(last_pass_after(changed_at, servers, key), PROMISED_SECONDS) for key in keys)
    set_customer_active(email, active=True)
    eventually("both let the customer in", lambda: all(passes(server, key) for server in servers for key in keys))


def test_a_key_stops_at_its_end_though_both_servers_remember_it(
    servers: list[ServeProcess], customer: OpenedCustomer
) -> None:
    ends_at = datetime.now(UTC) + timedelta(seconds=2)
    key = new_key(customer, expires_at=ends_at)
    changed_at = time.monotonic() + (ends_at - datetime.now(UTC)).total_seconds()
    assert in_time(last_pass_after(changed_at, servers, key), 0.1), "no request begun after the end passes"


# --- rotation ---------------------------------------------------------------------------------------


def test_while_a_rotation_overlaps_both_keys_pass(servers: list[ServeProcess], customer: OpenedCustomer) -> None:
    old = issue_key(
        user_of(customer),
        now=datetime.now(UTC),
        label="shop",
        scope=KeyScope.READ,
        networks=[read_network("192.0.2.0/24")],
    )
    assert all(passes(server, old.key) for server in servers)
    new = rotate_key(old.key_id, overlap=timedelta(hours=24), now=datetime.now(UTC))
    assert all(passes(server, key) for server in servers for key in (old.key, new.key))
    row = ApiKey.objects.get(id=new.key_id)
    assert (row.label, row.scope, row.allowed_addresses) == ("shop", "read", ["192.0.2.0/24"])
    assert not passes(servers[0], new.key, "203.0.113.1"), "the new key is limited as the old one"
    # The end of the overlap, brought forward.
    ApiKey.objects.filter(id=old.key_id).update(expires_at=datetime.now(UTC))
    assert in_time(last_pass_after(time.monotonic(), servers, old.key), PROMISED_SECONDS)
    assert all(passes(server, new.key) for server in servers)


def test_a_rotation_without_overlap_ends_the_old_key_at_once(
    servers: list[ServeProcess], customer: OpenedCustomer
) -> None:
    key_id = ApiKey.objects.get(user_id=customer.user_id).id
    assert all(passes(server, customer.api_key) for server in servers)
    new = rotate_key(key_id, overlap=timedelta(0), now=datetime.now(UTC))
    assert in_time(last_pass_after(time.monotonic(), servers, customer.api_key), PROMISED_SECONDS)
    assert all(passes(server, new.key) for server in servers)


def test_a_key_is_rotated_once(panel: Panel, customer: OpenedCustomer) -> None:
    now = panel.clock.now()
    key_id = ApiKey.objects.get(user_id=customer.user_id).id
    rotate_key(key_id, overlap=timedelta(days=1), now=now)
    with pytest.raises(KeyIsOver, match="was rotated already"):
        rotate_key(key_id, overlap=timedelta(days=9), now=now)
    assert ApiKey.objects.count() == 2
    assert ApiKey.objects.get(id=key_id).expires_at == now + timedelta(days=1)


def test_a_rotation_does_not_prolong_a_key(panel: Panel, customer: OpenedCustomer) -> None:
    now = panel.clock.now()
    ends_at = now + timedelta(hours=1)
    old = issue_key(user_of(customer), now=now, expires_at=ends_at)
    new = rotate_key(old.key_id, overlap=timedelta(days=1), now=now)
    assert new.old_ends_at == ends_at
    assert ApiKey.objects.get(id=new.key_id).expires_at == ends_at


def test_what_has_ended_is_not_rotated(panel: Panel, customer: OpenedCustomer) -> None:
    now = panel.clock.now()
    revoked = issue_key(user_of(customer), now=now)
    expired = issue_key(user_of(customer), now=now, expires_at=now + timedelta(hours=1))
    revoke_key(revoked.key_id, now=now)
    for key_id in (revoked.key_id, expired.key_id):
        with pytest.raises(KeyIsOver, match="has ended"):
            rotate_key(key_id, overlap=timedelta(0), now=now + timedelta(hours=2))
    for verb in (lambda: rotate_key(10**15, overlap=timedelta(0), now=now), lambda: revoke_key(10**15, now=now)):
        with pytest.raises(NoSuchKey):
            verb()
    assert ApiKey.objects.count() == 3


def test_a_key_is_revoked_twice_without_harm(panel: Panel, customer: OpenedCustomer) -> None:
    key_id = ApiKey.objects.get(user_id=customer.user_id).id
    first = panel.clock.now()
    revoke_key(key_id, now=first)
    assert revoke_key(key_id, now=first + timedelta(hours=1)).revoked_at == first


# --- where a key may be used from -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "admitted"),
    [
        ("192.0.2.7", True),
        ("::ffff:192.0.2.7", True),
        ("192.0.2.7:4711", True),
        ("2001:db8:1::9", True),
        ("[2001:db8:1::9]:4711", True),
        ("198.51.100.5", True),
        ("203.0.113.9, 192.0.2.7", True),
        ("192.0.2.7, 10.1.2.3", True),
        ("192.0.2.7, 10.1.2.3, 10.9.9.9", True),
        ("203.0.113.9", False),
        ("198.51.100.6", False),
        ("2001:db8:2::9", False),
        ("192.0.2.7, 203.0.113.9", False),
        ("192.0.2.7, 203.0.113.9, 10.1.2.3", False),
        ("192.0.2.7, nonsense, 10.1.2.3", False),
        ("nonsense", False),
        ("", False),
        ("192.0.2.7" + ", 10.1.2.3" * 50, False),
    ],
)
def test_a_key_limited_to_addresses_passes_from_those_alone(
    servers: list[ServeProcess], customer: OpenedCustomer, told: str, admitted: bool
) -> None:
    key = new_key(customer, "192.0.2.0/24", "198.51.100.5", "2001:db8:1::/48")
    # Where it is good first, so that the servers remember it: a remembered key is no freer than another.
    assert all(passes(server, key, "192.0.2.1") for server in servers)
    assert [passes(server, key, told) for server in servers] == [admitted, admitted]


@pytest.mark.parametrize(
    ("told", "admitted"),
    [(("192.0.2.7", "203.0.113.9"), False), (("203.0.113.9", "192.0.2.7"), True), (("192.0.2.7", "10.1.2.3"), True)],
)
def test_a_proxy_that_adds_a_header_of_its_own_is_believed_about_the_caller(
    servers: list[ServeProcess], customer: OpenedCustomer, told: tuple[str, ...], admitted: bool
) -> None:
    """The caller's own header stays first: it is what anybody can forge."""
    form = urlencode({"key": new_key(customer, "192.0.2.0/24"), "action": "balance"}).encode()
    with Wire(servers[0].url) as wire:
        answer = wire.ask(post(form, headers=[f"X-Forwarded-For: {address}" for address in told]))
    assert (answer.body != INVALID) == admitted


def test_from_whom_is_no_proxy_the_header_is_not_believed(
    server: ServeProcess, panel: Panel, customer: OpenedCustomer
) -> None:
    elsewhere, here = new_key(customer, "192.0.2.0/24"), new_key(customer, "127.0.0.0/8")
    assert not passes(server, elsewhere, "192.0.2.7")
    assert passes(server, here, "192.0.2.7")


def test_a_refused_address_writes_nothing(servers: list[ServeProcess], customer: OpenedCustomer) -> None:
    key = new_key(customer, "192.0.2.0/24")
    order = {"service": 1, "link": "https://example.com/page", "quantity": 50}
    assert ask(servers[0], key, "add", address="203.0.113.9", **order).body == INVALID
    assert Order.objects.count() == 0
    assert b'"order"' in ask(servers[0], key, "add", address="192.0.2.9", **order).body


# --- several, brought along, noted ------------------------------------------------------------------


@pytest.mark.parametrize(
    "key",
    ["8f14e45fceea167a5a36dedd4bea2543", "ABC-123_xyz.~", "a&b=c+d%20e;f", "ключ-от-панели", "two words", "😀" * 8],
)
def test_a_key_of_another_panel_works_whatever_it_looks_like(
    servers: list[ServeProcess], customer: OpenedCustomer, key: str
) -> None:
    now = datetime.now(UTC)
    assert not passes(servers[0], key)
    issue_key(user_of(customer), now=now, key=key)
    assert all(passes(server, key) for server in servers)
    with pytest.raises(KeyInUse):
        issue_key(user_of(customer), now=now, key=key)
    assert ApiKey.objects.filter(user_id=customer.user_id).count() == 2


@pytest.mark.parametrize(
    "key", ["", "short", " padded-key", "padded-key\n", "nul\0in-the-middle", "undefined", "x" * 513]
)
def test_what_could_not_be_sent_or_could_be_guessed_is_no_key(customer: OpenedCustomer, key: str) -> None:
    with pytest.raises(BadKey):
        issue_key(user_of(customer), now=datetime.now(UTC), key=key)
    assert ApiKey.objects.count() == 1


def test_a_hundred_keys_are_enough_and_a_revoked_one_makes_room(panel: Panel, customer: OpenedCustomer) -> None:
    now, user = panel.clock.now(), user_of(customer)
    keys = [issue_key(user, now=now) for _ in range(99)]
    with pytest.raises(BadKey, match="100 keys"):
        issue_key(user, now=now)
    revoke_key(keys[0].key_id, now=now)
    issue_key(user, now=now)
    assert len(list_keys(find_customer(user.email))) == 101


def test_the_last_use_is_noted_without_a_write_for_each_request(panel: Panel, customer: OpenedCustomer) -> None:
    def version_of_row() -> str:
        return str(ApiKey.objects.extra(select={"row": "xmin::text"}).get(user_id=customer.user_id).row)  # type: ignore[attr-defined]

    with start_serve(BEHIND_PROXIES) as server:
        assert passes(server, customer.api_key, "2001:db8::7")
        eventually("noted", lambda: ApiKey.objects.get(user_id=customer.user_id).last_used_at, seconds=20)
        assert ApiKey.objects.get(user_id=customer.user_id).last_address == "2001:db8::7"
        row = version_of_row()
        assert all(passes(server, customer.api_key, "192.0.2.44") for _ in range(50))
        time.sleep(1.2)
        assert version_of_row() == row
    # What was noted since is written when the server stops.
    assert ApiKey.objects.get(user_id=customer.user_id).last_address == "192.0.2.44"
