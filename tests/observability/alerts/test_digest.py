"""The daily digest: once a day, whatever happens; true to what happened; and nothing personal in it."""

import html.parser
import json
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction

import observability.alerts.measures.rates  # noqa: F401 - the unit of a value is its measure's
from observability.alerts import digest, incidents, rules, silences
from observability.audit.actions import Action
from observability.audit.recording import record
from observability.models import (
    AlertRule,
    AuditLink,
    Channel,
    CounterMinute,
    ErrorMinute,
    Evaluation,
    Notification,
)

TODAY = datetime(2026, 11, 29, 7, 0, 30, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# What a careless measure or person might put where ids belong.
PERSONAL = ("ada.lovelace@example.org", "+49 30 901820", "Ada Lovelace")


@pytest.fixture(autouse=True)
def _on(settings: Any) -> None:
    settings.EMAIL_URL = "smtp://127.0.0.1:1"
    settings.DIGEST_HOUR = 7
    settings.PUBLIC_URL = "https://watch.example"


@pytest.fixture
def email(db: None) -> Channel:
    rules.seed()
    channel, _ = Channel.objects.update_or_create(
        kind="email", defaults={"is_enabled": True, "recipients": "staff@example.org"}
    )
    return channel


def fire(code: str, group: str = "", *, at: datetime, value: float = 0.125) -> Any:
    rule = AlertRule.objects.get(pk=code)
    title = f"{rule.title}: {group}" if group else rule.title
    return incidents.fire(rule, group, title=title, words=PERSONAL[2], value=value, now=at)


def written() -> Notification:
    return Notification.objects.get(act="digest")


@pytest.mark.usefixtures("email")
def test_it_is_written_once_a_day_from_its_hour_on() -> None:
    assert not digest.write_if_due(TODAY - HOUR)
    assert digest.write_if_due(TODAY)
    assert not digest.write_if_due(TODAY + timedelta(minutes=1))
    assert not digest.write_if_due(TODAY + 16 * HOUR)
    assert not digest.write_if_due(TODAY + 17 * HOUR)
    assert digest.write_if_due(TODAY + DAY)
    keys = Notification.objects.order_by("id").values_list("key", "channel", "incident", "state")
    assert list(keys) == [
        ("digest/2026-11-29", "email", None, "waiting"),
        ("digest/2026-11-30", "email", None, "waiting"),
    ]


def test_while_email_is_off_nothing_piles_up(email: Channel, settings: Any) -> None:
    Channel.objects.update(is_enabled=False)
    assert not digest.write_if_due(TODAY)
    Channel.objects.update(is_enabled=True)
    settings.EMAIL_URL = ""
    assert not digest.write_if_due(TODAY)
    settings.EMAIL_URL = "smtp://127.0.0.1:1"
    assert digest.write_if_due(TODAY + HOUR)
    assert Notification.objects.count() == 1


@pytest.mark.usefixtures("transactional_db")
def test_two_processes_and_one_that_is_killed_write_it_once() -> None:
    rules.seed()
    Channel.objects.update_or_create(kind="email", defaults={"is_enabled": True})
    with pytest.raises(KeyboardInterrupt), transaction.atomic():
        digest.write_if_due(TODAY)
        raise KeyboardInterrupt
    assert not Notification.objects.exists()
    assert not Evaluation.objects.exclude(digest_on=None).exists()
    together = threading.Barrier(2, timeout=10)
    wrote: list[bool] = []

    def write() -> None:
        together.wait()
        wrote.append(digest.write_if_due(TODAY))
        connection.close()

    threads = [threading.Thread(target=write) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(wrote) == [False, True]
    assert Notification.objects.count() == 1
    Channel.objects.all().delete()
    AlertRule.objects.all().delete()


@pytest.mark.usefixtures("email")
def test_when_all_is_quiet_it_says_so() -> None:
    digest.write_if_due(TODAY)
    sent = digest.mail(written())
    assert sent.subject == "TrainU digest, 29 November 2026: all quiet"
    assert "All quiet: no incident was opened, none is open, and nothing was lost." in sent.text
    assert "<h1>All quiet:" in sent.html


@pytest.mark.usefixtures("email")
def test_it_tells_what_happened_since_the_last_one_and_what_is_open() -> None:
    fire("error_rate", at=TODAY - 30 * HOUR)
    slow = fire("query_time", at=TODAY - 20 * HOUR)
    incidents.recover(slow.rule, "", words="well", now=TODAY - 19 * HOUR)
    lost = fire("log_drops", at=TODAY - 3 * HOUR)
    incidents.recover(lost.rule, "", words="well", now=TODAY - 2 * HOUR)
    old = fire("show_rate_drop", at=TODAY - 50 * HOUR)
    incidents.recover(old.rule, "", words="well", now=TODAY - 40 * HOUR)
    for hours_ago, errors in ((2, 40), (23, 2), (25, 1_000)):
        minute = (TODAY - hours_ago * HOUR).replace(second=0)
        ErrorMinute.objects.create(
            minute=minute, severity="SEV2", category="ghl", code="rate_limited", errors=errors
        )
        CounterMinute.objects.create(name="log_line_dropped", label="info", minute=minute, count=errors)
    Notification.objects.create(
        key="x", channel="slack", act="trigger", state="dead", due_at=TODAY - HOUR, created_at=TODAY - HOUR
    )
    silences.begin(None, "", reason="Move", ends_at=TODAY + DAY, by="staff:1", now=TODAY - HOUR)
    digest.write_if_due(TODAY)
    body = written().body
    assert body["incidents"] == {
        "SEV1": {"opened": 0, "resolved": 0, "open": 0},
        "SEV2": {"opened": 1, "resolved": 1, "open": 1},
        "SEV3": {"opened": 1, "resolved": 1, "open": 0},
    }
    assert [(one["rule"], one["state"]) for one in body["listed"]] == [
        ("error_rate", "open"),
        ("log_drops", "resolved"),
    ]
    assert body["errors"] == [{"severity": "SEV2", "category": "ghl", "code": "rate_limited", "times": 42}]
    assert body["dropped"] == {"log_line_dropped": 42, "sentry_event_dropped": 0}
    assert body["dead"] == {"slack": 1}
    assert (len(body["silences"]), body["letters"]["open"]) == (1, 0)
    sent = digest.mail(written())
    assert sent.subject.endswith(": 1 open, 2 opened, not told, lines lost")
    for words in (sent.text, sent.html):
        assert "12.5" in words, words
        assert "rate_limited" in words
        assert "https://watch.example/admin/" in words


@pytest.mark.usefixtures("email")
def test_what_came_between_two_digests_is_told_by_the_next_one() -> None:
    digest.write_if_due(TODAY - 3 * DAY)
    fire("log_drops", at=TODAY - 2 * DAY)
    digest.write_if_due(TODAY)
    body = Notification.objects.get(key="digest/2026-11-29").body
    assert body["since"] == "2026-11-26T07:00:00+00:00"
    assert body["incidents"]["SEV3"]["opened"] == 1
    digest.write_if_due(TODAY + 30 * DAY)
    body = Notification.objects.get(key="digest/2026-12-29").body
    assert body["since"] == "2026-12-28T07:00:00+00:00"


@pytest.mark.usefixtures("transactional_db")
def test_it_anchors_the_audit_log() -> None:
    # The chain is appended to at commit.
    record(Action.ALERT_CHANGE, actor="staff:1")
    newest = AuditLink.objects.order_by("-seq").first()
    assert newest is not None
    body = digest.snapshot(TODAY - DAY, TODAY, broken=[], now=TODAY)
    assert body["chain"] == {"seq": newest.seq, "hash": bytes(newest.hash).hex()}
    notification = Notification(body=body)
    for words in (digest.mail(notification).text, digest.mail(notification).html):
        assert bytes(newest.hash).hex() in words


@pytest.mark.usefixtures("email")
def test_nothing_personal_is_in_it() -> None:
    for number, marker in enumerate(PERSONAL[:2]):
        incident = fire("log_drops", f"{number} {marker}", at=TODAY - HOUR)
        incidents.note(incident, f"I have called {PERSONAL[2]}", by="staff:1", now=TODAY - HOUR)
    silences.begin(
        None, f"{PERSONAL[0]}", reason=f"For {PERSONAL[2]}", ends_at=TODAY + DAY, by="staff:1", now=TODAY
    )
    digest.write_if_due(TODAY)
    sent = digest.mail(written())
    for words in (json.dumps(written().body), sent.subject, sent.text, sent.html):
        for marker in PERSONAL:
            assert marker not in words
    assert sent.html.count("<a href") >= 2


class Outline(html.parser.HTMLParser):
    """What an email client would load, and how its tables are made."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.tags: list[str] = []
        self.scopes = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        given = dict(attrs)
        self.loads += [
            value or "" for name, value in attrs if name in ("src", "background", "srcset", "style")
        ]
        self.scopes += tag == "th" and "scope" in given


@pytest.mark.usefixtures("email")
def test_its_html_loads_nothing_and_its_tables_have_heads_and_words_are_escaped() -> None:
    incident = fire("log_drops", at=TODAY - HOUR)
    incident.title = "<script>alert(1)</script>"
    incident.save()
    digest.write_if_due(TODAY)
    outline = Outline()
    outline.feed(digest.mail(written()).html)
    assert outline.loads == []
    assert not {"img", "script", "style", "link", "iframe"} & set(outline.tags)
    assert outline.tags.count("th") == outline.scopes > 8
    assert "<script>" not in digest.mail(written()).html
