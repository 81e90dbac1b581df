"""What is counted by instructions.py: batches of `add`, from the bytes of the requests to the bytes of the replies.

`python -m bench.one_add ACCOUNT SERVICE BATCHES` runs under callgrind as a process of the panel. Fixed requests, a
fixed clock; a real database at the other end, whose own instructions are not this process's. Left out are the HTTP
parser and the event loop, of which the number of turns is chance.
"""

import gc
import sys
from collections.abc import Callable
from datetime import UTC, datetime

from bench.callgrind import Callgrind

BATCH = 24
"""About as many as travel together at 64 connections."""

_WARM_BATCHES = 12
"""Past the fifth use of a statement, from which on it is prepared, and past the first reading of the catalogue."""

_NOW = datetime(2026, 1, 1, tzinfo=UTC)


def main() -> None:
    """Count once as it is, and once with each request read twice: the second tells that the count sees a change."""
    import django

    django.setup()
    account, service, batches = map(int, sys.argv[1:])
    once, twice = _batch(account, service, readings=1), _batch(account, service, readings=2)
    for _ in range(_WARM_BATCHES):
        once()
    counter = Callgrind()
    # A collection of everything would fall into one count and not into another, and weigh as much as all its orders.
    gc.collect()
    gc.freeze()
    for batch in (once, twice):
        counter.start()
        for _ in range(batches):
            batch()
        counter.stop()


def _batch(account: int, service: int, *, readings: int) -> Callable[[], None]:
    from hawker.orders import Draft, place_orders
    from hawker.protocol.replies import order_reply
    from hawker.protocol.request import read_request

    key = "0123456789abcdef" * 4
    bodies = [
        b"key=%b&action=add&service=%d&link=https%%3A%%2F%%2Fexample.com%%2Fpost%%2F%d&quantity=100"
        % (key.encode(), service, 100_000_000 + n)
        for n in range(BATCH)
    ]

    def run() -> None:
        drafts = []
        for body in bodies:
            for _ in range(readings):
                request = read_request(
                    method="POST",
                    content_type="application/x-www-form-urlencoded",
                    query=b"",
                    body=body,
                    authorization="",
                    idempotency="",
                    accept_encoding="gzip",
                    if_none_match="",
                )
            drafts.append(Draft(account, request.fields))
        for answer in place_orders(drafts, now=_NOW):
            assert isinstance(answer, int), f"refused: {answer!r}"
            order_reply(answer)

    return run


if __name__ == "__main__":
    main()
