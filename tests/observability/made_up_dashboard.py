"""A dashboard with a chart of every kind, made of numbers that nobody counted: what pages are tested with.

Keys are those of real words, since nothing is shown without its definition.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from observability.dashboards import registry
from observability.dashboards.panels import (
    Bars,
    BeforeAfter,
    Cohort,
    Cohorts,
    Dashboard,
    Figure,
    Funnel,
    Heat,
    Lines,
    Listing,
    Pair,
    Section,
    Series,
    Step,
    Table,
    Target,
)
from observability.dashboards.question import Question

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script> & \"quotes\" 'and' \u202eturned"
EVENTS = "/admin/events/?event=booking_scheduled"
NAME = "made_up"
VIEW = "observability.view_dashboard"


@contextmanager
def registered(**changes: Any) -> Iterator[registry.Entry]:
    """Have it among the dashboards for a while. changes: of its entry."""
    given = {"build": dashboard, "permission": VIEW, "filters": ("trainer", "segment")} | changes
    entry = registry.Entry(NAME, "Made up", **given)
    registry.register(entry)
    try:
        yield entry
    finally:
        registry.forget(NAME)


def dashboard(question: Question, *, now: datetime = NOW) -> Dashboard:
    """Return it for the days of a question."""
    days = [day.isoformat() for day in question.days]
    who = question.trainer or question.location or "t-1"
    return Dashboard(
        NAME,
        "Made up",
        now - timedelta(minutes=2),
        [
            Section("Numbers", figures(), ()),
            Section("Over time", (), [active(days), success(days), outcomes(days), trend()]),
            Section("Shapes", (), [funnel(), adoption(), hours(), cohorts(), change(), risers(who)]),
            Section("Lists", (), [listing(who), nothing()]),
        ],
        ["The filter by segment does not apply to insights."],
    )


def figures() -> list[Figure]:
    """Return figures of every kind: met, missed, few, rough, unknown."""
    band = Target("15 to 25 % above the baseline", 0.79, 0.86)
    return [
        Figure("show_rate", "Show-rate", 0.824, "share", 412, 0.784, 0.857, 0.793, band, EVENTS),
        Figure(
            "sync_success",
            "Success rate",
            0.9921,
            "share",
            84_688,
            None,
            None,
            0.9971,
            Target("at least 99.5 %", 0.995),
        ),
        Figure("clients_signed_up", "Clients signed up", 12_345, before=11_200, url=EVENTS),
        Figure("first_booking_median", "Time to first booking", 12_000, "seconds", 310, before=15_600),
        Figure(
            "recovery", "No-show recovery", 0.5, "share", 12, 0.25, 0.75, 0.4, Target("at least 40 %", 0.4)
        ),
        Figure("mau", "People in 30 days", 12_300, low=11_900, high=12_700, is_rough=True),
        Figure("response_rate", "Response rate", None, "share", note="No day is old enough yet."),
        Figure("error_budget", "Error budget left", -0.31, "share"),
    ]


def active(days: list[str]) -> Lines:
    """Return three series, the first with a hole, a lone value and a band."""
    dau = [None if i in (5, 6, 8) else 500 + 90 * math.sin(i / 1.7) + i for i in range(len(days))]
    low = [None if value is None else value * 0.9 for value in dau]
    high = [None if value is None else value * 1.1 for value in dau]
    return Lines(
        key="active_people",
        title="Active people",
        xs=days,
        series=[
            Series("By day", dau, low, high, EVENTS),
            Series("In 7 days", [1_180 + 9 * i for i in range(len(days))]),
            Series("In 30 days", [2_300 + 14 * i for i in range(len(days))]),
        ],
        note="People of whom nothing is known but a cookie are left out.",
    )


def success(days: list[str]) -> Lines:
    """Return a line on an axis of its own, with a target."""
    values = [min(0.9995, 0.994 + 0.005 * math.sin(i * 1.3)) for i in range(len(days))]
    return Lines(
        key="sync_success_trend",
        title="Success rate",
        unit="share",
        xs=days,
        series=[Series("Success rate", values)],
        target=Target("at least 99.5 %", 0.995),
        floor=None,
    )


def outcomes(days: list[str]) -> Lines:
    """Return a stack of three."""
    return Lines(
        key="sync_outcomes",
        title="Outcomes",
        xs=days,
        series=[
            Series("Succeeded", [900 + 20 * math.cos(i / 2) for i in range(len(days))]),
            Series("Tried again", [120 + 60 * math.sin(i / 3) for i in range(len(days))]),
            Series(HOSTILE, [None if i == 3 else 30.0 for i in range(len(days))]),
        ],
        stacked=True,
    )


def trend() -> Lines:
    """Return weeks with intervals and a band as target."""
    weeks = [f"2026-{month:02}-{day:02}" for month, day in ((9, 28), (10, 5), (10, 12), (10, 19), (10, 26))]
    return Lines(
        key="show_rate_trend",
        title="Show-rate by week",
        unit="share",
        xs=weeks,
        series=[
            Series(
                "Show-rate",
                [0.74, 0.78, 0.77, 0.81, 0.84],
                [0.66, 0.71, 0.70, 0.75, 0.78],
                [0.81, 0.84, 0.83, 0.86, 0.89],
            )
        ],
        target=Target("15 to 25 % above the baseline", 0.79, 0.86),
        floor=None,
    )


def funnel() -> Funnel:
    """Return steps that are nested; one of them has a hostile name."""
    people = (("Signed up", 4_210), ("Profile done", 3_105), (HOSTILE, 1_876), ("First insight", 967))
    steps = [Step(name, number, EVENTS) for name, number in people]
    return Funnel(key="activation_funnel", title="From sign-up to insight", steps=steps)


def adoption() -> Funnel:
    """Return steps that are not nested."""
    people = (("All of them", 1_200), ("Bookings", 964), ("Messages", 720), ("Goals", 0))
    steps = [Step(name, number) for name, number in people]
    return Funnel(key="feature_adoption", title="Features used", steps=steps, nested=False)


def hours() -> Heat:
    """Return a week of hours, one of them not known."""
    values = [
        [max(0.0, 98 * math.exp(-(((hour - 18) / 3) ** 2)) - 4 * day) for hour in range(24)]
        for day in range(7)
    ]
    rows: list[list[float | None]] = [list(row) for row in values]
    rows[6][3] = None
    return Heat(
        key="hour_of_week",
        title="Hour of the week",
        rows=["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"],
        columns=[str(hour) for hour in range(24)],
        values=rows,
    )


def cohorts() -> Cohorts:
    """Return ten weeks, of which the later ones have had less time."""
    return Cohorts(
        key="retention_cohorts",
        title="Retention",
        columns=[f"W{week}" for week in range(10)],
        cohorts=[
            Cohort(
                f"2026-{9 + number // 4:02}-{7 + number % 4 * 7:02}",
                270 + 7 * number,
                [None if week > 9 - number else 1 - 0.11 * week for week in range(10)],
                EVENTS,
            )
            for number in range(10)
        ],
    )


def change() -> BeforeAfter:
    """Return pairs: clearly more, perhaps less, too few to tell, not known."""
    return BeforeAfter(
        key="show_rate_change",
        title="Show-rate, before and now",
        before="3 Oct to 30 Oct",
        after="31 Oct to 27 Nov",
        pairs=[
            Pair("All", 0.712, 0.789, 1_204, 1_310, 0.051, 0.103, EVENTS),
            Pair("Solo", 0.684, 0.778, 412, 398, 0.06, 0.128),
            Pair("Enterprise", 0.765, 0.758, 220, 241, -0.041, 0.027),
            Pair(HOSTILE, 0.5, 0.9, 12, 31, 0.1, 0.6),
            Pair("Studio", None, 0.8, 0, 40),
        ],
    )


def nothing() -> Lines:
    """Return a chart without any value."""
    return Lines(key="sync_latency", title="Latency", xs=(), series=())


def risers(who: str) -> Bars:
    """Return bars on both sides of nothing, one not known."""
    bars = [(f"client:c-{number}", 40.0 - 9 * number) for number in range(8)]
    return Bars(
        key="score_risers",
        title="Rise of the score",
        unit="score",
        bars=[(HOSTILE, 52.0), *bars, (f"trainer:{who}", None)],
        urls=[EVENTS] * 5,
        first_column="Person",
    )


def listing(who: str) -> Listing:
    """Return a table with columns of several units."""
    return Listing(
        key="show_rate_trainers",
        title="Trainers",
        content=Table(
            ["Trainer", "State", "Show-rate", "Due", "Slowest"],
            [
                [who, "above", 0.91, 120, 4_200.0],
                [HOSTILE, "=cmd|' /C calc'!A0", None, 0, None],
                ["@t-3", "+below", 0.5, 31, 12.5],
            ],
            [EVENTS, "", ""],
        ),
        units=["", "", "share", "number", "seconds"],
    )
