"""Speaks to a panel through a published client: published_clients.py CLIENT URL KEY, a list of calls on stdin.

Runs in a process of its own, in which the client is importable as its registry has it. Each call is
`[verb, argument…]`; stdout is the list of what came back, `{"raised": "…"}` where the client raised.
"""

import json
import sys
from collections.abc import Callable
from typing import Any

Verbs = dict[str, Callable[..., Any]]


def safesmm(url: str, key: str) -> Verbs:
    from safesmm import SafeSMM

    client = SafeSMM(key, api_url=url)
    return {
        "services": client.services,
        "balance": client.balance,
        "add": client.add_order,
        "status": client.status,
        "statuses": client.multi_status,
        "refill": client.refill,
        "cancel": client.cancel,
    }


def babismm(url: str, key: str) -> Verbs:
    from smm import SMM

    return _common(SMM(url, key))


def smmpy(url: str, key: str) -> Verbs:
    from smmpy import smm

    return _common(smm(url, key))


def _common(client: Any) -> Verbs:
    return {
        "services": client.get_services,
        "balance": client.get_balance,
        "add": client.add_order,
        "status": client.get_status,
        "statuses": client.get_multi_status,
        "refill": client.create_refill,
        "refills": client.create_multi_refill,
        "refill status": client.get_refill_status,
        "refill statuses": client.get_multi_refill_status,
        "cancel": client.cancel_orders,
    }


def main() -> None:
    name, url, key = sys.argv[1:]
    verbs = {"safesmm": safesmm, "babismm": babismm, "smmpy": smmpy}[name](url, key)
    answers = []
    for verb, *arguments in json.load(sys.stdin):
        if verb not in verbs:
            answers.append({"lacking": verb})
            continue
        try:
            answers.append(verbs[verb](*arguments))
        except Exception as error:  # noqa: BLE001 - each client has exceptions of its own
            answers.append({"raised": str(error)})
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
