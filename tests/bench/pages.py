"""The server time of a page of the admin: asked for as a browser does, by who may see all of it.

The rule: rendering counts too, and nothing is kept from the time before.
"""

import statistics
import sys
import time
from typing import Any

ASKED = 30


def times(address: str) -> dict[str, Any]:
    """Ask for a page so often; return median, p95 and the first time in milliseconds, and its size."""
    from django.core.cache import cache

    client = _client()
    print(address, file=sys.stderr, flush=True)
    began = time.perf_counter()
    client.get(address)
    first_ms = (time.perf_counter() - began) * 1e3
    taken = []
    for _ in range(ASKED):
        # What a page keeps for some seconds is not there for whoever comes first.
        cache.clear()
        started = time.perf_counter()
        answer = client.get(address)
        taken.append((time.perf_counter() - started) * 1e3)
        if answer.status_code != 200:
            raise RuntimeError(f"{address} has answered {answer.status_code}.")
    taken.sort()
    return {
        "median_ms": round(statistics.median(taken), 1),
        "p95_ms": round(taken[int(len(taken) * 0.95)], 1),
        "first_ms": round(first_ms),
        "kilobytes": round(len(answer.content) / 1024),
    }


def _client() -> Any:
    from django.contrib.auth.models import User
    from django.test import Client

    user, _ = User.objects.get_or_create(username="bench", is_staff=True, is_superuser=True)
    client = Client(HTTP_HOST="localhost")
    client.force_login(user)
    return client
