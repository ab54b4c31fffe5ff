"""What the measures say of a minute, and what the evaluation makes of minutes."""

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from observability.alerts import evaluator, measures, rules
from observability.alerts.measures import Said, rates
from observability.models import (
    AlertRule,
    CounterMinute,
    DurationMinute,
    ErrorMinute,
    EventMinute,
    Incident,
    MeasureMinute,
    RuleState,
)
from observability.timings import bucket_of

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)
# Days ago: what other tests report at this hour, a carrier may bring to PostgreSQL only now.
NOW = timezone.now().replace(second=10, microsecond=0) - timedelta(days=3)
LAST = NOW.replace(second=0) - MINUTE


def events(minute: datetime, **counts: int) -> None:
    for event, count in counts.items():
        EventMinute.objects.create(event=event, minute=minute, events=count)


def errors(minute: datetime, count: int, severity: str = "SEV2", category: str = "sync") -> None:
    ErrorMinute.objects.create(
        minute=minute, severity=severity, category=category, code="timeout", errors=count
    )


def durations(minute: datetime, metric: str, seconds: float, count: int) -> None:
    DurationMinute.objects.create(
        metric=metric, label="/x", minute=minute, bucket=bucket_of(seconds), observations=count
    )


def test_each_measure_says_what_the_counters_have() -> None:
    events(LAST, sync_ok=90, sync_dropped=10, sync_retry=5, message_drafted=19, page_load_time=7)
    errors(LAST, 6)
    errors(LAST, 1, "SEV1", "data_loss")
    errors(LAST, 1, "SEV2", "llm")
    errors(LAST, 50, "SEV3", "ui")
    durations(LAST, "api_response_time", 0.1, 95)
    durations(LAST, "database_query_time", 0.01, 97)
    durations(LAST, "database_query_time", 2.3, 3)
    CounterMinute.objects.create(name="deadlock", label="", minute=LAST, count=4)
    assert rates.sync_failures(LAST) == [Said(bad=10, total=100)]
    assert rates.errors(LAST) == [Said(bad=8, total=95 + 105)]
    assert rates.slow_queries(LAST) == [Said(bad=3, total=100)]
    assert rates.drafts(LAST) == [Said(bad=1, total=20)]
    assert rates.worst_faults(LAST) == [Said(), Said("timeout", bad=1)]
    deadlocks = measures.find("deadlocks")
    assert deadlocks
    assert list(deadlocks.read(LAST)) == [Said(bad=4)]


def test_a_quiet_minute_is_said_to_be_quiet() -> None:
    for measure in rates.MEASURES:
        assert list(measure.read(LAST)) == [Said()]


def test_a_fault_of_sev1_opens_an_incident_at_the_next_look_and_recovers_by_itself() -> None:
    rules.seed()
    errors(NOW.replace(second=0), 1, "SEV1", "data_loss")
    evaluator.evaluate(now=NOW, only=frozenset({"sev1_fault"}))
    incident = Incident.objects.get()
    assert (incident.rule_id, incident.group, incident.state) == ("sev1_fault", "timeout", "open")
    assert incident.severity == "SEV1"
    assert incident.notifications.count() == 3
    rule = AlertRule.objects.get(pk="sev1_fault")
    for later in range(1, rule.window_minutes + rule.recovery_minutes + 1):
        assert Incident.objects.get().state == "open"
        evaluator.evaluate(now=NOW + later * MINUTE, only=frozenset({"sev1_fault"}))
    incident.refresh_from_db()
    assert (incident.state, incident.resolved_by) == ("resolved", "recovery")


def test_failing_jobs_open_an_incident_after_the_promised_minutes() -> None:
    rules.seed()
    for back in range(10):
        events(LAST - back * MINUTE, sync_ok=50, sync_dropped=5)
    opened = None
    for later in range(-9, 1):
        evaluator.evaluate(now=NOW + later * MINUTE, only=frozenset({"sync_failure_rate"}))
        if opened is None and Incident.objects.filter(rule="sync_failure_rate").exists():
            opened = later
    # Read again with the first look: the two minutes before it.
    assert opened == -9 + AlertRule.objects.get(pk="sync_failure_rate").for_minutes


def test_minutes_that_grow_late_are_read_again() -> None:
    rules.seed()
    evaluator.evaluate(now=NOW)
    events(LAST, sync_ok=10)
    evaluator.evaluate(now=NOW + MINUTE)
    kept = MeasureMinute.objects.get(measure="sync_failure_rate", minute=LAST)
    assert kept.total == 10


def test_a_rule_that_is_off_is_not_looked_at() -> None:
    rules.seed()
    rules.change(AlertRule.objects.get(pk="sev1_fault"), {"is_enabled": False}, by="staff:1", now=NOW)
    errors(NOW.replace(second=0), 1, "SEV1", "data_loss")
    evaluator.evaluate(now=NOW)
    assert not Incident.objects.exists()
    assert not RuleState.objects.filter(rule="sev1_fault").exists()
