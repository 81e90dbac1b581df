"""The comparator of dispatch: an HTTP client that sends the same orders and does nothing else.

`python -m bench.bare_client URL COUNT CONNECTIONS FORM` prints {"requests": …, "seconds": …}.
"""

import asyncio
import json
import sys
import time

import httpx2


async def _send(url: str, count: int, connections: int, form: str) -> float:
    left = count
    limits = httpx2.Limits(max_connections=connections, max_keepalive_connections=connections)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    async with httpx2.AsyncClient(limits=limits, trust_env=False, timeout=30, headers=headers) as client:

        async def lane() -> None:
            nonlocal left
            while left > 0:
                left -= 1
                answer = await client.post(url, content=form)
                if "order" not in answer.json():
                    raise RuntimeError(answer.text[:300])

        started = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(connections):
                group.create_task(lane())
        return time.perf_counter() - started


def main() -> None:
    """Run as the first lines say."""
    url, count, connections, form = sys.argv[1:]
    seconds = asyncio.run(_send(url, int(count), int(connections), form))
    print(json.dumps({"requests": int(count), "seconds": seconds}))


if __name__ == "__main__":
    main()
