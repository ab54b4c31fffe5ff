"""How often things die of a cause, hour by hour: counted as they die, read for many causes at once.

The rule: a death counts in the hour in which it was told, for the cause it died of, however its letter moves
afterwards. Whoever counts holds the groups' locks, so that two batches cannot deadlock.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import connection

from sync.models import CauseHour

HOUR = timedelta(hours=1)
DAY = 24
# What a cause's page shows; retention keeps more.
LONGEST = 72

_COUNT = """
insert into sync_causehour (group_id, hour, deaths)
select group_id, %s, count(*) from unnest(%s::bigint[]) as died(group_id)
group by group_id order by group_id
on conflict (group_id, hour) do update set deaths = sync_causehour.deaths + excluded.deaths
"""


@dataclass(frozen=True, slots=True)
class Trend:
    """Deaths of a cause. begins: the first hour's first moment. deaths: by hour, the one at hand last."""

    begins: datetime
    deaths: tuple[int, ...]

    @property
    def total(self) -> int:
        return sum(self.deaths)

    @property
    def hours(self) -> list[tuple[datetime, int]]:
        """Each hour's first moment, with its deaths."""
        return [(self.begins + number * HOUR, count) for number, count in enumerate(self.deaths)]

    @property
    def words(self) -> str:
        """What a drawing of it shows, for whoever does not see it."""
        span = f"in the last {len(self.deaths)} hours"
        if not self.total:
            return f"Nothing has died of it {span}."
        at, most = max(self.hours, key=lambda pair: (pair[1], pair[0]))
        return (
            f"{self.total:,} died of it {span}, at most {most:,} in an hour ({at:%H}:00 UTC);"
            f" {self.deaths[-1]:,} in this hour so far."
        )


def count(group_ids: Sequence[int], *, now: datetime) -> None:
    """Count deaths, one for each time that a group is named. Inside the caller's transaction."""
    if group_ids:
        with connection.cursor() as cursor:
            cursor.execute(_COUNT, [beginning(now), list(group_ids)])


def of(group_ids: Collection[int], *, now: datetime, hours: int = DAY) -> Mapping[int, Trend]:
    """Return the trend of each of these groups, up to the hour at hand, in one question."""
    begins = beginning(now) - (hours - 1) * HOUR
    found: dict[int, dict[datetime, int]] = {id: {} for id in group_ids}
    rows = CauseHour.objects.filter(group__in=group_ids, hour__gte=begins, hour__lte=now)
    for group_id, hour, deaths in rows.values_list("group_id", "hour", "deaths"):
        found[group_id][hour] = deaths
    wanted = [begins + number * HOUR for number in range(hours)]
    return {id: Trend(begins, tuple(by.get(hour, 0) for hour in wanted)) for id, by in found.items()}


def beginning(moment: datetime) -> datetime:
    """Return the first moment of an hour of UTC."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
