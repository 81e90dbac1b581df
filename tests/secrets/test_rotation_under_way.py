"""Another encryption key while the panel runs: nobody notices, and no order is lost or sent twice."""

import threading
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from hawker.providers.vault import Keyring
from processes import UpProcess, eventually, hawker, start_up

UNFINISHED = "SELECT count(*) FROM orders WHERE upstream_id IS NULL"


def place(up: UpProcess, placed: list[Any], stop: threading.Event) -> None:
    """A customer's program that orders without a pause."""
    service = next(row["service"] for row in up.call("services").json if row["type"] == "Default")
    while not stop.is_set():
        link = f"https://example.com/{len(placed)}?fate=completed"
        placed.append(up.call("add", service=service, link=link, quantity=1_000).json)
        stop.wait(0.05)


def more_orders(placed: list[Any]) -> None:
    """Wait for some."""
    before = len(placed)
    eventually("orders come in", lambda: len(placed) > before + 5)


def test_orders_flow_through_two_rotations(tmp_path: Path) -> None:
    data_dir = tmp_path / "panel"
    with start_up(data_dir, "--demo") as up:
        secrets = data_dir / "secrets.toml"
        first = tomllib.loads(secrets.read_text())
        placed: list[Any] = []
        stop = threading.Event()
        customer = threading.Thread(target=place, args=(up, placed, stop))
        customer.start()
        try:
            for _ in range(2):
                more_orders(placed)
                done = hawker(data_dir, "secrets", "rotate")
                assert msgspec.json.decode(done.stdout) == {"new_secret": True, "providers": 1}, done.stderr
            more_orders(placed)
        finally:
            stop.set()
            customer.join()
        assert [answer for answer in placed if list(answer) != ["order"]] == []
        with psycopg.connect(up.ready["database_url"], autocommit=True) as database:
            eventually(
                "every order is the provider's", lambda: database.execute(UNFINISHED).fetchone() == (0,), seconds=60
            )
            attempts = "SELECT count(*), count(DISTINCT order_id) FROM attempt WHERE state <> 'not_sent'"
            assert database.execute(attempts).fetchone() == (len(placed), len(placed))
            troubles = "SELECT count(*) FROM alert UNION ALL SELECT failures FROM provider_health"
            assert database.execute(troubles).fetchall() == [(0,), (0,)]
            (sealed,) = database.execute("SELECT key_cipher FROM provider").fetchone() or (b"",)
        assert Keyring(first["encryption_key"], (first["secret_key"],)).unseal(sealed) is None
        assert tomllib.loads(secrets.read_text())["secret_key"] == first["secret_key"]
        assert "balance" in up.call("balance").json
        assert hawker(data_dir, "verify").returncode == 0
        named = {check["name"]: check for check in msgspec.json.decode(hawker(data_dir, "doctor").stdout)["checks"]}
        assert (named["secret_key"]["state"], named["encryption_key"]["state"]) == ("ok", "ok")
