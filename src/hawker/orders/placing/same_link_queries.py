"""One unfinished order for a link, on the services that are sold so."""

LINK_LOCKS = 1282305643
"""The class of advisory locks under which batches look at links, one after the other for each."""

LOCK_LINKS = "SELECT pg_advisory_xact_lock(1282305643, k) FROM unnest(%s::int[]) AS k"
"""In the order given, which must be ascending: two batches then cannot wait for each other."""

FIND_ACTIVE = """
    SELECT a.service_id, a.link_digest
      FROM unnest(%s::bigint[], %s::text[]) AS f(service_id, link_digest)
      JOIN active_link a ON a.service_id = f.service_id AND a.link_digest = f.link_digest
"""

INSERT_ACTIVE = """
    INSERT INTO active_link (service_id, link_digest, order_id)
    SELECT * FROM unnest(%s::bigint[], %s::text[], %s::bigint[])
"""
"""No ON CONFLICT: whoever placed without looking is refused by the primary key, with all that he wrote."""

LOCK_OPEN = """
    SELECT id, service_id, link, extra FROM orders
     WHERE id IN (SELECT id FROM orders
                   WHERE service_id = ANY(%s::bigint[]) AND id < %s AND parent_id IS NULL
                     AND state NOT IN ('completed', 'partial', 'canceled', 'expired')
                   ORDER BY id DESC LIMIT %s)
       AND state NOT IN ('completed', 'partial', 'canceled', 'expired')
     ORDER BY id FOR UPDATE
"""
"""The newest unfinished orders of these services below a number, locked so that none ends before it is taken in.
Looked at once more under the lock: one that ended meanwhile is not among them."""

TAKE_IN = """
    INSERT INTO active_link (service_id, link_digest, order_id)
    SELECT * FROM unnest(%s::bigint[], %s::text[], %s::bigint[])
    ON CONFLICT DO NOTHING
"""
