"""A simulated upstream panel: a real HTTP peer that speaks all of API v2, with faults on demand.

  SandboxConfig, serve, run   start one (config.py, server.py)
  fates.py                    how an order ends, and how a link asks for an end
  faults.py                   the table of faults
  control.py                  what tests ask and set over HTTP beside the API

It shares the protocol and the core with the panel, and nothing else: it is a peer, not a part.
"""

from hawker.sandbox.config import DEMO_BALANCE, DEMO_KEY, SandboxConfig
from hawker.sandbox.fates import FateMix
from hawker.sandbox.faults import Faults
from hawker.sandbox.server import opened, ready_line, run, serve

__all__ = [
    "DEMO_BALANCE",
    "DEMO_KEY",
    "FateMix",
    "Faults",
    "SandboxConfig",
    "opened",
    "ready_line",
    "run",
    "serve",
]
