"""The sweeps that run beside the front doors: dispatch, poll, leases. Coarse jobs on procrastinate.

The engine only says when to sweep, on how many machines, and again after a death. What guards an order
are its attempt and work rows: every job queue runs a dead worker's job again.
"""
