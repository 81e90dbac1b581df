"""`/healthz`, `/readyz` and `/metrics`: what load balancers, supervisors and Prometheus ask."""

import asyncio
import hmac
import ipaddress
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import structlog

from hawker.catalog.snapshot import refresh_catalogue
from hawker.core.clock import SystemClock
from hawker.core.errors import Unavailable
from hawker.core.settings import settings
from hawker.health.counter_store import read_counts, write_counts
from hawker.health.metrics import write_metrics
from hawker.health.state import missing_migrations, read_health
from hawker.ledger.actions import check_currency
from hawker.ledger.errors import WrongCurrency

HealthResponse = tuple[int, bytes, bytes]
"""Status, content type, body."""

_JSON, _TEXT = b"application/json", b"text/plain; version=0.0.4; charset=utf-8"
_FORWARDED = frozenset({b"x-forwarded-for", b"forwarded", b"via", b"x-real-ip"})

# One thread: whoever asks too often waits here, and not in the place of customers.
_thread = ThreadPoolExecutor(1, thread_name_prefix="health")

log = structlog.get_logger(__name__)


async def in_health_thread(verb: Callable[[], Any]) -> Any:
    """What `verb` returns, run in the thread that is kept for this."""
    return await asyncio.get_running_loop().run_in_executor(_thread, verb)


async def healthz(scope: Mapping[str, Any]) -> HealthResponse:
    """This process is alive."""
    del scope
    return 200, _JSON, b'{"ok":true}'


async def readyz(scope: Mapping[str, Any]) -> HealthResponse:
    """This process can serve: the database answers, is of this version, and the catalogue can be read from it."""
    del scope
    why = await in_health_thread(_why_not_ready)
    if why:
        return 503, _JSON, msgspec.json.encode({"error": "Not ready", "reasons": why})
    return 200, _JSON, b'{"ok":true}'


async def metrics(scope: Mapping[str, Any]) -> HealthResponse:
    """The panel's figures for who asks from this machine itself, or shows the token."""
    if not _may_read(scope):
        return 403, _JSON, b'{"error":"Forbidden"}'
    try:
        # What this process has counted in the last seconds is asked for, too.
        await write_counts(in_health_thread)
        return 200, _TEXT, await in_health_thread(_metrics)
    except Unavailable:
        pass
    except Exception:
        log.exception("no metrics")
    return 503, _JSON, b'{"error":"Not ready"}'


HEALTH_ROUTES: dict[str, Callable[[Mapping[str, Any]], Awaitable[HealthResponse]]] = {
    "/healthz": healthz,
    "/readyz": readyz,
    "/metrics": metrics,
}


def _may_read(scope: Mapping[str, Any]) -> bool:
    headers = dict(scope["headers"])
    token = settings().metrics_token
    if token is not None:
        shown = headers.get(b"authorization", b"")
        if hmac.compare_digest(shown, b"Bearer " + token.get_secret_value().encode()):
            return True
    # A proxy on this machine brings strangers from the loopback address, and says so.
    if not _FORWARDED.isdisjoint(headers):
        return False
    client = scope.get("client")
    try:
        return client is not None and ipaddress.ip_address(client[0]).is_loopback
    except ValueError:
        return False


def _metrics() -> bytes:
    return write_metrics(read_health(now=SystemClock().now()), read_counts())


def _why_not_ready() -> list[str]:
    # The sentences go to strangers: nothing of what the database says of itself is in them.
    try:
        # Newer ones are no reason: during a rolling upgrade this process works on beside those of the next version.
        if missing_migrations():
            return ["the database is not of this version"]
        check_currency()
        refresh_catalogue()
    except Unavailable:
        return ["the database does not answer"]
    except WrongCurrency:
        return ["the balances and the settings have different currencies"]
    except Exception:
        log.exception("not ready")
        return ["an internal error: see the log"]
    return []
