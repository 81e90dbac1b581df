"""The same harness over workers without a guard: it must find what they do wrong, else it proves nothing of others."""

from pathlib import Path

import pytest
from plans import Plan
from storm import Figures, weather

from panel import Panel
from processes import SandboxProcess, ServeProcess


@pytest.fixture
def naive(panel: Panel, server: ServeProcess, sandbox: SandboxProcess, tmp_path: Path):
    def figures(off: str, **plan: object) -> Figures:
        found = weather(panel, server, sandbox, tmp_path, Plan(off=off, seed=7, wire=0, **plan))
        print(f"without the guard against {off}: {found}")
        assert not found.kept
        return found

    return figures


def test_a_worker_that_takes_an_ended_lease_for_queued_sends_twice(naive) -> None:
    assert naive("lease_means_queued", points=["add-written", "answered"], kills=3, rate=0).doubled > 0


def test_a_worker_that_calls_again_after_a_timeout_sends_twice(naive) -> None:
    assert naive("retry_on_timeout", points=[], rate=0.3, orders=30).doubled > 0


def test_a_worker_that_calls_a_timeout_a_rejection_gives_money_back_for_what_was_made(naive) -> None:
    assert naive("timeout_is_rejection", points=[], rate=0.3, orders=30).refunded_but_created > 0


def test_a_worker_that_binds_any_orphan_binds_wrongly(naive) -> None:
    assert naive("any_orphan_will_do", points=[], rate=0.4, orders=40).wrongly_bound > 0
