"""What sync stands on, one row each: locations, integrations, workers, as they are now.

The rule: those with trouble come first, and a list that is not whole says so.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import Q, Sum

from observability import health
from observability.dashboards import sync_pages
from observability.dashboards.panels import Cell, Listing, Table
from observability.dashboards.points import quarter_of
from observability.dashboards.question import Question
from observability.dashboards.sync_pages import page
from observability.health import LANE_SILENT, Finding, Status
from observability.models import Heartbeat, SyncQuarter
from sync.stats import flight
from sync.stats.flight import Place
from trainu import schedules

_DAY = timedelta(hours=24)
MOST_WORKERS = 100
_STATES = {"active": "Active", "paused": "Paused", "misconfigured": "Misconfigured"}
_BREAKERS = {"closed": "Answers", "open": "Does not answer", "ramping": "Answers again, let by in steps"}
# In this order. Clusters come and go; a lane must be there.
_SILENT, _ALIVE, _GONE = range(3)
_SIGNS = ("Silent", "Alive", "Gone")
_FOUND = {Status.PASS: "Well", Status.WARN: "Degraded", Status.FAIL: "Failing"}


def locations(question: Question, all_of_them: int, *, now: datetime) -> Listing:
    """Return a page of locations, or the one that was asked for. all_of_them: how many there are."""
    if question.location:
        places = flight.named([question.location], now=now)
        note = "" if places else "There is no such location."
    else:
        places, is_more = flight.places(now=now)
        note = f"The first {len(places)} of {all_of_them:,}, those with trouble first." if is_more else ""
        note = note and f"{note} The others are in Locations."
    settled = _settled([place.id for place in places], now)
    return Listing(
        key="location_status",
        title="Locations",
        note=note,
        content=Table(
            [
                "Location",
                "Id",
                "State",
                "GoHighLevel",
                "May ask at once",
                "Asked today",
                "Of",
                "Rests for",
                "Waiting",
                "First one late for",
                "Next due in",
                "Success, 24 hours",
                "Settled, 24 hours",
            ],
            [_row(place, *settled.get(place.id, (0, 0)), now=now) for place in places],
            [page(sync_pages.LOCATION, place.id) for place in places],
        ),
        units=[
            *("", "", "", ""),
            *("number", "number", "number", "seconds"),
            *("number", "seconds", "seconds", "share", "number"),
        ],
    )


def integrations() -> Listing:
    """Return PostHog, Sentry and GoHighLevel as the checks of health have found them."""
    checks = {name: health.ALL[name] for name in ("sync", "posthog", "sentry")}
    found = health.monitor.report(checks).findings
    rows = [
        ("GoHighLevel", found["sync"], _of_ghl(found["sync"]), page(sync_pages.FLIGHT)),
        ("PostHog", found["posthog"], _of_posthog(found["posthog"]), page(sync_pages.FORWARDING)),
        ("Sentry", found["sentry"], _of_sentry(found["sentry"]), page(sync_pages.ERRORS)),
    ]
    return Listing(
        key="integration_status",
        title="Integrations",
        content=Table(
            ["Integration", "State", "What the check says"],
            [[name, _state(finding), words] for name, finding, words, _ in rows],
            [url for _, _, _, url in rows],
        ),
        units=["", "", ""],
    )


def workers(*, now: datetime) -> Listing:
    """Return when each lane and cluster has last given a sign of life; silent lanes first."""
    lanes = schedules.lanes()
    seen = Heartbeat.objects.filter(Q(name__in=lanes) | Q(beat_at__gt=now - _DAY))
    beats = dict(seen.order_by("-beat_at", "name").values_list("name", "beat_at")[:MOST_WORKERS])
    rows: list[tuple[int, str, float | None]] = []
    for name in {*lanes, *beats}:
        # Clocks of two hosts differ.
        ago = max(0.0, (now - beats[name]).total_seconds()) if name in beats else None
        is_alive = ago is not None and ago <= LANE_SILENT.total_seconds()
        rows.append((_ALIVE if is_alive else _SILENT if name in lanes else _GONE, name, ago))
    rows.sort(key=lambda row: row[:2])
    return Listing(
        key="workers",
        title="Workers",
        content=Table(
            ["Lane or cluster", "State", "Last sign of life, ago"],
            [[name, _SIGNS[state], ago] for state, name, ago in rows],
            [page(sync_pages.SCHEDULES)] * len(rows),
        ),
        units=["", "", "seconds"],
    )


def _settled(ids: Sequence[str], now: datetime) -> dict[str, tuple[int, int]]:
    """Return how many jobs of each location succeeded, and were settled at all."""
    since = quarter_of(now - _DAY)
    rows = SyncQuarter.objects.filter(
        location_id__in=ids, quarter__gte=since, quarter__lte=now, outcome__in=("ok", "dropped")
    )
    counted = rows.values_list("location_id").annotate(
        succeeded=Sum("count", filter=Q(outcome="ok"), default=0), settled=Sum("count")
    )
    return {place: (succeeded, settled) for place, succeeded, settled in counted}


def _row(place: Place, succeeded: int, settled: int, *, now: datetime) -> list[Cell]:
    def until(at: datetime | None) -> float | None:
        return (at - now).total_seconds() if at else None

    late_s = (now - place.first_at).total_seconds() if place.first_at else None
    return [
        place.name,
        place.id,
        _STATES.get(place.state, place.state),
        _BREAKERS.get(place.breaker, place.breaker),
        place.tokens,
        place.used_today,
        place.daily_limit,
        until(place.rests_until),
        str(place.waiting) if place.waiting.is_more else place.waiting.number,
        max(0.0, late_s) if late_s is not None else None,
        until(place.next_at),
        succeeded / settled if settled else None,
        settled,
    ]


def _state(finding: Finding) -> str:
    return "Off" if finding.detail.get("state") == "off" else _FOUND[finding.status]


def _of_ghl(finding: Finding) -> str:
    return " ".join(finding.detail.get("wrong", [])) or _error(finding) or "Jobs and webhooks are worked off."


def _of_posthog(finding: Finding) -> str:
    detail = finding.detail
    match detail.get("state"):
        case "off":
            return str(detail["reason"])
        case "on":
            return f"Events have waited for {detail['lag_s']:,.0f} s at most."
        case "paused":
            return f"Somebody has paused it; events have waited for {detail['lag_s']:,.0f} s."
        case "failing":
            return f"{detail['last_error']}; failed {detail['failures']:,} times in a row."
    return _error(finding)


def _of_sentry(finding: Finding) -> str:
    detail = finding.detail
    match detail.get("state"):
        case "off":
            return str(detail["reason"])
        case "on":
            return "It gets every error."
        case "dropping":
            return f"{detail['dropped']:,} errors were not brought there lately. They are counted here."
    return _error(finding)


def _error(finding: Finding) -> str:
    return f"The check did not end: {finding.detail['error']}." if "error" in finding.detail else ""
