"""`hawker sandbox`: the simulated upstream in the foreground."""

from collections.abc import Sequence
from pathlib import Path

from hawker.cli.output import fail
from hawker.core.money import Money
from hawker.sandbox import DEMO_BALANCE, DEMO_KEY, Faults, SandboxConfig, ready_line, run


def run_sandbox(
    *, port: int, speed: float, faults: Sequence[str], keys: Sequence[str], state: str, seed: int, fd: int | None
) -> None:
    """Serve until SIGTERM or SIGINT; prints one JSON line when ready. Bad words end it with a sentence."""
    try:
        config = SandboxConfig(
            port=port,
            fd=fd,
            speed=speed,
            seed=seed,
            keys=dict(map(_read_key, keys)) or {DEMO_KEY: DEMO_BALANCE},
            faults=Faults.parse(faults),
            state_dir=Path(state) if state else None,
        )
        run(config, ready=lambda url: print(ready_line(config, url), flush=True))  # noqa: T201 - the answer
    except (ValueError, OSError) as error:
        fail(str(error))


def _read_key(text: str) -> tuple[str, Money]:
    key, separator, balance = text.rpartition("=")
    if not separator or not key:
        raise ValueError(f"{text!r} is not a key with its balance such as abc=100.00")
    return key, Money.parse(balance)
