"""How many dead letters were open, day by day, as the ledger's checks have found it.

The rule: what was counted then is read; no letter is counted again.
"""

from datetime import datetime

from sync.models import LedgerCheck

# Of two years and a month there is one a day.
_MOST = 800


def checks(*, since: datetime, until: datetime) -> list[tuple[datetime, int]]:
    """Return when a check was made in [since, until), and how many letters it found open; oldest first."""
    made = LedgerCheck.objects.filter(checked_at__gte=since, checked_at__lt=until).order_by("-day")
    return list(made.values_list("checked_at", "open")[:_MOST])[::-1]
