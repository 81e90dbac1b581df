-- What was unknown before is cleared up like everything that becomes so from now on.
INSERT INTO work (order_id, kind, provider_id, due_at, tries, hold)
SELECT a.order_id, 'reconcile', a.provider_id, a.lease_until, 0, ''
  FROM attempt a JOIN orders o ON o.id = a.order_id AND o.state = 'unknown'
 WHERE a.kind = 'add' AND a.state = 'unknown'
ON CONFLICT DO NOTHING;
