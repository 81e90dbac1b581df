"""Asking one provider about what is due there, a hundred a call: statuses, refills, cancels.

None of these makes anything upstream, so each may be repeated.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

import structlog

from hawker.core.clock import Clock
from hawker.core.errors import Unavailable
from hawker.orders import (
    Polled,
    Reading,
    apply_cancels,
    apply_readings,
    apply_refill_readings,
    apply_unread,
    claim_cancels,
    claim_follows,
    claim_polls,
    claim_unread,
)
from hawker.orders.models import WorkKind
from hawker.protocol.params import MAX_IDS
from hawker.protocol.upstream import Unreadable, read_cancels, read_refill_statuses, read_statuses
from hawker.protocol.upstream_subscriptions import read_polls
from hawker.providers.actions import Opener, ProviderAccess
from hawker.providers.errors import CallFailed, CannotConnect
from hawker.worker.provider_clients import ProviderClients
from hawker.worker.threads import in_thread

LANES = 4
"""Calls in flight to one provider: enough to hide its latency, few enough to be a polite client."""

ASK_SECONDS = 20.0

log = structlog.get_logger(__name__)


class DueQuestion(Protocol):
    """Something that a provider is asked about, by its own number there."""

    @property
    def upstream_id(self) -> int: ...


Asked = TypeVar("Asked", bound=DueQuestion)
Told = TypeVar("Told")


@dataclass(frozen=True, slots=True)
class QuestionKind(Generic[Asked, Told]):
    """One kind of question: the call it makes, and the verbs that say what is due and what the answers change.

    `claim` leases what is due; `read` takes the body and what was asked for, and answers by upstream id, without
    those that the provider left out, or why the whole cannot be read; `apply` writes it down.
    """

    action: str
    parameter: str
    claim: Callable[..., list[Asked]]
    read: Callable[[bytes, Sequence[Asked]], dict[int, Told | Unreadable] | Unreadable]
    apply: Callable[..., None]


def _by_ids(
    read: Callable[[bytes, Sequence[int]], dict[int, Told | Unreadable] | Unreadable],
) -> Callable[[bytes, Sequence[DueQuestion]], dict[int, Told | Unreadable] | Unreadable]:
    """A reader that needs to know of what was asked for its numbers only."""
    return lambda body, due: read(body, _ids(due))


def _read_polls(body: bytes, due: Sequence[Polled]) -> dict[int, Any] | Unreadable:
    return read_polls(body, _ids(due), {item.upstream_id for item in due if item.is_subscription})


def _ids(due: Sequence[DueQuestion]) -> list[int]:
    return [item.upstream_id for item in due]


QUESTIONS: dict[WorkKind, QuestionKind[Any, Any]] = {
    WorkKind.POLL: QuestionKind("status", "orders", claim_polls, _read_polls, apply_readings),
    WorkKind.FOLLOW: QuestionKind(
        "refill_status", "refills", claim_follows, _by_ids(read_refill_statuses), apply_refill_readings
    ),
    WorkKind.CANCEL: QuestionKind("cancel", "orders", claim_cancels, _by_ids(read_cancels), apply_cancels),
    WorkKind.BIND: QuestionKind("status", "orders", claim_unread, _by_ids(read_statuses), apply_unread),
}


class AskSweep(Generic[Asked, Told]):
    """Asks one provider one kind of question about everything due, LANES calls at a time, until nothing is."""

    def __init__(
        self,
        access: ProviderAccess,
        question: QuestionKind[Asked, Told],
        *,
        opener: Opener,
        clock: Clock,
        stopping: Callable[[], bool],
    ) -> None:
        self._access = access
        self._question = question
        self._opener = opener
        self._clock = clock
        self._stopping = stopping
        self._claiming = asyncio.Lock()
        self.asked = 0

    async def run(self) -> int:
        """Sweep until nothing is due or the worker stops; answers how many were asked for.

        Raises CannotConnect and Unavailable: what was claimed is then due again when its lease ends.
        """
        try:
            async with ProviderClients(self._access, self._opener) as lines, asyncio.TaskGroup() as group:
                for _ in range(LANES):
                    group.create_task(self._lane(lines))
        except ExceptionGroup as failures:
            expected, others = failures.split((CannotConnect, Unavailable))
            if others is not None or expected is None:
                raise
            # Several lanes may have met the same trouble: one of them tells it, as itself.
            raise expected.exceptions[0] from failures
        return self.asked

    def _now(self) -> datetime:
        return self._clock.now()

    async def _lane(self, lines: ProviderClients) -> None:
        question = self._question
        while not self._stopping():
            # One lane at a time: two that claim at once skip each other's rows, and ask in two calls what fits in one.
            async with self._claiming:
                due = await in_thread(question.claim, self._access.provider_id, limit=MAX_IDS, now=self._now())
            if not due:
                return
            readings = await self._ask(lines, due)
            await in_thread(question.apply, readings, now=self._now())
            self.asked += len(due)
            if len(due) < MAX_IDS:
                return

    async def _ask(self, lines: ProviderClients, due: Sequence[Asked]) -> list[Reading[Asked, Told]]:
        question = self._question
        (line,) = await lines.take(1)
        asked = ",".join(map(str, _ids(due)))
        fields = {"key": self._access.key, "action": question.action, question.parameter: asked}
        try:
            answer = await line.call(fields, deadline_seconds=ASK_SECONDS)
        except CallFailed as failure:
            return [Reading(item, Unreadable(question.action, str(failure))) for item in due]
        finally:
            lines.give(line)
        found = question.read(answer.body, due)
        if isinstance(found, Unreadable):
            log.warning("answer unreadable", provider=self._access.name, action=question.action, why=found.why)
            return [Reading(item, found) for item in due]
        return [Reading(item, found.get(item.upstream_id)) for item in due]
