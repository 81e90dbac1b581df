-- Who holds the oldest snapshot, and for how long. With the owner's rights: the server hides from the application's role
-- what the sessions of others do, and it is a backup or a person's session that holds one for long.
CREATE FUNCTION oldest_snapshot(OUT seconds float8, OUT holder text) LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp AS $$
    SELECT h.seconds, h.holder
      FROM (SELECT EXTRACT(epoch FROM clock_timestamp() - xact_start)::float8 AS seconds,
                   format('process %s (%s, user %s)', pid, COALESCE(NULLIF(application_name, ''), 'no name'), usename)
                       AS holder
              FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
               AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL) AND xact_start IS NOT NULL
            UNION ALL
            SELECT EXTRACT(epoch FROM clock_timestamp() - prepared)::float8, format('prepared transaction %s', gid)
              FROM pg_prepared_xacts WHERE database = current_database()) AS h
     ORDER BY h.seconds DESC LIMIT 1
$$;
