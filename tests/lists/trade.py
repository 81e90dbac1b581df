"""What the orders of the lists' tests are."""

from dataclasses import dataclass

from hawker.catalog.models import Service
from hawker.ledger.customers import OpenedCustomer
from hawker.providers.models import Provider
from panel import Panel


@dataclass(frozen=True)
class Trade:
    """Orders by what became of them; all but `others` are the customer's."""

    panel: Panel
    customer: OpenedCustomer
    stranger: OpenedCustomer
    provider: Provider
    service: Service
    staffed: Service
    submitted: int
    unknown: int
    canceled: int
    queued: int
    for_staff: int
    others: int

    @property
    def newest_first(self) -> list[int]:
        return sorted(
            (self.submitted, self.unknown, self.canceled, self.queued, self.for_staff, self.others), reverse=True
        )
