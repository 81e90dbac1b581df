"""`python -m hawker.sandbox`: a sandbox in the foreground. Prints one JSON line when it answers."""

import argparse
import sys
from pathlib import Path

from hawker.core.money import Money
from hawker.sandbox.config import DEMO_BALANCE, DEMO_KEY, SandboxConfig
from hawker.sandbox.fates import FateMix
from hawker.sandbox.faults import KINDS, Faults
from hawker.sandbox.server import ready_line, run


def main() -> int:
    """Run until told to stop. Exit code 2, with a sentence on stderr, for what cannot be done as asked."""
    asked = _parser().parse_args()
    try:
        config = _config(asked)
        run(config, ready=lambda url: _say(ready_line(config, url)))
    except (ValueError, OSError) as error:
        sys.stderr.write(f"hawker sandbox: {error}\n")
        return 2
    return 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _config(asked: argparse.Namespace) -> SandboxConfig:
    return SandboxConfig(
        host=asked.host,
        port=asked.port,
        fd=asked.fd,
        keys=dict(map(read_key, asked.key)) or {DEMO_KEY: DEMO_BALANCE},
        speed=asked.speed,
        mix=FateMix.parse(asked.mix),
        faults=Faults.parse(asked.fault),
        seed=asked.seed,
        first_order_id=asked.first_order_id,
        refill_wait_hours=asked.refill_wait_hours,
        state_dir=asked.state,
    )


def read_key(text: str) -> tuple[str, Money]:
    """Read `KEY=BALANCE`. Raises ValueError with a sentence."""
    key, separator, balance = text.rpartition("=")
    if not separator or not key:
        raise ValueError(f"{text!r} is not a key with its balance such as abc=100.00")
    return key, Money.parse(balance)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="hawker sandbox", description="A simulated upstream panel (API v2).")
    parser.add_argument("--host", default="127.0.0.1", help="address to bind (default: this machine only)")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free port")
    parser.add_argument("--fd", type=int, help="a listening socket that a supervisor hands over")
    parser.add_argument("--speed", type=float, default=1.0, help="how many times faster than real time orders go")
    parser.add_argument("--fault", action="append", default=[], metavar="NAME=RATE", help="one of: " + ", ".join(KINDS))
    parser.add_argument("--mix", default="80,12,8", help="weights of Completed, Partial, Canceled")
    parser.add_argument("--state", type=Path, metavar="DIR", help="remember everything in this folder")
    parser.add_argument("--seed", type=int, default=1, help="the seed of all chance")
    parser.add_argument("--key", action="append", default=[], metavar="KEY=BALANCE", help="an API key and its funds")
    parser.add_argument("--first-order-id", type=int, default=23_501, help="where the ids of orders begin")
    parser.add_argument("--refill-wait-hours", type=int, default=24, help="how long after its end an order may refill")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
