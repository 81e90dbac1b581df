"""The demo's data: one customer with funds, the sandbox as provider, its catalogue. Made once, kept after."""

import asyncio
from datetime import datetime
from typing import Any

import msgspec

from hawker.accounts.actions import KeyAsk, issue_key, read_grants
from hawker.accounts.models import User
from hawker.catalog.models import Service, SubscriptionMode
from hawker.core.actors import system
from hawker.core.clock import SystemClock
from hawker.core.money import Money
from hawker.core.settings import settings
from hawker.demo.demo_file import DemoFile, read_demo_file, write_demo_file
from hawker.ledger.customers import open_customer
from hawker.orders import offer_subscription
from hawker.providers.actions import access_of, add_provider, ask_balance, ask_services, new_access
from hawker.providers.importing import import_services
from hawker.providers.models import Provider
from hawker.sandbox import DEMO_KEY

EMAIL = "demo@hawker.example"
PROVIDER = "sandbox"
CREDIT = Money.parse("100")
MARKUP_PERCENT = 25


def make_demo(sandbox_url: str) -> dict[str, Any]:
    """Make whatever of the demo is missing and answer what demo.json says. Idempotent, also after a kill."""
    now = SystemClock().now()
    _provide(sandbox_url, now)
    service = Service.objects.filter(type="Default", enabled=True, minimum__lte=1_000).order_by("id").first()
    assert service is not None, "the sandbox offers services of every type"
    _offer_subscription(service, sandbox_url, now)
    demo = DemoFile(api_key=_key(now), sandbox_url=sandbox_url, service=service.id, quantity=max(service.minimum, 100))
    write_demo_file(settings().folder, demo)
    built: dict[str, Any] = msgspec.to_builtins(demo)
    return built


def _key(now: datetime) -> str:
    known = read_demo_file(settings().folder)
    if known is not None and read_grants([KeyAsk(known.api_key, address=None)], now=now)[0].grant is not None:
        return known.api_key
    user = User.objects.filter(email=EMAIL).first()
    if user is None:
        return open_customer(EMAIL, credit_micros=CREDIT.micros, actor=system("demo"), now=now).api_key
    # Killed after the customer was made and before the key was kept, or demo.json was deleted.
    return issue_key(user, now=now, label="demo").key


def _provide(sandbox_url: str, now: datetime) -> None:
    provider = Provider.objects.filter(name=PROVIDER).first()
    if provider is None:
        access = new_access(PROVIDER, url=sandbox_url, key=DEMO_KEY, allow_private=True)
        balance, currency = asyncio.run(ask_balance(access))
        provider = add_provider(
            access, url=sandbox_url, balance_micros=balance, currency=currency, exchange_rate="1", now=now
        )
    elif provider.url != sandbox_url:
        provider.url = sandbox_url
        provider.save(update_fields=["url"])
    if not provider.routes.exists():
        offered, _ = asyncio.run(ask_services(access_of(provider)))
        import_services(provider, offered, markup_percent=MARKUP_PERCENT, now=now)


def _offer_subscription(service: Service, sandbox_url: str, now: datetime) -> None:
    """A subscription to the sandbox's feeds, whose users post as its time goes by."""
    feed = f"{sandbox_url.removesuffix('/api/v2')}/sandbox/feed/{{username}}"
    known = Service.objects.filter(subscription=SubscriptionMode.LOCAL).order_by("id").first()
    if known is None:
        offer_subscription(service.id, address=feed, source="feed", allow_private=True, name="", now=now)
    elif known.post_url != feed and known.post_url.endswith("/sandbox/feed/{username}"):
        known.post_url = feed
        known.save(update_fields=["post_url"])
