"""What must always hold of orders, attempts and work, and the one function that checks everything."""

from collections.abc import Callable
from functools import partial

from hawker.core.invariants import MAX_BREACHES, Breach, Invariant, Report
from hawker.core.sql import Cursor, ask, in_snapshot
from hawker.ledger.invariants import INVARIANTS as LEDGER_INVARIANTS
from hawker.orders.refills.invariants import REFILL_INVARIANTS
from hawker.orders.subscriptions.invariants import SUBSCRIPTION_INVARIANTS
from hawker.protocol.service_types import TYPES, QuantityRule

_ORDERS = "SELECT count(*) FROM orders"
_PACKAGES = ", ".join(f"'{each.name}'" for each in TYPES if each.quantity is QuantityRule.FIXED)

INVARIANTS = (
    Invariant(
        "I6",
        "one charge per order, by its amount, in the order's own transaction",
        _ORDERS,
        """SELECT format('order %s: charge %s, %s charge transfers of %s', o.id, o.charge_micros, count(t.id),
                         COALESCE(sum(t.amount_micros), 0))
             FROM orders o
             LEFT JOIN transfer t ON t.kind = 'charge' AND t.reference = o.id AND t.account_id = o.account_id
                                 AND t.created_at = o.created_at
            GROUP BY o.id
           HAVING count(t.id) <> (o.charge_micros > 0 AND NOT o.from_parent)::int
               OR COALESCE(sum(t.amount_micros), 0) <> CASE WHEN o.from_parent THEN 0 ELSE o.charge_micros END
            UNION ALL
           SELECT format('order %s: handed %s to its runs, they hold %s', p.id, p.handed_micros, COALESCE(c.charged, 0))
             FROM orders p
             LEFT JOIN (SELECT parent_id, sum(charge_micros) AS charged FROM orders
                         WHERE from_parent GROUP BY parent_id) c ON c.parent_id = p.id
            WHERE p.handed_micros <> COALESCE(c.charged, 0)
            UNION ALL
           SELECT format('order %s: its parent %s is not there, or another account''s', c.id, c.parent_id)
             FROM orders c LEFT JOIN orders p ON p.id = c.parent_id
            WHERE c.parent_id IS NOT NULL AND p.account_id IS DISTINCT FROM c.account_id
            UNION ALL
           SELECT format('transfer %s: the charge of an order that is not there', t.id) FROM transfer t
            WHERE t.kind = 'charge' AND NOT EXISTS (SELECT FROM orders o WHERE o.id = t.reference)""",
    ),
    Invariant(
        "I7",
        "what an order earned and refunded is in its transfers, and within its charge",
        _ORDERS,
        """SELECT format('order %s: charge %s, refunded %s (transfers %s), earned %s (transfers %s)', o.id,
                         o.charge_micros, o.refunded_micros, COALESCE(t.refunded, 0), o.earned_micros,
                         COALESCE(t.earned, 0))
             FROM orders o
             LEFT JOIN (SELECT reference,
                               sum(amount_micros) FILTER (WHERE kind = 'refund') AS refunded,
                               sum(amount_micros) FILTER (WHERE kind = 'delivery') AS earned
                          FROM transfer WHERE kind IN ('refund', 'delivery') GROUP BY reference) t ON t.reference = o.id
            WHERE o.refunded_micros <> COALESCE(t.refunded, 0) OR o.earned_micros <> COALESCE(t.earned, 0)
               OR o.refunded_micros < 0 OR o.earned_micros < 0
               OR o.refunded_micros + o.earned_micros + o.handed_micros > o.charge_micros
            UNION ALL
           SELECT format('transfer %s: a refund to another account than the order''s', t.id)
             FROM transfer t JOIN orders o ON o.id = t.reference
            WHERE t.kind = 'refund' AND t.account_id IS DISTINCT FROM o.account_id
            UNION ALL
           SELECT format('transfer %s: a settlement of an order that is not there', t.id) FROM transfer t
            WHERE t.kind IN ('refund', 'delivery') AND NOT EXISTS (SELECT FROM orders o WHERE o.id = t.reference)""",
    ),
    Invariant(
        "I8",
        "a finished order holds no escrow, an open one does",
        _ORDERS,
        """SELECT format('order %s: %s, escrow %s', id, state, escrow)
             FROM (SELECT *, charge_micros - refunded_micros - earned_micros - handed_micros AS escrow FROM orders) o
            WHERE charge_micros > 0
              AND CASE WHEN state IN ('completed', 'partial', 'canceled', 'expired') THEN escrow <> 0
                       -- A drip-feed that has handed all to its runs waits for them with nothing of its own.
                       ELSE escrow = 0 AND handed_micros = 0 END""",
    ),
    Invariant(
        "I12",
        "an order has at most one live attempt, and its state agrees with it",
        "SELECT count(*) FROM attempt",
        """SELECT format('order %s: %s live attempts', order_id, count(*)) FROM attempt
            WHERE kind = 'add' AND state IN ('sending', 'unknown', 'accepted')
            GROUP BY order_id HAVING count(*) > 1
            UNION ALL
           SELECT format('order %s: %s, but its live attempt is %s', o.id, o.state, COALESCE(a.state, 'none'))
             FROM orders o
             LEFT JOIN attempt a ON a.order_id = o.id AND a.kind = 'add'
                                AND a.state IN ('sending', 'unknown', 'accepted')
            WHERE (o.state = 'sending' AND a.state IS DISTINCT FROM 'sending')
               OR (o.state = 'unknown' AND a.state IS DISTINCT FROM 'unknown')
               OR (o.state IN ('submitted', 'in_progress', 'processing') AND a.state IS DISTINCT FROM 'accepted'
                   -- What staff have begun to deliver has never been sent anywhere.
                   AND NOT (o.state = 'in_progress' AND o.provider_id IS NULL AND a.state IS NULL))
               OR (o.state IN ('queued', 'rejected') AND a.state IS NOT NULL)""",
    ),
    Invariant(
        "I13",
        "an upstream id belongs to one order, the same in attempt and order",
        "SELECT count(*) FROM orders WHERE upstream_id IS NOT NULL",
        """SELECT format('provider %s, upstream order %s: bound to %s orders', provider_id, upstream_id, count(*))
             FROM orders WHERE upstream_id IS NOT NULL GROUP BY provider_id, upstream_id HAVING count(*) > 1
            UNION ALL
           SELECT format('order %s: bound to %s/%s, its attempt to %s/%s', o.id, o.provider_id, o.upstream_id,
                         a.provider_id, a.upstream_id)
             FROM orders o
             LEFT JOIN attempt a ON a.order_id = o.id AND a.kind = 'add' AND a.state = 'accepted'
            WHERE o.upstream_id IS NOT NULL
              AND (a.upstream_id IS DISTINCT FROM o.upstream_id OR a.provider_id IS DISTINCT FROM o.provider_id)""",
    ),
    Invariant(
        "work",
        "an open order that a provider delivers has its next work, a finished one has none",
        _ORDERS,
        """SELECT format('order %s: %s, without %s work', o.id, o.state, f.kind)
             FROM orders o
             JOIN (VALUES ('queued', 'dispatch'), ('sending', 'dispatch'), ('unknown', 'reconcile'),
                          ('submitted', 'poll'), ('in_progress', 'poll'), ('processing', 'poll')) AS f(state, kind)
               ON f.state = o.state
            WHERE NOT EXISTS (SELECT FROM work w WHERE w.order_id = o.id AND w.kind = f.kind)
              AND EXISTS (SELECT FROM route r WHERE r.service_id = o.service_id)
              AND NOT (o.state = 'in_progress' AND o.provider_id IS NULL)
            UNION ALL
           SELECT format('order %s: %s, but %s is still due', o.id, o.state, w.kind)
             FROM work w JOIN orders o ON o.id = w.order_id
            WHERE o.state IN ('completed', 'partial', 'canceled', 'expired') AND w.kind NOT IN ('refill', 'follow')
            UNION ALL
           SELECT format('work %s of order %s, which is not there', w.kind, w.order_id)
             FROM work w WHERE NOT EXISTS (SELECT FROM orders o WHERE o.id = w.order_id)""",
    ),
    Invariant(
        "drip",
        "the runs of a drip-feed are numbered without gaps, counted, alike, and followed by the next until the last",
        "SELECT count(*) FROM drip",
        """WITH family AS (
               SELECT p.id, p.state, p.runs, p.charge_micros - p.refunded_micros - p.handed_micros AS escrow,
                      p.refunded_micros, d.order_id, d.started, d.ended, d.stops_after, w.due_at, w.hold_kind,
                      w.order_id IS NOT NULL AS has_work,
                      count(c.id) AS children, COALESCE(max(c.part), 0) AS last_part,
                      count(c.id) FILTER (WHERE c.state IN ('completed', 'partial', 'canceled')) AS finished,
                      count(c.id) FILTER (WHERE c.quantity * p.runs <> p.quantity OR c.service_id <> p.service_id
                                             OR c.link <> p.link OR NOT c.from_parent) AS unlike
                 FROM orders p
                 FULL JOIN drip d ON d.order_id = p.id
                 LEFT JOIN orders c ON c.parent_id = p.id
                 LEFT JOIN work w ON w.order_id = p.id AND w.kind = 'drip'
                WHERE p.runs IS NOT NULL OR d.order_id IS NOT NULL
                GROUP BY p.id, d.order_id, w.order_id, w.kind)
           SELECT format('drip-feed %s: the order or its plan is missing', COALESCE(id, order_id))
             FROM family WHERE id IS NULL OR order_id IS NULL OR runs IS NULL
            UNION ALL
           SELECT format('drip-feed %s: %s runs started, %s ended; there are %s, numbered to %s, %s of them finished',
                         id, started, ended, children, last_part, finished)
             FROM family WHERE started <> children OR started <> last_part OR ended <> finished
            UNION ALL
           SELECT format('drip-feed %s: %s runs of another quantity, service or link, or paid apart', id, unlike)
             FROM family WHERE unlike > 0
            UNION ALL
           SELECT format('drip-feed %s: %s of %s runs started, but the next is not due', id, started, stops_after)
             FROM family WHERE state = 'active' AND (NOT has_work
                OR (started < stops_after OR ended = stops_after) AND due_at IS NULL AND hold_kind IS NULL)
            UNION ALL
           SELECT format('drip-feed %s: %s with %s of %s runs started and %s ended', id, state, started, stops_after,
                         ended)
             FROM family WHERE state <> 'active' AND (started < stops_after OR ended < started)
            UNION ALL
           SELECT format('drip-feed %s: stopped after run %s of %s, but %s of its charge is neither refunded nor '
                         'handed down', id, stops_after, runs, escrow)
             FROM family WHERE (stops_after < runs OR started = runs) AND escrow <> 0""",
    ),
    Invariant(
        "requests",
        "a request id stands for an order of its own account, placed with it",
        "SELECT count(*) FROM order_request",
        """SELECT format('request %s of account %s: order %s is missing, another''s, or of another time', r.request_id,
                         r.account_id, r.order_id)
             FROM order_request r LEFT JOIN orders o ON o.id = r.order_id
            WHERE (o.account_id, o.created_at) IS DISTINCT FROM (r.account_id, r.created_at)
               OR o.parent_id IS NOT NULL""",
    ),
    Invariant(
        "price",
        "what was charged is the order's rate times its quantity, rounded up; or nothing, where it was free",
        _ORDERS,
        # The runs of a drip-feed share what it was charged; of 1,000 for all but packages, and in steps of 10 micros.
        f"""SELECT format('order %s: %s of %L at the rate %s, charged %s', id, quantity, type, rate, charge_micros)
             FROM (SELECT *, CASE WHEN rate ~ '^[0-9]{{1,9}}(\\.[0-9]{{1,8}})?$' THEN rate::numeric END AS price
                     FROM orders WHERE charge_micros > 0 AND NOT from_parent) o
            WHERE charge_micros IS DISTINCT FROM
                  10 * greatest(1, ceil(price * quantity *
                                        CASE WHEN type IN ({_PACKAGES}) THEN 100000 ELSE 100 END))""",
    ),
    Invariant(
        "links",
        "a link that is taken has an unfinished order of its service",
        "SELECT count(*) FROM active_link",
        """SELECT format('link %s of service %s: order %s is missing, finished, a child, or another service''s',
                         a.link_digest, a.service_id, a.order_id)
             FROM active_link a LEFT JOIN orders o ON o.id = a.order_id
            WHERE o.service_id IS DISTINCT FROM a.service_id OR o.parent_id IS NOT NULL
               OR o.state IN ('completed', 'partial', 'canceled', 'expired')""",
    ),
    Invariant(
        "references",
        "every order's account and service exist",
        _ORDERS,
        """SELECT format('order %s: account %s or service %s is missing', o.id, o.account_id, o.service_id)
             FROM orders o
             LEFT JOIN account a ON a.id = o.account_id LEFT JOIN service s ON s.id = o.service_id
            WHERE a.id IS NULL OR s.id IS NULL""",
    ),
)


def _in_order(invariant: Invariant) -> tuple[int, str]:
    number = invariant.name.removeprefix("I")
    return (int(number) if number.isdigit() else 1000, invariant.name)


EVERY_INVARIANT = sorted(LEDGER_INVARIANTS + INVARIANTS + REFILL_INVARIANTS + SUBSCRIPTION_INVARIANTS, key=_in_order)
"""All that must hold, in the order of their numbers."""


def check_invariants(*, progress: Callable[[Invariant], None] = lambda _: None) -> Report:
    """Check every invariant, each over a snapshot of its own, also while the panel is under load.

    `progress` is called before each. Reads whole tables: minutes on millions of orders. No snapshot is held for longer
    than one invariant takes: while one is held, old versions of hot rows cannot be cleaned up. Raises Unavailable.
    """
    checked: dict[str, int] = {}
    breaches: list[Breach] = []
    for invariant in EVERY_INVARIANT:
        progress(invariant)
        checked[invariant.name], found = in_snapshot(partial(_check, invariant))
        breaches += found
    return Report(checked, breaches)


def _check(invariant: Invariant, cursor: Cursor) -> tuple[int, list[Breach]]:
    counted = ask(cursor, invariant.count).fetchone()
    found = ask(cursor, f"SELECT * FROM ({invariant.breaches}) AS found LIMIT {MAX_BREACHES}")
    return int(counted[0]) if counted else 0, [Breach(invariant.name, row[0]) for row in found]
