"""What a provider told about something that was asked for, and when to ask again."""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from hawker.core.settings import settings
from hawker.orders.models import State
from hawker.orders.waits import backoff, due_after
from hawker.protocol.upstream import Unreadable

Asked = TypeVar("Asked")
Told = TypeVar("Told")

LEASE = timedelta(seconds=25)
"""A little longer than a call that asks may take: what a killed worker claimed is soon due again, and asking
twice costs a call and nothing else."""


@dataclass(frozen=True, slots=True)
class Polled:
    """An order to ask about, with what was known of it when its poll was claimed."""

    order_id: int
    upstream_id: int
    state: State
    quantity: int
    start_count: int | None
    remains: int | None
    upstream_charge_micros: int | None
    moved_at: datetime
    tries: int
    leased_until: datetime
    is_subscription: bool


@dataclass(frozen=True, slots=True)
class Reading(Generic[Asked, Told]):
    """What a provider answered about one thing; None where it left it out."""

    asked: Asked
    answer: Told | Unreadable | None


def after_silence(tries: int, now: datetime) -> tuple[datetime, int]:
    """When to ask again after `tries` answers in a row of which nothing could be read, and how often that now is."""
    wait = backoff(tries + 1, shortest=shortest_wait(), longest=longest_wait())
    return spread(now, wait), tries + 1


def spread(now: datetime, wait: timedelta) -> datetime:
    """About `wait` from now, so that what was placed together does not stay together."""
    return due_after(now, wait, jitter=random.random())  # noqa: S311 - spreads load, guards nothing


def shortest_wait() -> timedelta:
    return timedelta(seconds=settings().poll_min_seconds)


def longest_wait() -> timedelta:
    return timedelta(seconds=settings().poll_max_seconds)
