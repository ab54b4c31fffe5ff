"""What becomes of incidents, and what is written to be told with each change."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from observability.alerts import incidents, outbox, rules, silences
from observability.models import AlertRule, AuditEntry, Incident, Notification

pytestmark = pytest.mark.django_db
NOW = timezone.now()
HOUR = timedelta(hours=1)


def rule(code: str = "error_rate") -> AlertRule:
    rules.seed()
    return AlertRule.objects.get(pk=code)


def fire(code: str = "error_rate", group: str = "", *, at: timedelta = timedelta(0)) -> Incident:
    return incidents.fire(rule(code), group, title="Much goes wrong", words="7 %", value=0.07, now=NOW + at)


def told(incident: Incident) -> list[tuple[str, str, str]]:
    rows = incident.notifications.order_by("id")
    return list(rows.values_list("act", "channel", "state"))


def kinds(incident: Incident) -> list[str]:
    return list(incident.moments.values_list("kind", flat=True))


def test_there_is_one_incident_a_rule_and_group() -> None:
    first = fire()
    assert fire(at=HOUR) == first
    assert fire(group="loc-1") != first
    assert Incident.objects.count() == 2
    with pytest.raises(IntegrityError), transaction.atomic():
        Incident.objects.create(
            rule=first.rule, dedup_key="another", severity="SEV2", title="x", opened_at=NOW
        )


def test_each_change_is_told_once_on_each_channel_of_the_rule() -> None:
    incident = fire("sev1_fault")
    incidents.acknowledge(incident, by="staff:1", now=NOW)
    incidents.acknowledge(incident, by="staff:2", now=NOW)
    incidents.recover(incident.rule, "", words="0", now=NOW + HOUR)
    channels = ("slack", "pagerduty", "email")
    assert [one[:2] for one in told(incident)] == [
        (act, channel) for act in ("trigger", "acknowledge", "resolve") for channel in channels
    ]
    assert kinds(incident) == ["opened", "acknowledged", "resolved"]
    incident.refresh_from_db()
    assert (incident.acknowledged_by, incident.owner, incident.resolved_by) == (
        "staff:1",
        "staff:1",
        "recovery",
    )


def test_what_comes_back_soon_is_the_same_and_is_told_again() -> None:
    incident = fire()
    incidents.recover(incident.rule, "", words="0", now=NOW + HOUR)
    again = fire(at=HOUR + incidents.REOPENED_WITHIN - timedelta(seconds=1))
    assert again == incident
    assert again.episode == 2
    assert (again.state, again.resolved_at, again.acknowledged_at) == ("open", None, None)
    assert [one[0] for one in told(incident)] == ["trigger", "resolve", "trigger"]
    incidents.recover(incident.rule, "", words="0", now=NOW + 3 * HOUR)
    later = fire(at=3 * HOUR + incidents.REOPENED_WITHIN)
    assert later != incident
    assert later.dedup_key != incident.dedup_key


def test_resolving_by_hand_wants_to_know_what_was_done() -> None:
    incident = fire()
    with pytest.raises(incidents.Refused, match="what was done"):
        incidents.resolve(incident, by="staff:1", reason="  ", now=NOW)
    incidents.resolve(incident, by="staff:1", reason="Rolled back", now=NOW)
    assert AuditEntry.objects.get(action="incident.resolve").reason == "Rolled back"
    with pytest.raises(incidents.Refused, match="resolved already"):
        incidents.acknowledge(incident, by="staff:1", now=NOW)


def test_it_is_told_again_until_somebody_has_acknowledged_it() -> None:
    incident = fire()
    every = timedelta(minutes=incident.rule.repeat_minutes)
    assert not incidents.repeat(incident, now=NOW + every - timedelta(seconds=1))
    assert incidents.repeat(incident, now=NOW + every)
    assert not incidents.repeat(incident, now=NOW + every + timedelta(minutes=1))
    assert incidents.repeat(incident, now=NOW + 2 * every)
    incidents.acknowledge(incident, by="staff:1", now=NOW + 2 * every)
    assert not incidents.repeat(incident, now=NOW + 9 * every)
    assert [one[0] for one in told(incident)] == ["trigger", "repeat", "repeat", "acknowledge"]


def test_a_silence_keeps_it_quiet_and_visible_until_it_ends() -> None:
    error_rate = rule()
    silence = silences.begin(error_rate, "", reason="Planned", ends_at=NOW + HOUR, by="staff:1", now=NOW)
    incident = fire()
    assert told(incident) == [("trigger", "slack", "silenced")]
    assert told(fire("query_time"))[0][2] == "waiting"
    assert silences.end(silence, by="staff:2", now=NOW + HOUR / 2)
    assert not silences.end(silence, by="staff:2", now=NOW + HOUR / 2)
    incidents.acknowledge(incident, by="staff:1", now=NOW + HOUR / 2)
    # Whoever was told nothing of it is not told that somebody sees to it.
    assert told(incident)[-1] == ("acknowledge", "slack", "silenced")


def test_who_was_told_that_it_began_is_told_how_it_ends_silent_or_not() -> None:
    heard = fire("sev1_fault")
    silences.begin(None, "", reason="Planned", ends_at=NOW + HOUR, by="staff:1", now=NOW)
    unheard = fire("error_rate")
    for one in (heard, unheard):
        incidents.acknowledge(one, by="staff:1", now=NOW + HOUR / 4)
        incidents.resolve(one, by="staff:1", reason="Mended", now=NOW + HOUR / 2)
    ends = {("acknowledge", channel, "waiting") for channel in heard.rule.channels}
    ends |= {("resolve", channel, "waiting") for channel in heard.rule.channels}
    assert ends <= set(told(heard))
    assert {state for _, _, state in told(unheard)} == {"silenced"}
    # Also where something worse has come up meanwhile, and on a channel that is not the rule's any more.
    inhibited = fire("query_time", at=2 * HOUR)
    fire("database_down", at=2 * HOUR)
    rules.change(inhibited.rule, {"channels": ["email"]}, by="staff:1", now=NOW + 2 * HOUR)
    incidents.recover(inhibited.rule, "", words="0", now=NOW + 2 * HOUR)
    assert ("resolve", "slack", "waiting") in told(inhibited)


def test_what_is_open_when_its_silence_is_over_is_told_once_on_all_its_channels() -> None:
    silences.begin(None, "", reason="Planned", ends_at=NOW + 5 * HOUR, by="staff:1", now=NOW)
    still, seen, over = fire("sev1_fault"), fire("error_rate"), fire("query_time")
    incidents.acknowledge(seen, by="staff:1", now=NOW)
    incidents.recover(over.rule, "", words="0", now=NOW)
    incidents.tend(now=NOW + 4 * HOUR)
    before = told(still)
    assert {state for _, _, state in before} == {"silenced"}
    still.refresh_from_db()
    assert still.told_at is None
    for minutes in (0, 1, 2):
        incidents.tend(now=NOW + 5 * HOUR + timedelta(minutes=minutes))
    later = told(still)[len(before) :]
    assert sorted(later) == [("trigger", one, "waiting") for one in ("email", "pagerduty", "slack")]
    still.refresh_from_db()
    assert still.told_at == NOW + 5 * HOUR
    assert {state for one in (seen, over) for _, _, state in told(one)} == {"silenced"}
    incidents.resolve(still, by="staff:1", reason="Mended", now=NOW + 6 * HOUR)
    assert ("resolve", "pagerduty", "waiting") in told(still)


def test_in_a_silence_it_is_not_told_more_often_than_otherwise() -> None:
    silences.begin(None, "", reason="Planned", ends_at=NOW + 3 * HOUR, by="staff:1", now=NOW)
    incident = fire("sev1_fault")
    for minutes in range(0, 65, 5):
        incidents.tend(now=NOW + timedelta(minutes=minutes))
    repeats = [one for one in told(incident) if one[0] == "repeat"]
    assert sorted(repeats) == sorted(("repeat", one, "silenced") for one in ("email", "slack") for _ in "12")


def test_what_was_let_go_on_a_channel_that_is_off_is_not_told_after_a_silence() -> None:
    incident = fire()
    incident.notifications.update(state="silenced", code=outbox.CHANNEL_OFF)
    incidents.tend(now=NOW + timedelta(minutes=1))
    assert told(incident) == [("trigger", "slack", "silenced")]


def test_a_silence_has_a_reason_and_an_end_that_is_near() -> None:
    for reason, ends_at, why in (
        (" ", NOW + HOUR, "Say why"),
        ("x", NOW, "ended already"),
        ("x", NOW + timedelta(days=31), "30 days at most"),
    ):
        with pytest.raises(silences.Refused, match=why):
            silences.begin(None, "", reason=reason, ends_at=ends_at, by="staff:1", now=NOW)


def test_while_the_database_is_down_its_consequences_are_quiet() -> None:
    down = fire("database_down")
    assert {state for _, _, state in told(down)} == {"waiting"}
    consequence = fire()
    assert {state for _, _, state in told(consequence)} == {"silenced"}
    incidents.recover(down.rule, "", words="0", now=NOW)
    incidents.tend(now=NOW)
    assert told(consequence) == [("trigger", "slack", "silenced"), ("trigger", "slack", "waiting")]
    assert {state for _, _, state in told(fire("query_time"))} == {"waiting"}


def test_what_is_for_the_digest_is_not_mailed_by_itself() -> None:
    quiet = fire("log_drops")
    assert told(quiet) == []
    assert quiet.told_at is None
    assert Notification.objects.count() == 0


def test_terms_are_staffs_and_a_release_leaves_them_alone() -> None:
    changed = rules.change(rule(), {"threshold": 0.2, "channels": ["slack", "email"]}, by="staff:1", now=NOW)
    rules.seed()
    changed.refresh_from_db()
    assert changed.threshold == 0.2
    assert AuditEntry.objects.get(action="alert.change").changes["threshold"] == [0.05, 0.2]
    with pytest.raises(ValueError, match="beyond the threshold"):
        rules.change(rule(), {"recovery": 0.3}, by="staff:1", now=NOW)
    with pytest.raises(ValueError, match="cannot be changed: code"):
        rules.change(rule(), {"code": "x"}, by="staff:1", now=NOW)
