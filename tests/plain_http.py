"""HTTP clients for the servers that tests start on this machine.

They share no connection, follow no proxy, and load no certificates: to load them takes 50 ms of CPU for each client,
and none of these servers speaks TLS.
"""

from typing import Any

import httpx2


def http_client(**arguments: Any) -> httpx2.Client:
    """A client with connections of its own; takes the arguments of `httpx2.Client`."""
    return httpx2.Client(**{"trust_env": False, "verify": False, "timeout": 30, **arguments})


def http_get(url: str, **arguments: Any) -> httpx2.Response:
    """GET over a connection of its own."""
    with http_client() as client:
        return client.get(url, **arguments)


def http_post(url: str, **arguments: Any) -> httpx2.Response:
    """POST over a connection of its own."""
    with http_client() as client:
        return client.post(url, **arguments)
