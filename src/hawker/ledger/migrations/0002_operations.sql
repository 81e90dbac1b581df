-- An actor was one text, `cli:root` or a name of the system.
ALTER TABLE deposit DISABLE TRIGGER deposit_append_only;
UPDATE deposit
   SET actor_kind = CASE WHEN actor ~ '^(cli|staff|customer):' THEN split_part(actor, ':', 1) ELSE 'system' END,
       actor_name = regexp_replace(actor, '^(cli|staff|customer):', '');
ALTER TABLE deposit ENABLE TRIGGER deposit_append_only;

ALTER TABLE correction DISABLE TRIGGER correction_append_only;
UPDATE correction
   SET actor_kind = CASE WHEN actor ~ '^(cli|staff|customer):' THEN split_part(actor, ':', 1) ELSE 'system' END,
       actor_name = regexp_replace(actor, '^(cli|staff|customer):', '');
ALTER TABLE correction ENABLE TRIGGER correction_append_only;

-- Which operation made a transfer was not written down. Its kind says so of money that came in and of charges; a refund
-- or a delivery is put down to settling, whatever ended the order.
ALTER TABLE transfer DISABLE TRIGGER transfer_append_only;
UPDATE transfer t
   SET operation = CASE WHEN t.kind IN ('deposit', 'correction') THEN 'customer.credit'
                        WHEN t.kind IN ('refund', 'delivery') THEN 'order.settle'
                        WHEN EXISTS (SELECT FROM orders o WHERE o.id = t.reference AND o.parent_id IS NOT NULL)
                        THEN 'subscription.order'
                        ELSE 'order.add' END;
ALTER TABLE transfer ENABLE TRIGGER transfer_append_only;
