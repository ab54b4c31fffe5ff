"""PagerDuty's Events API v2."""

import json
import urllib.error
import urllib.request
from typing import Any

from django.conf import settings

from observability.alerts.outbox import Again, Delivered, Impossible, Outcome

# What PagerDuty knows an outage of PostgreSQL by, whoever tells of it.
DATABASE_KEY = "trainu/database_down"


def send(routing_key: str, event: dict[str, Any], *, timeout_s: float = 5.0) -> Outcome:
    """Send an event; return how that has ended."""
    request = urllib.request.Request(
        f"{settings.PAGERDUTY_URL}/v2/enqueue",
        data=json.dumps({"routing_key": routing_key, **event}).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=timeout_s):
            return Delivered()
    except urllib.error.HTTPError as error:
        code = f"status_{error.code}"
        return Again(code) if error.code == 429 or error.code >= 500 else Impossible(code)
    except OSError:
        return Again("unreachable")
