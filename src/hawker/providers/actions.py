"""The verbs of providers: saved, opened, paused; their balance and catalogue asked for."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Protocol

from django.db import IntegrityError, transaction

from hawker.core.counters import count
from hawker.core.redaction import know
from hawker.core.settings import settings
from hawker.core.sql import ask, in_transaction
from hawker.protocol.upstream import (
    MAX_ANSWER_BYTES,
    Unreadable,
    UpstreamService,
    UpstreamStatus,
    read_balance,
    read_services,
    read_statuses,
)
from hawker.providers import queries
from hawker.providers.errors import BadProvider, CallFailed, CannotConnect, NoSuchProvider, ProviderExists
from hawker.providers.http_client import ProviderClient, open_line
from hawker.providers.models import Provider
from hawker.providers.rules import ProviderUrl, read_provider_url
from hawker.providers.vault import seal, unseal


@dataclass(frozen=True, slots=True)
class ProviderAccess:
    """All that a call to a provider needs; `key` is in the clear and must not be logged.

    `gate_not_sent`: an answer that came from something before the panel proves that nothing was sent.
    """

    provider_id: int
    name: str
    url: ProviderUrl
    key: str
    allow_private: bool
    gate_not_sent: bool = False

    def __post_init__(self) -> None:
        know(self.key)

    def __repr__(self) -> str:
        return f"Access({self.name!r})"


class Opener(Protocol):
    """Opens a line to a provider; passed in so that tests can stand in between."""

    async def __call__(self, access: ProviderAccess) -> ProviderClient: ...


async def open_access(access: ProviderAccess) -> ProviderClient:
    """A fresh line to the provider. Raises CannotConnect."""
    try:
        return await open_line(access.url, allow_private=access.allow_private, name=access.name)
    except CannotConnect:
        count(("upstream_calls", access.name, "connect", "no_answer"))
        raise


def read_access(provider_id: int) -> ProviderAccess:
    """How to call this provider, its key unsealed. Raises NoSuchProvider, BadProvider or Unavailable."""
    row = in_transaction(lambda cursor: ask(cursor, queries.READ_ACCESS, (provider_id,)).fetchone())
    if row is None:
        raise NoSuchProvider(f"there is no provider {provider_id}")
    return _access(*row)


def access_of(provider: Provider) -> ProviderAccess:
    """How to call this provider, its key unsealed. Raises BadProvider."""
    return _access(
        provider.id,
        provider.name,
        provider.url,
        provider.key_cipher,
        provider.allow_private,
        provider.gate_not_sent,
    )


def _access(
    provider_id: int, name: str, url: str, key_cipher: bytes | memoryview, allow_private: bool, gate_not_sent: bool
) -> ProviderAccess:
    checked = read_provider_url(url, allow_private=allow_private)
    return ProviderAccess(provider_id, name, checked, unseal(key_cipher), allow_private, gate_not_sent)


def find_provider(name: str) -> Provider:
    """The provider called `name`. Raises NoSuchProvider."""
    provider = Provider.objects.filter(name=name).first()
    if provider is None:
        raise NoSuchProvider(f"there is no provider called {name[:80]!r}")
    return provider


def new_access(name: str, *, url: str, key: str, allow_private: bool) -> ProviderAccess:
    """The access of a provider to be, checked as far as that goes without calling it. Raises BadProvider."""
    if not name.strip() or len(name) > 80 or not name.isprintable():
        raise BadProvider("a provider needs a name of at most 80 characters")
    if not key.strip() or len(key) > 500 or not key.isprintable():
        raise BadProvider("a provider needs a key of at most 500 characters")
    return ProviderAccess(
        0, name.strip(), read_provider_url(url, allow_private=allow_private), key.strip(), allow_private
    )


async def ask_balance(access: ProviderAccess, *, opener: Opener = open_access) -> tuple[int, str]:
    """Our balance there in micros, and its currency. Raises CannotConnect or CallFailed with a sentence."""
    line = await opener(access)
    try:
        answer = await line.call({"key": access.key, "action": "balance"})
    finally:
        await line.close()
    balance = read_balance(answer.http_status, answer.body)
    if isinstance(balance, Unreadable):
        raise CallFailed(balance.why)
    return balance


async def ask_order(access: ProviderAccess, upstream_id: int, *, opener: Opener = open_access) -> UpstreamStatus:
    """One order's status there. Raises CannotConnect, or CallFailed where the provider tells of no such order."""
    line = await opener(access)
    try:
        answer = await line.call({"key": access.key, "action": "status", "order": str(upstream_id)})
    finally:
        await line.close()
    found = read_statuses(answer.body, [upstream_id])
    status = found if isinstance(found, Unreadable) else found.get(upstream_id)
    if not isinstance(status, UpstreamStatus):
        raise CallFailed("nothing" if status is None else status.why)
    return status


async def ask_services(
    access: ProviderAccess, *, opener: Opener = open_access
) -> tuple[list[UpstreamService], list[Unreadable]]:
    """The provider's catalogue and its unusable rows. Raises CannotConnect or CallFailed with a sentence."""
    line = await opener(access)
    try:
        fields = {"key": access.key, "action": "services"}
        answer = await line.call(fields, deadline_seconds=120, max_bytes=MAX_ANSWER_BYTES)
    finally:
        await line.close()
    # In a thread: a catalogue may take seconds to read, and orders go out meanwhile.
    services = await asyncio.to_thread(read_services, answer.http_status, answer.body)
    if isinstance(services, Unreadable):
        raise CallFailed(services.why)
    return services


def add_provider(
    access: ProviderAccess, *, url: str, balance_micros: int, currency: str, exchange_rate: str, now: datetime
) -> Provider:
    """Save a provider whose connection was tested. Raises ProviderExists, or BadProvider for a foreign
    currency without an exchange rate."""
    if currency != settings().currency and exchange_rate == "1":
        raise BadProvider(
            f"the provider's balance is in {currency}, this panel's in {settings().currency}: "
            f"give the exchange rate, the value of one {currency}"
        )
    try:
        with transaction.atomic():
            in_transaction(lambda cursor: ask(cursor, queries.LOCK_SEALING))
            return Provider.objects.create(
                name=access.name,
                url=url.strip(),
                key_cipher=seal(access.key),
                currency=currency,
                exchange_rate=exchange_rate,
                allow_private=access.allow_private,
                balance_micros=balance_micros,
                balance_at=now,
                created_at=now,
            )
    except IntegrityError as error:
        raise ProviderExists(f"a provider called {access.name!r} already exists") from error


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """What an operator sets about a provider, as it is to be; None leaves a limit or a threshold out."""

    enabled: bool
    exchange_rate: str
    adds_per_minute: int | None
    statuses_per_minute: int | None
    balances_per_minute: int | None
    gate_not_sent: bool
    reconcile_scan: bool
    low_balance_micros: int | None
    balance_every_seconds: int
    prices_every_seconds: int
    markup_percent: int | None


SETTINGS = tuple(field.name for field in fields(ProviderSettings))


def change_provider(name: str, changes: Mapping[str, object]) -> Provider:
    """Set these of SETTINGS; answers the provider as it is then. Raises NoSuchProvider."""
    assert set(changes) <= set(SETTINGS), "address and key are moved by move_provider"
    provider = find_provider(name)
    if changes:
        # Only the columns that change: workers write others of this row meanwhile.
        Provider.objects.filter(id=provider.id).update(**changes)
        provider.refresh_from_db()
    return provider


def describe_settings(name: str) -> dict[str, object]:
    """How a provider is set up and whether it is paused, without its key. Raises NoSuchProvider."""
    provider = find_provider(name)
    told = ("url", "currency", "allow_private", *SETTINGS, "paused_until", "pause_kind", "pause_reason")
    return {field: getattr(provider, field) for field in told}


def move_provider(provider: Provider, access: ProviderAccess, *, url: str, currency: str) -> None:
    """Save another address or key, whose connection was tested. Raises BadProvider where that is another purse.

    Costs, charges and the low mark are in the provider's currency: a change of it is another provider.
    """
    if currency != provider.currency:
        raise BadProvider(f"the balance there is in {currency}, not in {provider.currency}: add it as a new provider")
    with transaction.atomic():
        in_transaction(lambda cursor: ask(cursor, queries.LOCK_SEALING))
        Provider.objects.filter(id=provider.id).update(
            url=url.strip(), key_cipher=seal(access.key), allow_private=access.allow_private
        )
