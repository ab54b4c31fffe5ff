"""Every metric of the dashboards once more, computed naively from a list of events, as its words say.

The rule: written from the words in `definitions` alone, never from the code that it is held against. Where
the words leave something open, what is chosen stands in a comment that begins with "Open:".

Each function takes a `Past` (or the events for one), a `Question` and `now`, and returns a dict by the keys
of `definitions`. Shares are 0 to 1, times are seconds unless the name says otherwise, and None is "not
known": no cases, or no day that is over. Under "cases" stands by key of how many cases a share or percentile
is.
"""

from tests.observability.dashboards.oracle_activation import activation
from tests.observability.dashboards.oracle_engagement import engagement
from tests.observability.dashboards.oracle_show_rate import show_rate
from tests.observability.dashboards.oracle_sync import sync_health
from tests.observability.dashboards.past import Past, Told

__all__ = ["Past", "Told", "activation", "engagement", "show_rate", "sync_health"]
