"""Real processes with all their logs on, in trouble of every kind: no key in any log, none in any column."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote_plus, urlencode

import psycopg
import pytest
from django.db import connection
from networks import saying

from hawker.accounts.actions import issue_key
from hawker.accounts.models import User
from hawker.core.settings import settings
from hawker.orders.models import Attempt
from hawker.providers.actions import ProviderAccess, add_provider, new_access
from hawker.providers.models import Provider
from panel import Panel
from processes import AS_PEOPLE_DO, ServeProcess, eventually, start_sandbox, start_serve, start_worker
from raw_http import Wire, post, post_form, post_json

UPSTREAM_KEY = 'Upstream-Key/42 & "more"'
SANDBOX_KEY = "the-sandbox-key-5f1d"
LEGACY_KEY = "Legacy.Key+of/1999"
TOKEN = "a-token-of-metrics-77"
DEBUG = {"HAWKER_LOG_LEVEL": "debug", "HAWKER_METRICS_TOKEN": TOKEN}

_JSON_KEY = UPSTREAM_KEY.replace('"', '\\"')
ECHOES = {
    "error": f'HTTP/1.1 200 OK|{{"error":"Invalid API key {_JSON_KEY}"}}',
    "other-error": f'HTTP/1.1 200 OK|{{"error":"{_JSON_KEY} may not order this"}}',
    "page": f"HTTP/1.1 500 Oops|<html><body>key={UPSTREAM_KEY} {quote_plus(UPSTREAM_KEY)}</body></html>",
    "escaped": "HTTP/1.1 200 OK|<p>Upstream-Key/42 &amp; &quot;more&quot;</p>",
    "cut": f"HTTP/1.1 200 OK|{'x' * 990}{UPSTREAM_KEY}",
    "status-line": f"HTTP/1.1 403 {UPSTREAM_KEY}|no",
    "header": f"HTTP/1.1 200 OK\r\nX-Key: {UPSTREAM_KEY}\r\nLocation: /?key={UPSTREAM_KEY}|{{}}",
    "broken-header": f"HTTP/1.1 200 OK\r\n{UPSTREAM_KEY}|{{}}",
    "no-http": f"{UPSTREAM_KEY} is what you sent|",
    "redirect": f"HTTP/1.1 302 Found\r\nLocation: https://e.example/?key={quote_plus(UPSTREAM_KEY)}|",
}
"""How upstreams say our key back: a status line with headers, and a body."""


def echoing(answer: str) -> AbstractContextManager[str]:
    """An upstream that answers every call so."""
    head, _, body = answer.partition("|")
    told = f"{head}\r\nContent-Length: {len(body.encode())}\r\nConnection: close\r\n\r\n{body}".encode()
    return saying(told)


@contextmanager
def failing(table: str, words: str, *, when: str = "true") -> Iterator[None]:
    """The database refuses every new row of this table of which `when` holds, and says what was in it."""
    with psycopg.connect(settings().folder.embedded_url("hawker"), autocommit=True) as owner:
        owner.execute(
            f"""CREATE OR REPLACE FUNCTION telling() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                  RAISE EXCEPTION 'refused' USING DETAIL = 'the row was ' || NEW::text || {words}; END $$"""  # type: ignore[arg-type]
        )
        owner.execute(
            f"CREATE TRIGGER telling BEFORE INSERT ON {table} FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION telling()"  # type: ignore[arg-type]
        )
        try:
            yield
        finally:
            owner.execute(f"DROP TRIGGER telling ON {table}")  # type: ignore[arg-type]
            owner.execute("DROP FUNCTION telling()")


def columns_with(secret: str) -> list[str]:
    """The tables of which any column of any row holds the secret, as text or as the bytes of it."""
    found = []
    with connection.cursor() as cursor:
        cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
        for (table,) in cursor.fetchall():
            quoted = secret.replace('"', '""')
            for written in {secret, quoted, quoted.replace("\\", "\\\\"), secret.encode().hex()}:
                cursor.execute(f'SELECT count(*) FROM "{table}" t WHERE position(%s IN t::text) > 0', [written])
                if cursor.fetchone()[0]:
                    found.append(table)
    return found


def call_in_every_way(server: ServeProcess, service: int, key: str) -> None:
    """Good and bad requests with this key in every place where it may stand."""
    order = {"action": "add", "service": str(service), "link": f"https://e.example/?api_key={key}", "quantity": "100"}
    multipart = f'--x\r\nContent-Disposition: form-data; name="key"\r\n\r\n{key}\r\n--x--\r\n'.encode()
    requests = [
        post_form(key=key, action="balance"),
        post_form(key=key, **order),
        post_json(key=key, **order),
        post(multipart, content_type="multipart/form-data; boundary=x"),
        post(multipart[:-9], content_type="multipart/form-data; boundary=x"),
        post(b'{"key":"' + key.encode() + b'","action"', content_type="application/json"),
        post(b'{"key":"' + key.encode() + b'","action":{"x":1}}', content_type="application/json"),
        post(urlencode(order).encode(), headers=[f"Authorization: Bearer {key}"]),
        post(b"", target=f"/api/v2?{urlencode({'key': key, **order})}"),
        post_form(action=key, key=key),
        post_form(action="status", order=key, key="wrong" + key),
        post(f"key={key}&key=other&action=balance".encode()),
        f"GET /api/v2?{urlencode({'key': key, **order})} HTTP/1.1\r\nHost: {quote_plus(key)}\r\n\r\n".encode(),
        f"GET /no?key={quote_plus(key)} HTTP/1.1\r\nHost: a\r\nCookie: key={key}\r\nX-Api-Key: {key}\r\n\r\n".encode(),
        f"GET /api?key={quote_plus(key)} HTTP/1.1\r\nHost: a\r\nReferer: https://e/?key={key}\r\n\r\n".encode(),
    ]
    with Wire(server.url) as wire:
        for request in requests:
            assert wire.ask(request).status in (200, 404, 503)
    with Wire(server.url) as wire:
        assert wire.ask(f"POST /api/v2 HTTP/1.1\r\nkey {key}\r\n\r\n".encode()).status == 400
    with Wire(server.url) as wire:
        wire.send(post_form(key=key, **order)[:-5])


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def providers(panel: Panel, stack: ExitStack) -> list[Provider]:
    """One provider for every way to say a key back."""
    added = []
    for name, answer in ECHOES.items():
        url = stack.enter_context(echoing(answer))
        access = new_access(name, url=url, key=UPSTREAM_KEY, allow_private=True)
        added.append(add(panel, access, url))
    return added


def add(panel: Panel, access: ProviderAccess, url: str) -> Provider:
    return add_provider(access, url=url, balance_micros=0, currency="USD", exchange_rate="1", now=panel.clock.now())


def test_no_key_is_in_any_log_or_column(
    panel: Panel, providers: list[Provider], stack: ExitStack, tmp_path: Path
) -> None:
    customer = panel.customer()
    user = User.objects.get(id=customer.user_id)
    issue_key(user, now=datetime.now(UTC), key=LEGACY_KEY)
    other = issue_key(user, now=datetime.now(UTC))
    services = [panel.service(provider=provider) for provider in providers]
    logs = {name: stack.enter_context((tmp_path / f"{name}.log").open("wb")) for name in ("serve", "worker", "sandbox")}

    with start_sandbox("--key", f"{SANDBOX_KEY}=100.00", log=logs["sandbox"], program=AS_PEOPLE_DO) as sandbox:
        access = new_access("sandbox", url=sandbox.url, key=SANDBOX_KEY, allow_private=True)
        services.append(panel.service(provider=add(panel, access, sandbox.url)))
        with (
            start_serve(DEBUG, log=logs["serve"], program=AS_PEOPLE_DO) as server,
            start_worker(DEBUG, log=logs["worker"], program=AS_PEOPLE_DO),
        ):
            with failing("orders", "NEW.link"):
                for key in (customer.api_key, LEGACY_KEY, other.key):
                    call_in_every_way(server, services[-1].id, key)
            server.send("GET", path="/metrics", headers={"Authorization": f"Bearer {TOKEN}", "Via": "x"})
            server.send("GET", path="/metrics", headers={"Authorization": f"Bearer x{TOKEN}", "Via": "x"})
            fields = {"link": "https://e.example/", "quantity": 100}
            for service in services:
                assert "order" in server.call(customer.api_key, "add", service=service.id, **fields).json
            settled = Attempt.objects.exclude(state="sending").values("order_id").distinct()
            eventually("every order was tried", lambda: settled.count() == len(services))
            heads = "(SELECT string_agg(body_head, ' ') FROM attempt)"
            with failing("order_event", heads, when="NEW.to_state = 'unknown'"):
                # Of this one the answer cannot be written.
                panel.place(customer, services[list(ECHOES).index("page")])
                eventually(
                    "the log tells of trouble", lambda: "settling failed" in (tmp_path / "worker.log").read_text()
                )
            Provider.objects.update(balance_every_seconds=1, prices_every_seconds=1)
            panel.clock.pass_by_the_server()
            panel.upkeep()
    texts = {name: (tmp_path / f"{name}.log").read_text() for name in logs}
    texts["postgres"] = settings().folder.cluster_log.read_text(errors="replace")
    assert "batch failed" in texts["serve"]
    assert "the row was" in texts["serve"], "the log holds what the database said of the row"
    secrets = [customer.api_key, other.key, LEGACY_KEY, UPSTREAM_KEY, SANDBOX_KEY, TOKEN]
    secrets += [secret for secret in settings().secrets() if secret]
    forms = {form for secret in secrets for form in (secret, quote_plus(secret), secret.replace('"', '\\"'))}
    shown = {name: [form for form in forms if form in text] for name, text in texts.items()}
    assert not any(shown.values()), shown
    heads = list(Attempt.objects.exclude(body_head="").values_list("body_head", flat=True))
    assert sum("[redacted]" in head for head in heads) >= 4, heads
    kept = {secret: columns_with(secret) for secret in secrets}
    assert not any(kept.values()), kept
