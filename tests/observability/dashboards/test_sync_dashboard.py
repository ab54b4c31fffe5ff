"""Sync health equals what plain counting of the same events gives, for any zone, period and filter."""

import math
import random
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest
from uuid_utils.compat import uuid7

from observability import capture
from observability.capture import Occurrence
from observability.catalog.sync import SyncDropped, SyncOk, SyncRetry, WebhookReceived
from observability.dashboards import attempts, sync_health
from observability.dashboards.panels import Dashboard, Lines
from observability.dashboards.question import Question, midnight
from observability.store import Origin
from tests.observability.test_rollups import roll_all

# In Berlin, clocks went back on the 25th.
NOW = datetime(2026, 10, 27, 11, 40, tzinfo=UTC)
PLACES = ("loc-1", "loc-2", "loc-3")
OPERATIONS = ("contact.upsert", "message.send", "contact.add_tags")
# Ten and more, so that the chart has to put some together.
CODES = tuple(f"status_{400 + n}" for n in range(12))


class Told(NamedTuple):
    """What happened. kind: ok, retry, dropped or webhook. what: operation or topic."""

    kind: str
    place: str
    what: str
    code: str
    at: datetime
    took_ms: float
    settled_s: float


def history(seed: int, events: int) -> list[Told]:
    told, pick = [], random.Random(seed)
    for _ in range(events):
        kind = pick.choices(("ok", "retry", "dropped", "webhook"), (60, 20, 5, 15))[0]
        is_webhook = kind == "webhook"
        told.append(
            Told(
                kind,
                pick.choice(PLACES),
                # A topic that is called as an operation is, is not one.
                pick.choice(("contact_create", "message.send") if is_webhook else OPERATIONS),
                pick.choice(CODES) if kind in ("retry", "dropped") else "",
                NOW - timedelta(seconds=pick.uniform(0, 15 * 86_400)),
                round(math.exp(pick.gauss(4, 2)), 3),
                round(math.exp(pick.gauss(1, 3)), 3),
            )
        )
    return told


def occurrence(one: Told) -> Occurrence:
    tried: dict[str, Any] = {
        "job_id": str(uuid7()),
        "location_id": one.place,
        "operation": one.what,
        "attempt": 1,
        "duration_ms": one.took_ms,
    }
    event: SyncOk | SyncRetry | SyncDropped | WebhookReceived
    match one.kind:
        case "ok":
            event = SyncOk(**tried, settled_after_s=one.settled_s)
        case "retry":
            event = SyncRetry(**tried, code=one.code, retry_in_s=60)
        case "dropped":
            event = SyncDropped(**tried, code=one.code, reason="permanent", settled_after_s=one.settled_s)
        case _:
            event = WebhookReceived(
                webhook_id=str(uuid7()), location_id=one.place, topic=one.what, duration_ms=one.took_ms
            )
    return Occurrence(event, f"location:{one.place}", one.at, uuid7())


def store(told: Sequence[Told], seed: int) -> None:
    """In batches, out of order, some of it twice."""
    pick = random.Random(seed)
    occurrences = [occurrence(one) for one in told]
    occurrences += pick.sample(occurrences, len(occurrences) // 10)
    pick.shuffle(occurrences)
    for start in range(0, len(occurrences), 100):
        capture.persist(occurrences[start : start + 100], Origin("python", ""))
        if pick.random() < 0.3:
            roll_all(settled=False)
    roll_all()


def kept(told: Sequence[Told], question: Question) -> list[Told]:
    """What happened in the period, by the filters; which do not ask a webhook for its operation."""
    return [
        one
        for one in told
        if question.first <= one.at.astimezone(ZoneInfo(question.zone)).date() <= question.last
        and question.location in ("", one.place)
        and (question.operation in ("", one.what) or one.kind == "webhook")
    ]


def share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def rank(values: list[float], percent: int) -> float | None:
    return sorted(values)[math.ceil(percent * len(values) / 100) - 1] if values else None


def figures(told: Sequence[Told], question: Question) -> dict[str, float | None]:
    kinds = Counter(one.kind for one in kept(told, question))
    settled = kinds["ok"] + kinds["dropped"]
    everywhere = [one for one in told if kept([one], Question(question.first, question.last, question.zone))]
    jobs = [one.settled_s for one in everywhere if one.kind == "ok"]
    asked = [one.took_ms for one in everywhere if one.kind != "webhook"]
    stored = [one.took_ms for one in everywhere if one.kind == "webhook"]
    return {
        "sync_success": share(kinds["ok"], settled),
        "error_budget": 1 - kinds["dropped"] / (0.005 * settled) if settled else None,
        "retry_rate": share(kinds["retry"], settled + kinds["retry"]),
        "webhooks_received": kinds["webhook"],
        **{f"settled_p{percent}": rank(jobs, percent) for percent in (50, 95, 99)},
        **{f"ghl_p{percent}": rank(asked, percent) for percent in (50, 95, 99)},
        "webhook_stored_p95": rank(stored, 95),
    }


def lines(dashboard: Dashboard, key: str) -> dict[str, Sequence[float | None]]:
    chart = dashboard.chart(key)
    assert isinstance(chart, Lines)
    return {one.label: one.values for one in chart.series}


def check_charts(dashboard: Dashboard, groups: list[list[Told]]) -> None:
    """groups: what happened in the period, by point."""
    kinds = [Counter(one.kind for one in group) for group in groups]
    assert lines(dashboard, "sync_outcomes") == {
        "Succeeded": [one["ok"] for one in kinds],
        "Tried again": [one["retry"] for one in kinds],
        "Given up": [one["dropped"] for one in kinds],
    }
    assert lines(dashboard, "sync_success_trend") == {
        "Success rate": [share(one["ok"], one["ok"] + one["dropped"]) for one in kinds]
    }
    failed = [Counter(one.code for one in group if one.kind in ("retry", "dropped")) for group in groups]
    most = sorted(sum(failed, Counter()).items(), key=lambda pair: (-pair[1], pair[0]))
    alone = [code for code, _ in most] if len(most) <= 9 else [code for code, _ in most[:8]]
    drawn = lines(dashboard, "sync_errors")
    expected = {code.replace("_", " "): [one[code] for one in failed] for code in alone}
    if len(most) > 9:
        expected[f"{len(most) - 8} other causes"] = [
            sum(count for code, count in one.items() if code not in alone) for one in failed
        ]
    assert drawn == expected


def check_latency(dashboard: Dashboard, everywhere: list[list[Told]]) -> None:
    """everywhere: what happened at all locations, by point."""
    took = lines(dashboard, "sync_latency")
    for i, group in enumerate(everywhere):
        jobs = [one.settled_s for one in group if one.kind == "ok"]
        for percent in (50, 95, 99):
            expected = rank(jobs, percent)
            assert took[f"p{percent}"][i] == (expected and pytest.approx(expected, rel=0.0251))


def check_figures(dashboard: Dashboard, told: Sequence[Told], question: Question) -> None:
    now, before = figures(told, question), figures(told, question.before())
    for key, value in now.items():
        figure = dashboard.figure(key)
        within = 0.0251 if "_p" in key else 1e-9
        for found, expected in ((figure.value, value), (figure.before, before[key])):
            assert found == (None if expected is None else pytest.approx(expected, rel=within)), (
                key,
                question,
            )


QUESTIONS = [
    Question(date(2026, 10, 20), date(2026, 10, 27), "UTC"),
    Question(date(2026, 10, 21), date(2026, 10, 26), "Europe/Berlin"),
    Question(date(2026, 10, 24), date(2026, 10, 30), "Asia/Kathmandu"),
    Question(date(2026, 10, 20), date(2026, 10, 27), "America/New_York", operation="message.send"),
    Question(date(2026, 10, 20), date(2026, 10, 27), "Europe/Berlin", location="loc-2"),
    Question(
        date(2026, 10, 20), date(2026, 10, 27), "Europe/Berlin", location="loc-1", operation="message.send"
    ),
    Question(date(2026, 10, 20), date(2026, 10, 27), "UTC", location="nobody", operation="nothing"),
    Question(date(2026, 10, 20), date(2026, 10, 27), "UTC", operation="contact_create"),
    # Nothing of it has begun.
    Question(date(2026, 10, 28), date(2026, 10, 31), "UTC"),
    Question(date(2026, 10, 28), date(2026, 10, 31), "UTC", location="loc-3"),
]


@pytest.mark.usefixtures("transactional_db")
def test_every_number_equals_plain_counting() -> None:
    told = history(seed=7, events=1_500)
    store(told, seed=8)
    for question in QUESTIONS:
        dashboard = sync_health.build(question, now=NOW)
        check_figures(dashboard, told, question)
        zone = ZoneInfo(question.zone)
        days = [day for day in question.days if day <= NOW.astimezone(zone).date()]
        inside = kept(told, question)
        groups = [[one for one in inside if one.at.astimezone(zone).date() == day] for day in days]
        check_charts(dashboard, groups)
        check_latency(
            dashboard, [[one for one in told if one.at.astimezone(zone).date() == day] for day in days]
        )
    hours_equal_plain_counting(told)
    late_events_are_counted(told)
    operations_are_offered(told)


def hours_equal_plain_counting(told: list[Told]) -> None:
    """On the 25th Berlin has 25 hours, two of them from two to three o'clock."""
    for question in (
        Question(date(2026, 10, 25), date(2026, 10, 25), "Europe/Berlin"),
        Question(date(2026, 10, 26), date(2026, 10, 27), "Asia/Kathmandu", location="loc-1"),
        Question(date(2026, 10, 24), date(2026, 10, 25), "Europe/Berlin", operation="message.send"),
        Question(date(2026, 10, 28), date(2026, 10, 28), "Asia/Kathmandu", location="loc-2"),
    ):
        dashboard = sync_health.build(question, now=NOW)
        check_figures(dashboard, told, question)
        # Hour by hour of time that has passed, whatever clocks said.
        first = midnight(question.first, question.zone)
        hour = timedelta(hours=1)
        until = min(midnight(question.last + timedelta(days=1), question.zone), NOW)
        starts = [first + i * hour for i in range(math.ceil((until - first) / hour))]
        inside = kept(told, question)
        groups = [[one for one in inside if start <= one.at < start + hour] for start in starts]
        check_charts(dashboard, groups)
        check_latency(
            dashboard, [[one for one in told if start <= one.at < start + hour] for start in starts]
        )
        chart = dashboard.chart("sync_outcomes")
        assert isinstance(chart, Lines)
        if question.location == "":
            twice = [label for label in chart.xs if label.startswith("2026-10-25 02:00")]
            assert twice == ["2026-10-25 02:00 (+0200)", "2026-10-25 02:00 (+0100)"]


def late_events_are_counted(told: list[Told]) -> None:
    late = history(seed=9, events=30)
    told += late
    store(late, seed=10)
    check_figures(sync_health.build(QUESTIONS[0], now=NOW), told, QUESTIONS[0])


def operations_are_offered(told: list[Told]) -> None:
    """Topics of webhooks are none, unless they are called as an operation is."""
    assert sync_health.choices("operation", now=NOW) == sorted(OPERATIONS)
    assert attempts.operations(since=NOW.date() + timedelta(days=1)) == []
    assert sync_health.choices("segment", now=NOW) == []
