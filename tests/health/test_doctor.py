"""`hawker doctor` as an operator runs it."""

import stat
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from hawker.core.settings import settings
from panel import Panel, forget_rows
from processes import eventually, hawker, run_hawker, start_worker


def doctor(*, expect: int) -> dict[str, Any]:
    """The doctor's checks of this test's panel, by name."""
    done = run_hawker("doctor")
    assert done.returncode == expect, done.stdout + done.stderr
    told = msgspec.json.decode(done.stdout)
    assert told["ok"] is (expect == 0)
    return {check["name"]: check for check in told["checks"]}


def test_a_healthy_panel_passes_and_one_without_workers_does_not(panel: Panel) -> None:
    checks = doctor(expect=1)
    assert {name for name, check in checks.items() if check["state"] == "fail"} == {"workers"}
    assert checks["durability"]["state"] == "ok"
    assert checks["rights"]["figure"] == 0
    with start_worker():
        checks = eventually("a worker is heard of", _heard)
    assert checks["workers"]["figure"] >= 1
    # The worker leaves its rows in tables of the engine only.
    forget_rows()


def _heard() -> dict[str, Any] | None:
    done = run_hawker("doctor")
    checks = {check["name"]: check for check in msgspec.json.decode(done.stdout)["checks"]}
    return checks if done.returncode == 0 else None


def test_whoever_holds_the_oldest_snapshot_is_named(panel: Panel) -> None:
    """Also a session of the owner, such as a backup, of which the server shows the application's role nothing."""
    with psycopg.connect(settings().folder.embedded_url("hawker"), application_name="pg_dump") as backup:
        pid = backup.info.backend_pid
        backup.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        backup.execute("SELECT FROM account")
        check = doctor(expect=1)["transactions"]
    assert check["state"] == "ok"
    assert f"that process {pid} (pg_dump, user hawker) has held the oldest" in check["what"]


def test_a_folder_whose_database_does_not_run_is_said_and_not_started(tmp_path: Path) -> None:
    secrets = tmp_path / "secrets.toml"
    secrets.write_text('secret_key = "of this test"\n')
    secrets.chmod(0o644)
    done = hawker(tmp_path, "doctor")
    assert done.returncode == 1
    checks = {check["name"]: check["state"] for check in msgspec.json.decode(done.stdout)["checks"]}
    assert checks["database"] == "fail"
    assert checks["secrets"] == "fail"
    assert "does not run" in done.stderr
    assert list(tmp_path.iterdir()) == [secrets]
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o644


@pytest.mark.parametrize(
    ("name", "text", "mode", "folder_mode", "said"),
    [
        ("hawker.toml", 'metrics_token = "0123456789abcdef"', 0o644, 0o700, "others may read"),
        ("hawker.toml", 'currency = "USD"', 0o644, 0o700, ""),
        ("hawker.toml", 'metrics_token = "0123456789abcdef"', 0o600, 0o700, ""),
        ("hawker.toml", 'currency = "USD"', 0o600, 0o720, "others may write in"),
        ("secrets.toml", 'secret_key = "of this test"', 0o640, 0o700, "others may read"),
    ],
)
def test_secrets_that_others_can_reach_are_said(
    tmp_path: Path, name: str, text: str, mode: int, folder_mode: int, said: str
) -> None:
    secrets = tmp_path / "secrets.toml"
    secrets.write_text('secret_key = "of this test"\n')
    secrets.chmod(0o600)
    (tmp_path / name).write_text(text)
    (tmp_path / name).chmod(mode)
    tmp_path.chmod(folder_mode)
    done = hawker(tmp_path, "doctor")
    checks = {check["name"]: check for check in msgspec.json.decode(done.stdout)["checks"]}
    assert checks["secrets"]["state"] == ("fail" if said else "ok")
    assert said in checks["secrets"]["what"]
