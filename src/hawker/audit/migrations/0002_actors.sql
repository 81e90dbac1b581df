-- An actor was one text, `cli:root` or a name of the system.
ALTER TABLE audit_event DISABLE TRIGGER audit_event_append_only;
UPDATE audit_event
   SET actor_kind = CASE WHEN actor ~ '^(cli|staff|customer):' THEN split_part(actor, ':', 1) ELSE 'system' END,
       actor_name = regexp_replace(actor, '^(cli|staff|customer):', ''),
       -- A change of a balance had an action of its own; it is now the name of the operation.
       action = CASE WHEN action IN ('balance.deposit', 'balance.correction') THEN 'customer.credit' ELSE action END;
ALTER TABLE audit_event ENABLE TRIGGER audit_event_append_only;
