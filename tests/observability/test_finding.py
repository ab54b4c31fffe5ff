"""From any id to the journeys it belongs to: exact ids, by an index, bounded, and only what one may see."""

from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from uuid_utils.compat import uuid7

from observability import finding
from observability.models import QuarantinedEvent, QuarantineGroup
from sync.models import AppointmentState, ContactState
from tests.conftest import Staff
from tests.costs import asked_again
from tests.observability.test_ingestion import post
from tests.observability.trails import HERE, NOW, bulk, job, letter, place, webhook
from trainu.bounded_query import TooBroad

pytestmark = pytest.mark.django_db

CONTACT = "ocQHyuzHvysMo5N5VsXc"
APPOINTMENT = "0TkCdp9PfvLeWKYRRvIz"


def led_to(client: Client, entered: str) -> str:
    """Return the correlation id that the search box goes to at once; empty where it shows a page."""
    answer = client.get("/admin/trace/", {"id": entered})
    return answer["Location"].split("/")[-2] if answer.status_code == 302 else ""


def listed(client: Client, entered: str) -> list[str]:
    answer = client.get("/admin/trace/", {"id": entered})
    assert answer.status_code == 200
    return [journey.newest.correlation_id for journey in answer.context["found"].journeys]


def test_each_sort_of_id_leads_to_its_journey(boss: Client, client: Client, key: str) -> None:
    dead = job("journey-of-a-job", idempotency_key="pay:4711", state="dead", cause="refused")
    told = webhook("journey-of-a-webhook")
    dropped = letter(dead)
    operation = bulk([dropped])
    event = {"event": "user_logged_in", "distinct_id": "c", "uuid": str(uuid7())}
    event["properties"] = {"user_id": "c", "role": "client"}  # type: ignore[assignment]
    reported = post(client, {"batch": [event]}, key)["X-Correlation-ID"]
    for entered, correlation_id in {
        "journey-of-a-job": "journey-of-a-job",
        "no-such-journey-1": "no-such-journey-1",
        str(dead.pk): "journey-of-a-job",
        f" job {dead.pk} ": "journey-of-a-job",
        f"letter {dropped.pk}": "journey-of-a-job",
        f"Dead letter #{dropped.pk}": "journey-of-a-job",
        f"#{dropped.pk}": "journey-of-a-job",
        f"bulk {operation.pk}": "journey-of-a-job",
        "pay:4711": "journey-of-a-job",
        f"webhook {told.pk}": "journey-of-a-webhook",
        told.dedupe_key: "journey-of-a-webhook",
        event["uuid"]: reported,
        f"event {event['uuid']}": reported,
    }.items():
        assert led_to(boss, entered) == correlation_id, entered


def test_an_event_that_was_refused_is_found_too(boss: Client) -> None:
    group = QuarantineGroup.objects.create(
        event="nope", code="unknown_event", message="", first_seen_at=NOW, last_seen_at=NOW
    )
    refused = QuarantinedEvent.objects.create(
        uuid=uuid4(),
        group=group,
        payload="{}",
        message="",
        source="api",
        correlation_id="refused-journey",
        received_at=NOW,
    )
    assert led_to(boss, str(refused.pk)) == "refused-journey"


def test_a_contact_leads_to_all_its_journeys_newest_first_each_once(boss: Client) -> None:
    job("asked-for-it", payload={"contact_id": CONTACT}, minutes_ago=9)
    job("made-it", operation="contact.upsert", result={"contact_id": CONTACT}, minutes_ago=30)
    job("asked-for-it", payload={"contact_id": CONTACT}, minutes_ago=8)
    job("another-person", payload={"contact_id": "x" * 20})
    webhook("came-in", contact_id=CONTACT, object_id=CONTACT)
    ContactState.objects.create(location=place(), contact_id=CONTACT, first_seen_at=NOW)
    AppointmentState.objects.create(
        location_id=HERE, appointment_id=APPOINTMENT, contact_id=CONTACT, first_seen_at=NOW
    )
    assert listed(boss, CONTACT) == ["came-in", "asked-for-it", "made-it"]
    shown = boss.get("/admin/trace/", {"id": CONTACT}).content.decode()
    assert "and 1 more on the same page" in shown
    assert f'Contact {CONTACT}</a> <span class="quiet">of Studio</span>' in shown
    assert f"Appointment {APPOINTMENT}</a>" in shown
    assert 'href="/admin/trace/came-in/"' in shown


def test_an_appointment_leads_to_its_journeys(boss: Client) -> None:
    job("booked-it", operation="appointment.create", result={"appointment_id": APPOINTMENT}, minutes_ago=9)
    job("moved-it", operation="appointment.update", payload={"appointment_id": APPOINTMENT})
    webhook("came-in", contact_id=CONTACT, object_id=APPOINTMENT)
    assert listed(boss, APPOINTMENT) == ["came-in", "moved-it", "booked-it"]


def test_what_is_known_but_has_left_no_trace_is_said(boss: Client) -> None:
    ContactState.objects.create(location=place(), contact_id=CONTACT, first_seen_at=NOW)
    shown = boss.get("/admin/trace/", {"id": CONTACT}).content.decode()
    assert "Nothing that is still kept has happened under this id" in shown
    assert f">Contact {CONTACT}</a>" in shown


def test_what_leads_nowhere_is_told_with_what_can_be_entered(boss: Client) -> None:
    for entered in (
        "a/b",
        "letter 4711",
        "#0",
        "bulk 99999999999999999",
        "webhook x",
        "job nothing",
        "٣",
        "short",
    ):
        shown = boss.get("/admin/trace/", {"id": entered})
        assert shown.status_code == 200, entered
        assert b"What can be entered" in shown.content
    assert b"What can be entered" in boss.get("/admin/trace/no-such-journey-1/").content
    assert b"What can be entered" in boss.get("/admin/trace/").content


def test_of_very_many_journeys_the_newest_are_listed_and_it_is_said(boss: Client) -> None:
    for number in range(finding.MOST + 5):
        job(f"journey-{number:03}", payload={"contact_id": CONTACT}, minutes_ago=500 - number)
    found = listed(boss, CONTACT)
    assert len(found) == finding.MOST
    assert found[0] == f"journey-{finding.MOST + 4:03}"
    assert b"Only the newest 50 are shown" in boss.get("/admin/trace/", {"id": CONTACT}).content


def test_the_reader_finds_only_what_they_may_see(staff: Staff) -> None:
    job("hidden-journey", payload={"contact_id": CONTACT})
    webhook("shown-journey", contact_id=CONTACT)
    webhook("shown-as-well", contact_id=CONTACT)
    reader = staff("view_webhook")
    assert sorted(listed(reader, CONTACT)) == ["shown-as-well", "shown-journey"]
    shown = reader.get("/admin/trace/", {"id": CONTACT}).content.decode()
    assert "Not looked through with your account: jobs, dead letters," in shown


def test_a_search_that_takes_too_long_is_given_up_and_says_so(
    boss: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(_asked: finding.Asked) -> Any:
        raise TooBroad

    place = finding.Place("jobs", "sync.view_syncjob", slow)
    monkeypatch.setattr(finding, "PLACES", (place, *finding.PLACES[1:]))
    shown = boss.get("/admin/trace/", {"id": "journey-of-a-job"}).content
    assert b"To look through the jobs took too long" in shown


def test_no_strangers_id_becomes_markup_or_breaks_the_search(boss: Client) -> None:
    words = (
        "\x00",
        "<script>alert(1)</script>",
        "\u202etxet",
        "x" * 5_000,
        "²",
        "#" * 9,
        "letter \x00 1",
        "%s {}",
    )
    for word in words:
        answer = boss.get("/admin/trace/", {"id": word}, follow=True)
        assert answer.status_code == 200, word
        assert b"<script>alert" not in answer.content
        assert "\u202e" not in answer.content.decode()


def test_a_search_costs_the_same_queries_however_much_there_is(boss: Client) -> None:
    def cost() -> int:
        return len(
            asked_again(lambda: boss.get("/admin/trace/", {"id": CONTACT}), statuses=frozenset({200, 302}))
        )

    for number in range(2):
        job(f"journey-{number}", payload={"contact_id": CONTACT})
    few = cost()
    for number in range(60):
        job(f"another-{number}", payload={"contact_id": CONTACT})
        webhook(f"webhook-{number}", contact_id=CONTACT, object_id=CONTACT)
    assert (cost(), few) == (43, 43)


@pytest.mark.parametrize(
    ("entered", "index"),
    [
        (CONTACT, "job_by_contact"),
        (CONTACT, "job_by_appointment"),
        (CONTACT, "webhook_by_contact"),
        (CONTACT, "webhook_by_object"),
        (CONTACT, "job_by_correlation_id"),
        (CONTACT, "one_job_an_idempotency_key"),
        (CONTACT, "one_state_a_contact"),
        (CONTACT, "appointment_by_contact"),
    ],
)
def test_ids_are_found_by_their_index(entered: str, index: str) -> None:
    place()
    with CaptureQueriesContext(connection) as queries:
        finding.find(finding.read(entered), may=lambda permission: True)
    plans = []
    with connection.cursor() as cursor:
        # A handful of rows is read whole unless that is forbidden.
        cursor.execute("set local enable_seqscan = off")
        for query in queries:
            if query["sql"].startswith("SELECT") and "set_config" not in query["sql"]:
                cursor.execute(f"explain {query['sql']}")
                plans.append("\n".join(row[0] for row in cursor.fetchall()))
    assert any(f"using {index}" in plan or f"on {index}" in plan for plan in plans)


def test_every_page_has_the_search_box_for_who_could_find_something(boss: Client, staff: Staff) -> None:
    for path in ("/admin/", "/admin/overview/", "/admin/auth/user/", "/admin/sync/syncjob/", "/admin/logs/"):
        shown = boss.get(path).content.decode()
        assert '<label class="visually-hidden" for="finder-id">' in shown, path
        assert 'action="/admin/trace/"' in shown
    assert b"finder-id" not in staff("view_group").get("/admin/").content
