"""One thread with one connection, for code in an event loop: PostgreSQL is asked there, never in the loop.

The rule: calls run one after another, in the order they were made. The connection ends with the thread.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

from django.db import Error, connections

P = ParamSpec("P")
R = TypeVar("R")


class DatabaseThread:
    """Use as `async with`, or call `close`; calls made afterwards are refused."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="database")

    async def __call__(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a function in the thread; return what it returns, raise what it raises."""
        return await asyncio.get_running_loop().run_in_executor(
            self._executor, partial(_run, partial(work, *args, **kwargs))
        )

    def close(self) -> None:
        """Close connection and thread, after what was asked before."""
        self._executor.submit(connections.close_all).result()
        self._executor.shutdown()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Any:
        self.close()


def _run(work: Callable[[], R]) -> R:
    try:
        return work()
    except Error:
        # No request ends here that would do it: the next call shall have a new one where this was lost.
        for connection in connections.all(initialized_only=True):
            connection.close_if_unusable_or_obsolete()
        raise
