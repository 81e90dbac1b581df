"""Sending what is due to one provider: connect, claim, send once, settle. At most once, whatever happens.

One machine for all that a provider must not be asked twice; an errand says what is sent.
"""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import structlog

from hawker.alerts.actions import Raised, raise_alerts
from hawker.alerts.models import AlertKind
from hawker.alerts.subjects import about_attempt
from hawker.core.clock import Clock
from hawker.core.counters import count
from hawker.core.errors import Unavailable
from hawker.core.failpoints import failpoint
from hawker.orders import Claim, NotSent, Outcome, claim_dispatches, claim_refills, disown_claim, settle_attempts
from hawker.orders.models import WorkKind
from hawker.protocol.upstream import Accepted, Rejected, Unknown, Verdict, read_add, read_refill
from hawker.providers.actions import Opener, ProviderAccess
from hawker.providers.errors import CallFailed
from hawker.providers.http_client import ProviderClient
from hawker.worker.outage import outage
from hawker.worker.provider_clients import ProviderClients
from hawker.worker.threads import in_thread

CLAIM_SECONDS = 5.0
"""A claim older than this is not sent any more: its lease must outlive the send by a wide margin."""

CONCURRENCY = 32
FIRST_CONCURRENCY = 4
"""A sweep begins with few calls in flight and has one more for each that is answered, half as many after one that is
not: when a provider goes down, few orders are on their way to it."""

_OUTCOMES: dict[type, str] = {Accepted: "accepted", Rejected: "rejected", Unknown: "unknown", NotSent: "not_sent"}
"""What came of an attempt, as it is counted for /metrics."""

_RETRY_SECONDS = 0.5
_DISOWNING_LOOKS = 4
_BODY_HEAD = 1_000
_LOGGED = 4_000

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Moment:
    """An instant on both clocks of this machine."""

    monotonic: float
    wall: datetime


class ClaimVerb(Protocol):
    """Claims what is due for this provider, committed as attempts. Raises Unavailable: then nothing may be sent."""

    def __call__(self, provider_id: int, *, limit: int, token: str, now: datetime) -> list[Claim]: ...


@dataclass(frozen=True, slots=True)
class Errand:
    """What is sent: how it is claimed, and how the answer to it is read."""

    claim: ClaimVerb
    read: Callable[[int, bytes], Verdict]


ERRANDS: dict[WorkKind, Errand] = {
    WorkKind.DISPATCH: Errand(claim_dispatches, read_add),
    WorkKind.REFILL: Errand(claim_refills, read_refill),
}


class DispatchSweep:
    """Drains what is due of one errand at one provider, many in flight at a time, until nothing is due.

    Connections are opened before anything is claimed, so a provider that cannot be reached costs no attempt.
    Claims grow from one to as many as may be in flight while there is more to claim than lines.
    """

    def __init__(
        self,
        access: ProviderAccess,
        errand: Errand,
        *,
        opener: Opener,
        clock: Clock,
        worker: str,
        stopping: Callable[[], bool],
    ) -> None:
        self._access = access
        self._errand = errand
        self._opener = opener
        self._clock = clock
        self._worker = worker
        self._stopping = stopping
        self._sends: set[asyncio.Task[None]] = set()
        self._outcomes: list[Outcome] = []
        self._observed = asyncio.Event()
        self._paused = False
        self._closing = False
        self._in_flight = FIRST_CONCURRENCY
        self.sent = 0

    async def run(self) -> int:
        """Sweep until nothing is due or the worker stops; answers how many calls were sent.

        Everything that was claimed is settled before this returns, also when claiming fails:
        answers are kept and their settling is tried again until the database takes it.
        """
        settling = asyncio.create_task(self._settle_all())
        try:
            async with ProviderClients(self._access, self._opener) as lines:
                try:
                    await self._send_all(lines)
                finally:
                    while self._sends:
                        await asyncio.wait(self._sends)
        finally:
            self._closing = True
            self._observed.set()
            await settling
        return self.sent

    async def _send_all(self, lines: ProviderClients) -> None:
        want = 1
        while not (self._stopping() or self._paused):
            free = self._in_flight - len(self._sends)
            if free > 0:
                ready = await lines.take(min(want, free))
                claims, claimed_at = await self._claim(len(ready))
                for line, claim in zip(ready, claims, strict=False):
                    self._start(lines, line, claim, claimed_at)
                lines.give(*ready[len(claims) :])
                want = min(want * 2, CONCURRENCY) if len(claims) == len(ready) else 1
                if len(claims) == len(ready):
                    continue
                if not self._sends:
                    return
            await asyncio.wait(self._sends, timeout=_RETRY_SECONDS, return_when=asyncio.FIRST_COMPLETED)

    async def _claim(self, count: int) -> tuple[list[Claim], "_Moment"]:
        """Claims to send, with the moment before they were made."""
        token = f"{self._worker}/{secrets.token_hex(8)}"
        claimed_at = _Moment(time.monotonic(), self._clock.now())
        try:
            claims = await in_thread(
                self._errand.claim, self._access.provider_id, limit=count, token=token, now=claimed_at.wall
            )
        except Unavailable:
            await self._disown(token)
            return [], claimed_at
        failpoint("claimed")
        return claims, claimed_at

    async def _disown(self, token: str) -> None:
        """The claim's COMMIT got no answer, and nothing of it will be sent: say so as soon as one can.

        The server may still be at that COMMIT when it is asked: it is looked for more than once.
        """
        looks = 0
        while looks < _DISOWNING_LOOKS:
            try:
                if await in_thread(disown_claim, token, now=self._clock.now()):
                    return
                looks += 1
            except Unavailable:
                pass
            await asyncio.sleep(_RETRY_SECONDS)

    def _start(self, lines: ProviderClients, line: ProviderClient, claim: Claim, claimed_at: "_Moment") -> None:
        send = asyncio.create_task(self._send(lines, line, claim, claimed_at))
        self._sends.add(send)
        send.add_done_callback(self._sends.discard)

    async def _send(self, lines: ProviderClients, line: ProviderClient, claim: Claim, claimed_at: "_Moment") -> None:
        outcome = await self._observe(line, claim, claimed_at)
        count(("attempts", self._access.name, _OUTCOMES[type(outcome.verdict)]))
        match outcome.verdict:
            case Accepted() | Rejected():
                self._in_flight = min(self._in_flight + 1, CONCURRENCY)
            case Unknown():
                self._in_flight = max(self._in_flight // 2, 1)
        failpoint("answered")
        lines.give(line)
        self._outcomes.append(outcome)
        self._observed.set()

    async def _observe(self, line: ProviderClient, claim: Claim, claimed_at: "_Moment") -> Outcome:
        """Write the request once and say what was observed of it."""
        if not line.is_fresh():
            return Outcome(claim.attempt_id, NotSent("the connection was closed before anything was written"))
        failpoint("send-before-write")
        # The last thing before the write: whatever held this process up until here is counted.
        if self._is_late(claimed_at):
            return Outcome(claim.attempt_id, NotSent(f"claimed more than {CLAIM_SECONDS:g} s before it could be sent"))
        self.sent += 1
        try:
            answer = await line.call({"key": self._access.key, **claim.fields})
        except CallFailed as failure:
            return Outcome(claim.attempt_id, Unknown(str(failure)))
        except Exception as error:
            log.exception("a call failed in a way that no rule knows", provider=self._access.name)
            await line.close()
            return Outcome(claim.attempt_id, Unknown(f"{type(error).__name__} during the call"))
        head = answer.body[:_BODY_HEAD].decode("utf-8", "replace").replace("\0", "�")
        verdict: Verdict | NotSent = self._errand.read(answer.http_status, answer.body)
        if self._access.gate_not_sent and isinstance(verdict, Unknown) and verdict.pause:
            verdict = NotSent(verdict.why, pause=True)
        return Outcome(claim.attempt_id, verdict, answer.http_status, head)

    def _is_late(self, claimed_at: "_Moment") -> bool:
        """By either clock: the monotonic one stands still while a machine sleeps, the wall may be set back."""
        waited = time.monotonic() - claimed_at.monotonic
        return max(waited, (self._clock.now() - claimed_at.wall).total_seconds()) > CLAIM_SECONDS

    async def _settle_all(self) -> None:
        """Settle outcomes as they come in, all that came during the last settling at once."""
        while not (self._closing and not self._outcomes):
            await self._observed.wait()
            self._observed.clear()
            batch, self._outcomes = self._outcomes, []
            if batch:
                await self._settle(batch)

    async def _settle(self, batch: list[Outcome]) -> None:
        while True:
            try:
                settled = await in_thread(settle_attempts, batch, now=self._clock.now())
                break
            except Unavailable as error:
                # The answers are kept: settling is idempotent and they are the only evidence there is.
                outage.note(error)
                await asyncio.sleep(_RETRY_SECONDS)
            except Exception:
                # A bug, or a row that is not as it should be. It must not cost the other orders their answers.
                log.exception("settling failed", provider=self._access.name, outcomes=repr(batch)[:_LOGGED])
                if len(batch) == 1:
                    self._paused = True
                    await self._give_up_on(batch[0])
                    return
                middle = len(batch) // 2
                await self._settle(batch[:middle])
                await self._settle(batch[middle:])
                return
        failpoint("settled")
        if any(item.paused for item in settled):
            self._paused = True

    async def _give_up_on(self, outcome: Outcome) -> None:
        """Tell a person. The attempt becomes unknown when its lease ends, and is never sent again."""
        text = f"the response could not be stored: {type(outcome.verdict).__name__}, {outcome.body_head[:_LOGGED]}"
        with contextlib.suppress(Unavailable):
            alert = Raised(AlertKind.UNSETTLED, about_attempt(outcome.attempt_id), text)
            await in_thread(raise_alerts, [alert], now=self._clock.now())
