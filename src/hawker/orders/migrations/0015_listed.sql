-- Whose number a provider has told to be of a subscription, found by the number (orders/reconciling/queries.py, READ_LISTED).
-- Posts of feeds have other keys and are not in it.
CREATE INDEX subscription_post_number ON subscription_post ((CASE WHEN key ~ '^[0-9]{1,18}$' THEN key::bigint END))
    WHERE key ~ '^[0-9]{1,18}$';
