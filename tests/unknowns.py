"""Stories of unknown orders: a panel that buys at the sandbox's own price, and what happens to it."""

from hawker.catalog.models import Service
from hawker.ledger.customers import OpenedCustomer
from hawker.orders.models import WorkKind
from hawker.providers.models import Provider
from panel import Panel
from plain_http import http_post
from processes import SandboxProcess

CREATED = ["502-after-accept", "reset-after-accept", "truncated", "both-order-and-error"]
NOT_CREATED = ["502-before-accept", "reset-before-accept", "html"]


def order_elsewhere(sandbox: SandboxProcess, *, key: str = "", quantity: int = 111) -> int:
    """An order that somebody else makes at the same panel; under our key where none is given."""
    if key:
        http_post(f"{sandbox.base}/sandbox/balance", json={"key": key, "balance": "1000.00"})
    fields = {"key": key or sandbox.key, "action": "add", "service": "1", "link": "https://other.example/x"}
    made = http_post(sandbox.url, data=fields | {"quantity": str(quantity)}).json()
    number: int = made["order"]
    return number


class Story:
    """A panel that buys at the sandbox's own price, and what happens to it."""

    def __init__(self, panel: Panel, sandbox: SandboxProcess) -> None:
        self.panel, self.sandbox = panel, sandbox
        self.upstream: Provider = panel.provider(sandbox)
        self.service: Service = panel.service(provider=self.upstream, rate="1.80", cost_rate="0.90")
        self.customer: OpenedCustomer = panel.customer(credit="1000.00")
        self._placed = 0

    def place(self, quantity: int = 100) -> int:
        """An order with a link of its own, so that the sandbox's record tells whose order is whose."""
        self._placed += 1
        link = f"https://example.com/{self._placed}?fate=completed"
        order: int = self.panel.place(self.customer, self.service, link=link, quantity=quantity)
        return order

    def calm(self, count: int = 6) -> list[int]:
        """Orders that go well."""
        orders = [self.place() for _ in range(count)]
        self.send()
        assert [self.state(order) for order in orders] == ["submitted"] * count
        return orders

    def send(self) -> None:
        self.panel.clock.advance(seconds=6)
        self.panel.sweep(WorkKind.DISPATCH)

    def trouble(self, fault: str, *quantities: int) -> list[int]:
        """Orders that are sent while the provider has this fault."""
        self.sandbox.faults(f"{fault}=1")
        orders = [self.place(quantity) for quantity in quantities or (100,)]
        self.send()
        self.sandbox.faults()
        assert [self.state(order) for order in orders] == ["unknown"] * len(orders)
        return orders

    def after(self, count: int = 6) -> None:
        """Enough time that nothing is under way, then orders that go well."""
        self.panel.clock.advance(seconds=100)
        self.calm(count)

    def look(self, *, seconds: float = 61) -> None:
        """Let so much time pass and have the worker look at what is unknown."""
        self.panel.clock.advance(seconds=seconds)
        self.panel.sweep(WorkKind.RECONCILE)

    def state(self, order: int) -> str:
        state: str = self.panel.order(order)["state"]
        return state

    def hold(self, order: int) -> str:
        (work,) = self.panel.order(order)["work"]
        hold: str = work["hold"]
        return hold

    def made(self, order: int) -> list[int]:
        """The numbers of the orders that the sandbox really has of this order, by its link."""
        link = self.panel.order(order)["link"]
        return [row["order"] for row in self.sandbox.orders() if row["link"] == link]

    def assert_bound(self, order: int) -> None:
        assert [self.panel.order(order)["upstream_order"]] == self.made(order)

    def looks(self) -> int:
        return len(self.sandbox.calls("status"))
