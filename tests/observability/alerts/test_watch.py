"""The alert lane: every minute is looked at as a whole and once, and the rest follows, whatever breaks."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection

from observability.alerts import digest, evaluator, measures, rules, watch
from observability.alerts.measures import Measure
from observability.alerts.watch import Watch
from observability.errors import counts
from observability.models import AlertRule, Channel, ErrorMinute, Evaluation, Incident, Notification
from tests.observability.alerts.test_dead_man import SECRET, switch
from trainu import schedules

NOON = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
RULES = ("sev1_fault", "error_rate")


# When evaluations were asked for: of all rules, and of the urgent ones only.
Asked = dict[bool, list[datetime]]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """What the lane asks for; measures of this test's own, which find nothing."""
    nothing = {code: Measure(code, "count", "number", "x", lambda minute: []) for code in RULES}
    monkeypatch.setattr(measures, "_registered", nothing)
    found: Asked = {True: [], False: []}
    real = evaluator.evaluate

    def evaluate(*, now: datetime, only: frozenset[str] | None = None) -> Any:
        found[only is None].append(now)
        return real(now=now, only=only)

    monkeypatch.setattr(evaluator, "evaluate", evaluate)
    return found


@pytest.fixture
def _rules(db: None) -> None:
    rules.seed()
    AlertRule.objects.exclude(pk__in=RULES).update(is_enabled=False)


def run(one: Watch, *, since: datetime, seconds: int) -> None:
    for half in range(seconds * 2):
        one.step(since + half * SECOND / 2)


@pytest.mark.usefixtures("_rules")
def test_every_minute_is_looked_at_once_by_two_lanes_and_the_urgent_every_other_second(
    asked: Asked, settings: Any
) -> None:
    with switch() as heard:
        settings.HEARTBEAT_URL = heard.url
        first, second = Watch(), Watch()
        for second_of in range(70):
            now = NOON + second_of * SECOND
            first.step(now)
            second.step(now)
    minute = timedelta(minutes=1)
    assert asked[True] == [NOON + number * minute + watch.SETTLED for number in range(2)]
    assert heard.asked == [(f"/{SECRET}", "")] * 2
    assert 2 * 32 <= len(asked[False]) <= 2 * 35
    row = Evaluation.objects.get()
    assert (row.evaluated_at, row.broken) == (NOON + minute + watch.SETTLED, [])


@pytest.mark.usefixtures("_rules")
def test_a_minute_is_not_looked_at_before_its_counts_have_come(asked: Asked) -> None:
    run(Watch(), since=NOON, seconds=7)
    assert asked[True] == []
    run(Watch(), since=NOON + 7 * SECOND, seconds=1)
    assert len(asked[True]) == 1


@pytest.mark.django_db
def test_a_fault_of_the_worst_kind_opens_its_incident_within_seconds() -> None:
    import observability.alerts.measures.rates  # noqa: F401

    rules.seed()
    ErrorMinute.objects.create(minute=NOON, severity="SEV1", category="sync", code="mass_send", errors=1)
    run(Watch(), since=NOON + 20 * SECOND, seconds=3)
    assert Incident.objects.get().rule_id == "sev1_fault"


@pytest.mark.usefixtures("_rules", "asked")
def test_a_broken_measure_is_told_to_the_switch_and_stops_nothing(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    def broken(minute: datetime) -> Any:
        raise ValueError("No such measure today.")

    measures._registered["error_rate"] = Measure("error_rate", "count", "number", "x", broken)
    with switch() as heard:
        settings.HEARTBEAT_URL = heard.url
        run(Watch(), since=NOON, seconds=10)
    assert heard.asked == [(f"/{SECRET}/fail", "measure:error_rate")]
    assert Evaluation.objects.get().broken == ["error_rate"]
    counts.flush()
    assert ErrorMinute.objects.exists()


@pytest.mark.usefixtures("_rules", "asked")
def test_a_digest_that_breaks_is_told_to_the_switch_and_the_lane_goes_on(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.EMAIL_URL = "smtp://127.0.0.1:1"
    Channel.objects.update_or_create(kind="email", defaults={"is_enabled": True})
    with switch() as heard:
        settings.HEARTBEAT_URL = heard.url
        with monkeypatch.context() as patched:
            # Its letters cannot be counted.
            patched.setattr(digest.dead_letters, "letters", lambda: 1 / 0)
            run(Watch(), since=NOON, seconds=10)
        run(Watch(), since=NOON + timedelta(minutes=1), seconds=10)
    assert heard.asked == [(f"/{SECRET}/fail", "digest"), (f"/{SECRET}", "")]
    assert Notification.objects.get().act == "digest"


@pytest.mark.usefixtures("_rules", "asked")
def test_without_a_complete_evaluation_nobody_is_told_that_all_is_well(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    tried: list[datetime] = []

    def away(now: datetime) -> Any:
        tried.append(now)
        raise DatabaseError("gone")

    with switch() as heard:
        settings.HEARTBEAT_URL = heard.url
        monkeypatch.setattr(evaluator, "_evaluate", lambda now, only: away(now))
        run(Watch(), since=NOON, seconds=40)
        assert heard.asked == []
    # It rests in between: a database that is away is not asked twice a second.
    assert len(tried) == 4


@pytest.mark.usefixtures("transactional_db", "asked")
def test_while_another_process_is_stuck_in_an_evaluation_nobody_is_told_that_all_is_well(
    settings: Any,
) -> None:
    rules.seed()
    held, let_go = threading.Event(), threading.Event()

    def stuck() -> None:
        with connection.cursor() as cursor:
            cursor.execute("select pg_advisory_lock(%s)", [evaluator._LOCK])
            held.set()
            let_go.wait(10)
            # By a word of its own: a server frees what a closed connection held a moment later.
            cursor.execute("select pg_advisory_unlock(%s)", [evaluator._LOCK])
        connection.close()

    other = threading.Thread(target=stuck)
    other.start()
    assert held.wait(10)
    with switch() as heard:
        settings.HEARTBEAT_URL = heard.url
        run(Watch(), since=NOON, seconds=10)
        assert heard.asked == []
        assert not Evaluation.objects.exclude(evaluated_at=None).exists()
        let_go.set()
        other.join()
        run(Watch(), since=NOON + 10 * SECOND, seconds=1)
        assert len(heard.asked) == 1
    AlertRule.objects.all().delete()


def test_the_lane_is_scheduled() -> None:
    entry = schedules.find("alert lane")
    assert entry is not None
    assert entry.lane == "alert"
