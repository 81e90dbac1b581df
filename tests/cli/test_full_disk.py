"""A disk that fills up under load: refused with 503, nothing half made, and service by itself when there is room."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psycopg
import pytest

from end_of_run import new_folder
from processes import UpProcess, eventually, hawker, start_up

LINK = "https://example.com/" + "long" * 400
"""Orders take room, so that tables have to grow soon."""


@pytest.fixture
def small_disk() -> Iterator[Path]:
    path = new_folder()
    path.chmod(0o711)
    words = ["mount", "-t", "tmpfs", "-o", "size=200m,mode=755", "hawker-test", path]
    if os.geteuid() != 0 or subprocess.run(words).returncode != 0:
        path.rmdir()
        pytest.skip("only root may mount a disk")
    yield path
    subprocess.run(["umount", path], check=True)
    path.rmdir()


def fill(disk: Path) -> Path:
    filler = disk / "filler"
    with filler.open("ab", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while file.write(b"\0" * size):
                    pass
            except OSError:
                continue
    return filler


def order(up: UpProcess, service: int) -> int | None:
    """The number of an order, or None for a 503; nothing else is an answer."""
    reply = up.call("add", service=service, link=LINK, quantity=100)
    if reply.http_status == 503:
        assert reply.error == "Service temporarily unavailable, please try again later"
        return None
    assert reply.http_status == 200, reply.body
    number: int = reply.json["order"]
    return number


def test_a_full_disk_refuses_orders_and_loses_none(small_disk: Path) -> None:
    data_dir = small_disk / "p"
    with start_up(data_dir, "--demo", "--no-worker") as up:
        service = next(row["service"] for row in up.call("services").json if row["type"] == "Default")
        placed = [order(up, service) for _ in range(5)]
        assert None not in placed
        filler = fill(small_disk)
        eventually("an order is refused", lambda: placed.append(order(up, service)) or placed[-1] is None)
        placed += [order(up, service) for _ in range(5)]
        filler.unlink()
        placed.append(eventually("orders are taken again", lambda: order(up, service)))
        answered = [number for number in placed if number is not None]
        with psycopg.connect(up.ready["database_url"]) as connection:
            kept = [row[0] for row in connection.execute("SELECT id FROM orders ORDER BY id")]
        # One whose COMMIT got no answer may be there beside those that were acknowledged, whole with its charge.
        assert set(answered) <= set(kept)
        verified = hawker(data_dir, "verify")
        assert msgspec.json.decode(verified.stdout)["ok"], verified.stdout
    assert shutil.disk_usage(small_disk).free > 0
