"""What is kept for some time only is deleted every night; the database refuses to lose more."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from django.db import connection

from hawker.core.settings import settings
from hawker.providers.models import BalanceReading, Provider
from hawker.worker import tasks
from panel import Panel
from processes import SandboxProcess

EVERY = timedelta(minutes=30)
DAYS = 40


@pytest.fixture
def provider(panel: Panel, sandbox: SandboxProcess) -> Provider:
    return panel.provider(sandbox)


def read_balances(provider: Provider) -> list[datetime]:
    """Readings of the last 40 days, the newest of now; answers their moments, oldest first."""
    now = datetime.now(UTC)
    moments = [now - EVERY * n for n in range(timedelta(days=DAYS) // EVERY)][::-1]
    BalanceReading.objects.bulk_create(
        BalanceReading(provider=provider, at=at, balance_micros=number) for number, at in enumerate(moments)
    )
    return moments


def night() -> None:
    """The nightly clean-up, more than once: it leaves what the database does not let it have for the next night."""
    for _ in range(3):
        asyncio.run(tasks.delete_old_rows.func())  # type: ignore[attr-defined]


def test_of_old_balances_the_last_of_each_day_is_kept(provider: Provider) -> None:
    moments = read_balances(provider)
    recent = [at for at in moments if at > datetime.now(UTC) - timedelta(days=31)]
    last_of_day = {at.date(): at for at in moments}
    for _ in range(2):
        night()
        left = list(BalanceReading.objects.order_by("at").values_list("at", flat=True))
        assert left == sorted({*recent, *last_of_day.values()})


def test_a_provider_that_is_not_asked_any_more_keeps_its_last_balance(provider: Provider) -> None:
    BalanceReading.objects.create(provider=provider, at=datetime.now(UTC) - timedelta(days=400), balance_micros=5)
    night()
    assert BalanceReading.objects.get().balance_micros == 5


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("DELETE FROM balance_reading WHERE at > now() - interval '20 days'", psycopg.errors.RestrictViolation),
        ("DELETE FROM balance_reading WHERE at < now() - interval '31 days'", psycopg.errors.RestrictViolation),
        ("UPDATE balance_reading SET balance_micros = 0", psycopg.errors.InsufficientPrivilege),
        ("TRUNCATE balance_reading", psycopg.errors.InsufficientPrivilege),
    ],
)
def test_the_database_refuses_to_lose_more(provider: Provider, statement: str, error: type[Exception]) -> None:
    moments = read_balances(provider)
    with psycopg.connect(settings().folder.embedded_url("hawker_app")) as application, pytest.raises(error):
        application.execute(statement)
    assert BalanceReading.objects.count() == len(moments)


def test_jobs_of_workers_that_were_killed_are_deleted_after_a_day(panel: Panel) -> None:
    with connection.cursor() as cursor:
        for age_days, status in ((2, "doing"), (2, "todo"), (0, "doing")):
            cursor.execute("INSERT INTO procrastinate_jobs (queue_name, task_name) VALUES ('q', 't') RETURNING id")
            (job,) = cursor.fetchone()
            cursor.execute("UPDATE procrastinate_jobs SET status = %s WHERE id = %s", [status, job])
            cursor.execute(
                "UPDATE procrastinate_events SET at = now() - make_interval(days => %s::int) WHERE job_id = %s",
                [age_days, job],
            )
            assert cursor.rowcount > 0
        night()
        cursor.execute("SELECT status::text FROM procrastinate_jobs ORDER BY id")
        assert cursor.fetchall() == [("todo",), ("doing",)]


def test_the_page_says_of_every_table_what_deletes_its_rows(panel: Panel) -> None:
    page = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
    section = page.partition("## What grows, and what deletes it")[2].partition("\n### ")[0]
    tables = {table for table in connection.introspection.table_names() if not table.startswith(("django_", "auth_"))}
    assert tables - set(re.findall("`([a-z_]+)`", section)) == set()
