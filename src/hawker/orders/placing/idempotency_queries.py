"""The ids under which clients asked for orders."""

FIND_REQUESTS = """
    SELECT r.account_id, r.request_id, r.digest, r.order_id
      FROM unnest(%s::bigint[], %s::text[]) AS f(account_id, request_id)
      JOIN order_request r ON r.account_id = f.account_id AND r.request_id = f.request_id
"""

INSERT_REQUESTS = """
    INSERT INTO order_request (account_id, request_id, digest, order_id, created_at)
    SELECT f.account_id, f.request_id, f.digest, f.order_id, %s
      FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::bigint[])
        AS f(account_id, request_id, digest, order_id)
"""
"""No ON CONFLICT: a second order under one id would be a bug, and the primary key refuses it with all that it wrote."""

FORGET_REQUESTS = """
    DELETE FROM order_request r
     USING (SELECT account_id, request_id FROM order_request WHERE created_at < %s LIMIT %s) AS old
     WHERE r.account_id = old.account_id AND r.request_id = old.request_id
"""
