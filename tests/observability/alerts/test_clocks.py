"""The clocks of the worst incidents: told when they run out, once, and quiet when somebody was in time."""

from datetime import UTC, datetime, timedelta

import pytest

from observability.alerts import clocks, incidents, rules
from observability.models import AlertRule, AuditEntry, Incident

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 19, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


def fire(code: str = "sev1_fault", at: datetime = NOW) -> Incident:
    rules.seed()
    rule = AlertRule.objects.get(pk=code)
    return incidents.fire(rule, "event_lost", title="Lost", words="1", value=1, now=at)


def told(incident: Incident, act: str) -> list[str]:
    return list(incident.notifications.filter(act=act).order_by("id").values_list("channel", flat=True))


def test_nobody_acknowledging_for_four_hours_is_told_once_on_all_channels() -> None:
    incident = fire()
    assert clocks.remind(now=NOW + 4 * HOUR - SECOND) == 0
    assert clocks.remind(now=NOW + 4 * HOUR) == 1
    assert clocks.remind(now=NOW + 5 * HOUR) == 0
    assert told(incident, "overdue") == ["slack", "pagerduty", "email"]
    assert "Acknowledge it" in incident.moments.get(kind="overdue").words


def test_who_acknowledges_in_time_is_left_in_peace() -> None:
    incidents.acknowledge(fire(), by="staff:1", now=NOW + HOUR)
    assert clocks.remind(now=NOW + 5 * HOUR) == 0


def test_an_episode_has_a_clock_of_its_own() -> None:
    incident = fire()
    clocks.remind(now=NOW + 4 * HOUR)
    incidents.recover(incident.rule, "event_lost", words="0", now=NOW + 5 * HOUR)
    fire(at=NOW + 6 * HOUR)
    assert clocks.remind(now=NOW + 10 * HOUR - SECOND) == 0
    assert clocks.remind(now=NOW + 10 * HOUR) == 1
    assert len(told(incident, "overdue")) == 6


def test_reports_are_due_of_what_is_resolved_too_and_wake_nobody() -> None:
    incident = fire()
    incidents.acknowledge(incident, by="staff:1", now=NOW)
    incidents.resolve(incident, by="staff:1", reason="Repaired", now=NOW + HOUR)
    assert clocks.remind(now=NOW + 24 * HOUR - SECOND) == 0
    assert [clocks.remind(now=NOW + hours * HOUR) for hours in (24, 25, 72, 73)] == [1, 0, 1, 0]
    assert told(incident, "report_24h") == told(incident, "report_72h") == ["slack", "email"]


def test_what_was_reported_is_not_asked_for() -> None:
    incident = fire()
    incidents.acknowledge(incident, by="staff:1", now=NOW)
    incidents.report(incident, is_final=False, words="Mail to all", by="staff:1", now=NOW + HOUR)
    assert clocks.remind(now=NOW + 24 * HOUR) == 0
    incidents.report(incident, is_final=True, words="Report 12", by="staff:1", now=NOW + 71 * HOUR)
    assert clocks.remind(now=NOW + 72 * HOUR) == 0
    incident.refresh_from_db()
    assert (incident.first_report_at, incident.final_report_at) == (NOW + HOUR, NOW + 71 * HOUR)
    assert [
        entry.reason for entry in AuditEntry.objects.filter(action="incident.report").order_by("recorded_at")
    ]
    assert list(incident.moments.values_list("kind", flat=True))[-2:] == ["first_report", "final_report"]


def test_a_report_in_full_is_the_first_one_too_and_the_last() -> None:
    incident = fire()
    incidents.report(incident, is_final=True, words="Report 12", by="staff:1", now=NOW + HOUR)
    incident.refresh_from_db()
    assert incident.first_report_at == incident.final_report_at == NOW + HOUR
    for is_final in (True, False):
        with pytest.raises(incidents.Refused, match="in full already"):
            incidents.report(incident, is_final=is_final, words="Again", by="staff:1", now=NOW + 2 * HOUR)
    with pytest.raises(incidents.Refused, match="where the report is"):
        incidents.report(fire("audit_broken"), is_final=False, words=" ", by="staff:1", now=NOW)


def test_what_is_reopened_keeps_its_reports_and_its_reminders() -> None:
    incident = fire()
    incidents.report(incident, is_final=False, words="Mail to all", by="staff:1", now=NOW)
    incidents.resolve(incident, by="staff:1", reason="Repaired", now=NOW + HOUR)
    again = fire(at=NOW + 2 * HOUR)
    assert (again.pk, again.first_report_at) == (incident.pk, NOW)
    incidents.acknowledge(again, by="staff:1", now=NOW + 2 * HOUR)
    assert clocks.remind(now=NOW + 24 * HOUR) == 0
    assert clocks.remind(now=NOW + 72 * HOUR) == 1


def test_only_the_worst_have_clocks_and_what_is_long_gone_is_forgotten() -> None:
    fire("error_rate")
    assert clocks.remind(now=NOW + 100 * HOUR) == 0
    incidents.resolve(fire(), by="staff:1", reason="Repaired", now=NOW)
    assert clocks.remind(now=NOW + clocks.FORGOTTEN_AFTER) == 0


def test_pagerduty_repeats_by_itself() -> None:
    incident = fire()
    incidents.tend(now=NOW + 30 * timedelta(minutes=1))
    assert told(incident, "repeat") == ["slack", "email"]
