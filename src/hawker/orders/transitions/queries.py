"""Moving orders between states: the only statements that write `orders` after placing."""

CHANGE_ORDERS = """
    UPDATE orders o
       SET state = f.state,
           refunded_micros = o.refunded_micros + f.refund_micros,
           earned_micros = o.earned_micros + f.earned_micros,
           settlements = o.settlements + (f.refund_micros + f.earned_micros > 0)::int,
           start_count = COALESCE(f.start_count, o.start_count),
           remains = COALESCE(f.remains, o.remains),
           provider_id = COALESCE(f.provider_id, o.provider_id),
           upstream_id = COALESCE(f.upstream_id, o.upstream_id),
           upstream_charge_micros = COALESCE(f.upstream_charge_micros, o.upstream_charge_micros),
           updated_at = %s,
           ended_at = CASE WHEN f.ends THEN %s ELSE o.ended_at END
      FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],
                  %s::bigint[], %s::bigint[], %s::bigint[], %s::boolean[])
        AS f(id, state_before, state, refund_micros, earned_micros, start_count, remains, provider_id, upstream_id,
             upstream_charge_micros, ends)
     WHERE o.id = f.id AND o.state = f.state_before
    RETURNING CASE WHEN o.from_parent AND o.state IN ('completed', 'partial', 'canceled') THEN o.parent_id END
"""
"""Answers a row for each order changed: the drip-feed of which a run has ended by it, or nothing."""

INSERT_EVENTS = """
    INSERT INTO order_event (order_id, at, from_state, to_state, reason, actor_kind, actor_id, actor_name, address)
    SELECT f.order_id, %s, f.from_state, f.to_state, f.reason, %s, %s::bigint, %s, %s::text
      FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[]) AS f(order_id, from_state, to_state, reason)
"""

DELETE_WORK = """
    DELETE FROM work w USING unnest(%s::bigint[], %s::text[]) AS f(order_id, kind)
     WHERE w.order_id = f.order_id AND w.kind = f.kind
"""

END_WORK = """
    WITH freed AS (DELETE FROM active_link WHERE order_id = ANY(%s::bigint[]))
    DELETE FROM work WHERE order_id = ANY(%s::bigint[])
"""
"""Whatever was still due for orders that have ended. Their links are free for others."""

PUT_WORK = """
    INSERT INTO work (order_id, kind, provider_id, due_at, tries, hold, hold_kind)
    SELECT f.order_id, f.kind, f.provider_id, f.due_at, f.tries, f.hold, f.hold_kind
      FROM unnest(%s::bigint[], %s::text[], %s::bigint[], %s::timestamptz[], %s::int[], %s::text[], %s::text[])
        AS f(order_id, kind, provider_id, due_at, tries, hold, hold_kind)
    ON CONFLICT (order_id, kind) DO UPDATE
       SET provider_id = EXCLUDED.provider_id, due_at = EXCLUDED.due_at, tries = EXCLUDED.tries, hold = EXCLUDED.hold,
           hold_kind = EXCLUDED.hold_kind
"""
"""The next thing to do for each order, replacing what was due before."""
