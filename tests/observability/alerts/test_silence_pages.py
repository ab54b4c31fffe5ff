"""Silences as staff see, begin and end them."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from observability.alerts import silences
from observability.models import AuditEntry, Silence
from tests.costs import asked_again
from tests.observability.alerts.standing import HOUR, fire, member, rule
from trainu.roles import LEAD, OPERATOR

pytestmark = pytest.mark.django_db
LIST = "/admin/observability/silence/"


def text(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, path
    return re.sub(r"\s+", " ", answer.content.decode())


def test_a_silence_is_begun_seen_and_ended_early() -> None:
    rule()
    lead = member(LEAD)
    assert "No silence holds" in text(lead, LIST)
    sent = {"rule": "error_rate", "group": "loc-1", "lasts": "4", "reason": "Deploying <b>"}
    assert lead.post(f"{LIST}add/", sent)["Location"] == LIST
    silence = Silence.objects.get()
    assert silence.ends_at - silence.begins_at == 4 * HOUR
    assert fire(group="loc-1", ago=-timedelta(seconds=1)).notifications.get().state == "silenced"
    shown = text(lead, LIST)
    assert "Much goes wrong" in shown
    assert "Deploying &lt;b&gt;" in shown
    assert f'action="{LIST}{silence.pk}/end/"' in shown
    assert lead.post(f"{LIST}{silence.pk}/end/")["Location"] == LIST
    shown = text(lead, LIST)
    assert "No silence holds" in shown
    assert "early, by lead" in shown
    assert "was over already" in lead.post(f"{LIST}{silence.pk}/end/", follow=True).content.decode()
    assert set(AuditEntry.objects.filter(action__startswith="silence.").values_list("action", flat=True)) == {
        "silence.begin",
        "silence.end",
    }


def test_until_a_time_and_what_does_not_fit_is_said_at_its_field() -> None:
    rule()
    lead = member(LEAD)
    now = timezone.now()
    given = {"rule": "*", "lasts": "until", "reason": "Moving house"}
    for ends_at, words in (
        ("", "Give the time until when"),
        (f"{now - HOUR:%Y-%m-%dT%H:%M}", "would have ended already"),
        (f"{now + timedelta(days=40):%Y-%m-%dT%H:%M}", "30 days at most"),
    ):
        answer = lead.post(f"{LIST}add/", given | {"ends_at": ends_at})
        assert answer.status_code == 200
        assert words in answer.content.decode()
    assert "Say why" in lead.post(f"{LIST}add/", {"lasts": "1"}).content.decode()
    assert not Silence.objects.exists()
    assert lead.post(f"{LIST}add/", given | {"ends_at": f"{now + HOUR:%Y-%m-%dT%H:%M}"}).status_code == 302
    silence = Silence.objects.get()
    assert silence.rule is None
    assert abs(silence.ends_at - now - HOUR) < timedelta(minutes=1)
    assert "Every rule" in text(lead, f"{LIST}{silence.pk}/change/")


def test_who_may_not_silence_sees_them_and_can_neither_add_nor_end() -> None:
    silence = silences.begin(
        rule(), "", reason="Planned", ends_at=timezone.now() + HOUR, by="staff:1", now=timezone.now()
    )
    operator = member(OPERATOR)
    shown = text(operator, LIST)
    assert "Planned" in shown
    assert "Add silence" not in shown
    assert "/end/" not in shown
    assert operator.get(f"{LIST}add/").status_code == 403
    assert operator.post(f"{LIST}add/", {"lasts": "1", "reason": "x"}).status_code == 403
    assert operator.post(f"{LIST}{silence.pk}/end/").status_code == 403
    assert "a permission that you do not have" in text(operator, f"{LIST}{silence.pk}/change/")


def test_the_list_goes_on_where_it_ended_at_one_cost(boss: Client) -> None:
    rule()
    now = timezone.now()
    Silence.objects.bulk_create(
        Silence(
            rule_id="error_rate",
            reason=f"Reason {number}.",
            begins_at=now - 2 * HOUR,
            ends_at=now - timedelta(minutes=number),
            by=f"staff:{number}",
        )
        for number in range(1, 61)
    )
    asked = [sql for sql in asked_again(lambda: boss.get(LIST)) if "_silence" in sql]
    assert len(asked) == 2
    first = text(boss, LIST)
    [older] = re.findall(r'rel="next" href="([^"]+)"', first)
    found = re.compile(r"Reason \d+\.")
    rest = text(boss, LIST + older)
    assert sorted(found.findall(first) + found.findall(rest)) == sorted(f"Reason {n}." for n in range(1, 61))


def test_every_rule_must_be_chosen_and_then_stands_at_home() -> None:
    rule()
    lead = member(LEAD)
    shown = text(lead, f"{LIST}add/")
    [options] = re.findall(r'<select name="rule".*?</select>', shown)
    values = re.findall(r'value="([^"]*)"( selected)?', options)
    assert values[0] == ("", " selected")
    assert values[-1] == ("*", "")
    assert "nobody is called, whatever happens" in shown
    given = {"lasts": "1", "reason": "Moving <house>"}
    assert "Choose a rule." in lead.post(f"{LIST}add/", given | {"rule": ""}).content.decode()
    assert not Silence.objects.exists()
    lead.post(f"{LIST}add/", given | {"rule": "error_rate"})
    assert "every rule is silenced" not in text(lead, "/admin/")
    lead.post(f"{LIST}add/", given | {"rule": "*"})
    assert "Nobody is told of any incident: every rule is silenced" in text(lead, "/admin/")
    silences.end(Silence.objects.get(rule=None), by="staff:1", now=timezone.now())
    assert "every rule is silenced" not in text(lead, "/admin/")


def test_a_group_that_nobody_has_ever_seen_is_said() -> None:
    fire(group="loc-1")
    lead = member(LEAD)
    given = {"rule": "error_rate", "lasts": "1", "reason": "x"}
    for one, is_known in (("loc-1", True), ("loc-l", False)):
        shown = lead.post(f"{LIST}add/", given | {"group": one}, follow=True).content.decode()
        assert ("Nothing was ever seen of the group" in shown) != is_known
