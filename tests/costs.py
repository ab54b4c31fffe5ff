"""How many statements a page of the admin takes, without what its frame keeps for some seconds.

The rule: a page is asked for twice, and counted the second time: by then the badges and the lines above every
page are there, so that a new badge is no reason to count every page anew.
"""

from collections.abc import Callable
from typing import Any

from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext


def asked_again(ask: Callable[[], Any], *, statuses: frozenset[int] = frozenset({200})) -> list[str]:
    """Return the statements of the second of two askings. statuses: what the page may answer."""
    cache.clear()
    ask()
    with CaptureQueriesContext(connection) as queries:
        assert ask().status_code in statuses
    return [query["sql"] for query in queries]
