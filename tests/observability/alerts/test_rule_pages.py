"""Alert rules as staff see and change them: how each stands, other terms tried, and then saved."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from observability.alerts import incidents, rules
from observability.models import AlertRule, AuditEntry, Incident, RuleState
from tests.costs import asked_again
from tests.observability.alerts.standing import HOUR, fire, measured, member, rule
from trainu.roles import LEAD, OPERATOR

pytestmark = pytest.mark.django_db
LIST = "/admin/observability/alertrule/"
PAGE = f"{LIST}error_rate/change/"


def text(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, path
    return re.sub(r"\s+", " ", answer.content.decode())


def terms(client: Client, **changed: Any) -> dict[str, Any]:
    """Return what the form would send, with what was typed instead."""
    form = client.get(PAGE).context["form"]
    sent = {one.name: one.value() for one in form}
    sent = {name: "on" if value is True else value for name, value in sent.items() if value is not False}
    return {name: value for name, value in (sent | changed).items() if value is not None}


def stands(code: str, group: str, phase: str, value: float) -> None:
    RuleState.objects.create(rule_id=code, group=group, phase=phase, value=value, evaluated_at=timezone.now())


def test_the_list_says_how_each_stands_now_at_one_cost(boss: Client) -> None:
    rule()
    AlertRule.objects.filter(pk="deadlocks").update(is_enabled=False)
    stands("error_rate", "", "firing", 0.071)
    incident = fire("error_rate")
    few = [sql for sql in asked_again(lambda: boss.get(LIST)) if "observability_" in sql]
    for number in range(9):
        stands("breaker_open", f"loc-{number:02}", "firing" if number < 3 else "ok", float(number < 3))
        fire("breaker_open", f"loc-{number:02}")
    many = [sql for sql in asked_again(lambda: boss.get(LIST)) if "observability_" in sql]
    # Rules, where they stand, and what is open.
    assert len(many) == len(few) == 3
    shown = text(boss, LIST)
    row = next(one for one in shown.split("<tr") if f"{LIST}error_rate/" in one)
    assert "above 5" in row
    assert "over 15 minutes, of at least 20 cases, 3 of them bad" in row
    assert "Firing</span>" in row
    assert "7.1" in row
    assert f"/admin/observability/incident/{incident.pk}/change/" in row
    row = next(one for one in shown.split("<tr") if f"{LIST}breaker_open/" in one)
    assert "Firing: 3 of 9" in row
    assert "loc-00, loc-02 and 1 more" in row
    row = next(one for one in shown.split("<tr") if f"{LIST}deadlocks/" in one)
    assert ">Off<" in row


def test_terms_are_tried_before_they_are_saved_and_then_hold() -> None:
    rule()
    lead, now = member(LEAD), timezone.now()
    # An hour of 7 %, two hours ago, on a day that was well.
    measured("error_rate", [1.0] * 600 + [7.0] * 60 + [1.0] * 120, until=now)
    incident = fire("error_rate", ago=timedelta(hours=2, minutes=50))
    incidents.recover(incident.rule, "", words="0", now=now - 2 * HOUR)
    shown = text(lead, PAGE)
    assert 'name="threshold" value="5"' in shown
    assert "Threshold, per cent" in shown
    assert "What that would have done" not in shown

    answer = lead.post(PAGE, terms(lead, threshold="10", **{"try": "1"}))
    assert answer.status_code == 200
    shown = re.sub(r"\s+", " ", answer.content.decode())
    saved, mine = shown[shown.index("With the saved terms") :].split("With your terms", 1)
    assert "Over the last 30 days this would have fired once." in saved
    assert f"/admin/observability/incident/{incident.pk}/change/" in saved
    assert "this would never have fired." in mine
    assert "Measured only since" in mine
    assert 'name="threshold" value="10"' in mine
    assert "Saved: 5." in mine
    assert 'class="cell q8"' in shown
    assert AlertRule.objects.get(pk="error_rate").threshold == 0.05
    assert not AuditEntry.objects.filter(action="alert.change").exists()

    answer = lead.post(PAGE, terms(lead, threshold="10", channels=["slack", "email"]))
    assert answer.status_code == 302
    kept = AlertRule.objects.get(pk="error_rate")
    assert (kept.threshold, kept.recovery, kept.channels) == (0.1, 0.03, ["slack", "email"])
    entry = AuditEntry.objects.get(action="alert.change")
    assert set(entry.changes) == {"threshold", "channels"}
    shown = text(lead, PAGE)
    assert "Changed" in shown
    assert 'href="/admin/audit/' in shown


def test_what_does_not_fit_is_said_at_the_form_and_changes_nothing() -> None:
    rule()
    lead = member(LEAD)
    for wrong, words in (
        ({"recovery": "6"}, "well again beyond the threshold"),
        ({"threshold": "abc"}, "Enter a number"),
        ({"window_minutes": "0"}, "greater than or equal to 1"),
        ({"severity": "SEV9"}, "Select a valid choice"),
        ({"threshold": "101"}, "A share is 100 per cent at most"),
    ):
        for button in ("try", "save"):
            answer = lead.post(PAGE, terms(lead, **wrong, **{button: "1"}))
            assert answer.status_code == 200
            shown = answer.content.decode()
            assert words in shown
            assert "What that would have done" not in shown
    assert not AuditEntry.objects.filter(action="alert.change").exists()


def test_whoever_saves_second_is_told_and_overwrites_nothing_unseen() -> None:
    rule()
    lead = member(LEAD)
    first = terms(lead, window_minutes="30")
    rules.change(rule(), {"threshold": 0.2}, by="staff:9", now=timezone.now())
    answer = lead.post(PAGE, first)
    shown = answer.content.decode()
    assert "Somebody has changed this rule" in shown
    assert "Saved: 20." in shown
    kept = AlertRule.objects.get(pk="error_rate")
    assert (kept.threshold, kept.window_minutes) == (0.2, 15)
    again = re.search(r'name="opened" value="([^"]+)"', shown)
    assert again
    assert lead.post(PAGE, first | {"opened": again[1]}).status_code == 302
    assert AlertRule.objects.get(pk="error_rate").window_minutes == 30


def test_who_may_not_change_a_rule_may_try_the_saved_terms() -> None:
    rule()
    operator = member(OPERATOR)
    shown = text(operator, PAGE)
    main = shown[shown.index('id="content-main"') :]
    assert "<form" not in main
    assert "a permission that you do not have" in main
    assert operator.post(PAGE, {"threshold": "1"}).status_code == 403
    assert "Nothing was measured yet" in text(operator, f"{PAGE}?try")
    assert Incident.objects.count() == 0


def test_a_rule_that_would_tell_nobody_is_not_saved_unless_it_is_off() -> None:
    rule()
    lead = member(LEAD)
    answer = lead.post(PAGE, terms(lead, channels=None))
    assert "Nobody would be told. Choose a channel, or switch the rule off." in answer.content.decode()
    assert rule().channels == ["slack"]
    assert lead.post(PAGE, terms(lead, channels=None, is_enabled=None)).status_code == 302
    assert (rule().channels, rule().is_enabled) == ([], False)


def test_what_was_resolved_by_hand_and_still_fires_says_so(boss: Client) -> None:
    now = timezone.now()
    incident = fire("error_rate")
    stands("error_rate", "", "firing", 0.071)
    for place in range(3):
        stands("breaker_open", f"loc-{place}", "firing", 1.0)
        letter = fire("breaker_open", f"loc-{place}")
    assert "by hand" not in text(boss, LIST)
    incidents.resolve(incident, by="staff:1", reason="x", now=now)
    incidents.resolve(letter, by="staff:1", reason="x", now=now)
    shown = text(boss, LIST)
    assert "Firing, resolved by hand</span>" in shown
    assert "Firing: 3 of 3, 1 resolved by hand</span>" in shown
