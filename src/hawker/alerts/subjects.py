"""What alerts are about: one type for it, and one place that writes it as text."""

from dataclasses import dataclass

from hawker.alerts.models import SubjectKind

_MAX_ID = 100


@dataclass(frozen=True, slots=True, order=True)
class AlertSubject:
    """The order, provider or other thing that an alert is about. `id` is at most 100 characters."""

    kind: SubjectKind
    id: str

    def __str__(self) -> str:
        """`order 12`, `refill of order 12`, `provider acme`, `feed 3`, `books`."""
        if self.kind is SubjectKind.REFILL:
            return f"refill of order {self.id}"
        return f"{self.kind.value} {self.id}" if self.id else self.kind.value


BOOKS = AlertSubject(SubjectKind.BOOKS, "")


def about_order(order_id: int) -> AlertSubject:
    return AlertSubject(SubjectKind.ORDER, str(order_id))


def about_refill_of(order_id: int) -> AlertSubject:
    return AlertSubject(SubjectKind.REFILL, str(order_id))


def about_attempt(attempt_id: int) -> AlertSubject:
    return AlertSubject(SubjectKind.ATTEMPT, str(attempt_id))


def about_provider(name: str) -> AlertSubject:
    return AlertSubject(SubjectKind.PROVIDER, name[:_MAX_ID])


def about_feed(feed_id: int) -> AlertSubject:
    return AlertSubject(SubjectKind.FEED, str(feed_id))
