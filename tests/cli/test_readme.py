"""The README's lines, pasted as they stand: only the address, the waiting and the upstream's name are this test's."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from processes import UpProcess, eventually, panel_environment, start_sandbox, start_up

REPOSITORY = Path(__file__).resolve().parents[2]
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", (REPOSITORY / "README.md").read_text(), re.MULTILINE | re.DOTALL)
RUN, ORDER, OWN, DEVELOP = BLOCKS


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UpProcess]:
    """What `make run` starts, in a folder that looks like a clone after it."""
    folder = tmp_path_factory.mktemp("clone")
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / "bin" / "hawker").symlink_to(Path(sys.executable).with_name("hawker"))
    with start_up(folder / "hawker-data", "--demo", environment={"HAWKER_POLL_MIN_SECONDS": "0.3"}) as running:
        yield running


def paste(up: UpProcess, script: str) -> list[str]:
    """Run the lines in the clone's folder; answers what they printed."""
    clone = up.data_dir.parent
    environment = panel_environment()
    environment["PATH"] = f"{clone / '.venv' / 'bin'}:{environment['PATH']}"
    done = subprocess.run(
        ["bash", "-eu", "-c", script], cwd=clone, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return re.findall(r"[\[{].*?[\]}](?=[\[{]|\n|$)", done.stdout)


def test_make_run_is_what_these_tests_start() -> None:
    assert RUN == "make run\n"
    # Without what `make test` tells the programs that it starts.
    environment = {"PATH": os.environ["PATH"]}
    words = ["make", "-n", "run"]
    recipe = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, env=environment).stdout
    assert recipe.splitlines()[-1] == ".venv/bin/hawker up --demo"


def test_the_lines_after_it_order_and_see_the_ends_that_the_readme_shows(up: UpProcess) -> None:
    script = ORDER.replace("http://127.0.0.1:8000", up.ready["url"])
    assert up.ready["api"] in script
    before, waiting, after = script.partition("sleep 10\n")
    assert waiting
    assert paste(up, before) == ['{"order":1}', '{"order":2}']
    eventually(
        "both orders end",
        lambda: {row["status"] for row in up.call("status", orders="1,2").json.values()} == {"Completed", "Partial"},
    )
    setting = "".join(line for line in before.splitlines(keepends=True) if not line.startswith("curl"))
    statuses, balance, order, verified = map(msgspec.json.decode, paste(up, setting + after))
    assert {number: row["status"] for number, row in statuses.items()} == {"1": "Completed", "2": "Partial"}
    assert balance == up.call("balance").json
    assert [attempt["state"] for attempt in order["attempts"]] == ["accepted"]
    assert verified["ok"]


def test_the_lines_for_an_upstream_of_ones_own_end_with_a_customers_key(up: UpProcess) -> None:
    start, *lines = OWN.splitlines(keepends=True)
    assert start.startswith("hawker up &")
    with start_sandbox("--key", "THEIR_KEY=2512.40") as acme:
        script = "".join(lines).replace("https://acme.example/api/v2", f"{acme.url} --allow-private")
        provider, imported, customer = map(msgspec.json.decode, paste(up, script))
    assert (provider["name"], provider["balance"]) == ("acme", "2512.40")
    assert imported == {"imported": 200, "updated": 0, "skipped": []}
    reply = up.server.call(customer["api_key"], "balance")
    assert reply.json == {"balance": "100.00", "currency": "USD"}


def test_the_targets_for_developers_are_there() -> None:
    makefile = (REPOSITORY / "Makefile").read_text()
    for line in DEVELOP.splitlines():
        target = line.split("#")[0].strip().removeprefix("make ")
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    helped = subprocess.run(
        ["make", "-s", "help"], cwd=REPOSITORY, capture_output=True, text=True, env={"PATH": os.environ["PATH"]}
    ).stdout
    for target in re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[1].split():  # type: ignore[index]
        assert target == "help" or f"make {target} " in helped, f"`make help` does not tell of {target}"
