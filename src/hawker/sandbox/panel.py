"""What the simulated panel knows: balances, orders, refills. In memory, with every change written to the journal."""

from hawker.protocol.params import read_whole
from hawker.sandbox.config import SandboxConfig
from hawker.sandbox.entries import CancelAsked, Entry, Funded, Refunded, Reset, SandboxOrder, SandboxRefill
from hawker.sandbox.journal import Journal


class Panel:
    """The state of one panel. Each change is one entry, applied alike when it happens and when it is read back.

    Amounts are micros. `due` is a heap of (tick, order id) kept by due.py: when to look at an order again.
    """

    def __init__(self, config: SandboxConfig, journal: Journal) -> None:
        self.config = config
        self._journal = journal
        self.balances: dict[str, int] = {}
        self.orders: dict[int, SandboxOrder] = {}
        self.children: dict[int, list[int]] = {}
        self.refills: dict[int, SandboxRefill] = {}
        self.last_refill: dict[int, int] = {}
        self.last_order: dict[str, int] = {}
        self.due: list[tuple[int, int]] = []
        self.waiting: dict[str, set[int]] = {}
        self.next_order_id = config.first_order_id
        self.next_refill_id = 1

    # --- questions ---------------------------------------------------------------------------------

    def find_order(self, key: str, asked: str) -> SandboxOrder | None:
        """The order asked for by its id as text, if it is this key's own: a foreign one does not exist."""
        number = read_whole(asked)
        order = self.orders.get(number) if number is not None else None
        return order if order is not None and order.key == key else None

    def find_refill(self, key: str, asked: str) -> SandboxRefill | None:
        """The refill asked for, if it is of an order of this key."""
        number = read_whole(asked)
        refill = self.refills.get(number) if number is not None else None
        return refill if refill is not None and self.orders[refill.order].key == key else None

    def children_of(self, order: SandboxOrder) -> list[SandboxOrder]:
        """The orders made so far by a drip-feed or a subscription."""
        return [self.orders[child] for child in self.children.get(order.id, ())]

    # --- changes -----------------------------------------------------------------------------------

    def record(self, entry: Entry) -> None:
        """Make a change and write it to the journal."""
        # Written first: applying a refund changes the order that an earlier entry shares.
        self._journal.write(entry)
        self.apply(entry)

    def apply(self, entry: Entry) -> None:
        """Make a change that is in the journal already. Entries that are no matter of the panel change nothing."""
        match entry:
            case SandboxOrder():
                self._apply_order(entry)
            case SandboxRefill():
                self.refills[entry.id] = entry
                self.last_refill[entry.order] = entry.id
                self.next_refill_id = max(self.next_refill_id, entry.id + 1)
            case CancelAsked():
                self.orders[entry.order].cancel_tick = entry.tick
            case Refunded():
                order = self.orders[entry.order]
                order.refunded_micros += entry.micros
                self.balances[order.key] += entry.micros
            case Funded():
                self.balances[entry.key] = entry.micros
            case Reset():
                self._forget()

    def fund_new_keys(self) -> None:
        """Give every configured key that is not known yet its opening balance."""
        for key, balance in self.config.keys.items():
            if key not in self.balances:
                self.record(Funded(key, balance.micros))

    def reset(self) -> None:
        """Forget orders, refills and balances, and open the configured keys again. Ids go on growing."""
        self.record(Reset())
        self.fund_new_keys()

    def _apply_order(self, order: SandboxOrder) -> None:
        self.orders[order.id] = order
        self.next_order_id = max(self.next_order_id, order.id + 1)
        parent = self.orders.get(order.parent)
        if parent is None:
            self.last_order[order.key] = order.id
        else:
            self.children.setdefault(parent.id, []).append(order.id)
        # The runs of a drip-feed were paid for with it; the orders of a subscription pay as they are made.
        if parent is None or parent.subscription is not None:
            self.balances[order.key] -= order.charge_micros

    def _forget(self) -> None:
        for kept in (self.orders, self.children, self.refills, self.last_refill, self.last_order, self.waiting):
            kept.clear()
        self.due.clear()
        self.balances.clear()
