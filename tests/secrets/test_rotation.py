"""`hawker secrets rotate`: killed anywhere and run again, with secrets from elsewhere, on panels made before it."""

import os
import signal
import stat
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest
from django.db import transaction

from hawker.accounts.actions import KeyAsk, read_grants
from hawker.audit.actions import list_audit_events
from hawker.backup.make import secrets_text
from hawker.core.settings import settings
from hawker.host.secret_file import replace_encryption_key
from hawker.providers.actions import access_of, read_access
from hawker.providers.errors import BadProvider
from hawker.providers.models import Provider
from hawker.providers.rotation import examine_sealing, keep_secrets
from hawker.providers.vault import Keyring
from panel import Panel, forget_rows
from processes import SandboxProcess, eventually, run_hawker

PEPPER = "the pepper of tests"


@pytest.fixture(autouse=True)
def _secrets_stay(database: None) -> Iterator[None]:
    """The panel of this test process has its own secrets again after each test."""
    file = settings().folder.secrets_file
    before = file.read_bytes()
    yield
    file.write_bytes(before)
    file.chmod(0o600)
    forget_rows()
    with psycopg.connect(settings().folder.embedded_url("hawker")) as owner:
        owner.execute("TRUNCATE secret_check")
    keep_secrets(PEPPER, now=datetime.now(UTC))


@pytest.fixture
def upstream(panel: Panel, sandbox: SandboxProcess) -> Provider:
    return panel.provider(sandbox)


def run(*words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return run_hawker(*words, environment={**os.environ, **environment})


def rotated(**environment: str) -> Any:
    """What the command answers; fails where it does not succeed."""
    done = run("secrets", "rotate", **environment)
    assert done.returncode == 0, done.stderr
    return msgspec.json.decode(done.stdout)


def checks(**environment: str) -> dict[str, str]:
    """What the doctor says of the secrets."""
    told = msgspec.json.decode(run("doctor", **environment).stdout)["checks"]
    return {check["name"]: check["state"] for check in told if check["name"] in ("secret_key", "encryption_key")}


def file() -> dict[str, str]:
    return tomllib.loads(settings().folder.secrets_file.read_text())


def cipher(provider: Provider) -> bytes:
    return bytes(Provider.objects.get(id=provider.id).key_cipher)


def sealing() -> str:
    """The same in one word, asked in this process."""
    told = examine_sealing(PEPPER)
    assert (told.secret_key_fits, told.lost) == (True, ())
    return "fits" if told.encryption_key_fits and not told.stale else "begun"


FITS = {"secret_key": "ok", "encryption_key": "ok"}


@pytest.mark.quick
def test_the_old_secret_opens_nothing_any_more(upstream: Provider, sandbox: SandboxProcess) -> None:
    old = file()["encryption_key"]
    assert Keyring(old).unseal(cipher(upstream)) == sandbox.key
    assert rotated() == {"new_secret": True, "providers": 1}
    new = file()
    assert (new["former_encryption_key"], len(new["encryption_key"])) == (old, 64)
    assert Keyring(old).unseal(cipher(upstream)) is None
    assert Keyring(PEPPER).unseal(cipher(upstream)) is None
    assert Keyring(new["encryption_key"]).unseal(cipher(upstream)) == sandbox.key
    assert stat.S_IMODE(settings().folder.secrets_file.stat().st_mode) == 0o600
    assert sealing() == "fits"
    (event,) = list_audit_events(limit=10)
    assert (event["action"], event["after"]) == ("secrets.rotate", {"new_secret": True, "providers": 1})
    assert not [secret for secret in (old, *new.values()) if secret in str(event)]


def test_a_process_that_runs_finds_each_new_secret_by_itself(upstream: Provider, sandbox: SandboxProcess) -> None:
    for _ in range(2):
        assert read_access(upstream.id).key == sandbox.key
        assert rotated()["new_secret"]
    upstream.refresh_from_db()
    assert access_of(upstream).key == sandbox.key


@pytest.mark.parametrize(
    ("point", "begun"),
    [("secrets-before-rename", False), ("rotate-after-renewal", True), ("rotate-before-commit", True)],
)
def test_killed_half_way_and_run_again_it_ends(
    upstream: Provider, sandbox: SandboxProcess, point: str, begun: bool
) -> None:
    old = file()["encryption_key"]
    sealed = cipher(upstream)
    killed = run("secrets", "rotate", HAWKER_TESTING="1", HAWKER_FAILPOINTS=f"{point}=kill")
    assert killed.returncode == -signal.SIGKILL
    assert cipher(upstream) == sealed
    assert (file()["encryption_key"] != old) is begun
    # Whatever is there is opened by whoever asks now, old process or new one.
    assert read_access(upstream.id).key == sandbox.key
    if point == "rotate-before-commit":
        assert run("provider", "import", "upstream", "--category", "Flyers").returncode == 0
    assert sealing() == ("begun" if begun else "fits")
    between = file()["encryption_key"]
    assert rotated() == {"new_secret": not begun, "providers": 1}
    assert (file()["encryption_key"] == between) is begun
    assert Keyring(old).unseal(cipher(upstream)) is None
    assert Keyring(file()["encryption_key"]).unseal(cipher(upstream)) == sandbox.key
    assert sealing() == "fits"
    assert [path.name for path in settings().folder.path.glob(".secrets*")] == []


def test_a_panel_made_before_keeps_its_keys(panel: Panel, sandbox: SandboxProcess) -> None:
    """Its secrets.toml has one secret, which both sealed and peppered."""
    settings().folder.secrets_file.write_text(f'secret_key = "{PEPPER}"\n')
    customer, provider = panel.customer(), panel.provider(sandbox)
    assert Keyring(PEPPER).unseal(cipher(provider)) == sandbox.key
    with psycopg.connect(settings().folder.embedded_url("hawker")) as owner:
        owner.execute("TRUNCATE secret_check")
    assert checks() == FITS | {"secret_key": "warn"}
    assert run("migrate").returncode == 0
    assert checks() == FITS
    assert rotated() == {"new_secret": True, "providers": 1}
    assert file()["secret_key"] == PEPPER
    assert Keyring(PEPPER).unseal(cipher(provider)) is None
    assert sealing() == "fits"
    (found,) = read_grants([KeyAsk(customer.api_key, None)], now=panel.clock.now())
    assert found.grant is not None
    assert read_access(provider.id).key == sandbox.key


def test_secrets_of_the_environment_are_changed_there_and_taken_over_by_the_command(
    upstream: Provider, sandbox: SandboxProcess
) -> None:
    old, sealed, held = file()["encryption_key"], cipher(upstream), file()
    refused = run("secrets", "rotate", HAWKER_ENCRYPTION_KEY=old + " ")
    assert (refused.returncode, refused.stdout) == (1, "")
    refused = run("secrets", "rotate", HAWKER_ENCRYPTION_KEY="other", HAWKER_FORMER_ENCRYPTION_KEY="another")
    assert "the key of upstream was encrypted with another secret" in refused.stderr
    assert checks(HAWKER_ENCRYPTION_KEY="other")["encryption_key"] == "fail"
    assert checks(HAWKER_SECRET_KEY="other") == FITS | {"secret_key": "fail"}
    assert (cipher(upstream), file()) == (sealed, held)
    new = {"HAWKER_ENCRYPTION_KEY": "new", "HAWKER_FORMER_ENCRYPTION_KEY": old}
    assert checks(**new)["encryption_key"] == "warn"
    assert rotated(**new) == {"new_secret": False, "providers": 1}
    assert checks(**new) == FITS
    assert Keyring("new").unseal(cipher(upstream)) == sandbox.key
    refused = run("secrets", "rotate", **new)
    assert "come from its environment" in refused.stderr
    assert not [secret for secret in (old, PEPPER) if secret in refused.stderr]
    with pytest.raises(BadProvider, match="encrypted with another secret"):
        read_access(upstream.id)


def test_a_rotation_waits_for_a_key_that_is_being_saved(
    panel: Panel, upstream: Provider, sandbox: SandboxProcess
) -> None:
    """It would miss that key, which would then be left under the old secret."""
    before = file()
    words = [sys.executable, "-m", "hawker", "secrets", "rotate"]
    with transaction.atomic():
        second = panel.provider(sandbox, name="second")
        rotating = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        with psycopg.connect(settings().folder.embedded_url("hawker"), autocommit=True) as looking:
            waits = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            eventually("the rotation waits", lambda: looking.execute(waits).fetchone() is not None)
        assert file() == before
    said, _ = rotating.communicate(timeout=60)
    assert msgspec.json.decode(said) == {"new_secret": True, "providers": 2}
    assert all(Keyring(file()["encryption_key"]).is_current(cipher(each)) for each in (upstream, second))


def test_what_else_the_file_holds_stays(tmp_path: Path) -> None:
    from hawker.core.datadir import DataDir

    folder = DataDir(tmp_path)
    folder.secrets_file.write_text(
        '# ours\nsecret_key = "a"\n  encryption_key = "b"\nmetrics_token = "encryption_key ="\n'
    )
    (tmp_path / ".secrets-1-dead").write_text("left over")
    replace_encryption_key(folder, "c", "b")
    replace_encryption_key(folder, "d", "c")
    assert folder.secrets_file.read_text().splitlines() == [
        "# ours",
        'secret_key = "a"',
        'metrics_token = "encryption_key ="',
        'encryption_key = "d"',
        'former_encryption_key = "c"',
    ]
    assert list(tmp_path.iterdir()) == [folder.secrets_file]


def test_a_backup_takes_the_secrets_of_now(upstream: Provider) -> None:
    """The process that makes it may have read its settings before a rotation, and copies the data after it."""
    stale = settings()
    rotated()
    copied = tomllib.loads(secrets_text(stale))
    now = file()
    assert {name: copied[name] for name in now if name != "secret_key"} == {
        name: now[name] for name in now if name != "secret_key"
    }
    assert Keyring(copied["encryption_key"]).unseal(cipher(upstream)) is not None
