"""A panel under arbitrary steps: every step through its own verbs and sweeps, on a real database.

After each step every invariant is checked, and every cent against tests/model/expected.py.
"""

import functools
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
from expected import Asked, price
from ground import OWNER, TALLY, Ground, reconnect
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule
from peer import FINAL, Fate, Peer

from hawker.catalog.models import Service
from hawker.catalog.pricing import AgreedRate, agree_rates, price_accounts
from hawker.core.failpoints import InjectedFault, arm
from hawker.ledger.actions import Credit, correct_balance, record_credits
from hawker.ledger.customers import OpenedCustomer
from hawker.ledger.errors import AlreadyCredited, NotEnoughFunds
from hawker.orders import (
    CancelAsk,
    Canceling,
    Draft,
    NotSent,
    Outcome,
    RefillAsk,
    RefillDecision,
    claim_dispatches,
    place_orders,
    request_cancels,
    request_refills,
    resolve_refills,
    settle_attempts,
)
from hawker.orders.models import RefillState, State, WorkKind
from hawker.protocol.upstream import Accepted
from people import STAFF, TEST

__all__ = ["TALLY", "Machine"]

FATES = st.lists(st.sampled_from(Fate), max_size=4)
PICK = st.integers(0, 60)
RARELY = st.sampled_from([False] * 9 + [True])
NEWS = st.lists(
    st.tuples(PICK, st.sampled_from(["Partial", "Partial", "In progress", "Processing", *FINAL]), st.integers(-3, 120)),
    max_size=4,
)
QUANTITIES = st.integers(1, 60) | st.integers(1, 7_000)
GIVEN = {
    "Default": {},
    "Mentions": {"usernames": "ann"},
    "Mentions with Hashtags": {"usernames": "ann", "hashtags": "#tea"},
    "Mentions Hashtag": {"hashtag": "#tea"},
    "Mentions User Followers": {"username": "ann"},
    "Mentions Media Likers": {"media": "https://example.com/p/1"},
    "Comment Likes": {"username": "ann"},
    "Poll": {"answer_number": "3"},
    "Invites from Groups": {"groups": "one"},
    "SEO": {"keywords": "tea"},
    "Web Traffic": {},
}
LINES = {"Custom Comments": "comments", "Mentions Custom List": "usernames", "Comment Replies": "comments"}
PACKAGES = {"Package": {}, "Custom Comments Package": {"comments": "one\ntwo"}}
TYPES = st.sampled_from(["Default", *GIVEN, *LINES, *PACKAGES])
DRAFTS = st.lists(st.tuples(TYPES, PICK, QUANTITIES, st.integers(-6, 3)), min_size=1, max_size=4)
SENDING = st.sampled_from(
    [None, None, None, "claim-before-commit", "claimed", "send-before-write", "answered", "settle-before-commit",
     "settled", "drip-before-commit"]
)  # fmt: skip
ASKING = st.sampled_from(
    [None, None, None, "follow-before-commit", "cancel-answer-before-commit", "reconcile-before-commit"]
)
POSTING = st.sampled_from([None, None, "look-before-commit", "looked", "subscribe-before-commit"])


def where(holds: Callable[[Any], object]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Leave a step out where it could do nothing. No precondition of hypothesis: how far the panel has come depends on
    its threads and the pace of the machine, and which steps are drawn must not.
    """

    def guarded(step: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(step)
        def guard(self: Any, **drawn: Any) -> None:
            if holds(self):
                step(self, **drawn)

        return guard

    return guarded


class Machine(Ground):
    """Customers, orders, two upstream panels, staff and time."""

    @initialize(amounts=st.lists(st.integers(1, 4_000_000), min_size=2, max_size=3), drafts=DRAFTS)
    def open(self, amounts: list[int], drafts: list[tuple[str, int, int, int]]) -> None:
        """Two upstreams, customers with money, and orders: hypothesis leaves some rules out of each example, and one
        without `place` would come to nothing otherwise.
        """
        for name in ("first", "second"):
            peer = Peer(name)
            self.peers[self.panel.provider(peer, name=name).id] = peer  # type: ignore[arg-type]  # as a scripted one
        for steps in amounts:
            customer = self.panel.customer(credit="0")
            self.customers.append(customer)
            self._pay(customer, steps * 10)
        self._place(drafts)

    # --- money -------------------------------------------------------------------------------------

    @rule(pick=PICK, steps=st.integers(1, 1_000_000), twice=st.booleans())
    def deposit(self, pick: int, steps: int, twice: bool) -> None:
        self._pay(self.customer(pick), steps * 10, twice=twice)

    def _pay(self, customer: OpenedCustomer, micros: int, *, twice: bool = False) -> None:
        self.payments += 1
        credit = Credit(customer.account_id, micros, "bank", f"payment {self.payments}", TEST, "money came")
        (first,) = record_credits([credit], now=self.panel.clock.now())
        assert isinstance(first, int)
        if twice:
            # A gateway that reports a payment twice has it credited once.
            (again,) = record_credits([credit], now=self.panel.clock.now())
            assert isinstance(again, AlreadyCredited)
        self.expected.paid[customer.account_id] += micros

    @rule(pick=PICK, steps=st.integers(-1_000_000, 1_000_000).filter(bool))
    def correct(self, pick: int, steps: int) -> None:
        """Staff change a balance by hand, never below nothing."""
        account_id, micros = self.customer(pick).account_id, steps * 10
        said = {"actor": STAFF, "reason": "because"}
        if self.expected.balance(account_id) + micros < 0:
            with pytest.raises(NotEnoughFunds):
                correct_balance(account_id, micros, now=self.panel.clock.now(), **said)
            return
        correct_balance(account_id, micros, now=self.panel.clock.now(), **said)
        self.expected.paid[account_id] += micros

    @rule(
        pick=PICK,
        which=PICK,
        how=st.sampled_from(["rate", "agree", "percent"]),
        rate=st.sampled_from(["0.5", "2.00001", "0.33333333", "0.00100001"]),
        percent=st.sampled_from(["-50", "-12.5", "10", "33.33"]),
        away=st.booleans(),
    )
    @where(lambda self: self.services)
    def reprice(self, pick: int, which: int, how: str, rate: str, percent: str, away: bool) -> None:
        """A price changes: for everybody, for one customer and service, or for one customer."""
        service = list(self.services.values())[which % len(self.services)]
        account_id = self.customer(pick).account_id
        # Prices are verbs of a command, which begins with a connection of its own.
        reconnect()
        if how == "rate":
            Service.objects.filter(id=service.id).update(rate=rate)
            self.rates[service.id] = rate
        elif how == "agree":
            assert agree_rates([AgreedRate(account_id, service.id, None if away else rate)]) == [None]
            self.agreed.pop((account_id, service.id), None)
            if not away:
                self.agreed[account_id, service.id] = rate
        else:
            price_accounts([account_id], percent=None if away else percent)
            self.percents[account_id] = Fraction() if away else Fraction(percent)

    # --- orders ------------------------------------------------------------------------------------

    @rule(drafts=DRAFTS, by_hand=st.booleans(), crash=RARELY)
    def place(self, drafts: list[tuple[str, int, int, int]], by_hand: bool, crash: bool) -> None:
        """A batch of orders, or one whose process ends before it is written."""
        if not crash:
            self._place(drafts, by_hand=by_hand)
            return
        read = [self._draft(*draft, by_hand=by_hand) for draft in drafts]
        arm("place-before-commit=raise")
        with pytest.raises(InjectedFault):
            place_orders([draft for _, draft in read], now=self.panel.clock.now())

    def _place(self, drafts: list[tuple[str, int, int, int]], *, by_hand: bool = False) -> None:
        """A batch of orders: each taken or refused as the balance that the ones before it left allows."""
        read = [self._draft(*draft, by_hand=by_hand) for draft in drafts]
        left: dict[int, int] = {}
        answers = place_orders([draft for _, draft in read], now=self.panel.clock.now())
        for (asked, _), answer in zip(read, answers, strict=True):
            available = left.setdefault(asked.account_id, self.expected.balance(asked.account_id))
            fits = asked.type in PACKAGES or asked.quantity <= 5_000
            taken = fits and asked.charge <= available
            assert isinstance(answer, int) == taken, (asked, answer)
            if isinstance(answer, int):
                left[asked.account_id] -= asked.charge
                self.expected.asked[answer] = asked
            elif fits:
                assert isinstance(answer, NotEnoughFunds)
        # Balances were reckoned with what was asked for before; from now on with these as well.

    def _draft(self, type_name: str, pick: int, quantity: int, runs: int, *, by_hand: bool) -> tuple[Asked, Draft]:
        drips = runs > 0 and type_name in ("Default", "Web Traffic") and not by_hand
        service = self.service(type_name, by_hand=by_hand)
        account_id, link = self.customer(pick).account_id, self.link()
        fields = {"service": str(service.id), "link": link}
        if type_name in GIVEN:
            fields |= GIVEN[type_name] | {"quantity": str(quantity)}
        elif type_name in LINES:
            fields["username"] = "ann"
            quantity = quantity % 20 + 1
            fields[LINES[type_name]] = "\n".join(f"word{number}" for number in range(quantity))
        else:
            fields |= PACKAGES[type_name]
            quantity = 1
        if drips:
            fields |= {"runs": str(runs), "interval": "30"}
            quantity *= runs
        charge = price(self.rate_of()[account_id, service.id], quantity, package=type_name in PACKAGES)
        asked = Asked(account_id, service.id, type_name, link, quantity, charge, runs=runs if drips else 0)
        return asked, Draft(account_id, fields)

    @rule(pick=PICK, low=st.integers(1, 50), more=st.integers(0, 50), posts=st.none() | st.integers(1, 3), old=PICK)
    def subscribe(self, pick: int, low: int, more: int, posts: int | None, old: int) -> None:
        """A subscription to what is posted, of which some are for old posts too."""
        service, account_id = self.service("Subscriptions"), self.customer(pick).account_id
        fields = {"service": str(service.id), "username": "anna", "min": str(low), "max": str(low + more), "delay": "0"}
        fields |= {} if posts is None else {"posts": str(posts)}
        fields |= {"old_posts": str(old % 3)} if old % 3 else {}
        (answer,) = place_orders([Draft(account_id, fields)], now=self.panel.clock.now())
        assert isinstance(answer, int)
        self.expected.asked[answer] = Asked(account_id, service.id, "Subscriptions", "anna", low + more, 0, low=low)

    @rule(posts=st.integers(0, 2), crash=POSTING)
    @where(lambda self: self.has("active", "paused"))
    def post(self, posts: int, crash: str | None) -> None:
        """Something is posted, and the panel orders for it."""
        for _ in range(posts):
            self.feed.publish()
        self.panel.clock.advance(hours=1)
        with self.crashing(crash):
            self.sweep(WorkKind.SUBSCRIBE)

    @rule(fates=FATES, others=FATES, seconds=st.sampled_from([6, 1, 40, 2_000]), crash=SENDING, cut=RARELY)
    @where(lambda self: self.has("queued", "active"))
    def send(self, fates: list[Fate], others: list[Fate], seconds: int, crash: str | None, cut: bool) -> None:
        """What is due is sent, and the upstreams make of it what they like; the database may go away meanwhile."""
        self.panel.clock.advance(seconds=seconds)
        for peer, theirs in zip(self.peers.values(), (fates, others), strict=True):
            peer.fates = list(theirs)
            peer.on_call = [OWNER.cut] if cut else []
        with self.crashing(crash):
            self.sweep(WorkKind.DRIP, WorkKind.DISPATCH)
        for peer in self.peers.values():
            peer.fates, peer.on_call = [], []

    @rule(news=NEWS, hours=st.sampled_from([1, 30, 0.01]), mute=st.booleans(), crash=ASKING)
    @where(lambda self: any(peer.orders for peer in self.peers.values()))
    def poll(self, news: list[tuple[int, str, int]], hours: float, mute: bool, crash: str | None) -> None:
        """Upstreams come on with orders, or take back what they said; the panel asks how its orders are."""
        made = [made for peer in self.peers.values() for made in peer.orders.values()]
        # Mostly of orders that go on: those that have ended are many in the end, and change nothing.
        going_on = [order for order in made if order.status not in FINAL] or made
        for pick, status, remains in news:
            among = made if pick % 8 == 7 else going_on
            order = among[-1 - pick % len(among)]
            order.status, order.remains = status, remains
        self.panel.clock.advance(hours=hours)
        for peer in self.peers.values():
            peer.is_mute = mute and not news
        with self.crashing(crash):
            self.sweep(WorkKind.POLL, WorkKind.CANCEL, WorkKind.RECONCILE)
        for peer in self.peers.values():
            peer.is_mute = False

    @rule(picks=st.lists(PICK, min_size=1, max_size=3), staff=st.booleans(), willing=st.booleans())
    @where(lambda self: self.expected.rows)
    def cancel(self, picks: list[int], staff: bool, willing: bool) -> None:
        """Customers, or staff, ask for cancels, of which some are others' orders."""
        for peer in self.peers.values():
            peer.refuses_cancels = not willing
        account_id = None if staff else self.customer(picks[0]).account_id
        self._cancel(account_id, [self.order(pick) for pick in picks])

    def cancel_as_staff(self, order_id: int) -> None:
        self._cancel(None, [order_id])

    def _cancel(self, account_id: int | None, numbers: list[int]) -> None:
        asked = CancelAsk(account_id, [str(number) for number in numbers])
        (answers,) = request_cancels([asked], now=self.panel.clock.now())
        for number in numbers:
            row = self.expected.rows[number]
            if isinstance(answers[str(number)], Canceling):
                assert account_id in (None, row.account_id), "canceled by a stranger"
                if number in self.expected.asked:
                    self.expected.asked[number].stopped |= bool(self.expected.asked[number].runs)

    @rule(pick=PICK, state=st.sampled_from([State.PARTIAL, State.COMPLETED, State.IN_PROGRESS]), remains=PICK)
    @where(lambda self: self.by_hand())
    def work(self, pick: int, state: State, remains: int) -> None:
        """Staff come on with an order that is theirs, or try it with one that is not."""
        theirs = [row for row in self.expected.rows.values() if row.service_id in self.by_hand() and not row.is_over]
        row = theirs[pick % len(theirs)] if theirs else self.expected.rows.get(pick)
        if row is not None:
            self.deliver(row.id, state, remains % row.quantity if state is State.PARTIAL else None)

    # --- what goes wrong ---------------------------------------------------------------------------

    @rule(wrote=st.booleans(), pick=PICK)
    @where(lambda self: self.has("queued"))
    def die(self, wrote: bool, pick: int) -> None:
        """A worker claims, perhaps writes, and is never heard of again, or much later."""
        provider_id = list(self.peers)[pick % 2]
        self.panel.clock.advance(seconds=1)
        for claim in claim_dispatches(provider_id, limit=1, token="dead/1", now=self.panel.clock.now()):
            made = self.peers[provider_id].make(claim.fields) if wrote else None
            self.lost.append((claim.attempt_id, made.number if made else None))

    @rule(pick=PICK)
    @where(lambda self: self.lost)
    def come_back(self, pick: int) -> None:
        """A dead worker was only slow: it has an answer after all."""
        attempt_id, number = self.lost.pop(pick % len(self.lost))
        verdict = NotSent("it was asleep") if number is None else Accepted(number)
        settle_attempts([Outcome(attempt_id, verdict)], now=self.panel.clock.now())

    @rule(pick=PICK, how=st.sampled_from(["truly", "resend", "refund"]))
    @where(lambda self: self.has("unknown"))
    def resolve(self, pick: int, how: str) -> None:
        """A person decides of an unknown order."""
        unknown = [row for row in self.expected.rows.values() if row.state == "unknown"]
        self.resolve_row(unknown[pick % len(unknown)], how)

    # --- refills -----------------------------------------------------------------------------------

    @rule(pick=PICK, who=PICK, fates=FATES, cut=RARELY)
    @where(lambda self: self.has("completed", "partial"))
    def refill(self, pick: int, who: int, fates: list[Fate], cut: bool) -> None:
        """A customer asks for a refill a day after the end, and the upstream for it, at most once."""
        ended = [row for row in self.expected.rows.values() if row.state in ("completed", "partial")]
        row = ended[-1 - pick % len(ended)]
        account_id = row.account_id if who % 4 else self.customer(who).account_id
        self.panel.clock.advance(hours=25)
        (answers,) = request_refills([RefillAsk(account_id, [str(row.id)])], now=self.panel.clock.now())
        assert account_id == row.account_id or not isinstance(answers[str(row.id)], int), "refilled for a stranger"
        for peer in self.peers.values():
            peer.fates = list(fates)
            peer.on_call = [OWNER.cut] if cut else []
        self.sweep(WorkKind.REFILL)
        for peer in self.peers.values():
            peer.fates, peer.on_call = [], []

    @rule(status=st.sampled_from(["In progress", "Completed", "Rejected", "Pending"]), hours=st.sampled_from([1, 30]))
    @where(lambda self: any(peer.refills for peer in self.peers.values()))
    def follow(self, status: str, hours: int) -> None:
        """Refills go on upstream, and the panel asks about them."""
        for peer in self.peers.values():
            for made in peer.refills.values():
                made.status = status
        self.panel.clock.advance(hours=hours)
        self.sweep(WorkKind.FOLLOW)

    @rule(pick=PICK, state=st.sampled_from([RefillState.COMPLETED, RefillState.REJECTED]))
    @where(lambda self: self.has("completed", "partial"))
    def resolve_refill(self, pick: int, state: RefillState) -> None:
        """Staff end a refill by hand."""
        numbers = [number for (number,) in OWNER.ask("SELECT id FROM refill ORDER BY id")[0]]
        if numbers:
            resolution = RefillDecision(numbers[pick % len(numbers)], state, "because")
            resolve_refills([resolution], actor=STAFF, now=self.panel.clock.now())
