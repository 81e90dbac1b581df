"""The set SQL of providers."""

READ_ACCESS = "SELECT id, name, url, key_cipher, allow_private FROM provider WHERE id = %s"
"""How to call a provider."""

PAUSE = """
    UPDATE provider
       SET pause_reason = CASE WHEN paused_until >= %s THEN pause_reason ELSE %s END,
           paused_until = GREATEST(COALESCE(paused_until, '-infinity'), %s)
     WHERE id = %s
    RETURNING name
"""
"""Never shorter than it was: a pause by hand outlasts what an answer asks for."""
