"""Show-rate: how many of the booked come, against the baseline, over time, by segment and by trainer.

The rule: what is made of fewer than MIN_SAMPLE cases is shown with its count, and held against nothing.
"""

from dataclasses import replace
from datetime import datetime

from observability.dashboards import show_rate_charts, show_rate_numbers
from observability.dashboards.addresses import rows_url
from observability.dashboards.freshness import counted_at
from observability.dashboards.intervals import wilson
from observability.dashboards.panels import MIN_SAMPLE, Dashboard, Figure, Section
from observability.dashboards.question import Question
from observability.dashboards.show_rate_numbers import Counted

NAME, TITLE = "show_rate", "Show-rate"


def build(question: Question, *, now: datetime) -> Dashboard:
    """Return the show-rate of a question's period and filters, as of `now`."""
    counted = show_rate_numbers.read(question, now=now)
    has_others = bool(question.location or question.operation)
    over_time = [show_rate_charts.trend(counted), show_rate_charts.change(counted)]
    by_word = [show_rate_charts.segments(counted), show_rate_charts.trainers(counted)]
    return Dashboard(
        name=NAME,
        title=TITLE,
        counted_at=counted_at(),
        sections=[
            Section(TITLE, _figures(counted), over_time),
            Section("By segment and trainer", (), by_word),
        ],
        notes=["Bookings are not filtered by location or operation."] if has_others else [],
    )


def _figures(counted: Counted) -> list[Figure]:
    question, before = counted.question, counted.question.before()
    now, was = counted.of(question), counted.of(before)
    low, high = now.interval or (None, None)
    return [
        Figure(
            "show_rate",
            "Show-rate",
            now.rate,
            "share",
            sample=now.due,
            low=low,
            high=high,
            before=None if now.is_small or was.is_small else was.rate,
            target=counted.target,
            url=rows_url("bookings", question, which="kept"),
            note=counted.why_no_target,
        ),
        _baseline_figure(counted),
        Figure(
            "due", "Due bookings", now.due, before=was.due, url=rows_url("bookings", question, which="kept")
        ),
        Figure(
            "no_shows",
            "No-shows",
            now.no_shows,
            before=was.no_shows,
            url=rows_url("bookings", question, which="no_show"),
        ),
        _share(
            "canceled",
            "Canceled",
            (now.canceled, now.canceled + now.due),
            (was.canceled, was.canceled + was.due),
            url=rows_url("bookings", question, which="canceled"),
        ),
        _recovery(counted),
    ]


def _baseline_figure(counted: Counted) -> Figure:
    of, whole = counted.baseline, counted.baseline.total
    low, high = whole.interval or (None, None)
    trainers = len(of.periods)
    whose = f"Of {trainers:,} trainer{'' if trainers == 1 else 's'}"
    return Figure(
        "show_rate_baseline",
        "Baseline",
        whole.rate,
        "share",
        sample=whole.due,
        low=low,
        high=high,
        url=_baseline_url(counted),
        note=f"{whose}, {of.fixed[0]} to {of.fixed[1]}." if of.fixed else f"{whose}.",
    )


def _baseline_url(counted: Counted) -> str:
    """Return where the baseline's bookings are listed; empty where they are of several periods."""
    of = counted.baseline
    whose: dict[str, str] = {}
    if of.periods and of.fixed:
        first, last = of.fixed
    elif len(of.periods) == 1:
        # Others may have bookings in the same days, though it is no baseline of theirs.
        [(whose["trainer"], (first, last))] = of.periods.items()
    else:
        return ""
    days = {"from": first.isoformat(), "to": last.isoformat()}
    return rows_url("bookings", counted.question, which="kept", **days, **whose)


def _recovery(counted: Counted) -> Figure:
    question = counted.question
    now, was = counted.recoverable(question), counted.recoverable(question.before())
    figure = _share(
        "recovery",
        "No-show recovery",
        (now.recovered, now.no_shows),
        (was.recovered, was.no_shows),
        url=rows_url("bookings", question, which="recovered"),
    )
    return (
        figure
        if now.no_shows
        else replace(figure, note="No no-shows on days that have been over for 7 days.")
    )


def _share(key: str, label: str, now: tuple[int, int], was: tuple[int, int], *, url: str) -> Figure:
    """Return a share of cases, each as (those, cases)."""
    low, high = wilson(*now) or (None, None)
    is_small = min(now[1], was[1]) < MIN_SAMPLE
    return Figure(
        key,
        label,
        now[0] / now[1] if now[1] else None,
        "share",
        sample=now[1],
        low=low,
        high=high,
        before=None if is_small else was[0] / was[1],
        url=url,
    )
