"""What staff do with prices: groups, the percentage of a customer, rates agreed with one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Protocol, TypeAlias

import msgspec
from msgspec import Meta

from hawker.catalog.rules import read_percent
from hawker.operations.base import Run, operation, refusing
from hawker.operations.errors import BadInput, Refused
from hawker.operations.inputs import MAX_NUMBER, Email

MAX_GROUP_NAME = 80
MAX_PERCENT = 20
MAX_RATE = 40

GroupName: TypeAlias = Annotated[
    str, Meta(min_length=1, max_length=MAX_GROUP_NAME, description="The price group.", extra={"trim": True})
]
Percent: TypeAlias = Annotated[
    str,
    Meta(
        max_length=MAX_PERCENT,
        description="On top of the catalogue's rates, or off them: 5, -12.5.",
        extra={"trim": True},
    ),
]


def _check_percent(text: str | None) -> None:
    if text is None:
        return
    try:
        read_percent(text)
    except ValueError as error:
        raise BadInput("percent", str(error)) from error


@dataclass(frozen=True, slots=True)
class AddPriceGroup:
    name: GroupName
    percent: Percent

    def __post_init__(self) -> None:
        if not self.name.isprintable():
            raise BadInput("name", "must be one line of text that can be printed")
        _check_percent(self.percent)


@dataclass(frozen=True, slots=True)
class SetPriceGroup:
    name: GroupName
    percent: Percent

    def __post_init__(self) -> None:
        _check_percent(self.percent)


@dataclass(frozen=True, slots=True)
class RemovePriceGroup:
    name: GroupName


@dataclass(frozen=True, slots=True)
class PriceGroupView:
    group: int
    name: str
    percent: str


@dataclass(frozen=True, slots=True)
class PriceGroupRemoved:
    """`removed` is the name of the group."""

    removed: str


@operation("price.group.add", subject="price_group")
def add_price_group(run: Run, given: AddPriceGroup) -> PriceGroupView:
    """Make a price group, into which customers can be put."""
    from hawker.catalog import pricing
    from hawker.catalog.errors import BadPrice, GroupExists

    with refusing(BadPrice, GroupExists):
        made = pricing.describe_group(pricing.add_group(given.name, given.percent))
    run.note(made["name"], after=made)
    return PriceGroupView(**made)


@operation("price.group.set", subject="price_group", ids=lambda given: (given.name,))
def set_price_group(run: Run, given: SetPriceGroup) -> PriceGroupView:
    """Give a price group another percentage."""
    from hawker.catalog import pricing
    from hawker.catalog.errors import BadPrice, NoSuchGroup

    with refusing(BadPrice, NoSuchGroup):
        run.watch(given.name, lambda: pricing.describe_group(pricing.find_group(given.name)))
        return PriceGroupView(**pricing.describe_group(pricing.set_group(given.name, given.percent)))


@operation("price.group.remove", subject="price_group", ids=lambda given: (given.name,))
def remove_price_group(run: Run, given: RemovePriceGroup) -> PriceGroupRemoved:
    """Remove a price group that has no customers."""
    from hawker.catalog import pricing
    from hawker.catalog.errors import GroupInUse, NoSuchGroup

    with refusing(GroupInUse, NoSuchGroup):
        gone = pricing.describe_group(pricing.find_group(given.name))
        pricing.remove_group(given.name)
    run.note(gone["name"], before=gone)
    return PriceGroupRemoved(gone["name"])


@dataclass(frozen=True, slots=True)
class AgreedRateView:
    """A rate agreed with a customer, beside that of the catalogue."""

    service: int
    name: str
    rate: str
    catalogue_rate: str


@dataclass(frozen=True, slots=True)
class PricesView:
    """How a customer is sold to; `applied_percent` is the one that counts where no rate was agreed."""

    customer: str
    group: str | None
    group_percent: str | None
    percent: str | None
    applied_percent: str
    rates: list[AgreedRateView]


class _OfCustomer(Protocol):
    @property
    def email(self) -> str: ...


def _customer(given: _OfCustomer) -> Sequence[str]:
    """The id by which the audit log knows the customer: the address as it is stored."""
    return (given.email.strip().lower(),)


@dataclass(frozen=True, slots=True)
class PriceCustomer:
    """What is neither given nor taken away stays as it is."""

    email: Email
    group: (
        Annotated[str, Meta(max_length=MAX_GROUP_NAME, description="Put the customer into this price group.")] | None
    ) = None
    no_group: Annotated[bool, Meta(description="Take the customer out of the group.")] = False
    percent: (
        Annotated[
            str,
            Meta(
                max_length=MAX_PERCENT,
                description="The customer's own percentage, before the group's.",
                extra={"trim": True},
            ),
        ]
        | None
    ) = None
    no_percent: Annotated[bool, Meta(description="Take the own percentage away.")] = False

    def __post_init__(self) -> None:
        if self.group is not None and self.no_group:
            raise BadInput("group", "say either a group or that there is to be none")
        if self.percent is not None and self.no_percent:
            raise BadInput("percent", "say either a percentage or that there is to be none")
        if self.group is None and self.percent is None and not self.no_group and not self.no_percent:
            raise Refused("say what is to change: the group, the percentage, or that there is to be none")
        _check_percent(self.percent)


@operation("price.customer", subject="customer", ids=_customer)
def price_customer(run: Run, given: PriceCustomer) -> PricesView:
    """Put a customer into a price group, or give one a percentage of their own."""
    from hawker.catalog.errors import BadPrice, NoSuchGroup
    from hawker.catalog.pricing import UNCHANGED, price_accounts

    found = _found(given.email)
    run.watch(found.email, lambda: _terms(found))
    with refusing(BadPrice, NoSuchGroup):
        price_accounts(
            [found.account.id],
            group=given.group if given.group is not None or given.no_group else UNCHANGED,
            percent=given.percent if given.percent is not None or given.no_percent else UNCHANGED,
        )
    return msgspec.convert(_prices(found), PricesView)


@dataclass(frozen=True, slots=True)
class AgreeRate:
    """Exactly one of `rate` and `remove` is given."""

    email: Email
    service: Annotated[int, Meta(ge=1, le=MAX_NUMBER, description="The service's number.")]
    rate: Annotated[
        str, Meta(max_length=MAX_RATE, description="The price of 1,000, or of one package, such as 0.75.")
    ] = ""
    remove: Annotated[bool, Meta(description="Back to the percentage, or the catalogue's rate.")] = False

    def __post_init__(self) -> None:
        if bool(self.rate) == self.remove:
            raise BadInput("rate", "say a rate, or that the agreed one is to be removed")


@operation("price.rate", subject="customer", ids=_customer)
def agree_rate(run: Run, given: AgreeRate) -> PricesView:
    """Agree on a rate with one customer for one service; it goes before every percentage."""
    from hawker.catalog.errors import NoSuchService
    from hawker.catalog.pricing import AgreedRate, agree_rates

    found = _found(given.email)
    run.watch(found.email, lambda: _terms(found))
    (refusal,) = agree_rates([AgreedRate(found.account.id, given.service, None if given.remove else given.rate)])
    if isinstance(refusal, NoSuchService):
        raise BadInput("service", str(refusal))
    if refusal is not None:
        raise BadInput("rate", str(refusal))
    return msgspec.convert(_prices(found), PricesView)


def describe_customer_prices(email: str) -> dict[str, Any]:
    """How a customer is sold to, with the customer's `version` for an edit. Raises Refused where there is none."""
    from hawker.operations.versions import read_version

    found = _found(email)
    return {**_prices(found), "version": read_version("customer", found.email)}


def _found(email: str) -> Any:
    from hawker.accounts.actions import find_customer
    from hawker.accounts.errors import NoSuchCustomer

    with refusing(NoSuchCustomer):
        return find_customer(email)


def _prices(user: Any) -> dict[str, Any]:
    from hawker.catalog.pricing import describe_prices

    return {"customer": user.email, **describe_prices(user.account.id)}


def _terms(user: Any) -> dict[str, Any]:
    """How a customer is sold to, each agreed rate by its service, for the audit log."""
    prices = _prices(user)
    rates = {f"rate {agreed['service']}": agreed["rate"] for agreed in prices["rates"]}
    return {name: prices[name] for name in ("group", "percent")} | rates
