"""The set SQL of the catalogue."""

READ_VERSION = "SELECT version FROM catalogue_version WHERE id = 1"

READ_SERVICES = """
    SELECT s.id, s.name, c.name, s.type, s.rate, s.minimum, s.maximum, s.refill, s.cancel, s.dripfeed, s.free,
           s.links, s.one_active_per_link, s.subscription, s.post_source, s.post_url, s.post_private, s.old_posts,
           r.provider_id, r.upstream_service, r.cost_rate
      FROM service s
      JOIN category c ON c.id = s.category_id
      LEFT JOIN LATERAL (SELECT provider_id, upstream_service, cost_rate FROM route
                          WHERE service_id = s.id ORDER BY position, id LIMIT 1) r ON true
     WHERE s.enabled
     ORDER BY c.position, c.name, s.position, s.id
"""
"""What is sold now, in the order it is shown, each with the first of its routes."""

READ_FORBIDDEN_LINKS = "SELECT service_id, pattern FROM forbidden_link ORDER BY id"

READ_PERCENTAGES = """
    SELECT p.account_id, COALESCE(p.percent_hundredths, g.percent_hundredths)
      FROM customer_price p LEFT JOIN price_group g ON g.id = p.group_id
     WHERE COALESCE(p.percent_hundredths, g.percent_hundredths) <> 0
"""
"""The percentage of each account that has one: its own, else its group's."""

READ_RATES = "SELECT account_id, service_id, rate FROM customer_rate ORDER BY account_id, service_id"
"""The rates agreed with single customers, those of an account together."""

READ_CATALOGUE = (READ_SERVICES, READ_FORBIDDEN_LINKS, READ_PERCENTAGES, READ_RATES)
"""All that a process holds in memory of what is sold, and to whom for how much."""

PUT_RATES = """
    INSERT INTO customer_rate (account_id, service_id, rate)
    SELECT f.account_id, f.service_id, f.rate
      FROM unnest(%s::bigint[], %s::bigint[], %s::text[]) AS f(account_id, service_id, rate)
    ON CONFLICT (account_id, service_id) DO UPDATE SET rate = EXCLUDED.rate
"""
"""Rates agreed with customers, each in place of the one that was agreed before."""

DELETE_RATES = """
    DELETE FROM customer_rate r USING unnest(%s::bigint[], %s::bigint[]) AS f(account_id, service_id)
     WHERE r.account_id = f.account_id AND r.service_id = f.service_id
"""
