"""Looking for unknown orders among a provider's numbers. It asks only: nothing here makes anything upstream."""

import structlog

from hawker.core.clock import Clock
from hawker.orders import Answers, ReconcilePlan, StatusCall, conclude_looks, plan_looks
from hawker.protocol.presence import Presence, read_presence
from hawker.protocol.upstream import Unreadable
from hawker.providers.actions import Opener, ProviderAccess
from hawker.providers.balances import may_ask_balance
from hawker.providers.errors import CallFailed, CannotConnect
from hawker.worker.following import ASK_SECONDS
from hawker.worker.provider_clients import ProviderClients
from hawker.worker.threads import in_thread
from hawker.worker.upkeep import ask_and_record

log = structlog.get_logger(__name__)


class ReconcileSweep:
    """Looks at the windows of one provider's due unknowns, and has judged what was seen."""

    def __init__(self, access: ProviderAccess, *, opener: Opener, clock: Clock) -> None:
        self._access = access
        self._opener = opener
        self._clock = clock

    async def run(self) -> int:
        """Answers how many unknowns were settled. Raises Unavailable: they are then due again when their lease ends."""
        plan = await in_thread(plan_looks, self._access.provider_id, now=self._clock.now())
        if not plan.cases:
            return 0
        if plan.needs_balance:
            await self._ask_balance()
        answers = await self._ask_all(plan)
        settled: int = await in_thread(conclude_looks, plan, answers, now=self._clock.now())
        log.info("unknowns looked at", provider=self._access.name, looked_at=len(plan.cases), settled=settled)
        return settled

    async def _ask_balance(self) -> None:
        """Evidence beside the numbers: what is not to be had is done without."""
        if not await in_thread(may_ask_balance, self._access.provider_id, now=self._clock.now()):
            return
        try:
            await ask_and_record(self._access, self._clock, self._opener)
        except (CallFailed, CannotConnect) as error:
            log.warning("balance not known", provider=self._access.name, why=str(error))

    async def _ask_all(self, plan: ReconcilePlan) -> Answers:
        told: dict[tuple[int, int], Presence | str] = {}
        async with ProviderClients(self._access, self._opener) as lines:
            for known, calls in plan.calls.items():
                told[known] = await self._ask_window(lines, calls)
        return Answers(told)

    async def _ask_window(self, lines: ProviderClients, calls: list[StatusCall]) -> Presence | str:
        whole = Presence()
        for call in calls:
            answer = await self._ask(lines, call)
            if isinstance(answer, str):
                return answer
            whole.found |= answer.found
            whole.absent |= answer.absent
            whole.unclear |= answer.unclear
        return whole

    async def _ask(self, lines: ProviderClients, call: StatusCall) -> Presence | str:
        first, last = call.known
        orders = ",".join(map(str, (first, *call.asked, last)))
        try:
            (line,) = await lines.take(1)
        except CannotConnect as error:
            return str(error)
        try:
            fields = {"key": self._access.key, "action": "status", "orders": orders}
            answer = await line.call(fields, deadline_seconds=ASK_SECONDS)
        except CallFailed as failure:
            return str(failure)
        finally:
            lines.give(line)
        read = read_presence(answer.body, call.asked, call.known)
        return read.why if isinstance(read, Unreadable) else read
