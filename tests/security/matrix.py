"""Who may do what: every action of the API and every path of the server, for every kind of caller.

An action or path that the code has and this file has not fails the test (test_matrix.py), and the other way round.
"""

ACTIONS = """
action          nobody  garbage  read     order    stranger  expired  revoked  elsewhere  disabled
services        key     key      ok       ok       ok        key      key      key        key
balance         key     key      ok       ok       ok        key      key      key        key
status          key     key      ok       ok       missing   key      key      key        key
orders          key     key      ok       ok       nothing   key      key      key        key
add             key     key      key      ok       ok        key      key      key        key
refill          key     key      key      ok       missing   key      key      key        key
refill_status   key     key      ok       ok       missing   key      key      key        key
cancel          key     key      key      ok       missing   key      key      key        key
dance           key     key      request  request  request   key      key      key        key
"""
"""What a POST answers. `key`: Invalid API key. `missing`: what a number that nobody has answers. `nothing`: an empty
list. A stranger has a key that may order, and asks for what is not its own. `elsewhere` is a key of another address.
"""

READS = frozenset({"services", "balance", "status", "orders", "refill_status"})
"""What GET answers as POST does; of the others it answers `Incorrect request` to whoever has a good key."""

PATHS = """
path                    anybody  this machine  token  customer
/healthz                200      200           200    200
/readyz                 200      200           200    200
/metrics                403      200           200    403
/api                    200      200           200    200
/api/                   200      200           200    200
/api/v2                 200      200           200    200
/api/v2/                200      200           200    200
/api/v2/openapi.json    200      200           200    200
{style}                 200      200           200    200
"""
"""What GET answers; HEAD the same without a body. `anybody` comes through a proxy; `customer` too, with a good key."""

NOWHERE = (
    "/",
    "/admin",
    "/admin/",
    "/sandbox/calls",
    "/sandbox/orders",
    "/sandbox/reset",
    "/healthz/",
    "/metrics/",
    "//metrics",
    "/./metrics",
    "/x/../metrics",
    "/metrics;x",
    "/Metrics",
    "/metrics%2f",
    "/metrics%00",
    "/api/v1",
    "/api/v2//",
    "/api/v2/x",
    "/api/v2;x",
    "/api/v2/../../metrics",
    "/api/v2/openapi.json/",
    "/assets/",
    "/assets/style.css",
    "/assets/../secrets.toml",
    "/assets/%2e%2e/secrets.toml",
    "/static/../hawker.toml",
    "/.git/config",
    "/.env",
    "/secrets.toml",
)
"""Where nobody finds anything, by whatever method."""

OTHER_METHODS = ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE")
"""Refused with 405 on every path but the API's, which answers what is not GET or POST with `Incorrect request`."""


def table(text: str) -> dict[str, dict[str, str]]:
    """The rows of a table, by their first cell: each cell by its column."""
    head, *rows = [line.replace("this machine", "this_machine").split() for line in text.strip().splitlines()]
    return {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in rows}
