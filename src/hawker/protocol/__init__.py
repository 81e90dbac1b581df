"""API v2 on the wire: shared by the server, the upstream client and the sandbox. No database, no framework.

Normative: tests/wire/seed-api.txt (every key, JSON type and shape of its examples), then docs/api.md.
"""
