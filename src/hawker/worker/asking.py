"""Asking one provider about what is due there, a hundred a call: statuses, refills, cancels.

None of these makes anything upstream, so each may be asked again (reliability.md).
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

import structlog

from hawker.core.clock import Clock
from hawker.orders.actions.cancel_upstream import apply_cancels, claim_cancels
from hawker.orders.actions.follow import apply_readings, claim_polls
from hawker.orders.actions.reading import Reading
from hawker.orders.actions.refill_follow import apply_refill_readings, claim_follows
from hawker.orders.models import WorkKind
from hawker.protocol.params import MAX_IDS
from hawker.protocol.upstream import Unreadable, read_cancels, read_refill_statuses, read_statuses
from hawker.providers.actions import Access, Opener
from hawker.providers.errors import CallFailed
from hawker.worker.lines import Lines
from hawker.worker.threads import in_thread

LANES = 4
"""Calls in flight to one provider: enough to hide its latency, few enough to be a polite client."""

ASK_SECONDS = 20.0

log = structlog.get_logger(__name__)


class Due(Protocol):
    """Something that a provider is asked about, by its own number there."""

    @property
    def upstream_id(self) -> int: ...


Asked = TypeVar("Asked", bound=Due)
Told = TypeVar("Told")


@dataclass(frozen=True, slots=True)
class Question(Generic[Asked, Told]):
    """One kind of question: the call it makes, and the verbs that say what is due and what the answers change.

    `claim` leases what is due; `read` answers by upstream id, without those that the provider left out, or why
    the whole cannot be read; `apply` writes it down.
    """

    action: str
    parameter: str
    claim: Callable[..., list[Asked]]
    read: Callable[[bytes, Sequence[int]], dict[int, Told | Unreadable] | Unreadable]
    apply: Callable[..., None]


QUESTIONS: dict[WorkKind, Question[Any, Any]] = {
    WorkKind.POLL: Question("status", "orders", claim_polls, read_statuses, apply_readings),
    WorkKind.FOLLOW: Question("refill_status", "refills", claim_follows, read_refill_statuses, apply_refill_readings),
    WorkKind.CANCEL: Question("cancel", "orders", claim_cancels, read_cancels, apply_cancels),
}


class AskSweep(Generic[Asked, Told]):
    """Asks one provider one kind of question about everything due, LANES calls at a time, until nothing is."""

    def __init__(
        self,
        access: Access,
        question: Question[Asked, Told],
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
        self.asked = 0

    async def run(self) -> int:
        """Sweep until nothing is due or the worker stops; answers how many were asked for.

        Raises CannotConnect and Unavailable: what was claimed is then due again when its lease ends.
        """
        async with Lines(self._access, self._opener) as lines, asyncio.TaskGroup() as group:
            for _ in range(LANES):
                group.create_task(self._lane(lines))
        return self.asked

    def _now(self) -> datetime:
        return self._clock.now()

    async def _lane(self, lines: Lines) -> None:
        question = self._question
        while not self._stopping():
            due = await in_thread(question.claim, self._access.provider_id, limit=MAX_IDS, now=self._now())
            if not due:
                return
            readings = await self._ask(lines, due)
            await in_thread(question.apply, readings, now=self._now())
            self.asked += len(due)
            if len(due) < MAX_IDS:
                return

    async def _ask(self, lines: Lines, due: Sequence[Asked]) -> list[Reading[Asked, Told]]:
        question = self._question
        (line,) = await lines.take(1)
        ids = [item.upstream_id for item in due]
        fields = {"key": self._access.key, "action": question.action, question.parameter: ",".join(map(str, ids))}
        try:
            answer = await line.call(fields, deadline_seconds=ASK_SECONDS)
        except CallFailed as failure:
            return [Reading(item, Unreadable(question.action, str(failure))) for item in due]
        finally:
            lines.give(line)
        found = question.read(answer.body, ids)
        if isinstance(found, Unreadable):
            log.warning("answer unreadable", provider=self._access.name, action=question.action, why=found.why)
            return [Reading(item, found) for item in due]
        return [Reading(item, found.get(item.upstream_id)) for item in due]
