"""From the outbox to the channels: nothing lost, in order, twice only where nobody can know."""

import random
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from pydantic import SecretStr

from observability.alerts import dispatch, incidents, outbox, rules
from observability.alerts.channels import pagerduty, slack
from observability.alerts.dispatch import Dispatcher
from observability.alerts.outbox import Impossible, Outcome
from observability.models import AlertRule, Channel, Incident, Notification
from tests.alert_servers import MailServer, PagerDutyServer, SlackServer, all_three
from tests.servers import Reply
from trainu.encryption import seal

NOW = timezone.now()
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
Three = tuple[SlackServer, PagerDutyServer, MailServer]


@pytest.fixture
def three(db: None, settings: Any) -> Iterator[Three]:
    with connected(settings) as servers:
        yield servers


@pytest.fixture
def three_committed(transactional_db: None, settings: Any) -> Iterator[Three]:
    with connected(settings) as servers:
        yield servers


@contextmanager
def connected(settings: Any) -> Iterator[Three]:
    """Slack, PagerDuty and a mail server, and our channels to them, all on."""
    rules.seed()
    with all_three() as servers:
        settings.PAGERDUTY_URL, settings.EMAIL_URL = servers[1].url, servers[2].url
        secrets = {"slack": servers[0].webhook, "pagerduty": PagerDutyServer.KEY}
        for kind in ("slack", "pagerduty", "email"):
            secret = seal(SecretStr(secrets[kind])) if kind in secrets else b""
            wanted = {"is_enabled": True, "secret": secret, "recipients": "on-call@example.com"}
            Channel.objects.update_or_create(kind=kind, defaults=wanted)
        yield servers


def fire(code: str = "sev1_fault", group: str = "") -> Incident:
    rule = AlertRule.objects.get(pk=code)
    return incidents.fire(rule, group, title="Data lost", words="1", value=1, now=NOW)


def drain(dispatcher: Dispatcher, *, at: timedelta = timedelta(0)) -> None:
    """Step at one moment until nothing is due then and nothing is on its way."""
    steps = 0
    while dispatcher.step(now=NOW + at):
        steps += 1
        assert steps < 200, "it goes on for ever"


def run(seconds: range) -> None:
    dispatcher = Dispatcher()
    for second in seconds:
        drain(dispatcher, at=second * SECOND)
    dispatcher.close(now=NOW + seconds.stop * SECOND)


def rows(**wanted: Any) -> list[tuple[str, str, str, str]]:
    found = Notification.objects.filter(**wanted).order_by("id")
    return list(found.values_list("channel", "act", "state", "code"))


def turn_off(*kinds: str) -> None:
    Channel.objects.filter(kind__in=kinds).update(is_enabled=False)


def test_what_happens_is_told_on_every_channel_in_order(three: Three) -> None:
    slack_server, pagerduty_server, mail = three
    incident = fire()
    incidents.acknowledge(incident, by="staff:1", now=NOW)
    incidents.recover(incident.rule, "", words="0", now=NOW)
    run(range(4))
    beginnings = ("SEV1 Data", "SEV1 Acknowledged: Data", "SEV1 Resolved: Data")
    titles = [text.splitlines()[0] for text in slack_server.texts]
    assert all(title.startswith(b) for title, b in zip(titles, beginnings, strict=True))
    assert [body["event_action"] for body in pagerduty_server.taken] == ["trigger", "acknowledge", "resolve"]
    subjects = [one["Subject"] for one in mail.mails]
    assert all(subject.startswith(b) for subject, b in zip(subjects, beginnings, strict=True))
    assert {state for _, _, state, _ in rows()} == {"sent"}


def test_slack_gets_one_message_a_second_and_the_others_do_not_wait_for_it(three: Three) -> None:
    for number in range(3):
        fire(group=f"loc-{number}")
    run(range(1))
    assert [len(server.taken) for server in three[:2]] == [1, 3]
    assert len(three[2].mails) == 3
    run(range(1, 3))
    assert len(three[0].taken) == 3


def test_one_that_hangs_holds_up_no_other(three: Three) -> None:
    three[0].script(Reply(hang_s=1.0))
    fire()
    dispatcher = Dispatcher()
    for _ in range(100):
        dispatcher.step(now=NOW)
        if len(three[2].mails) + len(three[1].taken) == 2:
            break
    assert rows(channel="slack") == [("slack", "trigger", "waiting", "")]
    assert three[0].taken, "it was asked first, and has not answered yet"
    drain(dispatcher)
    assert rows(channel="slack") == [("slack", "trigger", "sent", "")]


def test_what_is_not_back_in_time_is_tried_again_and_its_late_answer_counts_for_nothing(
    three: Three, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "DEADLINE_S", 0.1)
    turn_off("pagerduty", "email")
    three[0].script(Reply(hang_s=0.6))
    fire()
    dispatcher = Dispatcher()
    drain(dispatcher)
    assert rows(channel="slack") == [("slack", "trigger", "waiting", "timeout")]
    drain(dispatcher, at=5 * SECOND)
    assert rows(channel="slack") == [("slack", "trigger", "sent", "")]
    assert len(three[0].taken) == 2


def test_the_other_sides_word_is_kept(three: Three) -> None:
    three[0].script(Reply(429, {"Retry-After": "30"}))
    fire()
    run(range(30))
    assert three[0].taken == []
    run(range(30, 31))
    assert len(three[0].taken) == 1


def test_a_door_that_breaks_is_tried_again_and_the_others_stay_open(three: Three) -> None:
    def broken(one: Notification, channel: Channel) -> Outcome:
        raise RuntimeError("planted")

    fire()
    dispatcher = Dispatcher({**dispatch.DOORS, "slack": broken})
    drain(dispatcher)
    assert rows(channel="slack") == [("slack", "trigger", "waiting", "broken")]
    assert [state for _, _, state, _ in rows()].count("sent") == 2
    run(range(3, 4))
    assert len(three[0].taken) == 1


def test_what_one_cannot_be_told_the_others_are_once_and_they_hear_of_the_end(three: Three) -> None:
    Channel.objects.filter(kind="slack").update(secret=seal(SecretStr(f"{three[0].url}/gone")))
    incident = fire("error_rate")
    run(range(3))
    assert rows(channel="slack") == [("slack", "trigger", "dead", "no_service")]
    [mail] = three[2].mails
    body = mail.get_body(("plain",))
    assert body is not None
    assert "Slack could not be told (no_service); so you are." in body.get_content()
    assert list(three[1].state.values()) == ["triggered"]
    incidents.recover(incident.rule, "", words="0", now=NOW)
    run(range(3, 8))
    assert list(three[1].state.values()) == ["resolved"]
    assert [one["Subject"].split(":")[0] for one in three[2].mails] == ["SEV2 Data lost", "SEV2 Resolved"]
    assert len(rows()) == 6, "each was told of beginning and end"


def test_pagerduty_calls_nobody_to_what_somebody_sees_to_or_what_is_over(three: Three) -> None:
    Channel.objects.filter(kind="slack").update(secret=seal(SecretStr(f"{three[0].url}/gone")))
    seen, over = fire("error_rate"), fire("query_time")
    incidents.acknowledge(seen, by="staff:1", now=NOW)
    incidents.recover(over.rule, "", words="0", now=NOW)
    run(range(9))
    assert three[1].asked == []
    assert [act for channel, act, _, _ in rows(channel="email", incident=over)] == ["trigger", "resolve"]


def test_what_is_late_is_told_elsewhere_long_before_it_is_given_up(three: Three) -> None:
    three[0].script(*[Reply(500)] * 30)
    fire("error_rate")
    dispatcher = Dispatcher()
    for tries in range(1, outbox.ESCALATED_AFTER + 3):
        due = Notification.objects.get(channel="slack").due_at
        drain(dispatcher, at=due - NOW)
        if tries == outbox.ESCALATED_AFTER:
            assert due - NOW < timedelta(minutes=15)
        drain(dispatcher, at=due - NOW)
        assert len(three[2].mails) == (tries >= outbox.ESCALATED_AFTER)
    assert rows(channel="slack") == [("slack", "trigger", "waiting", "status_500")]


def test_repeats_and_reports_are_not_for_pagerduty_which_calls_by_itself(three: Three) -> None:
    incident = fire()
    for act in ("repeat", "report_24h", "report_72h", "overdue"):
        outbox.write(incident, act, channels=["slack", "pagerduty"], is_silent=False, now=NOW)
    assert [act for _, act, _, _ in rows(channel="pagerduty")] == ["trigger", "overdue"]
    assert len(rows(channel="slack")) == 5


def test_a_reminder_that_is_not_true_any_more_goes_to_nobody_and_is_seen(three: Three) -> None:
    incident = fire()
    for act in ("repeat", "overdue", "report_24h", "report_72h"):
        outbox.write(incident, act, channels=["slack", "pagerduty"], is_silent=False, now=NOW)
    incidents.report(incident, is_final=False, words="To the lead", by="staff:1", now=NOW)
    incidents.resolve(incident, by="staff:1", reason="Mended", now=NOW)
    run(range(6))
    assert rows(channel="slack") == [
        ("slack", "trigger", "sent", ""),
        ("slack", "repeat", "silenced", "overtaken"),
        ("slack", "overdue", "silenced", "overtaken"),
        ("slack", "report_24h", "silenced", "overtaken"),
        ("slack", "report_72h", "sent", ""),
        ("slack", "resolve", "sent", ""),
    ]
    assert [body["event_action"] for body in three[1].taken] == ["trigger", "resolve"]
    assert not [text for text in three[0].texts if "Nobody has acknowledged" in text]


def test_what_waits_on_a_channel_that_is_off_blocks_nothing_and_goes_to_nobody_after_an_hour(
    three: Three,
) -> None:
    turn_off("slack", "pagerduty")
    incident = fire()
    run(range(2))
    assert len(three[2].mails) == 1
    assert rows(channel="slack") == [("slack", "trigger", "waiting", "")]
    dispatcher = Dispatcher()
    drain(dispatcher, at=HOUR - SECOND)
    assert rows(channel="slack") == [("slack", "trigger", "waiting", "")]
    drain(dispatcher, at=HOUR + dispatch.LET_GO_EVERY)
    for kind in ("slack", "pagerduty"):
        assert rows(channel=kind) == [(kind, "trigger", "silenced", "channel_off")]
    Channel.objects.update(is_enabled=True)
    drain(dispatcher, at=2 * HOUR)
    assert three[0].taken == [], "an alarm of yesterday"
    assert len(rows(incident=incident)) == 3, "and nobody was told instead"


def test_with_all_channels_off_nothing_piles_up(three: Three) -> None:
    turn_off("slack", "pagerduty", "email")
    incident = fire()
    for hour in range(1, 30):
        incidents.repeat(incident, now=NOW + hour * HOUR)
        outbox.let_go(now=NOW + hour * HOUR)
    assert len(rows(state="waiting")) <= 2
    assert rows(state="dead") == []


def test_a_digest_that_cannot_be_mailed_is_told_in_slack(three: Three) -> None:
    one = Notification.objects.create(
        key="digest/1", channel="email", act="digest", due_at=NOW, created_at=NOW
    )
    [(key, fence)] = outbox.claim(now=NOW)
    assert key == one.pk
    assert outbox.settle(key, fence, Impossible("smtp_554"), now=NOW)
    run(range(1))
    assert (
        three[0].texts[0].startswith("The daily digest has not arrived\nEmail could not be told (smtp_554)")
    )
    assert three[1].asked == []


def test_a_channel_says_whom_it_could_not_reach_although_it_delivered(three: Three) -> None:
    three[2].refuses = {"gone@example.com": "550 No"}
    Channel.objects.filter(kind="email").update(recipients="on-call@example.com\ngone@example.com")
    fire()
    run(range(1))
    assert rows(channel="email") == [("email", "trigger", "sent", "recipients_refused")]
    email = Channel.objects.get(pk="email")
    assert (email.code, email.sent_at, email.failed_at) == ("recipients_refused", NOW, NOW)


def test_three_dispatchers_and_random_faults_lose_nothing_and_keep_the_order(
    three_committed: Three, monkeypatch: pytest.MonkeyPatch
) -> None:
    slack_server, pagerduty_server, mail = three_committed
    for room in (slack, pagerduty):
        monkeypatch.setattr(room, "TIMEOUT_S", 0.2)
    for number in range(4):
        incident = fire(group=f"loc-{number}")
        incidents.acknowledge(incident, by="staff:1", now=NOW)
        incidents.recover(incident.rule, incident.group, words="0", now=NOW)
    dice = random.Random(7)
    faults = [
        Reply(500),
        Reply(429, {"Retry-After": "3"}),
        Reply(drop=True),
        Reply(drop=True, stores=True),
        Reply(hang_s=0.4, stores=True),
    ]
    lost: Counter[str] = Counter()
    for server in (slack_server, pagerduty_server):
        well = Reply(202 if server is pagerduty_server else 200)
        replies = [dice.choice(faults) if dice.random() < 0.6 else well for _ in range(14)]
        server.script(*replies)
        lost[type(server).__name__] = sum(reply.stores is True for reply in replies)
    together = threading.Barrier(3, timeout=60)

    def work() -> None:
        dispatcher = Dispatcher()
        try:
            for turn in range(40):
                together.wait()
                drain(dispatcher, at=turn * 7 * SECOND)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {state for _, _, state, _ in rows()} == {"sent"}
    deliveries = {one.pk: (one.incident_id, one.act) for one in Notification.objects.all()}
    said = [int(text.splitlines()[-1].removeprefix("Delivery ")) for text in slack_server.texts]
    assert_in_order([deliveries[pk] for pk in said])
    assert len(said) - len(set(said)) == lost["SlackServer"]
    assert len(set(said)) == 12
    assert_in_order([(body["dedup_key"], body["event_action"]) for body in pagerduty_server.taken])
    assert len(pagerduty_server.taken) - 12 == lost["PagerDutyServer"]
    assert set(pagerduty_server.state.values()) == {"resolved"}
    assert set(pagerduty_server.opened.values()) == {1}, "a repeat is none there"
    ids = [one["Message-ID"] for one in mail.mails]
    assert len(ids) == len(set(ids)) == 12


def assert_in_order(told: list[tuple[Any, str]]) -> None:
    """Each incident begins, is acknowledged, and is over; a repeat comes before what follows."""
    order = ("trigger", "acknowledge", "resolve")
    by_incident = defaultdict(list)
    for incident, act in told:
        by_incident[incident].append(order.index(act))
    assert len(by_incident) == 4
    for acts in by_incident.values():
        assert acts == sorted(acts)
        assert set(acts) == {0, 1, 2}
