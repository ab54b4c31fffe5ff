"""How many lines the store had to drop: for health, and for whoever searches and misses some.

The rule: a gap in the store is always told. The stream that the process wrote to has the lines.
"""

from datetime import datetime

from django.db.models import Sum

from observability.counters import Counter
from observability.models import CounterMinute


def dropped(*, since: datetime) -> dict[str, int]:
    """Return how many lines were dropped in the minutes from `since` on, by level."""
    rows = CounterMinute.objects.filter(name=Counter.LOG_LINE_DROPPED.value, minute__gte=since)
    return dict(rows.values_list("label").annotate(total=Sum("count")).order_by("label"))
