"""The front door of API v2: reads a call, lets it meet its fault, carries it out, records it, answers."""

from hawker.core.errors import Refusal
from hawker.protocol.request import Request, read_request
from hawker.sandbox.api import ApiOutcome, answer, refused
from hawker.sandbox.entries import CallSeen
from hawker.sandbox.exchange import SandboxExchange
from hawker.sandbox.faults import Hit
from hawker.sandbox.replies import SandboxReply
from hawker.sandbox.sandbox import Sandbox
from hawker.sandbox.spoil import Spoilt, spoil
from hawker.sandbox.timeline import Moment

_NOT_EXECUTED = ApiOutcome(b"")


def answer_call(sandbox: Sandbox, exchange: SandboxExchange) -> SandboxReply:
    """The reply to one call, which is on record before anything is sent, whatever then becomes of the connection."""
    moment = sandbox.catch_up()
    try:
        request = read_request(
            method=exchange.method,
            content_type=exchange.content_type,
            query=exchange.query,
            body=exchange.body,
            authorization=exchange.authorization,
            idempotency=exchange.idempotency,
        )
    except Refusal as refusal:
        outcome = refused(refusal)
        _record(sandbox, exchange, _unread(exchange), moment, outcome, None)
        return SandboxReply(outcome.body)
    number = sandbox.calls_by_action[request.action]
    before = _id_before(sandbox, request)
    hit = sandbox.faults.draw(sandbox.config.seed, request.action, number)
    executes = hit is None or hit.kind.executes
    outcome = answer(sandbox.panel, request, moment) if executes else _NOT_EXECUTED
    _record(sandbox, exchange, request, moment, outcome, hit)
    if hit is None:
        return SandboxReply(outcome.body)
    return spoil(Spoilt(hit, request.action, number, outcome, before))


def _id_before(sandbox: Sandbox, request: Request) -> int | None:
    """The id of this key's last order; where refills are asked for, of its last refill."""
    panel = sandbox.panel
    if request.action != "refill":
        return panel.last_order.get(request.key)
    return next((r.id for r in reversed(panel.refills.values()) if panel.orders[r.order].key == request.key), None)


def _unread(exchange: SandboxExchange) -> Request:
    """What goes on record for a request that could not be read: the head of its raw text."""
    raw = {"query": exchange.query, "body": exchange.body}
    return Request(
        "", "", {name: text[:1000].decode("utf-8", "replace") for name, text in raw.items()}, reads_only=False
    )


def _record(
    sandbox: Sandbox, exchange: SandboxExchange, request: Request, moment: Moment, outcome: ApiOutcome, hit: Hit | None
) -> None:
    call = CallSeen(
        n=sandbox.calls.next_number,
        at=moment.now,
        key=request.key,
        action=request.action,
        method=exchange.method,
        connection=exchange.connection,
        fields=dict(request.fields),
        executed=hit is None or hit.kind.executes,
        order=outcome.order,
        refills=outcome.refills,
        cancels=outcome.cancels,
        error=outcome.error,
        fault=hit.kind.name if hit is not None else None,
    )
    sandbox.record_call(call)
