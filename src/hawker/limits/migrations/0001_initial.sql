-- Counts of limits live for a minute: a crash of the database may forget them, so they are not logged, and their
-- transactions wait for no disk. Half of each page is kept free, for rows are updated all the time and in place.
CREATE UNLOGGED TABLE rate_bucket (
    name    varchar(80) PRIMARY KEY,
    full_at timestamptz NOT NULL
) WITH (fillfactor = 50);

CREATE UNLOGGED TABLE in_flight (
    account_id bigint PRIMARY KEY,
    leases     timestamptz[] NOT NULL
) WITH (fillfactor = 50);
