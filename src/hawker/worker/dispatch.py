"""Sending what is due to one provider: connect, claim, send once, settle. At most once, whatever happens."""

import asyncio
import secrets
import time
from collections.abc import Callable
from datetime import timedelta

import structlog

from hawker.core.clock import Clock
from hawker.core.errors import Unavailable
from hawker.core.failpoints import failpoint
from hawker.orders.actions.dispatch import Claim, claim_dispatches
from hawker.orders.actions.settle import NotSent, Outcome, Settled, disown_claim, settle_attempts
from hawker.protocol.upstream import Reason, Rejected, Unknown, read_add
from hawker.providers.actions import Access, Opener, pause_provider
from hawker.providers.errors import CallFailed
from hawker.providers.line import Line
from hawker.providers.rules import redacted
from hawker.worker.lines import Lines
from hawker.worker.threads import in_thread

CLAIM_SECONDS = 5.0
"""A claim older than this is not sent any more: its lease must outlive the send by a wide margin."""

CONCURRENCY = 32
PAUSE = timedelta(minutes=2)
_RETRY_SECONDS = 0.5
_BODY_HEAD = 1_000

log = structlog.get_logger(__name__)


class DispatchSweep:
    """Drains the due orders of one provider, many in flight at a time, until none is due.

    Lines are opened before orders are claimed, so a provider that cannot be reached costs no attempt.
    Claims grow from one to CONCURRENCY while there is more to claim than lines.
    """

    def __init__(
        self, access: Access, *, opener: Opener, clock: Clock, worker: str, stopping: Callable[[], bool]
    ) -> None:
        self._access = access
        self._opener = opener
        self._clock = clock
        self._worker = worker
        self._stopping = stopping
        self._sends: set[asyncio.Task[None]] = set()
        self._outcomes: list[Outcome] = []
        self._observed = asyncio.Event()
        self._paused = False
        self._closing = False
        self.sent = 0

    async def run(self) -> int:
        """Sweep until nothing is due or the worker stops; answers how many orders were sent.

        Every order that was claimed is settled before this returns, also when claiming fails:
        answers are kept and their settling is tried again until the database takes it.
        """
        settling = asyncio.create_task(self._settle_all())
        try:
            async with Lines(self._access, self._opener) as lines:
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

    async def _send_all(self, lines: Lines) -> None:
        want = 1
        while not (self._stopping() or self._paused):
            free = CONCURRENCY - len(self._sends)
            if free:
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

    async def _claim(self, count: int) -> tuple[list[Claim], float]:
        """Claims to send, with the moment before they were made, on the monotonic clock."""
        token = f"{self._worker}/{secrets.token_hex(8)}"
        claimed_at = time.monotonic()
        try:
            claims = await in_thread(
                claim_dispatches, self._access.provider_id, limit=count, token=token, now=self._clock.now()
            )
        except Unavailable:
            await self._disown(token)
            return [], claimed_at
        failpoint("claimed")
        return claims, claimed_at

    async def _disown(self, token: str) -> None:
        """The claim's COMMIT got no answer, and nothing of it will be sent: say so as soon as one can."""
        while True:
            try:
                await in_thread(disown_claim, token, now=self._clock.now())
                return
            except Unavailable:
                await asyncio.sleep(_RETRY_SECONDS)

    def _start(self, lines: Lines, line: Line, claim: Claim, claimed_at: float) -> None:
        send = asyncio.create_task(self._send(lines, line, claim, claimed_at))
        self._sends.add(send)
        send.add_done_callback(self._sends.discard)

    async def _send(self, lines: Lines, line: Line, claim: Claim, claimed_at: float) -> None:
        outcome = await self._observe(line, claim, claimed_at)
        failpoint("answered")
        lines.give(line)
        self._outcomes.append(outcome)
        self._observed.set()

    async def _observe(self, line: Line, claim: Claim, claimed_at: float) -> Outcome:
        """Write the request once and say what was observed of it."""
        if time.monotonic() - claimed_at > CLAIM_SECONDS:
            return Outcome(claim.attempt_id, NotSent(f"claimed over {CLAIM_SECONDS:g} s before it could be sent"))
        if not line.is_fresh():
            return Outcome(claim.attempt_id, NotSent("the connection was closed before anything was written"))
        failpoint("send-before-write")
        self.sent += 1
        try:
            answer = await line.call({"key": self._access.key, **claim.fields})
        except CallFailed as failure:
            return Outcome(claim.attempt_id, Unknown(str(failure)))
        head = answer.body[:_BODY_HEAD].decode("utf-8", "replace").replace("\0", "�")
        return Outcome(
            claim.attempt_id,
            read_add(answer.http_status, answer.body),
            answer.http_status,
            redacted(head, self._access.key),
        )

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
                log.warning("settling waits for the database", provider=self._access.name, error=str(error))
                await asyncio.sleep(_RETRY_SECONDS)
        failpoint("settled")
        self._report(settled)
        await self._pause_if_asked(batch)

    def _report(self, settled: list[Settled]) -> None:
        for item in settled:
            if item.alarm:
                log.error("attempt needs a person", order=item.order_id, provider=self._access.name, why=item.alarm)

    async def _pause_if_asked(self, batch: list[Outcome]) -> None:
        """Stop sending where the provider said that it takes nothing from us now."""
        for outcome in batch:
            match outcome.verdict:
                case Rejected(Reason.FUNDS | Reason.KEY, text):
                    reason = text
                case Unknown(why, pause=True):
                    reason = why
                case _:
                    continue
            self._paused = True
            log.error("provider paused", provider=self._access.name, reason=reason)
            await in_thread(pause_provider, self._access.provider_id, until=self._clock.now() + PAUSE, reason=reason)
            return
