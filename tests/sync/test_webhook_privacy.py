"""Bodies hold people's data: shown to nobody, erased at their wish, and gone after their time."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from observability import erasure
from observability.retention import policies, purge
from sync.mirror.seen import Status
from sync.models import ContactState, DeadLetter, Location, Webhook
from sync.webhooks import intake, processing, queue, reading
from tests.sync.webhooks import LOCATION, NOW, SIGNER, appointment, contact, number, signed
from trainu import datasets, personal_data

PERSON = "nmFmQEsNgz6AVpgLVUJ0"


@pytest.fixture(autouse=True)
def _key(settings: object) -> None:
    settings.GHL_WEBHOOK_KEYS = [SIGNER.public_pem]  # type: ignore[attr-defined]


@pytest.fixture
def location(db: None) -> Location:
    return Location.objects.create(pk=LOCATION, name="Studio", created_at=NOW)


def stored(document: object) -> Webhook:
    raw, headers = signed(document)
    assert intake.accept(raw, headers, now=NOW).stored
    return Webhook.objects.latest("pk")


def place() -> personal_data.Place:
    [found] = [one for one in personal_data.registered() if one.name == "webhooks"]
    return found


def test_a_person_is_found_wherever_a_body_mentions_them(location: Location) -> None:
    stored(contact(number(1)))
    stored(appointment(number(2), contactId=PERSON))
    stored(
        {
            "type": "InvoicePaid",
            "locationId": LOCATION,
            "contactDetails": {"id": PERSON},
            "webhookId": number(3),
        }
    )
    stored(contact(number(4), id=f"{PERSON}x"))
    stored(contact(number(5), id="another"))
    assert (place().find(PERSON), place().erase(PERSON), place().find(PERSON)) == (3, 3, 0)
    assert place().find("another") == 1


def test_erasure_leaves_the_row_so_that_a_resend_brings_nobody_back(location: Location) -> None:
    document = contact()
    waiting = stored(document)
    proof = erasure.forget(PERSON, by="staff:1", reason="their wish", now=NOW)
    assert proof.findings["webhooks"] == {
        "label": "Webhooks of GoHighLevel",
        "found": 1,
        "erased": 1,
        "left": 0,
    }
    waiting.refresh_from_db()
    assert (bytes(waiting.body), waiting.contact_id, waiting.object_id) == (b"", "", "")
    assert (waiting.state, waiting.code) == ("ignored", "erased")
    raw, headers = signed(document)
    assert intake.accept(raw, headers, now=NOW).reason == "duplicate"
    assert not processing.work(now=NOW)
    assert not ContactState.objects.exists()


def test_who_is_erased_while_in_hand_is_not_brought_back(location: Location) -> None:
    stored(contact())
    [in_hand] = queue.claim(now=NOW, most=1)
    place().erase(PERSON)
    processing.settle(in_hand, now=NOW)
    assert (Webhook.objects.get().state, ContactState.objects.count()) == ("ignored", 0)


def test_a_dead_webhook_whose_body_was_erased_is_not_tried_again(location: Location) -> None:
    webhook = stored(contact())
    Webhook.objects.update(state="dead", code="handler_error", processed_at=NOW)
    assert queue.revive([webhook.pk], now=NOW) == {webhook.pk}
    Webhook.objects.update(state="dead", code="handler_error", processed_at=NOW)
    place().erase(PERSON)
    assert queue.revive([webhook.pk], now=NOW) == set()
    assert Webhook.objects.get().state == "dead"


def test_processed_webhooks_go_after_their_time_and_those_with_a_letter_stay(
    transactional_db: None, location: Location
) -> None:
    dataset = datasets.find("webhooks")
    assert dataset is not None
    assert dataset.default_days == 30
    policies.mirror()
    for count, state in enumerate(["done", "ignored", "waiting", "leased"]):
        row = stored(contact(number(count)))
        ended = {"processed_at": NOW, "code": "x"} if count < 2 else {}
        Webhook.objects.filter(pk=row.pk).update(state=state, **ended)
    dead = stored(contact(number(9), id=""))
    processing.settle(queue.claim(now=NOW, most=9)[-1], now=NOW)
    for days, left in (
        (29, ["dead", "done", "ignored", "leased", "leased"]),
        (32, ["dead", "leased", "leased"]),
    ):
        purge.run(dataset, now=NOW + timedelta(days=days), by="system")
        assert sorted(Webhook.objects.values_list("state", flat=True)) == left
    # Recovered, it goes when its letter does.
    Webhook.objects.filter(pk=dead.pk).update(state="done")
    purge.run(dataset, now=NOW + timedelta(days=33), by="system")
    assert Webhook.objects.filter(pk=dead.pk).exists()
    DeadLetter.objects.all().delete()
    purge.run(dataset, now=NOW + timedelta(days=34), by="system")
    assert not Webhook.objects.filter(pk=dead.pk).exists()


def test_staff_see_what_a_webhook_was_about_and_nothing_that_was_written_in_it(
    admin_client: Client, location: Location
) -> None:
    webhook = stored(contact())
    page = admin_client.get(reverse("admin:sync_webhook_change", args=[webhook.pk])).content.decode()
    assert PERSON in page
    assert "firstName" in page
    listed = admin_client.get(reverse("admin:sync_webhook_changelist")).content.decode()
    for text in (page, listed):
        assert "Mira" not in text
        assert "example.org" not in text
    for body in (b"", b"no JSON of mira.stone@example.org"):
        Webhook.objects.update(body=body)
        page = admin_client.get(reverse("admin:sync_webhook_change", args=[webhook.pk])).content.decode()
        assert "mira.stone" not in page
    assert admin_client.get(reverse("admin:sync_webhook_add")).status_code == 403
    assert admin_client.post(reverse("admin:sync_webhook_delete", args=[webhook.pk])).status_code == 403
    assert admin_client.get(reverse("admin:sync_workflowaddress_changelist")).status_code == 200


def test_the_list_asks_the_same_few_questions_however_long_it_is(
    admin_client: Client, location: Location, django_assert_max_num_queries: object
) -> None:
    for count in range(30):
        stored(contact(number(count)))
    with django_assert_max_num_queries(12) as asked:  # type: ignore[operator]
        admin_client.get(reverse("admin:sync_webhook_changelist"))
    assert not [one for one in asked.captured_queries if '"sync_webhook"."body"' in one["sql"]]


def test_no_status_is_unknown_for_want_of_a_spelling() -> None:
    assert set(reading._STATUSES.values()) == set(Status) - {Status.UNKNOWN}
