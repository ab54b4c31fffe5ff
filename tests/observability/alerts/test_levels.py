"""Each measure on real rows: what goes wrong opens an incident in time, what is well again resolves it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.urls import reverse

from observability import counters
from observability.alerts import evaluator, measures, rules
from observability.alerts.measures import MOST_ALONE, Said, show_rate, sync, together
from observability.counters import Counter
from observability.models import (
    AuditVerification,
    Booking,
    DurationMinute,
    ErrorMinute,
    EventHour,
    EventMinute,
    Forwarder,
    Heartbeat,
    Incident,
    MeasureMinute,
)
from observability.retention import policies
from observability.rollups.touched import Subject
from observability.timings import bucket_of
from sync.models import Breaker, CauseGroup, DeadLetter, Silence, SyncJob
from tests.observability.dashboards import made
from tests.sync.dying import dead_jobs, dead_letters, location
from trainu import schedules

pytestmark = pytest.mark.django_db
# A Thursday: the weeks before last Monday have been over for two days.
NOW = datetime(2026, 11, 19, 12, 0, 10, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def minute(number: int) -> datetime:
    """Return a minute from the first one that is looked at; its look comes when it is over."""
    return NOW.replace(second=0) + number * MINUTE


@dataclass(frozen=True)
class Planted:
    """plant, mend: given the number of a minute. within, well_within: minutes until it fires, and recovers.

    step: minutes between looks. group: of the incident.
    """

    plant: Callable[[int], None]
    mend: Callable[[int], None] = lambda _number: None
    within: int = 1
    well_within: int = 60
    step: int = 1
    group: str = ""


def events(number: int, **counts: int) -> None:
    for event, count in counts.items():
        EventMinute.objects.create(event=event, minute=minute(number), events=count)


def errors(number: int, severity: str, category: str, code: str, count: int) -> None:
    ErrorMinute.objects.create(
        minute=minute(number), severity=severity, category=category, code=code, errors=count
    )


def slow_queries(number: int) -> None:
    for seconds, count in ((0.01, 50), (3.0, 50)):
        DurationMinute.objects.create(
            metric="database_query_time",
            label="/",
            minute=minute(number),
            bucket=bucket_of(seconds),
            observations=count,
        )


def quick_queries(number: int) -> None:
    DurationMinute.objects.create(
        metric="database_query_time",
        label="/",
        minute=minute(number + 1),
        bucket=bucket_of(0.01),
        observations=5_000,
    )


def counted(counter: Counter, count: int) -> Callable[[int], None]:
    def plant(number: int) -> None:
        counters.add(counter, "x", count, now=minute(number))
        counters.flush()

    return plant


def silence(_number: int) -> None:
    place = location("loc-1")
    Silence.objects.create(location=place, last_at=NOW, noticed_at=NOW)


def open_breaker(_number: int) -> None:
    location("loc-1")
    Breaker.objects.update(state="open", probe_at=NOW)


def letters(count: int) -> Callable[[int], None]:
    def plant(number: int) -> None:
        location()
        dead_letters(count, at=minute(number))

    return plant


def old_letter(number: int) -> None:
    location()
    dead_letters(1, at=minute(number) - DAY - 10 * MINUTE)


def dying_jobs(number: int) -> None:
    location()
    stand = {"state": "waiting", "cause": "", "settled_at": None, "code": "status_503", "tries": 5}
    SyncJob.objects.filter(pk__in=dead_jobs(12)).update(**stand, next_at=minute(number) + 60 * MINUTE)


LANE = "roll-up"


def silent_lane(_number: int) -> None:
    Heartbeat.objects.filter(name=LANE).update(beat_at=NOW - 10 * MINUTE)


def audit(findings: int) -> Callable[[int], None]:
    def verified(number: int) -> None:
        AuditVerification.objects.create(
            verified_at=minute(number), seconds=1, entries=9, head_seq=9, findings=findings
        )

    return verified


def kept_too_long(number: int) -> None:
    EventHour.objects.create(event="user_logged_in", hour=minute(number) - 765 * DAY, events=1)


def bookings(_number: int) -> None:
    monday = datetime(2026, 11, 2, 12, tzinfo=UTC)
    made.keep(
        made.booking(
            week * 100 + n,
            monday + week * 7 * DAY + (n % 7) * DAY,
            state="no_show" if n < missed else "booked",
        )
        for week, missed in ((0, 5), (1, 20))
        for n in range(40)
    )


def they_came(_number: int) -> None:
    Booking.objects.update(state="booked")
    made.touch(Subject.BOOKINGS, Booking.objects.values_list("starts_at", flat=True))


PLANTED = {
    "sync_failure_rate": Planted(
        lambda n: events(n, sync_ok=45, sync_dropped=5) if n < 10 else None,
        lambda n: (events(n + 1, sync_ok=900), events(n + 40, sync_ok=90))[-1],
        within=3,
        well_within=75,
        step=5,
    ),
    "error_rate": Planted(
        lambda n: (errors(n, "SEV2", "sync", "timeout", 9), events(n, sync_ok=50))[-1],
        lambda n: events(n + 1, sync_ok=500),
        within=0,
        well_within=30,
        step=5,
    ),
    "query_time": Planted(slow_queries, quick_queries, within=3, well_within=40, step=5),
    "draft_failure_rate": Planted(
        lambda n: (errors(n, "SEV2", "llm", "refused", 9), events(n, message_drafted=15))[-1],
        lambda n: (events(n + 1, message_drafted=900), events(n + 40, message_drafted=90))[-1],
        within=3,
        well_within=90,
        step=5,
    ),
    "sev1_fault": Planted(
        lambda n: errors(n, "SEV1", "data-loss", "event_lost", 1), within=0, step=5, group="event_lost"
    ),
    "database_down": Planted(counted(Counter.DATABASE_AWAY, 45), within=0),
    "deadlocks": Planted(counted(Counter.DEADLOCK, 5), within=0, step=5),
    "log_drops": Planted(counted(Counter.LOG_LINE_DROPPED, 1), within=0, well_within=90, step=5),
    "webhook_silence": Planted(
        lambda n: None if n else silence(n),
        lambda _n: Silence.objects.all().delete() and None,
        within=5,
        group="loc-1",
    ),
    "breaker_open": Planted(
        lambda n: None if n else open_breaker(n),
        lambda _n: Breaker.objects.update(state="closed") and None,
        within=10,
        group="loc-1",
    ),
    "workers_silent": Planted(
        silent_lane, lambda n: Heartbeat.objects.update(beat_at=minute(n + 60)) and None, within=2, group=LANE
    ),
    "forwarder_lag": Planted(
        lambda _n: Forwarder.objects.update(oldest_waiting_at=NOW - 16 * MINUTE) and None,
        lambda _n: Forwarder.objects.update(oldest_waiting_at=None) and None,
        within=5,
    ),
    "dead_letters_growing": Planted(
        lambda n: None if n else letters(21)(n), within=0, well_within=120, step=5
    ),
    "new_cause": Planted(
        lambda n: None if n else letters(1)(n), within=0, well_within=90, step=5, group="cause"
    ),
    "dying_soon": Planted(
        lambda n: None if n else dying_jobs(n), lambda _n: SyncJob.objects.all().delete() and None, within=5
    ),
    "dead_letter_age": Planted(
        lambda n: None if n else old_letter(n),
        lambda _n: CauseGroup.objects.update(snoozed_until=NOW + DAY) and None,
        within=5,
    ),
    "audit_broken": Planted(audit(2), lambda n: audit(0)(n + 1), within=0),
    "retention_overdue": Planted(
        lambda n: None if n else kept_too_long(n),
        lambda _n: EventHour.objects.all().delete() and None,
        within=60,
        well_within=90,
        step=30,
    ),
    "show_rate_drop": Planted(
        lambda n: None if n else bookings(n), they_came, within=60, well_within=1_600, step=60
    ),
}


@pytest.fixture(autouse=True)
def _all_is_well(settings: Any) -> None:
    settings.POSTHOG_API_KEY = "phc_test"
    rules.seed()
    policies.mirror()
    Forwarder.objects.create(pk=1)
    for lane in schedules.lanes():
        Heartbeat.objects.create(name=lane, beat_at=minute(100_000))


def look(code: str, number: int) -> None:
    measure = measures.find(code)
    assert measure
    over = 0 if measure.at_hand else 1
    evaluator.evaluate(now=minute(number + over) + timedelta(seconds=10), only=frozenset({code}))


@pytest.mark.parametrize("code", sorted(PLANTED))
def test_what_is_planted_opens_an_incident_in_time_and_mended_resolves_it(code: str) -> None:
    planted = PLANTED[code]
    look(code, -1)
    assert not Incident.objects.exists()
    fired_after = None
    for number in range(0, planted.within + 1):
        planted.plant(number)
        if number % planted.step == 0 or planted.within < 10:
            look(code, number)
        if incident := Incident.objects.first():
            fired_after = number
            break
    assert fired_after is not None
    expected = str(CauseGroup.objects.get().pk) if planted.group == "cause" else planted.group
    assert (incident.rule_id, incident.group, incident.state) == (code, expected, "open")
    planted.mend(fired_after)
    for later in range(planted.step, planted.well_within + 1, planted.step):
        look(code, fired_after + later)
        incident.refresh_from_db()
        if incident.state == "resolved":
            break
    assert (incident.state, incident.resolved_by) == ("resolved", "recovery")
    assert Incident.objects.count() == 1


def test_every_rule_has_something_planted() -> None:
    assert sorted(PLANTED) == sorted(seed.code for seed in rules.SEEDS)


def test_all_is_well_says_so_of_every_measure() -> None:
    for measure in measures.registered():
        [said] = measure.read(minute(0))
        quiet = Said(value=None if measure.code == "show_rate_drop" else 0.0)
        assert said == (quiet if measure.kind == "level" else Said()), measure.code


def test_every_link_leads_to_a_page() -> None:
    for measure in measures.registered():
        for group in ("", "1", "others", "loc-1"):
            for words, url in measure.links(group):
                assert words
                assert url.startswith("/admin/")
    cause = measures.find("new_cause")
    assert cause
    assert ("This cause", reverse("admin:sync_causegroup_change", args=["7"])) in cause.links("7")


def test_many_locations_at_once_are_one_incident_and_what_is_open_stays_open() -> None:
    open_breaker(0)
    for number in range(11):
        look("breaker_open", number)
    assert Incident.objects.get().group == "loc-1"
    for number in range(2, MOST_ALONE + 2):
        location(f"loc-{number}")
    Breaker.objects.update(state="open", probe_at=NOW)
    for number in range(11, 23):
        look("breaker_open", number)
    assert sorted(Incident.objects.values_list("group", "state")) == [("", "open"), ("loc-1", "open")]
    Breaker.objects.update(state="closed")
    for number in range(23, 30):
        look("breaker_open", number)
    assert set(Incident.objects.values_list("state", flat=True)) == {"resolved"}
    assert together(["a"] * MOST_ALONE)[0] == Said(value=0.0)


def test_a_letter_or_cause_that_is_snoozed_does_not_age() -> None:
    old_letter(0)
    [seconds] = sync.oldest_letter(minute(0))
    assert seconds.value == (DAY + 10 * MINUTE).total_seconds()
    DeadLetter.objects.update(snoozed_until=minute(1))
    assert sync.oldest_letter(minute(0)) == [Said(value=0.0)]
    assert sync.oldest_letter(minute(2)) != [Said(value=0.0)]
    CauseGroup.objects.update(snoozed_to_count=1)
    assert sync.oldest_letter(minute(2)) == [Said(value=0.0)]


def test_a_letter_that_died_again_is_not_new() -> None:
    location()
    dead_letters(3, at=minute(0))
    DeadLetter.objects.filter(pk=DeadLetter.objects.first().pk).update(deaths=2)  # type: ignore[union-attr]
    assert sync.new_letters(minute(0)) == [Said(bad=2.0)]
    assert sync.new_letters(minute(1)) == sync.new_causes(minute(1)) == [Said(bad=0.0)]


def test_a_lag_is_not_known_while_posthog_is_off(settings: Any) -> None:
    settings.POSTHOG_API_KEY = ""
    Forwarder.objects.update(oldest_waiting_at=NOW - DAY)
    look("forwarder_lag", 0)
    assert MeasureMinute.objects.get().value is None
    assert not Incident.objects.exists()


def test_weeks_are_compared_two_days_after_they_were_over() -> None:
    bookings(0)
    tuesday = datetime(2026, 11, 17, 23, 59, tzinfo=UTC)
    assert show_rate.show_rate_drop(tuesday) == [Said(value=None, total=0.0)]
    [said] = show_rate.show_rate_drop(tuesday + MINUTE)
    assert said.total == 40
    assert said.value == pytest.approx((35 - 20) / 35)
