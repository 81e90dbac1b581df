"""Orders: placed, sent once, followed, settled. The verbs take lists and answer item by item.

The verbs and the values that they take and return are exported here; import them from `hawker.orders`. A feature is
one folder, with its actions, queries and rules side by side. Modules are loaded when a name of theirs is first used:
Django imports this package before its models may be imported.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hawker.orders.cancels.actions import CancelAnswers as CancelAnswers
    from hawker.orders.cancels.actions import CancelAsk as CancelAsk
    from hawker.orders.cancels.actions import Canceling as Canceling
    from hawker.orders.cancels.actions import request_cancels as request_cancels
    from hawker.orders.cancels.at_provider import apply_cancels as apply_cancels
    from hawker.orders.cancels.at_provider import claim_cancels as claim_cancels
    from hawker.orders.deciding.deliveries import StaffDelivery as StaffDelivery
    from hawker.orders.deciding.deliveries import record_deliveries as record_deliveries
    from hawker.orders.deciding.holds import release_orders as release_orders
    from hawker.orders.deciding.holds import wake_held as wake_held
    from hawker.orders.deciding.refill_decisions import RefillDecision as RefillDecision
    from hawker.orders.deciding.refill_decisions import resolve_refills as resolve_refills
    from hawker.orders.deciding.unknowns import bind_order as bind_order
    from hawker.orders.deciding.unknowns import find_unknown as find_unknown
    from hawker.orders.deciding.unknowns import refund_order as refund_order
    from hawker.orders.deciding.unknowns import resend_order as resend_order
    from hawker.orders.drip_feeds.actions import start_due_runs as start_due_runs
    from hawker.orders.following.actions import apply_readings as apply_readings
    from hawker.orders.following.actions import claim_polls as claim_polls
    from hawker.orders.following.polling import Polled as Polled
    from hawker.orders.following.polling import Reading as Reading
    from hawker.orders.placing.actions import Draft as Draft
    from hawker.orders.placing.actions import place_orders as place_orders
    from hawker.orders.placing.idempotency import forget_requests as forget_requests
    from hawker.orders.placing.same_link import change_guarded_services as change_guarded_services
    from hawker.orders.reconciling.actions import Answers as Answers
    from hawker.orders.reconciling.actions import ReconcilePlan as ReconcilePlan
    from hawker.orders.reconciling.actions import StatusCall as StatusCall
    from hawker.orders.reconciling.actions import conclude_looks as conclude_looks
    from hawker.orders.reconciling.actions import look_again_at_unknowns as look_again_at_unknowns
    from hawker.orders.reconciling.actions import plan_looks as plan_looks
    from hawker.orders.reconciling.after_restore import Restored as Restored
    from hawker.orders.reconciling.after_restore import hold_restored as hold_restored
    from hawker.orders.reconciling.after_restore import skip_numbers as skip_numbers
    from hawker.orders.reconciling.provider_balance import record_balance as record_balance
    from hawker.orders.reconciling.unknown_alerts import watch_unknowns as watch_unknowns
    from hawker.orders.refills.actions import RefillAnswers as RefillAnswers
    from hawker.orders.refills.actions import RefillAsk as RefillAsk
    from hawker.orders.refills.actions import RefillStatusAsk as RefillStatusAsk
    from hawker.orders.refills.actions import read_refills as read_refills
    from hawker.orders.refills.actions import request_refills as request_refills
    from hawker.orders.refills.claims import claim_refills as claim_refills
    from hawker.orders.refills.progress import apply_refill_readings as apply_refill_readings
    from hawker.orders.refills.progress import claim_follows as claim_follows
    from hawker.orders.refills.refill_details import UNKNOWN as UNKNOWN
    from hawker.orders.refills.refill_details import describe_refill_state as describe_refill_state
    from hawker.orders.refills.refill_details import describe_refills as describe_refills
    from hawker.orders.refills.refill_details import list_refill_ids as list_refill_ids
    from hawker.orders.sending.actions import claim_dispatches as claim_dispatches
    from hawker.orders.sending.attempts import Claim as Claim
    from hawker.orders.sending.failover import look_again as look_again
    from hawker.orders.sending.failover import move_stranded as move_stranded
    from hawker.orders.sending.rules import NotSent as NotSent
    from hawker.orders.sending.settling import Outcome as Outcome
    from hawker.orders.sending.settling import disown_claim as disown_claim
    from hawker.orders.sending.settling import expire_leases as expire_leases
    from hawker.orders.sending.settling import settle_attempts as settle_attempts
    from hawker.orders.status.actions import StatusAsk as StatusAsk
    from hawker.orders.status.actions import read_statuses as read_statuses
    from hawker.orders.status.order_details import describe_orders as describe_orders
    from hawker.orders.status.order_details import describe_standing as describe_standing
    from hawker.orders.status.order_list import NEWEST as NEWEST
    from hawker.orders.status.order_list import ListAsk as ListAsk
    from hawker.orders.status.order_list import list_orders as list_orders
    from hawker.orders.subscriptions.actions import is_due as is_due
    from hawker.orders.subscriptions.actions import order_for_posts as order_for_posts
    from hawker.orders.subscriptions.feeds import ClaimedFeed as ClaimedFeed
    from hawker.orders.subscriptions.feeds import apply_looks as apply_looks
    from hawker.orders.subscriptions.feeds import claim_feeds as claim_feeds
    from hawker.orders.subscriptions.feeds import wake_feeds as wake_feeds
    from hawker.orders.subscriptions.offering import check_subscription_changes as check_subscription_changes
    from hawker.orders.subscriptions.offering import offer_subscription as offer_subscription
    from hawker.orders.subscriptions.run_by_provider import apply_unread as apply_unread
    from hawker.orders.subscriptions.run_by_provider import claim_unread as claim_unread

_EXPORTS = {
    "cancels.actions": ("CancelAnswers", "CancelAsk", "Canceling", "request_cancels"),
    "cancels.at_provider": ("apply_cancels", "claim_cancels"),
    "deciding.deliveries": ("StaffDelivery", "record_deliveries"),
    "deciding.holds": ("release_orders", "wake_held"),
    "deciding.refill_decisions": ("RefillDecision", "resolve_refills"),
    "deciding.unknowns": ("bind_order", "find_unknown", "refund_order", "resend_order"),
    "drip_feeds.actions": ("start_due_runs",),
    "following.actions": ("apply_readings", "claim_polls"),
    "following.polling": ("Polled", "Reading"),
    "placing.actions": ("Draft", "place_orders"),
    "placing.idempotency": ("forget_requests",),
    "placing.same_link": ("change_guarded_services",),
    "reconciling.actions": (
        "Answers",
        "ReconcilePlan",
        "StatusCall",
        "conclude_looks",
        "look_again_at_unknowns",
        "plan_looks",
    ),
    "reconciling.after_restore": ("Restored", "hold_restored", "skip_numbers"),
    "reconciling.provider_balance": ("record_balance",),
    "reconciling.unknown_alerts": ("watch_unknowns",),
    "refills.actions": ("RefillAnswers", "RefillAsk", "RefillStatusAsk", "read_refills", "request_refills"),
    "refills.claims": ("claim_refills",),
    "refills.progress": ("apply_refill_readings", "claim_follows"),
    "refills.refill_details": ("UNKNOWN", "describe_refill_state", "describe_refills", "list_refill_ids"),
    "sending.actions": ("claim_dispatches",),
    "sending.attempts": ("Claim",),
    "sending.failover": ("look_again", "move_stranded"),
    "sending.rules": ("NotSent",),
    "sending.settling": ("Outcome", "disown_claim", "expire_leases", "settle_attempts"),
    "status.actions": ("StatusAsk", "read_statuses"),
    "status.order_details": ("describe_orders", "describe_standing"),
    "status.order_list": ("ListAsk", "NEWEST", "list_orders"),
    "subscriptions.actions": ("is_due", "order_for_posts"),
    "subscriptions.feeds": ("ClaimedFeed", "apply_looks", "claim_feeds", "wake_feeds"),
    "subscriptions.offering": ("check_subscription_changes", "offer_subscription"),
    "subscriptions.run_by_provider": ("apply_unread", "claim_unread"),
}
_MODULE_OF = {name: module for module, names in _EXPORTS.items() for name in names}


def __getattr__(name: str) -> Any:
    try:
        module = _MODULE_OF[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    value = getattr(import_module(f"{__name__}.{module}"), name)
    globals()[name] = value
    return value
