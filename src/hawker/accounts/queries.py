"""The set SQL of keys."""

READ_GRANTS = """
    SELECT k.digest, k.id, a.id, k.scope, k.allowed_addresses, k.expires_at
      FROM api_key k
      JOIN app_user u ON u.id = k.user_id AND u.is_active
      JOIN account a ON a.user_id = u.id
     WHERE k.digest = ANY(%s::bytea[]) AND k.revoked_at IS NULL
"""
"""The keys that may be used at all; expiry and addresses are for the caller, who knows the clock and the peer."""

READ_VERSION = "SELECT version FROM access_version WHERE id = 1"
