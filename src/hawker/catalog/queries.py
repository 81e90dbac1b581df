"""The set SQL of the catalogue."""

READ_VERSION = "SELECT version FROM catalogue_version WHERE id = 1"

READ_SERVICES = """
    SELECT s.id, s.name, c.name, s.type, s.rate, s.minimum, s.maximum, s.refill, s.cancel, s.dripfeed, s.free,
           s.links, r.provider_id, r.upstream_service, r.cost_rate
      FROM service s
      JOIN category c ON c.id = s.category_id
      LEFT JOIN LATERAL (SELECT provider_id, upstream_service, cost_rate FROM route
                          WHERE service_id = s.id ORDER BY position, id LIMIT 1) r ON true
     WHERE s.enabled
     ORDER BY c.position, c.name, s.position, s.id
"""
"""What is sold now, in the order it is shown, each with the first of its routes."""

READ_FORBIDDEN_LINKS = "SELECT service_id, pattern FROM forbidden_link"
