"""Forgetting a person: gone from every place, proven, and nobody else's data touched."""

import json
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from typing import Any
from uuid import UUID

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.db.models import Sum
from django.test import Client
from django.utils import timezone
from django_q.models import Task
from hypothesis import given
from hypothesis import strategies as st
from uuid_utils.compat import uuid7

from observability import capture, erasure, forwarder, partitions, tasks
from observability.capture import Occurrence
from observability.catalog.agent import MessageDrafted
from observability.catalog.booking import LeadCreated
from observability.catalog.onboarding import UserLoggedIn
from observability.erasure import mention
from observability.models import (
    AuditEntry,
    Booking,
    DayCell,
    DraftedMessage,
    Erasure,
    Event,
    EventHour,
    Forwarder,
    ForwardRejection,
    InboundMessage,
    Person,
    QuarantinedEvent,
    QuarantineGroup,
)
from observability.posthog import Delivered, StoredEvent
from observability.store import Origin
from tests.journeys.database import settle
from tests.observability.test_ingestion import post
from tests.observability.test_rollups import roll_all

PERSON, OTHER = "c-1", "c-10"
NOW = timezone.now()


def events_of(person: str, *, days_old: int = 0) -> list[UUID]:
    """Store four events in which a person appears in different ways."""
    at = timezone.now() - timedelta(days=days_old)
    draft = {
        "draft_id": "d-1",
        "trainer_id": "t-1",
        "kind": "general_reply",
        "channel": "sms",
        "duration_ms": 1.0,
    }
    made = [
        Occurrence(UserLoggedIn(user_id=person, role="client"), f"client:{person}", at, uuid7()),
        Occurrence(LeadCreated(client_id=person), f"contact:{person}", at, uuid7()),
        Occurrence(MessageDrafted(client_id=person, **draft), "trainer:t-1", at, uuid7()),
        Occurrence(UserLoggedIn(user_id="someone", role="client"), person, at, uuid7()),
    ]
    capture.persist(made, Origin("python", "corr-1"))
    return [one.uuid for one in made]


def log_line(kind: str, **overrides: Any) -> None:
    level = "error" if kind == "error" else "info"
    columns = {"event": "request_finished", "correlation_id": "", "user_id": None, "rest": "{}"} | overrides
    table = {"application": partitions.LOGS, "error": partitions.ERROR_LOGS}[kind]
    table.ensure([NOW.date()])
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into observability_logline"
            " (logged_at, kind, level, service, logger, event, correlation_id, user_id, rest)"
            " values (%s, %s, %s, 'tests', 'tests', %s, %s, %s, %s)",
            [NOW, kind, level, *columns.values()],
        )


def refused(event: str, payload: str) -> QuarantinedEvent:
    group, _ = QuarantineGroup.objects.get_or_create(
        event=event, code="unknown_event", defaults={"first_seen_at": NOW, "last_seen_at": NOW}
    )
    return QuarantinedEvent.objects.create(
        uuid=uuid7(),
        group=group,
        payload=payload,
        message="",
        source="api",
        correlation_id="",
        received_at=NOW,
    )


def plant(person: str) -> None:
    """Put a person into every place of the observer."""
    events_of(person)
    events_of(person, days_old=3)
    log_line("application", user_id=person)
    log_line("application", event=f"draft for client:{person} waits")
    log_line("error", rest=json.dumps({"exception": f"KeyError: '{person}'", "nested": {"ids": [person]}}))
    ForwardRejection.objects.create(
        uuid=uuid7(), timestamp=NOW, event="x", status=400, reason=f"bad person {person}", refused_at=NOW
    )
    refused("unknown_thing", json.dumps({"event": "unknown_thing", "properties": {"who": person}}))
    refused(f"view of {person}", "{}")
    Person.objects.create(distinct_id=f"client:{person}", role="client", trainer_id="t-1")
    Person.objects.create(distinct_id=f"client:guest-{len(person)}", role="client", trainer_id=person)
    Booking.objects.create(
        booking_id=f"b-for-{len(person)}", client_id=person, trainer_id="t-1", segment="new", starts_at=NOW,
        state="booked", changed_at=NOW, changed_by=uuid7(),
    )  # fmt: skip
    DraftedMessage.objects.create(
        draft_id=f"d-for-{len(person)}", client_id=person, trainer_id="t-1", kind="x", channel="sms"
    )
    InboundMessage.objects.create(client_id=person, received_at=NOW)
    DayCell.objects.create(
        subject="bookings", zone="UTC", level=1, day=NOW.date(), a=person, b="", numbers=[1, 0, 0, 0]
    )
    user, _ = User.objects.get_or_create(username="nora")
    LogEntry.objects.create(
        user=user, action_flag=CHANGE, object_repr=f"{person}: unknown", change_message="Re-ingested."
    )
    Task.objects.create(
        id=uuid7().hex, name="n", func="f", args=(person,), kwargs={}, result={"done": 1},
        started=NOW, stopped=NOW, success=True,
    )  # fmt: skip


def everything() -> str:
    """Return the text of every row that could hold a person."""
    tables = ["event", "logline", "forwardrejection", "quarantinedevent", "quarantinegroup"]
    tables += ["person", "booking", "draftedmessage", "inboundmessage", "daycell"]
    with connection.cursor() as cursor:
        rows = []
        for table in [*(f"observability_{name}" for name in tables), "django_admin_log"]:
            cursor.execute(f"select t::text from {table} t")
            rows += [row[0] for row in cursor.fetchall()]
    return "\n".join([*rows, *map(repr, Task.objects.values_list("args", "result"))])


def forget(person: str = PERSON, **options: Any) -> Erasure:
    return erasure.forget(person, by="command:forget", reason="request 7", now=timezone.now(), **options)


def figures(proof: Erasure) -> dict[str, tuple[int, int, int]]:
    return {
        name: (place["found"], place["erased"], place["left"])
        for name, place in proof.findings.items()
        if place["found"] or place["left"]
    }


@pytest.fixture
def _planted(db: None) -> None:
    plant(PERSON)
    plant(OTHER)


EXPECTED = {
    "product_events": 8,
    "application_logs": 2,
    "error_logs": 1,
    "forward_rejections": 1,
    "admin_history": 1,
    "quarantine": 1,
    "quarantine_groups": 1,
    "people": 2,
    "bookings": 1,
    "drafted_messages": 1,
    "inbound_messages": 1,
    "counted_days": 1,
    "tasks": 1,
}
# What sync knows of people; tests of its own plant there.
ELSEWHERE = {
    "appointment_states",
    "consents",
    "contact_states",
    "dead_letters",
    "digest_mentions",
    "discard_reasons",
    "draft_mentions",
    "drafts",
    "group_notes",
    "insight_mentions",
    "insights",
    "letter_notes",
    "messages",
    "saved_views",
    "sync_attempts",
    "sync_jobs",
    "trainer_digests",
    "trainer_logins",
    "webhooks",
}
EVERYWHERE = EXPECTED | dict.fromkeys(ELSEWHERE, 0)


@pytest.mark.usefixtures("_planted")
def test_a_person_is_gone_from_every_place_and_the_proof_counts_what_was_there() -> None:
    proof = forget()
    assert figures(proof) == {name: (count, count, 0) for name, count in EXPECTED.items()}
    assert mention.without(everything(), PERSON) == everything()
    assert proof.finished_at is not None
    assert proof.subject == ""
    assert PERSON not in json.dumps(proof.findings) + proof.pseudonym + proof.reason


@pytest.mark.usefixtures("_planted")
def test_the_rows_of_others_stay_as_they_are() -> None:
    before = {line for line in everything().splitlines() if mention.without(line, OTHER) != line}
    assert len(before) == sum(EXPECTED.values())
    forget()
    assert before <= set(everything().splitlines())


@pytest.mark.usefixtures("_planted")
def test_a_second_run_finds_nothing() -> None:
    forget()
    again = forget()
    assert figures(again) == {}
    assert set(again.findings) == set(EVERYWHERE)
    assert Erasure.objects.count() == 2


@pytest.mark.usefixtures("_planted")
def test_a_dry_run_finds_the_same_and_changes_nothing() -> None:
    before = everything()
    proof = forget(dry_run=True)
    assert figures(proof) == {name: (count, 0, count) for name, count in EXPECTED.items()}
    assert everything() == before
    assert not Erasure.objects.exists()
    assert not AuditEntry.objects.filter(action="data.forget").exists()


@pytest.mark.django_db
def test_events_keep_one_pseudonym_for_the_person_and_everything_else() -> None:
    uuids = events_of(PERSON)
    before = list(Event.objects.filter(uuid__in=uuids).order_by("uuid").values())
    forget()
    after = list(Event.objects.filter(uuid__in=uuids).order_by("uuid").values())
    token = mention.token(PERSON)
    assert [row["distinct_id"] for row in after] == [
        f"client:{token}",
        f"contact:{token}",
        "trainer:t-1",
        token,
    ]
    assert after[2]["properties"]["client_id"] == token
    for was, now in zip(before, after, strict=True):
        assert (
            json.loads(json.dumps(was["properties"]).replace(f'"{PERSON}"', f'"{token}"'))
            == now["properties"]
        )
        for column in ("uuid", "timestamp", "event", "correlation_id", "source", "received_at", "xid"):
            assert was[column] == now[column]


@pytest.mark.usefixtures("transactional_db")
def test_neither_counts_nor_forwarder_see_an_event_again_that_was_pseudonymised() -> None:
    sent: list[StoredEvent] = []

    class Posthog:
        def deliver(self, batch: list[StoredEvent]) -> Delivered:
            sent.extend(batch)
            return Delivered()

    def forward_all() -> None:
        settle()
        run = forwarder.Forwarding(Posthog())
        while run.step(now=timezone.now()).behind:
            pass

    forwarder.load()
    events_of(PERSON)
    roll_all()
    forward_all()
    assert len(sent) == 4
    counted = EventHour.objects.aggregate(total=Sum("events"))["total"]
    events_of(OTHER)  # neither counted nor forwarded when the erasure comes
    events_of(PERSON)
    forget()
    assert roll_all() == 8
    assert EventHour.objects.aggregate(total=Sum("events"))["total"] == counted + 8
    forward_all()
    assert len(sent) == len({event.uuid for event in sent}) == 12
    assert {event.distinct_id for event in sent[4:] if PERSON in event.distinct_id} == {
        f"client:{OTHER}",
        f"contact:{OTHER}",
        OTHER,
    }
    assert Forwarder.objects.get().sent == 12


@pytest.mark.usefixtures("_planted")
def test_an_erasure_that_is_stopped_midway_goes_on_and_its_figures_add_up() -> None:
    started = erasure.request(PERSON, by="staff:1", reason="request 7", now=NOW)
    parts = 0
    while not (started := erasure.advance(started, budget_s=-1)).finished_at:
        parts += 1
        assert started.subject == PERSON
    assert parts > 8
    assert {name: place["found"] for name, place in started.findings.items()} == EVERYWHERE
    assert {place["left"] for place in started.findings.values()} == {0}


@pytest.mark.usefixtures("_planted")
def test_an_erasure_whose_last_part_was_purged_meanwhile_looks_through_all_the_others() -> None:
    started = erasure.request(PERSON, by="staff:1", reason="request 7", now=NOW)
    started = erasure.advance(started, budget_s=-1)
    Erasure.objects.filter(pk=started.pk).update(reached="product_events:a_day_that_is_gone")
    done = erasure.advance(started)
    assert {name: place["found"] for name, place in done.findings.items()} == EVERYWHERE


@pytest.mark.usefixtures("_planted")
def test_a_part_that_fails_leaves_neither_changes_nor_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    started = erasure.request(PERSON, by="staff:1", reason="request 7", now=NOW)
    [last] = [place for place in erasure.registered() if place.name == "tasks"]

    def broken() -> Iterator[Any]:
        yield last.__class__("a", "A", last.find, lambda contact_id: last.erase(contact_id) // 0)

    monkeypatch.setattr(erasure, "registered", lambda: list(broken()))
    with pytest.raises(ZeroDivisionError):
        erasure.advance(started)
    assert last.find(PERSON) == 1
    monkeypatch.undo()
    assert figures(erasure.advance(started))["tasks"] == (1, 1, 0)


@pytest.mark.usefixtures("_planted")
def test_the_schedule_goes_on_with_what_was_requested() -> None:
    requested = erasure.request(PERSON, by="staff:1", reason="request 7", now=NOW)
    same = erasure.request(PERSON, by="staff:2", reason="asked again", now=NOW)
    assert same.pk == requested.pk
    assert tasks.forget() == []
    requested.refresh_from_db()
    assert requested.finished_at is not None
    assert tasks.forget() == []


@pytest.mark.django_db
def test_an_erasure_is_audited_by_its_pseudonym_alone() -> None:
    proof = erasure.forget(PERSON, by="staff:7", reason=f"{PERSON}, jane@example.org, request 7", now=NOW)
    entry = AuditEntry.objects.get(action="data.forget")
    assert (entry.actor_id, entry.target_id) == ("staff:7", str(proof.pk))
    assert entry.reason.endswith("request 7")
    assert PERSON not in entry.reason + proof.reason
    assert "jane" not in entry.reason + proof.reason


@pytest.mark.django_db
def test_the_database_keeps_no_id_in_a_finished_proof() -> None:
    forget()
    with pytest.raises(IntegrityError), transaction.atomic():
        Erasure.objects.update(subject=PERSON)


@pytest.mark.django_db
def test_the_proof_says_what_it_does_not_reach() -> None:
    assert not any("PostHog" in sentence for sentence in forget().elsewhere)
    Forwarder.objects.update_or_create(pk=1, defaults={"sent": 3})
    [posthog, *others] = forget().elsewhere
    assert "PostHog has events of before" in posthog
    assert any("Audit entries" in sentence for sentence in others)


@pytest.mark.parametrize(
    "word", ["", "c1", "name@example.com", "+1 555 010 0000", "client", "a" * 65, "c-1\x00"]
)
def test_what_cannot_be_an_id_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match=r"id"):
        mention.checked(word)


@pytest.mark.django_db
def test_a_reason_is_required() -> None:
    with pytest.raises(ValueError, match="Say why"):
        erasure.forget(PERSON, by="staff:1", reason=" ", now=NOW)
    assert not Erasure.objects.exists()


@pytest.mark.parametrize(
    ("text", "mentioned"),
    [
        ("c-1", True),
        ("client:c-1", True),
        ("for c-1.", True),
        ("/clients/c-1/bookings", True),
        ("c-1: late", True),
        ("c-10", False),
        ("abc-1", False),
        ("c-1-2", False),
        ("c-1.json", False),
        ("v.c-1", False),
        ("c-1:draft", False),
    ],
)
@pytest.mark.django_db
def test_an_id_is_mentioned_where_it_stands_by_itself(text: str, mentioned: bool) -> None:
    assert (mention.without(text, "c-1") != text) is mentioned
    with connection.cursor() as cursor:
        cursor.execute("select %s ~ %s", [text, mention.pattern("c-1")])
        assert cursor.fetchone() == (mentioned,)


@given(st.text(alphabet="c1-0:. _é/", max_size=12), st.sampled_from(["c-1", "c.1", "c:1-1"]))
def test_nothing_of_the_id_is_left_and_twice_is_once(text: str, contact_id: str) -> None:
    once = mention.without(text, contact_id)
    assert mention.without(once, contact_id) == once


def test_proof_and_data_know_the_person_by_different_words() -> None:
    assert mention.pseudonym(PERSON) not in mention.token(PERSON)
    assert mention.token(PERSON) == mention.token(PERSON) != mention.token(OTHER)


@pytest.mark.django_db
def test_numbers_that_look_like_the_id_stay() -> None:
    capture.persist(
        [Occurrence(UserLoggedIn(user_id="x-1", role="client"), "client:x-1", NOW, uuid7())],
        Origin("python", ""),
    )
    with connection.cursor() as cursor:
        cursor.execute('update observability_event set properties = \'{"count": 12345, "ids": ["12345"]}\'')
    assert figures(forget("12345"))["product_events"] == (1, 1, 0)
    assert Event.objects.get().properties == {"count": 12345, "ids": [mention.token("12345")]}


@pytest.mark.django_db
def test_an_id_that_came_through_the_api_is_found(client: Client, key: str) -> None:
    post(
        client,
        {"batch": [{"event": "nobody_knows", "distinct_id": "client:Zx81", "properties": {"a": 1}}]},
        key,
    )
    assert figures(forget("Zx81"))["quarantine"] == (1, 1, 0)
    assert QuarantineGroup.objects.get().state == "empty"


def call(*arguments: str) -> str:
    out = StringIO()
    call_command("forget", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


@pytest.mark.usefixtures("_planted")
def test_the_command_asks_shows_and_proves() -> None:
    with pytest.raises(CommandError, match="Say --yes"):
        call("--contact", PERSON, "--reason", "request 7")
    looked = call("--contact", PERSON, "--dry-run")
    assert "Nothing was changed." in looked
    assert not Erasure.objects.exists()
    done = call("--contact", PERSON, "--reason", "request 7", "--yes")
    assert PERSON not in done.replace(OTHER, "")
    assert "product_events       found      8  erased      8  left      0" in done
    assert "Not reached: " in done
    assert Erasure.objects.get().requested_by == "command:forget"
    with pytest.raises(CommandError, match="3 to 64"):
        call("--contact", "x", "--reason", "r", "--yes")
