"""Instructions of the API process for one `add`, under callgrind: a figure that a busy machine does not shake.

`python -m bench.instructions [--write]` starts a small panel, counts, and compares with the committed
instructions.json, or writes it. tests/guards does the same at each change.
"""

import argparse
import json
import platform
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bench.errors import RunFailed
from bench.one_add import BATCH
from bench.plan import Plan
from bench.stack import Stack, open_stack
from bench.tools import REPOSITORY, find_valgrind

COMMITTED = REPOSITORY / "bench" / "instructions.json"
TOLERANCE = 0.07
"""More or fewer than this share is said: what reading one form costs is more, what chance does is less."""

SMALL = Plan(customers=1, services=1, orders=1, compared=False)
_BATCHES = 10


@dataclass(frozen=True, slots=True)
class Count:
    """Instructions for one order."""

    add: int
    read_twice: int
    """With each request read a second time."""


def interpreter() -> str:
    """What the count depends on beside our code: another Python executes other instructions."""
    return f"{platform.python_implementation()} {sys.version_info.major}.{sys.version_info.minor} {platform.machine()}"


def committed() -> int | None:
    """The figure for this interpreter, or None where there is none."""
    figures: dict[str, int] = json.loads(COMMITTED.read_text())["instructions_per_add"]
    return figures.get(interpreter())


def count_instructions(stack: Stack) -> Count:
    """Place orders under callgrind in a process of this panel. Raises CannotBench without valgrind, RunFailed."""
    folder = stack.folder / "callgrind"
    folder.mkdir()
    filled = stack.filled
    words = [find_valgrind(), "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={folder}/out"]
    words += [sys.executable, "-m", "bench.one_add", str(filled.accounts[0]), str(filled.services[0]), str(_BATCHES)]
    # Addresses differ in each run and sets of objects are ordered by them; names at least hash alike.
    env = {**stack.env, "PYTHONHASHSEED": "0", "DJANGO_SETTINGS_MODULE": "hawker.django_settings"}
    env["PYTHONPATH"] = str(REPOSITORY)
    done = subprocess.run(words, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        raise RunFailed(f"counting failed: {(done.stdout + done.stderr)[-2_000:]}")
    return Count(*(_total(folder / f"out.{part}") // (_BATCHES * BATCH) for part in (1, 2)))


def _total(path: Path) -> int:
    # Its `summary` is the difference to the file before.
    found = re.search(r"^totals: (\d+)", path.read_text(), re.MULTILINE)
    if found is None:
        raise RunFailed(f"callgrind wrote no sum: {path.read_text()[:500]}")
    return int(found[1])


def main() -> int:
    """Exit code 1 where the count is not what is committed."""
    parser = argparse.ArgumentParser(prog="python -m bench.instructions")
    parser.add_argument("--write", action="store_true", help="make what is counted the committed figure")
    options = parser.parse_args()
    with open_stack(SMALL) as stack:
        count = count_instructions(stack)
    found = count.add
    before = committed()
    print(
        json.dumps(
            {
                "interpreter": interpreter(),
                "instructions_per_add": found,
                "committed": before,
                "read_twice": count.read_twice,
            }
        )
    )
    if options.write:
        written = json.loads(COMMITTED.read_text()) if COMMITTED.exists() else {"instructions_per_add": {}}
        written["instructions_per_add"][interpreter()] = found
        COMMITTED.write_text(json.dumps(written, indent=1) + "\n")
        return 0
    return 0 if before is not None and abs(found / before - 1) <= TOLERANCE else 1


if __name__ == "__main__":
    raise SystemExit(main())
