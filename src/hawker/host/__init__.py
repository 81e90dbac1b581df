"""What keeps a panel running on one machine: its folder, its embedded PostgreSQL, its processes.

No other part knows that a database can be embedded: they are given a connection string.
"""
