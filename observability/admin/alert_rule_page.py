"""The page of a rule: how it stands, what its terms would have done, and who has changed them.

The rule: what was tried stands beside what is saved, with the same days; a bounded part of a list is shown,
and says how much is left out.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.http import HttpRequest

from observability.admin.incident_page import SEVERITIES
from observability.alerts import demands
from observability.alerts.replay import BackTest, Firing, back_test
from observability.charts import heat, tables
from observability.charts.heat import Drawing
from observability.charts.tables import Written
from observability.dashboards.panels import Heat
from observability.models import AlertRule, Incident, RuleState
from trainu import people
from trainu.admin_rendering import pill, seen
from trainu.admin_site import site
from trainu.bounded_query import TooBroad, bounded

DAYS = 30
TIME_LIMIT_MS = 10_000
MOST_FIRINGS = 50
MOST_STATES = 50
MOST_MOMENTS = 30
_PHASES = {"ok": ("Well", "ok"), "pending": ("Beyond it", "warn"), "firing": ("Firing", "bad")}
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Tried:
    """What terms would have done. words: how often. is_short: measured for less than the days asked for."""

    title: str
    test: BackTest
    words: str
    rows: Sequence[tuple[Firing, str, str, str, Incident | None]]
    more: int
    is_short: bool


@dataclass(frozen=True, slots=True)
class Strip:
    """The days side by side, for saved and changed terms."""

    chart: Heat
    drawing: Drawing | None
    table: Written


def context(
    request: HttpRequest, rule: AlertRule, now: datetime, *, tried: AlertRule | None
) -> dict[str, Any]:
    """Return what the page shows. tried: the rule with the terms to try, which may be the saved ones."""
    moments = site.history(request, "observability.alertrule", rule.pk)[-MOST_MOMENTS:][::-1]
    names = people.names({one.by for one in moments} | {rule.changed_by} - {""})
    incidents = Incident.objects.filter(rule=rule).order_by("-opened_at", "-id")
    shown = {
        "rule": rule,
        "severity": pill(rule.severity, SEVERITIES[rule.severity]),
        "what": demands.what(rule),
        "demanded": demands.demanded(rule),
        "recovery": demands.recovery(rule),
        "told": demands.told(rule),
        "states": _states(rule),
        "incidents": list(incidents[:5]) if request.user.has_perm("observability.view_incident") else [],
        "changed_by": names.get(rule.changed_by, ""),
        "moments": [(one, names.get(one.by, "")) for one in moments],
        "days": DAYS,
        "tests": [],
    }
    return shown | _tried(rule, tried, now) if tried is not None else shown


def _tried(rule: AlertRule, tried: AlertRule, now: datetime) -> dict[str, Any]:
    try:
        with bounded(TIME_LIMIT_MS):
            saved = _of("With the saved terms", rule, now)
            tests = [saved] if tried is rule else [saved, _of("With your terms", tried, now)]
    except TooBroad:
        return {"is_too_broad": True}
    return {"tests": tests, "strip": _strip(tests, now), "is_short": saved.is_short}


def _of(title: str, rule: AlertRule, now: datetime) -> Tried:
    test = back_test(rule, now=now, days=DAYS)
    number = len(test.firings)
    times = "once" if number == 1 else f"{number:,} times"
    fired = f"would have fired {times}" if number else "would never have fired"
    shown = sorted(test.firings, key=lambda one: one.began_at, reverse=True)[:MOST_FIRINGS]
    opened = _opened(rule, shown, now)
    return Tried(
        title,
        test,
        f"Over the last {DAYS} days this {fired}.",
        [
            (
                one,
                seen(one.group),
                demands.lasting((one.ended_at or now) - one.began_at),
                demands.in_words(one.worst, rule),
                _of_that_time(one, opened, now),
            )
            for one in shown
        ],
        number - len(shown),
        test.measured_since is None or test.measured_since > now - DAYS * _DAY + timedelta(minutes=5),
    )


def _opened(rule: AlertRule, firings: Sequence[Firing], now: datetime) -> list[Incident]:
    if not firings:
        return []
    since = min(one.began_at for one in firings) - _DAY
    rows = Incident.objects.filter(rule_id=rule.pk, opened_at__gte=since, opened_at__lte=now)
    return list(rows.order_by("-opened_at", "-id")[: 4 * MOST_FIRINGS])


def _of_that_time(firing: Firing, opened: Sequence[Incident], now: datetime) -> Incident | None:
    """Return the incident that was open in that time, if there was one."""
    for one in opened:
        is_over = one.resolved_at is not None and one.resolved_at < firing.began_at
        is_later = firing.ended_at is not None and one.opened_at > firing.ended_at
        if one.group == firing.group and not is_over and not is_later:
            return one
    return None


def _strip(tests: Sequence[Tried], now: datetime) -> Strip:
    today = now.astimezone(UTC).date()
    days = [today - (DAYS - 1 - place) * _DAY for place in range(DAYS)]
    chart = Heat(
        key="back_test",
        title="How often it would have fired, by the day",
        rows=[one.title.removeprefix("With ").capitalize() for one in tests],
        columns=[day.isoformat() for day in days],
        values=[_by_day(one.test, days) for one in tests],
    )
    drawing = heat.draw(chart)
    return Strip(chart, drawing, tables.written(chart))


def _by_day(test: BackTest, days: Sequence[date]) -> list[float | None]:
    counted = Counter(one.began_at.astimezone(UTC).date() for one in test.firings)
    first = test.measured_since.astimezone(UTC).date() if test.measured_since else None
    return [None if first is None or day < first else float(counted[day]) for day in days]


def _states(rule: AlertRule) -> list[tuple[RuleState, str, Any, str]]:
    worst = {"firing": 0, "pending": 1, "ok": 2}
    # By this order of letters, what fires is never cut off.
    rows = RuleState.objects.filter(rule=rule).order_by("phase", "group")
    return [
        (one, seen(one.group) or "all", pill(*_PHASES[one.phase]), demands.in_words(one.value, rule))
        for one in sorted(rows[:MOST_STATES], key=lambda one: (worst[one.phase], one.group))
    ]
