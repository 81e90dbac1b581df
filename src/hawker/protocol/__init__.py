"""API v2 on the wire: shared by the server, the upstream client and the sandbox. No database, no framework.

Normative: the seed document (every key, JSON type and shape of its examples), then protocol.md.
"""
