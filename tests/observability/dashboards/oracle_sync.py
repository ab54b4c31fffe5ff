"""The metrics of Sync health that come from events, computed naively, as their words say. See `oracle`."""

from collections import Counter
from datetime import datetime
from zoneinfo import ZoneInfo

from observability.dashboards.question import Question
from tests.observability.dashboards.asked import Answer, Asked, Events, share
from tests.observability.dashboards.past import Told, percentile

ATTEMPTS = ("sync_ok", "sync_retry", "sync_dropped")


def sync_health(events: Events, question: Question, now: datetime) -> Answer:
    """Return what of Sync health is made of events; trainer and segment of the question are nothing to it.

    sync_success, retry_rate: share | None. error_budget: 1 is all of it, below 0 it is overspent | None.
    settled_p50, settled_p95, settled_p99: seconds | None. ghl_p50, ghl_p95, ghl_p99, webhook_stored_p95:
    milliseconds | None. All exact, where the dashboard may be 2.5 % off: settled_s, ghl_ms, webhook_ms are
    the sorted values.
    webhooks_received: int.
    sync_outcomes: {when: (ok, retry, dropped)}, sync_success_trend: {when: share | None}, sync_errors:
    {when: {code: int}}, all whens of the period. when: a day, or of a period of two days or less (day, hour),
    with
    hours 0 to 23 of the wall clock: one that is repeated is one.
    sync_latency: {day: (p50, p95, p99) | None}, all days of the period.
    cases: of shares and percentiles.
    """
    asked = Asked(events, question, now)
    told = [one for one in asked.past.events if asked.covers(one.timestamp) and _is_of(one, question)]
    attempts = [one for one in told if one.name in ATTEMPTS]
    webhooks = [one for one in told if one.name == "webhook_received"]
    ok, retry, dropped = _outcomes(attempts)
    answer: Answer = {
        "sync_success": share(ok, ok + dropped),
        "error_budget": 1 - dropped / (0.005 * (ok + dropped)) if ok + dropped else None,
        "retry_rate": share(retry, ok + retry + dropped),
        "webhooks_received": len(webhooks),
        "settled_s": _sorted(attempts, "settled_after_s", "sync_ok"),
        "ghl_ms": _sorted(attempts, "duration_ms"),
        "webhook_ms": _sorted(webhooks, "duration_ms"),
    }
    for name, part in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
        answer[f"settled_{name}"] = percentile(answer["settled_s"], part)
        answer[f"ghl_{name}"] = percentile(answer["ghl_ms"], part)
    answer["webhook_stored_p95"] = percentile(answer["webhook_ms"], 0.95)
    answer["cases"] = {
        "sync_success": ok + dropped,
        "error_budget": ok + dropped,
        "retry_rate": ok + retry + dropped,
        "settled": len(answer["settled_s"]),
        "ghl": len(answer["ghl_ms"]),
        "webhook_stored_p95": len(answer["webhook_ms"]),
    }
    _over_time(answer, asked, attempts)
    return answer


def _is_of(one: Told, question: Question) -> bool:
    """Whether an event is of the location and operation asked for. Open: webhooks are of every operation."""
    if question.location not in ("", one.properties.get("location_id")):
        return False
    return one.name not in ATTEMPTS or question.operation in ("", one.properties["operation"])


def _outcomes(attempts: list[Told]) -> tuple[int, int, int]:
    counted = Counter(one.name for one in attempts)
    return counted["sync_ok"], counted["sync_retry"], counted["sync_dropped"]


def _sorted(told: list[Told], name: str, only: str = "") -> list[float]:
    return sorted(one.properties[name] for one in told if only in ("", one.name))


def _over_time(answer: Answer, asked: Asked, attempts: list[Told]) -> None:
    is_short = len(asked.days) <= 2

    def when(one: Told) -> object:
        local = one.timestamp.astimezone(ZoneInfo(asked.zone))
        return (local.date(), local.hour) if is_short else local.date()

    whens: list[object] = list(asked.days)
    if is_short:
        whens = [(day, hour) for day in asked.days for hour in range(24)]
    outcomes, trend, errors = {}, {}, {}
    for one in whens:
        there = [attempt for attempt in attempts if when(attempt) == one]
        ok, _, dropped = outcomes[one] = _outcomes(there)
        trend[one] = share(ok, ok + dropped)
        errors[one] = dict(Counter(a.properties["code"] for a in there if a.name != "sync_ok"))
    latency = {}
    for day in asked.days:
        seconds = _sorted(
            [a for a in attempts if asked.day(a.timestamp) == day], "settled_after_s", "sync_ok"
        )
        latency[day] = tuple(percentile(seconds, part) for part in (0.5, 0.95, 0.99)) if seconds else None
    answer.update(sync_outcomes=outcomes, sync_success_trend=trend, sync_errors=errors, sync_latency=latency)
