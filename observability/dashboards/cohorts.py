"""Clients by the week they signed up in: who books how soon, and who is still active weeks later.

The rule: a cell is empty until it can no longer change by time going on. The weeks of retention are whole
ones, also where the period begins or ends in the middle of one.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from pyroaring import BitMap

from observability.dashboards import active_days
from observability.dashboards.addresses import rows_url
from observability.dashboards.estimates import Estimates, ratio
from observability.dashboards.panels import Cohort, Cohorts
from observability.dashboards.question import Question, week_of
from observability.dashboards.sign_ups import BOOKING_WEEKS, Week
from observability.people_sets import thinned, united

# Weeks after the first one that a cohort is followed.
RETENTION_WEEKS = 8
_WEEK = timedelta(days=7)


def booking(question: Question, weeks: Sequence[Week], *, now: datetime) -> Cohorts:
    """Return the shares of each week's clients that had booked within 7, 14, 21 … days of their sign-up."""
    cohorts = []
    for week in weeks:
        shares = [
            ratio(count, len(week.people)) if week.ends_at + k * _WEEK <= now else None
            for k, count in enumerate(week.booked, start=1)
        ]
        cohorts.append(_cohort(question, week, shares))
    columns = [f"{7 * k} d" for k in range(1, BOOKING_WEEKS + 1)]
    return Cohorts(key="booking_cohorts", title="First booking by week", columns=columns, cohorts=cohorts)


def retention(question: Question, weeks: Sequence[Week], estimates: Estimates, *, now: datetime) -> Cohorts:
    """Return the shares of each week's clients that were active in that week and in those after it."""
    active = _active_weeks(question, weeks, now=now)
    cohorts = []
    for week in weeks:
        people = thinned(week.people, estimates.level)
        later = [week.monday + k * _WEEK for k in range(RETENTION_WEEKS + 1)]
        shares = [
            ratio(people.intersection_cardinality(active[monday]), len(people)) if monday in active else None
            for monday in later
        ]
        cohorts.append(_cohort(question, week, shares))
    columns = [str(k) for k in range(RETENTION_WEEKS + 1)]
    return Cohorts(
        key="retention_cohorts",
        title="Active in the weeks after sign-up",
        columns=columns,
        cohorts=cohorts,
        note=estimates.note,
    )


def _active_weeks(question: Question, weeks: Sequence[Week], *, now: datetime) -> dict[date, BitMap]:
    """Return who was active in each week that is over, up to the last one that a cohort looks at."""
    first = weeks[0].monday
    this_week = week_of(now.astimezone(ZoneInfo(question.zone)).date())
    until = min(weeks[-1].monday + (RETENTION_WEEKS + 1) * _WEEK, this_week)
    if until <= first:
        return {}
    by_day = active_days.people(question.zone, first, until - timedelta(days=1), now=now)
    nobody = BitMap()
    return {
        monday: united(by_day.get(monday + timedelta(days=i), nobody) for i in range(7))
        for monday in (first + k * _WEEK for k in range((until - first).days // 7))
    }


def _cohort(question: Question, week: Week, shares: Sequence[float | None]) -> Cohort:
    first = max(week.monday, question.first)
    last = min(week.monday + timedelta(days=6), question.last)
    days = {"from": first.isoformat(), "to": last.isoformat()}
    url = rows_url("people", question, which="signed_up", role="client", **days)
    return Cohort(week.monday.isoformat(), len(week.people), shares, url)
