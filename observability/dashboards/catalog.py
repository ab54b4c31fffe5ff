"""The four dashboards: what each is called, who may see it, and what it may be asked.

The rule: a dashboard has one line here. Dashboards about people are a permission of their own.
"""

from django.db import connection

from observability.dashboards import activation, engagement, registry, show_rate, sync_health
from observability.dashboards.registry import Entry, Filter

# Whoever has more segments writes theirs.
_MOST_SEGMENTS = 50
# From one segment to the next by the index: there are few, of very many people.
_SEGMENTS = """
with recursive found (segment) as (
    (select segment from observability_person order by segment limit 1)
    union all
    select (select p.segment from observability_person p where p.segment > found.segment
            order by p.segment limit 1)
    from found where found.segment is not null
)
select segment from found where segment is not null limit %s
"""


def declare() -> None:
    """Register the dashboards; a second call changes nothing."""
    for entry in ENTRIES:
        registry.register(entry)


def segments(name: Filter) -> list[str]:
    """Return what is offered for the filter `segment`; nothing for others."""
    if name != "segment":
        return []
    with connection.cursor() as cursor:
        cursor.execute(_SEGMENTS, [_MOST_SEGMENTS])
        return [segment for (segment,) in cursor.fetchall()]


_OF_PEOPLE: tuple[Filter, ...] = ("trainer", "segment")
_VIEW, _VIEW_SYNC = "observability.view_dashboard", "observability.view_sync_health"

ENTRIES = (
    Entry("activation", "Activation", _VIEW, activation.build, 28, _OF_PEOPLE, choices=segments),
    Entry("engagement", "Engagement", _VIEW, engagement.build, 28, _OF_PEOPLE, choices=segments),
    Entry("show_rate", "Show-rate", _VIEW, show_rate.build, 28, _OF_PEOPLE, choices=segments),
    Entry(
        "sync_health",
        "Sync health",
        _VIEW_SYNC,
        sync_health.build,
        7,
        ("location", "operation"),
        is_live=True,
        choices=sync_health.choices,
        live=sync_health.live,
    ),
)
