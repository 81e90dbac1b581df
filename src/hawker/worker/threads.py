"""Synchronous verbs from the worker's event loop: one hop per batch, a thread and a connection each."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

Result = TypeVar("Result")

_executor = ThreadPoolExecutor(max_workers=4, thread_name_prefix="verb")
"""Few threads: each holds a database connection, and a batch is short."""

_job_executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="job")
"""One thread for operations on many subjects. They may wait for locks again and again: in the threads above, the
answers of providers would wait with them to be settled, until their leases end."""


async def in_job_thread(verb: Callable[..., Result], *args: Any, **kwargs: Any) -> Result:
    """What `verb` returns, run in the thread of the jobs."""
    return await asyncio.get_running_loop().run_in_executor(_job_executor, partial(verb, *args, **kwargs))


async def in_thread(verb: Callable[..., Result], *args: Any, **kwargs: Any) -> Result:
    """What `verb` returns, run in one of the database threads."""
    return await asyncio.get_running_loop().run_in_executor(_executor, partial(verb, *args, **kwargs))
