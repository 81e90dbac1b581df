"""Every command of `hawker` either only looks, or leaves its rows in the audit log with what it changed."""

import os
import pwd
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
import psycopg
import pytest
import typer.main

from hawker.alerts.actions import Raised, raise_alerts
from hawker.alerts.models import Alert, AlertKind
from hawker.alerts.subjects import about_provider
from hawker.cli.main import app
from hawker.core.settings import settings
from hawker.operations.jobs import INLINE, Selection, start_job
from hawker.operations.running import EVERYTHING
from hawker.orders import RefillAsk, StaffDelivery, record_deliveries, request_refills
from hawker.orders.models import State, WorkKind
from one_process import Call, run_commands
from panel import Panel
from people import TEST
from processes import SandboxProcess

LOOKS = {
    "alert list",
    "audit list",
    "customer list",
    "customer show",
    "customer statement",
    "doctor",
    "job list",
    "job result",
    "job show",
    "key list",
    "link list",
    "list",
    "order list",
    "order show",
    "price group list",
    "price show",
    "provider list",
    "provider show",
    "refill list",
    "route list",
    "service list",
    "service show",
    "verify",
}

RUNS = {"up", "serve", "worker", "sandbox", "migrate", "demo", "restore", "restore-finish"}
"""Processes and what prepares them; tests/backup sees what a restore leaves.
The demo's credit is the ledger's to audit, as everybody's is."""

KEY = "9f8e7d6c5b4a39281706f5e4d3c2b1a0"
"""Brought along from another panel."""

STORY = {
    # What a command is given, and the actions and subjects that the audit log then has of it.
    "customer add": (
        "new@example.com --credit 5",
        ["customer.add account", "customer.add customer:new@example.com"],
    ),
    "customer credit": ("--reason wrong {email} -- -1", ["customer.credit account:{account}"]),
    "customer disable": ("{email}", ["customer.disable customer:{email}"]),
    "customer enable": ("{email}", ["customer.enable customer:{email}"]),
    "customer limit": ("{email} 20 --reason trusted", ["customer.limit customer:{email}"]),
    "key add": ("{email} --label shop", ["key.add key"]),
    "key import": ("{email} --key-file {key_file}", ["key.import key"]),
    "key rotate": ("{key}", ["key.rotate key:{key}"]),
    "key revoke": ("{key}", ["key.revoke key:{key}"]),
    "provider add": ("acme --url {url} --key {upstream_key} --allow-private", ["provider.add provider:acme"]),
    "provider import": ("acme --category Flyers", ["provider.import provider:acme"]),
    "provider set": (
        "acme --low-balance 5 --key {upstream_key}",
        ["provider.set provider:acme", "provider.set provider:acme"],
    ),
    "provider pause": ("acme --reason theirs", ["provider.pause provider:acme"]),
    "provider resume": ("acme", ["provider.resume provider:acme"]),
    "service set": ("{service} --one-active-per-link --name Better", ["service.set service:{service}"]),
    "service disable": (
        "{service} {free}",
        ["service.disable service:{free}", "service.disable service:{service}"],
    ),
    "service enable": ("{service}", ["service.enable service:{service}"]),
    "service add-subscription": (
        "{plain} --feed https://example.com/{{username}}",
        ["service.add_subscription service"],
    ),
    "route add": ("{service} acme 3 --cost-rate 0.4", ["route.add service:{service}"]),
    "route remove": ("{service} acme", ["route.remove service:{service}"]),
    "link forbid": ("example.org --service {service}", ["link.forbid links:service {service}"]),
    "link allow": ("example.org --service {service}", ["link.allow links:service {service}"]),
    "price group add": ("gold -5", ["price.group.add price_group:gold"]),
    "price group set": ("gold -7", ["price.group.set price_group:gold"]),
    "price customer": ("{email} --group gold", ["price.customer customer:{email}"]),
    "price rate": ("{email} {service} 0.75", ["price.rate customer:{email}"]),
    "price group remove": ("silver", ["price.group.remove price_group:silver"]),
    "order cancel": ("{waiting} --reason asked", ["order.cancel order:{waiting}"]),
    "order release": ("{held} --at-a-loss --reason friend", ["order.release order:{held}"]),
    "order start": ("{staff}", ["order.start order:{staff}"]),
    "order partial": ("{staff} --remains 40 --reason enough", ["order.partial order:{staff}"]),
    "order complete": ("{other}", ["order.complete order:{other}"]),
    "order resolve": ("{unknown} --refund --reason lost", ["order.resolve order:{unknown}"]),
    "refill resolve": ("{refill} --completed --reason done", ["refill.resolve refill:{refill}"]),
    "backup": ("{copy}", ["backup.make backup:{copy}"]),
    "secrets rotate": ("", ["secrets.rotate secrets:encryption_key"]),
    "alert close": ("{alert} --reason seen", ["alert.close alert:{alert}"]),
    "job stop": ("{job}", ["job.stop job:{job}"]),
}


def commands(group: click.Command, path: str = "") -> Iterator[str]:
    """The paths of all commands, such as `price group add`."""
    if not hasattr(group, "commands"):
        yield path
        return
    for name, command in group.commands.items():
        yield from commands(command, f"{path} {name}".strip())


def rows() -> list[tuple[Any, ...]]:
    """The audit log from its first row on, as the owner of the database sees it."""
    with psycopg.connect(settings().folder.embedded_url("hawker")) as connection:
        return connection.execute(
            "SELECT id, action, subject_kind, subject_id, actor_kind || ':' || actor_name, actor_kind, address, "
            "before, after, reason FROM audit_event ORDER BY id"
        ).fetchall()


def scene(panel: Panel, sandbox: SandboxProcess, key_file: str) -> dict[str, object]:
    """A panel on which every command has something to change."""
    customer = panel.customer(credit="100.00")
    upstream = panel.provider(sandbox)
    plain, dear = panel.service(provider=upstream), panel.service(provider=upstream, rate="0.50", cost_rate="0.90")
    by_staff = panel.service(refill=True)
    sandbox.faults("empty=1")
    unknown = panel.place(customer, plain, link="https://example.com/unknown")
    held = panel.place(customer, dear)
    panel.clock.advance(seconds=1)
    panel.sweep(WorkKind.DISPATCH)
    sandbox.faults()
    staff, other, done = (panel.place(customer, by_staff, link=f"https://example.com/{n}") for n in range(3))
    record_deliveries([StaffDelivery(done, State.COMPLETED, "done")], actor=TEST, now=panel.clock.now())
    panel.clock.advance(days=3)
    (granted,) = request_refills([RefillAsk(customer.account_id, [str(done)])], now=panel.clock.now())
    raise_alerts(
        [Raised(AlertKind.GATE, about_provider("upstream"), "a page of somebody else's")], now=panel.clock.now()
    )
    panel.clock.instant -= timedelta(days=3)
    from hawker.accounts.models import ApiKey, User
    from hawker.catalog.pricing import add_group

    add_group("silver", "1")
    ids = tuple(map(str, range(1, INLINE + 2)))
    job = start_job("order.start", {}, Selection(ids), actor=TEST, permissions=EVERYTHING, now=panel.clock.now())
    return {
        "email": User.objects.get(id=customer.user_id).email,
        "account": customer.account_id,
        "key": ApiKey.objects.get(user_id=customer.user_id).id,
        "key_file": key_file,
        "copy": f"{key_file}-copy",
        "url": sandbox.url,
        "upstream_key": sandbox.key,
        "plain": plain.id,
        "service": panel.service().id,
        "free": panel.service().id,
        "waiting": panel.place(customer, plain, link="https://example.com/waiting"),
        "held": held,
        "staff": staff,
        "other": other,
        "unknown": unknown,
        "refill": granted[str(done)],
        "job": job.job,
        "alert": Alert.objects.order_by("id").first().id,  # type: ignore[union-attr]
    }


@pytest.mark.quick
def test_no_command_is_unknown_here() -> None:
    all_of_them = set(commands(typer.main.get_command(app)))
    assert all_of_them == LOOKS | RUNS | set(STORY)
    assert not LOOKS & set(STORY)


def test_every_change_leaves_its_rows(panel: Panel, sandbox: SandboxProcess, tmp_path: Path) -> None:
    key_file = tmp_path / "key"
    key_file.write_text(KEY)
    names = scene(panel, sandbox, str(key_file))
    words = {
        command: [*command.split(), *(word.format(**names) for word in given.split())]
        for command, (given, _) in STORY.items()
    }
    seen = len(rows())
    told = run_commands([Call(each) for each in words.values()])
    everything = rows()
    me = f"cli:{pwd.getpwuid(os.getuid()).pw_name}"
    for (command, (_, expected)), answered in zip(STORY.items(), told, strict=True):
        assert answered.code == 0, (command, answered.stderr)
        fresh = [row for row in everything[seen:] if row[0] <= answered.last_event]
        seen += len(fresh)
        found = sorted(f"{row[1]} {row[2]}:{row[3]}" for row in fresh)
        wanted = sorted(text.format(**names) for text in expected)
        assert [text[: len(want)] for text, want in zip(found, wanted, strict=True)] == wanted, (command, found)
        assert {row[4:7] for row in fresh} == {(me, "cli", "local")}
        assert any(row[7] or row[8] for row in fresh), (command, fresh)
        if "--reason" in words[command]:
            assert {row[9] for row in fresh} == {words[command][words[command].index("--reason") + 1]}
    secrets = {KEY, sandbox.key, *(each.answer["api_key"] for each in told if "api_key" in each.answer)}
    assert len(secrets) == 5
    assert not [secret for secret in secrets if secret in str(everything)]


def test_a_command_that_only_looks_leaves_no_row(panel: Panel, sandbox: SandboxProcess) -> None:
    panel.provider(sandbox)
    before = rows()
    looks = (
        "provider show upstream",
        "provider list",
        "audit list",
        "key list nobody@example.com",
        "verify",
        "alert list",
    )
    done = run_commands([Call(command.split()) for command in looks])
    assert [each.code for each in done] == [0, 0, 0, 1, 0, 0]
    assert rows() == before
