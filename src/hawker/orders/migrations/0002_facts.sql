-- What code read back from texts becomes columns.

-- The order of the cases is that of protocol/upstream.py: the first that a text matches is its reason.
UPDATE attempt a
   SET reason = CASE
           WHEN f.said ~ 'not.{0,3}enough.{0,3}funds|insufficient|low.{0,3}balance|balance.{0,9}low' THEN 'funds'
           WHEN f.said ~ '(invalid|incorrect|wrong).{0,12}key|unauthori[sz]ed|account.{0,15}(disabled|suspended|blocked)'
           THEN 'key'
           WHEN f.said ~ 'active.{0,3}order|link.?duplicate|duplicate.{0,3}link|order.{0,20}(in progress|until)'
           THEN 'active_link'
           WHEN f.said ~ 'too.{0,3}many.{0,3}request|rate.?limit|temporar|maintenance|try.{0,3}again|timeout|timed out'
           THEN 'busy'
           ELSE 'other' END
  FROM (SELECT id, lower(regexp_replace(evidence, '^rejected: ', '')) AS said FROM attempt WHERE state = 'rejected') f
 WHERE a.id = f.id;

UPDATE attempt SET made_by_provider = true WHERE worker = 'subscription' AND state = 'accepted';

-- `later` is of unknown attempts that could not be cleared up yet: their texts are many.
UPDATE work
   SET hold_kind = CASE WHEN hold = 'no route to this provider' THEN 'no_route'
                        WHEN hold = 'cost above the charge' THEN 'cost_above_charge'
                        WHEN starts_with(hold, 'margin below ') THEN 'margin'
                        WHEN starts_with(hold, 'for a person:') THEN 'person'
                        WHEN starts_with(hold, 'restored:') THEN 'restored'
                        ELSE 'later' END
 WHERE hold <> '';

-- Work that only an event makes due was due in the year 9000.
UPDATE work SET due_at = NULL WHERE due_at >= '8000-01-01';

UPDATE orders SET origin = CASE WHEN from_parent THEN 'drip_feed' ELSE 'subscription' END WHERE parent_id IS NOT NULL;

-- An actor was one text, `cli:root` or a name of the system.
ALTER TABLE order_event DISABLE TRIGGER order_event_append_only;
UPDATE order_event
   SET actor_kind = CASE WHEN actor ~ '^(cli|staff|customer):' THEN split_part(actor, ':', 1)
                         WHEN actor = 'customer' THEN 'customer' ELSE 'system' END,
       actor_name = CASE WHEN actor = 'customer' THEN ''
                         ELSE regexp_replace(actor, '^(cli|staff|customer):', '') END;
ALTER TABLE order_event ENABLE TRIGGER order_event_append_only;

-- Where an order came from never changes.
CREATE TRIGGER orders_origin_stays BEFORE UPDATE OF origin, api_key_id ON orders
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
