"""What has to be looked after beside the orders that are due: failover, balances, unknowns that stay."""

import asyncio
from datetime import datetime

import structlog

from hawker.core.clock import Clock
from hawker.core.errors import Unavailable
from hawker.core.sql import ask, in_transaction
from hawker.orders import look_again, move_stranded, record_balance, watch_unknowns
from hawker.providers.actions import Opener, ProviderAccess, ask_balance, ask_services, read_access
from hawker.providers.balances import claim_checks
from hawker.providers.errors import BadProvider, CallFailed, CannotConnect, NoSuchProvider
from hawker.providers.price_sync import claim_syncs, sync_prices
from hawker.worker import queries
from hawker.worker.threads import in_thread

log = structlog.get_logger(__name__)


async def move_orders(clock: Clock) -> None:
    """Orders that wait for a provider that takes none go to their next route. Raises Unavailable."""
    if moved := await in_thread(move_stranded, now=clock.now()):
        log.warning("orders moved to the next provider", orders=moved)


async def check_balances(clock: Clock, opener: Opener) -> None:
    """Ask every provider whose time has come for our balance there. Raises Unavailable."""
    due = await in_thread(claim_checks, now=clock.now())
    await asyncio.gather(*(_check(provider_id, clock, opener) for provider_id in due))


async def _check(provider_id: int, clock: Clock, opener: Opener) -> None:
    try:
        access = await in_thread(read_access, provider_id)
        await ask_and_record(access, clock, opener)
    except (BadProvider, CallFailed, CannotConnect, NoSuchProvider, Unavailable) as error:
        log.warning("balance not known", provider=provider_id, why=str(error))


async def ask_and_record(access: ProviderAccess, clock: Clock, opener: Opener) -> None:
    """Ask one provider for our balance there and keep the answer. Raises CannotConnect, CallFailed or Unavailable."""
    asked_at = clock.now()
    balance_micros, currency = await ask_balance(access, opener=opener)
    await in_thread(
        record_balance,
        access.provider_id,
        balance_micros=balance_micros,
        currency=currency,
        asked_at=asked_at,
        now=clock.now(),
    )


async def sync(clock: Clock, opener: Opener) -> None:
    """Read the catalogues whose time has come, and take their costs. Raises Unavailable."""
    for provider_id in await in_thread(claim_syncs, now=clock.now()):
        try:
            access = await in_thread(read_access, provider_id)
            offered, _ = await ask_services(access, opener=opener)
            touched = await in_thread(sync_prices, provider_id, offered, now=clock.now())
            if touched:
                await in_thread(look_again, touched, now=clock.now())
                log.info("prices changed", provider=access.name, services=len(touched))
        except (BadProvider, CallFailed, CannotConnect, NoSuchProvider) as error:
            log.warning("prices not known", provider=provider_id, why=str(error))


async def watch(clock: Clock) -> None:
    """Tell a person of what stays unknown for too long. Raises Unavailable."""
    await in_thread(watch_unknowns, now=clock.now())


def forget_engine_jobs(*, before: datetime) -> int:
    """Delete the jobs of workers that were killed before this moment. Returns how many. Raises Unavailable."""
    return in_transaction(lambda cursor: ask(cursor, queries.FORGET_JOBS, (before, 10_000)).rowcount)
