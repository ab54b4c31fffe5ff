"""How many people are active: a day, a week, a month, at which hours, and what they use.

The rule: averages, and the figures of the week and the month, stand on days that are over; lines go on up to
today as it stands.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

from observability.dashboards import active_days, features
from observability.dashboards.activity import Activity
from observability.dashboards.addresses import rows_url
from observability.dashboards.estimates import Estimates, ratio, share
from observability.dashboards.intervals import wilson
from observability.dashboards.panels import Figure, Heat, Lines
from observability.dashboards.question import Question
from observability.people_sets import united

WEEK, MONTH = 7, 30
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
NOT_OVER = "No day of this period is over."
NOT_BEGUN = "This period has not begun."


def figures(
    question: Question, activity: Activity, estimates: Estimates, *, over: Sequence[date]
) -> list[Figure]:
    """Return daily, weekly and monthly actives and stickiness. over: the days of the period that are over."""
    labels = {"dau": "Active a day", "wau": "Active in 7 days", "mau": "Active in 30 days"}
    if not over:
        empty = [Figure(key, label, None, note=NOT_OVER) for key, label in labels.items()]
        return [*empty, Figure("stickiness", "Stickiness", None, "share", note=NOT_OVER)]
    last, before = over[-1], question.before()
    people = [
        estimates.figure(
            "dau",
            labels["dau"],
            estimates.scaled(_daily(activity, over)),
            before=estimates.scaled(_daily(activity, before.days)),
            url=rows_url("people", question, which="active"),
        )
    ]
    for key, days in (("wau", WEEK), ("mau", MONTH)):
        people.append(
            estimates.figure(
                key,
                labels[key],
                estimates.count(activity.up_to(last, days)),
                before=estimates.count(activity.up_to(before.last, days)),
                url=rows_url("people", _days_up_to(question, last, days), which="active"),
            )
        )
    return [*people, _stickiness(question, activity, estimates, last)]


def by_day(question: Question, activity: Activity, estimates: Estimates, *, today: date) -> Lines:
    """Return the people active on each day, and in the 7 and in the 30 days up to it."""
    days = [day for day in question.days if day <= today]
    return Lines(
        key="active_people",
        title="Active people",
        xs=[day.isoformat() for day in days],
        series=[
            estimates.series("DAU", [activity.on(day) for day in days]),
            estimates.series("WAU", [activity.up_to(day, WEEK) for day in days]),
            estimates.series("MAU", [activity.up_to(day, MONTH) for day in days]),
        ],
        note=estimates.note if days else NOT_BEGUN,
    )


def by_hour_of_week(
    question: Question, activity: Activity, estimates: Estimates, *, over: Sequence[date], now: datetime
) -> Heat:
    """Return the people active in each hour of the week, on average over the days that are over."""
    found = active_days.by_hour(question.zone, over[0], over[-1], activity.mask, now=now) if over else {}
    rows: list[list[float | None]] = []
    for weekday in range(7):
        days = [day for day in over if day.weekday() == weekday]
        counts = [found[day] for day in days if day in found]
        rows.append(
            [estimates.scaled(sum(of_day[hour] for of_day in counts) / len(days)) for hour in range(24)]
            if days
            else [None] * 24
        )
    return Heat(
        key="hour_of_week",
        title="Active people by hour of the week",
        rows=WEEKDAYS,
        columns=[f"{hour:02}" for hour in range(24)],
        values=rows,
        note=estimates.note if over else NOT_OVER,
    )


def feature_use(question: Question, activity: Activity, estimates: Estimates, *, today: date) -> Lines:
    """Return by week how many people have used each feature."""
    weeks = [monday for monday in question.weeks() if monday <= today and question.first <= today]
    used = []
    for monday in weeks:
        days = [monday + timedelta(days=i) for i in range(WEEK)]
        in_period = [day for day in days if question.first <= day <= question.last]
        used.append(features.users(activity.events_of(in_period)))
    return Lines(
        key="feature_use",
        title="People using a feature, by week",
        xs=[monday.isoformat() for monday in weeks],
        series=[
            estimates.series(
                label,
                [activity.kept(users[feature]) for users in used],
                url=rows_url("people", question, which=f"used:{feature}"),
            )
            for feature, label in features.LABELS.items()
        ],
        note=f"{question.weeks_in_part()} {estimates.note}".strip() if weeks else NOT_BEGUN,
    )


def goal_engagement(question: Question, activity: Activity, estimates: Estimates) -> Figure:
    """Return the share of the period's active clients that have done something about a goal."""
    clients = active_days.numbers(role="client")
    active = united(activity.on(day) for day in question.days) & clients
    goals = features.users(activity.events_of(question.days))["goals"]
    return share(
        "goal_engagement",
        "Clients working on goals",
        active.intersection_cardinality(goals),
        len(active),
        url=rows_url("people", question, which="used:goals", role="client"),
        is_rough=bool(estimates.level),
    )


def _daily(activity: Activity, days: Sequence[date]) -> float:
    """Return how many people of the sets were active a day, on average."""
    return sum(len(activity.on(day)) for day in days) / len(days)


def _days_up_to(question: Question, last: date, days: int) -> Question:
    return replace(question, first=last - timedelta(days=days - 1), last=last)


def _stickiness(question: Question, activity: Activity, estimates: Estimates, last: date) -> Figure:
    value, people = _stuck(activity, last)
    # Of all ways to spread these active days over the people, all or nothing varies most: so at most as wide.
    bounds = wilson(round((value or 0) * people), people) if estimates.level else None
    low, high = bounds or (None, None)
    return Figure(
        "stickiness",
        "Stickiness",
        value,
        "share",
        sample=people,
        low=low,
        high=high,
        before=_stuck(activity, question.before().last)[0],
        url=rows_url("people", _days_up_to(question, last, MONTH), which="active"),
        is_rough=bool(estimates.level),
    )


def _stuck(activity: Activity, last: date) -> tuple[float | None, int]:
    """Return the average day's share of those active in 30 days, and how many these are."""
    people = len(activity.up_to(last, MONTH))
    days = [last - timedelta(days=i) for i in range(MONTH)]
    return ratio(_daily(activity, days), people), people
