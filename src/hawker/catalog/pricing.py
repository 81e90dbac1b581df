"""The verbs of prices: groups, a customer's percentage, rates agreed with a customer.

Each is one transaction. At its COMMIT the catalogue has a new number and every order that follows pays the new
price, in every process (migrations/guards.sql).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.db.models import Count, ProtectedError

from hawker.catalog import queries
from hawker.catalog.errors import BadPrice, GroupExists, GroupInUse, NoSuchGroup, NoSuchService
from hawker.catalog.models import CustomerPrice, CustomerRate, PriceGroup, Service
from hawker.catalog.rules import read_percent, read_rate, write_percent
from hawker.core.sql import Cursor, in_transaction

MAX_GROUP_NAME = 80


@dataclass(frozen=True, slots=True)
class AgreedRate:
    """The rate of one service for one account; None takes an agreed one back."""

    account_id: int
    service_id: int
    rate: str | None


class PricesUnchanged:
    """Leave this as it is."""


UNCHANGED: Final = PricesUnchanged()


# --- groups ----------------------------------------------------------------------------------------


def add_group(name: str, percent: str) -> PriceGroup:
    """A new price group. Raises BadPrice or GroupExists; then nothing was written."""
    name = name.strip()
    if not name or len(name) > MAX_GROUP_NAME or not name.isprintable():
        raise BadPrice(f"a price group needs a name of at most {MAX_GROUP_NAME} characters")
    try:
        with transaction.atomic():
            return PriceGroup.objects.create(name=name, percent_hundredths=_percent(percent))
    except IntegrityError as error:
        raise GroupExists(f"a price group {name!r} already exists") from error


def set_group(name: str, percent: str) -> PriceGroup:
    """Another percentage for all customers of a group. Raises BadPrice or NoSuchGroup; then nothing was written."""
    hundredths = _percent(percent)
    group = find_group(name)
    group.percent_hundredths = hundredths
    # Updated and never saved anew: a group that somebody has just removed must not come back.
    if not PriceGroup.objects.filter(id=group.id).update(percent_hundredths=hundredths):
        raise _no_such_group(name)
    return group


def remove_group(name: str) -> None:
    """Forget a group without customers. Raises NoSuchGroup or GroupInUse; then nothing was written."""
    group = find_group(name)
    try:
        with transaction.atomic():
            group.delete()
    except (ProtectedError, IntegrityError) as error:
        raise GroupInUse(f"the price group {group.name!r} has customers: put them into another one first") from error


def find_group(name: str) -> PriceGroup:
    """The price group of this name. Raises NoSuchGroup."""
    # What does not print cannot be a name, and parts of it the database would not take.
    group = PriceGroup.objects.filter(name=name.strip()).first() if name.isprintable() else None
    if group is None:
        raise _no_such_group(name)
    return group


def list_groups() -> list[dict[str, Any]]:
    """All price groups by name, each with how many customers it has."""
    groups = PriceGroup.objects.annotate(members=Count("customers")).order_by("name")
    return [{**describe_group(group), "customers": group.members} for group in groups]


def describe_group(group: PriceGroup) -> dict[str, Any]:
    """A price group in the words of the command line."""
    return {"group": group.id, "name": group.name, "percent": write_percent(group.percent_hundredths)}


# --- customers -------------------------------------------------------------------------------------


def price_accounts(
    account_ids: Sequence[int],
    *,
    group: str | PricesUnchanged | None = UNCHANGED,
    percent: str | PricesUnchanged | None = UNCHANGED,
) -> None:
    """Put these accounts into a group and give them a percentage of their own; None takes either away.

    What neither is said of stays as it is. Raises BadPrice or NoSuchGroup; then nothing was written.
    """
    values: dict[str, Any] = {}
    if not isinstance(percent, PricesUnchanged):
        values["percent_hundredths"] = None if percent is None else _percent(percent)
    if not isinstance(group, PricesUnchanged):
        values["group_id"] = None if group is None else find_group(group).id
    assert values, "called to change something"
    try:
        CustomerPrice.objects.bulk_create(
            [CustomerPrice(account_id=account_id, **values) for account_id in dict.fromkeys(account_ids)],
            update_conflicts=True,
            unique_fields=["account"],
            update_fields=[name.removesuffix("_id") for name in values],
            # A statement takes 65,535 values.
            batch_size=10_000,
        )
    except IntegrityError as error:
        # The group went away between the look and the COMMIT.
        raise _no_such_group(str(group)) from error


def agree_rates(agreed: Sequence[AgreedRate]) -> list[BadPrice | NoSuchService | None]:
    """Write or take back each agreed rate; answers None for what was done, else why that one was not.

    A rate must be above 0, and a service that is marked free has none: its orders cost nothing.
    """
    services: Mapping[int, Service] = Service.objects.in_bulk([item.service_id for item in agreed])
    answers = [_refusal_of(item, services.get(item.service_id)) for item in agreed]
    done = [item for item, answer in zip(agreed, answers, strict=True) if answer is None]
    # Of two for the same account and service the last one holds.
    wanted = {(item.account_id, item.service_id): item.rate for item in done}
    written = [(*which, rate) for which, rate in wanted.items() if rate is not None]
    removed = [which for which, rate in wanted.items() if rate is None]

    def work(cursor: Cursor) -> None:
        if written:
            cursor.execute(queries.PUT_RATES, tuple(map(list, zip(*written, strict=True))))
        if removed:
            cursor.execute(queries.DELETE_RATES, tuple(map(list, zip(*removed, strict=True))))

    in_transaction(work)
    return answers


def describe_prices(account_id: int) -> dict[str, Any]:
    """How this account is sold to: its group, its percentages, its agreed rates beside the catalogue's."""
    price = CustomerPrice.objects.select_related("group").filter(account_id=account_id).first()
    own = price.percent_hundredths if price else None
    group = price.group if price else None
    applied = own if own is not None else group.percent_hundredths if group else 0
    rates = CustomerRate.objects.select_related("service").filter(account_id=account_id).order_by("service_id")
    return {
        "group": group.name if group else None,
        "group_percent": write_percent(group.percent_hundredths) if group else None,
        "percent": None if own is None else write_percent(own),
        "applied_percent": write_percent(applied),
        "rates": [
            {
                "service": agreed.service_id,
                "name": agreed.service.name,
                "rate": agreed.rate,
                "catalogue_rate": agreed.service.rate,
            }
            for agreed in rates
        ],
    }


def _percent(text: str) -> int:
    try:
        return read_percent(text.strip())
    except ValueError as error:
        raise BadPrice(str(error)) from error


def _refusal_of(item: AgreedRate, service: Service | None) -> BadPrice | NoSuchService | None:
    if service is None:
        return NoSuchService(f"there is no service {item.service_id}")
    if item.rate is None:
        return None
    if service.free:
        return BadPrice(f"service {service.id} is free: its orders cost nothing")
    try:
        units = read_rate(item.rate)
    except ValueError as error:
        return BadPrice(str(error))
    return None if units else BadPrice("a rate of 0 is possible only for services that are marked free")


def _no_such_group(name: str) -> NoSuchGroup:
    return NoSuchGroup(f"there is no price group {name.strip()[:MAX_GROUP_NAME]!r}")
