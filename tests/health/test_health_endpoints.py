"""/healthz, /readyz, /metrics and the check of every invariant, through real processes."""

import psycopg
import pytest

from hawker.core.database import OWNER_ROLE
from hawker.core.settings import settings
from hawker.health.check import check_when_due
from hawker.providers.availability import pause_provider
from panel import Panel
from processes import SandboxProcess, ServeProcess, eventually, start_serve, start_worker

TOKEN = "a token of tests, long"


def figures(text: bytes) -> dict[str, float]:
    """Every line of figures by its name and labels."""
    lines = [line for line in text.decode().splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


@pytest.mark.quick
def test_a_process_over_a_current_database_is_ready(server: ServeProcess) -> None:
    assert server.send("GET", path="/healthz").json == {"ok": True}
    ready = server.send("GET", path="/readyz")
    assert (ready.http_status, ready.json) == (200, {"ok": True})


def test_a_process_is_not_ready_while_a_migration_is_missing_or_unknown(server: ServeProcess) -> None:
    with psycopg.connect(settings().folder.embedded_url(OWNER_ROLE), autocommit=True) as owner:
        owner.execute("UPDATE django_migrations SET name = '0001_later' WHERE app = 'health' AND name = '0001_initial'")
        try:
            ready, alive = server.send("GET", path="/readyz"), server.send("GET", path="/healthz")
        finally:
            owner.execute("UPDATE django_migrations SET name = '0001_initial' WHERE name = '0001_later'")
    assert ready.http_status == 503
    assert ready.json == {"error": "Not ready", "reasons": ["the database is not of this version"]}
    assert alive.http_status == 200
    assert server.send("GET", path="/readyz").http_status == 200


@pytest.mark.quick
def test_metrics_tell_of_open_work_by_kind_and_provider(
    panel: Panel, server: ServeProcess, sandbox: SandboxProcess
) -> None:
    service = panel.service(provider=panel.provider(sandbox))
    customer = panel.customer()
    for _ in range(3):
        panel.place(customer, service)
    answer = server.send("GET", path="/metrics")
    assert answer.http_status == 200
    assert answer.headers["content-type"].startswith("text/plain")
    seen = figures(answer.body)
    assert seen['hawker_work{kind="dispatch",provider="upstream"}'] == 3
    assert seen['hawker_provider_takes_orders{provider="upstream"}'] == 1
    assert seen["hawker_orders_unknown"] == 0


def test_metrics_tell_what_all_processes_did(panel: Panel, server: ServeProcess, sandbox: SandboxProcess) -> None:
    service = panel.service(provider=panel.provider(sandbox))
    key = panel.customer().api_key
    before = figures(server.send("GET", path="/metrics").body)
    with start_serve() as other:
        for number in range(4):
            link = f"https://example.com/{number}"
            answer = (server, other)[number % 2].call(key, "add", service=service.id, link=link, quantity=100)
            assert "order" in answer.json
        assert other.call(key, "add", service=service.id).error
        assert other.call("no key", "balance").error
        assert other.send("POST", data={"action": "steal"}).error
    with start_worker():
        eventually("all were sent", lambda: len(sandbox.orders()) == 4)
        eventually(
            "they are settled",
            lambda: figures(server.send("GET", path="/metrics").body).get('hawker_orders{state="submitted"}') == 4,
        )
    after = figures(server.send("GET", path="/metrics").body)
    new = {name: value - before.get(name, 0) for name, value in after.items()}
    # The second server and the worker have ended, and what they counted is there.
    assert new['hawker_requests_total{action="add",outcome="ok"}'] == 4
    assert new['hawker_requests_total{action="add",outcome="refused"}'] == 1
    assert new['hawker_requests_total{action="balance",outcome="refused"}'] == 1
    assert sum(value for name, value in new.items() if "hawker_requests_total" in name) == 7
    assert new['hawker_batch_size_sum{action="add"}'] == 5
    assert new['hawker_batch_wait_seconds_count{action="add"}'] == new['hawker_batch_size_count{action="add"}']
    assert new['hawker_attempts_total{outcome="accepted",provider="upstream"}'] == 4
    assert new['hawker_upstream_calls_total{action="add",outcome="answered",provider="upstream"}'] == 4
    assert new['hawker_upstream_seconds_count{action="add",provider="upstream"}'] == 4
    assert new['hawker_upstream_seconds_bucket{action="add",le="+Inf",provider="upstream"}'] == 4
    assert new['hawker_orders{state="queued"}'] == 0


def test_what_waits_for_a_paused_provider_is_not_late(
    panel: Panel, server: ServeProcess, sandbox: SandboxProcess
) -> None:
    provider = panel.provider(sandbox)
    panel.place(panel.customer(), panel.service(provider=provider))
    late = 'hawker_work_oldest_due_seconds{kind="dispatch",provider="upstream"}'
    assert late in figures(server.send("GET", path="/metrics").body)
    pause_provider(provider.id, reason="theirs")
    seen = figures(server.send("GET", path="/metrics").body)
    assert late not in seen
    assert seen['hawker_work{kind="dispatch",provider="upstream"}'] == 1


def test_metrics_are_for_this_machine_or_the_token(panel: Panel) -> None:
    proxied = {"X-Forwarded-For": "127.0.0.1"}
    with start_serve({"HAWKER_METRICS_TOKEN": TOKEN}) as process:
        assert process.send("GET", path="/metrics").http_status == 200
        assert process.send("GET", path="/metrics", headers=proxied).http_status == 403
        wrong = {**proxied, "Authorization": "Bearer wrong"}
        assert process.send("GET", path="/metrics", headers=wrong).http_status == 403
        right = {**proxied, "Authorization": f"Bearer {TOKEN}"}
        assert process.send("GET", path="/metrics", headers=right).http_status == 200


def test_a_check_raises_an_alert_on_a_breach_and_closes_it_when_mended(panel: Panel, server: ServeProcess) -> None:
    account = panel.customer().account_id
    with psycopg.connect(settings().folder.embedded_url(OWNER_ROLE), autocommit=True) as owner:
        owner.execute("DELETE FROM invariant_check")
        owner.execute("SET session_replication_role = replica")
        owner.execute("UPDATE account SET balance_micros = balance_micros + 10 WHERE id = %s", [account])
        try:
            broken = check_when_due(panel.clock)
            seen = figures(server.send("GET", path="/metrics").body)
        finally:
            owner.execute("UPDATE account SET balance_micros = balance_micros - 10 WHERE id = %s", [account])
    assert broken is not None
    assert not broken.ok
    assert seen["hawker_check_breaches"] == len(broken.breaches)
    assert seen['hawker_alerts_open{kind="invariant"}'] == 1

    assert check_when_due(panel.clock) is None, "a second worker in the same hour"
    panel.clock.advance(hours=25)
    mended = check_when_due(panel.clock)
    assert mended is not None
    assert mended.ok
    seen = figures(server.send("GET", path="/metrics").body)
    assert seen["hawker_check_breaches"] == 0
    assert 'hawker_alerts_open{kind="invariant"}' not in seen
