"""How long what belongs to drafts is kept, and what erasing a person leaves of it."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.db import connection, transaction
from uuid_utils.compat import uuid7

from observability.retention import batches
from sync import datasets
from sync.drafts import consent, personal, suppressed
from sync.drafts.consent import Said
from sync.models import (
    Consent,
    Draft,
    DraftAttempt,
    Insight,
    Message,
    SyncJob,
    TrainerDigest,
    TrainerLogin,
)
from tests.sync.drafts.drafted import HERE, NOW, draft, place
from trainu.datasets import Rows
from trainu.personal_data import registered as places

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
PERSON, CLIENT, OTHER = "contact-1", "c-1", "contact-10"
# What somebody has said, or who logs in as whom: one row a contact and channel, one a trainer.
STANDING = {"Consent", "TrainerLogin"}
TABLES = ("draft", "draftattempt", "message", "consent", "insight", "trainerdigest", "trainerlogin")


def remove(name: str, *, now: Any) -> None:
    """Purge a dataset as its default says."""
    [one] = [one for one in datasets.DRAFTS if one.name == name]
    assert isinstance(one, Rows)
    for table in one.tables:
        for _ in batches.remove(table, cutoff_at=now - one.default_days * DAY, note=lambda _: None):
            pass


def job() -> SyncJob:
    return SyncJob.objects.create(
        id=uuid7(),
        location=place(),
        operation="message.send",
        payload={"contact_id": PERSON},
        next_at=NOW,
        created_at=NOW,
        correlation_id="journey-1234",
    )


def everything() -> str:
    """Return the text of every row of these tables."""
    rows = []
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"select row_to_json(t)::text from sync_{table} t order by 1")
            rows += [row[0] for row in cursor.fetchall()]
    return "\n".join(rows)


def erase(person: str) -> dict[str, tuple[int, int, int]]:
    """Erase somebody; return by place what was found, erased, and found then."""
    done = {}
    with transaction.atomic():
        for place in personal.places():
            found = place.find(person)
            done[place.name] = (found, place.erase(person), place.find(person))
    return {name: figures for name, figures in done.items() if any(figures)}


# --- kept --------------------------------------------------------------------------------------


def test_every_table_of_drafts_is_kept_for_a_limited_time() -> None:
    declared = {
        table.model.split(".")[1] for one in datasets.DRAFTS if isinstance(one, Rows) for table in one.tables
    }
    ours = {
        model.__name__
        for model in apps.get_app_config("sync").get_models()
        if model.__module__ in {f"sync.models.{name}" for name in ("draft", "message", "trainer")}
    }
    # Attempts go with their draft.
    assert ours - declared - STANDING == {"DraftAttempt"}


def test_a_draft_that_is_over_goes_with_its_tries_and_an_open_one_never_does() -> None:
    long_ago = NOW - 366 * DAY
    over = draft("sent", ended_at=long_ago, sent_at=long_ago, job=job())
    DraftAttempt.objects.create(draft=over, round=1, number=1, began_at=long_ago)
    kept = {
        draft("dismissed", ended_at=NOW - 364 * DAY).pk,
        *(draft(state, created_at=long_ago).pk for state in ("review", "failed", "undelivered")),
    }
    remove("drafts", now=NOW)
    assert set(Draft.objects.values_list("pk", flat=True)) == kept
    assert not DraftAttempt.objects.exists()
    assert SyncJob.objects.count() == 1


def test_the_others_go_by_their_own_time() -> None:
    def told(days: int) -> None:
        at = NOW - days * DAY
        Message.objects.create(
            location=place(), message_id=str(days), contact_id="c", direction="inbound", channel="sms", at=at
        )
        Insight.objects.create(
            id=uuid7(), trainer_id="t", client_id="c", kind="risk", created_at=at, correlation_id="x"
        )
        TrainerDigest.objects.create(id=uuid7(), trainer_id="t", week=at.date(), created_at=at)

    for days in (89, 91, 179, 181, 399, 401):
        told(days)
    for name, rows, left in (
        ("messages", Message, 1),
        ("insights", Insight, 3),
        ("trainer_digests", TrainerDigest, 5),
    ):
        remove(name, now=NOW)
        assert rows.objects.count() == left


def test_a_job_that_is_purged_leaves_its_draft() -> None:
    one = draft("sent", job=job())
    SyncJob.objects.all().delete()
    one.refresh_from_db()
    assert one.job_id is None


# --- erased ------------------------------------------------------------------------------------


def plant(contact: str, client: str) -> None:
    """Put a client, and what a trainer has with them, into every table."""
    context = {"client": {"name": "Ada"}, "contact": contact}
    for state in Draft.State.values:
        one = draft(
            state,
            contact_id=contact,
            client_id=client,
            context=context,
            why="Ada was away",
            hint=f"of {client}",
            idempotency_key=f"{client}-{state}",
            asked_digest="d" * 64,
            snoozed_until=NOW if state in ("review", "failed") else None,
        )
        DraftAttempt.objects.create(draft=one, round=1, number=1, began_at=NOW)
    Message.objects.create(
        location=place(),
        message_id=f"m-{contact}",
        contact_id=contact,
        direction="inbound",
        channel="sms",
        text="I am ill",
        at=NOW,
    )
    for channel, may in (("sms", False), ("email", True)):
        Consent.objects.create(
            location_id=HERE,
            contact_id=contact,
            channel=channel,
            source="message",
            may_be_sent=may,
            at=NOW,
        )
    for who, contact_id in ((client, contact), ("c-99", contact)):
        Insight.objects.create(
            id=uuid7(),
            trainer_id="t-1",
            client_id=who,
            contact_id=contact_id,
            kind="risk",
            text="Ada may leave",
            created_at=NOW,
            correlation_id="x",
        )


@pytest.fixture
def _planted() -> None:
    plant(PERSON, CLIENT)
    plant(OTHER, "c-10")
    content = {"at_risk": [{"client_id": CLIENT, "kind": "risk"}, {"client_id": "c-10"}], "sent": 3}
    TrainerDigest.objects.create(
        id=uuid7(), trainer_id="t-1", week=NOW.date(), content=content, created_at=NOW
    )
    TrainerLogin.objects.create(user=User.objects.create(username="nora"), trainer_id="t-1")
    # For another client, and yet it mentions them.
    draft(
        contact_id="contact-77",
        client_id="c-77",
        context={"friend": PERSON, "notes": f"trains with {CLIENT}; {CLIENT} knows"},
        why=f"As for {CLIENT}.",
        text="Train with a friend!",
    )


@pytest.mark.usefixtures("_planted")
def test_a_client_is_gone_from_every_place_by_either_id_and_others_stay() -> None:
    states = len(Draft.State.values)
    before = {line for line in everything().splitlines() if OTHER in line}
    assert erase(PERSON) == {
        "drafts": (states, states, 0),
        "draft_mentions": (1, 1, 0),
        "messages": (1, 1, 0),
        "consents": (2, 2, 0),
        "insights": (2, 2, 0),
    }
    # By TrainU's id, what never was in GoHighLevel, or only mentions them.
    assert erase(CLIENT) == {"draft_mentions": (1, 1, 0), "digest_mentions": (1, 1, 0)}
    left = everything()
    for one in (PERSON, CLIENT):
        assert f'"{one}"' not in left
    assert before <= set(left.splitlines())
    digest = TrainerDigest.objects.get()
    assert digest.content["at_risk"] == [{"client_id": "erased", "kind": "risk"}, {"client_id": "c-10"}]
    mentioned = Draft.objects.get(client_id="c-77")
    assert mentioned.context == {"friend": "erased", "notes": "trains with erased; erased knows"}
    assert (mentioned.why, mentioned.text, mentioned.state) == (
        "As for erased.",
        "Train with a friend!",
        "review",
    )
    assert erase(PERSON) == erase(CLIENT) == {}


@pytest.mark.usefixtures("_planted")
def test_an_erased_draft_is_empty_and_over_and_what_was_sent_stays_sent() -> None:
    fences = dict(Draft.objects.values_list("pk", "fence"))
    assert personal.erase_drafts(PERSON) == len(Draft.State.values)
    erased = Draft.objects.filter(client_id="")
    assert sorted(erased.values_list("state", flat=True)) == ["dismissed"] * 7 + ["sent"]
    for one in erased:
        assert (one.contact_id, one.text, one.written_text, one.why, one.hint) == ("", "", "", "", "")
        assert (one.context, one.idempotency_key, one.asked_digest) == ({}, "", "")
        assert (one.snoozed_until, one.trainer_id) == (None, "t-1")
        assert one.ended_at
        assert one.fence == fences[one.pk] + 1
        assert one.dismissed_reason == ("" if one.state == "sent" else personal.ERASED)
    assert DraftAttempt.objects.filter(draft__in=erased).count() == len(Draft.State.values)


@pytest.mark.usefixtures("_planted")
def test_who_said_stop_stays_suppressed_under_a_name_that_leads_to_nobody() -> None:
    for _ in range(2):
        personal.erase_consents(PERSON)
        kept = Consent.objects.get(contact_id=suppressed.kept_as(PERSON))
        assert (kept.channel, kept.may_be_sent, kept.source) == ("sms", False, "message")
        assert PERSON not in kept.contact_id
        assert not Consent.objects.filter(contact_id=PERSON).exists()
        # They come back, say it again, and are erased again.
        Consent.objects.create(
            location_id=HERE, contact_id=PERSON, channel="sms", source="message", may_be_sent=False, at=NOW
        )
    looked_for = Consent.objects.filter(contact_id__in=suppressed.names_of(PERSON), may_be_sent=False)
    assert looked_for.count() == 2
    assert suppressed.kept_as(PERSON) != suppressed.kept_as(OTHER)


@pytest.mark.usefixtures("_planted")
def test_an_erased_contact_gets_no_message_until_they_ask_for_them_again() -> None:
    with transaction.atomic():
        personal.erase_consents(PERSON)
    assert not consent.allows(PERSON, HERE, "sms")
    assert consent.allows(PERSON, HERE, "email")
    assert consent.allows(PERSON, "loc-2", "sms")
    assert consent.refused([PERSON, OTHER, "contact-77"]) == {(PERSON, HERE, "sms"), (OTHER, HERE, "sms")}
    # At another source, in the same second, and later.
    said = Said(PERSON, HERE, "sms", Consent.Source.DND, True, NOW + DAY)
    consent.note([said])
    assert not consent.allows(PERSON, HERE, "sms")
    consent.note([replace(said, source=Consent.Source.MESSAGE, at=NOW)])
    assert not consent.allows(PERSON, HERE, "sms")
    consent.note([replace(said, source=Consent.Source.MESSAGE)])
    assert consent.allows(PERSON, HERE, "sms")


@pytest.mark.usefixtures("_planted")
def test_a_trainer_is_a_person_too() -> None:
    assert erase("t-1") == {
        "drafts": (17, 17, 0),
        "insights": (4, 4, 0),
        "trainer_digests": (1, 1, 0),
        "trainer_logins": (1, 1, 0),
    }
    assert set(Draft.objects.values_list("trainer_id", "text")) == {("", "")}
    assert User.objects.filter(username="nora").exists()


def test_these_places_are_among_those_that_are_asked() -> None:
    assert {place.name for place in personal.places()} <= {place.name for place in places()}
    assert "contact" not in json.dumps(suppressed.kept_as(PERSON))
