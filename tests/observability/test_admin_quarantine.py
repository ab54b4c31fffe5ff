"""The quarantine's pages: let in what was refused, and show what strangers sent without obeying it."""

import json
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ

from observability import tasks
from observability.models import Event, EventDefinition, QuarantinedEvent, QuarantineGroup
from tests import make
from tests.observability.conftest import Staff
from tests.observability.test_ingestion import post

pytestmark = pytest.mark.django_db

GROUPS = "/admin/observability/quarantinegroup/"


@pytest.fixture
def group(client: Client, key: str) -> QuarantineGroup:
    """A mistake with two events, of a name that nobody has declared."""
    sent = {"event": "referral_shared", "properties": {"channel": "whatsapp", "count": 3}}
    post(client, {"batch": [make.event(**sent), make.event(**sent)]}, key)
    return QuarantineGroup.objects.get()


def refuse(event: str, payload: str) -> QuarantineGroup:
    """Put something into quarantine as a door would have, whatever it is."""
    now = timezone.now()
    kept = {"code": "unknown_event", "message": f"There is no event {event}.", "refused": 1}
    group = QuarantineGroup.objects.create(event=event, first_seen_at=now, last_seen_at=now, **kept)
    QuarantinedEvent.objects.create(
        uuid=make.event()["uuid"],
        group=group,
        payload=payload,
        message="<i>no</i>",
        source="api",
        correlation_id="a&b=<c>",
        received_at=now,
    )
    return group


def test_from_the_mistake_to_the_events_by_adding_and_reingesting(
    boss: Client, group: QuarantineGroup
) -> None:
    page = boss.get(f"{GROUPS}{group.pk}/change/")
    assert "Sent with key" in page.content.decode()
    form = boss.get(page.context["add_url"]).context["adminform"].form
    assert form["name"].value() == "referral_shared"
    written = form["schema"].value()
    assert written == json.dumps(json.loads(written), indent=2)
    sent = {"name": form["name"].value(), "schema": written, "forwarded": "on"}
    assert boss.post(page.context["add_url"], sent).status_code == 302

    page = boss.get(f"{GROUPS}{group.pk}/change/")
    assert page.context["add_url"] == ""
    assert "is known by now" in page.content.decode()
    assert boss.post(f"{GROUPS}{group.pk}/reingest/").status_code == 302
    queued = OrmQ.objects.order_by("id").last().task
    assert (queued["func"], queued["args"]) == ("observability.tasks.reingest", (group.pk,))
    assert tasks.reingest(*queued["args"]) == (2, 0)
    assert Event.objects.filter(event="referral_shared").count() == 2
    assert (
        "every event of this kind has been let in" in boss.get(f"{GROUPS}{group.pk}/change/").content.decode()
    )


def test_reingesting_needs_permission_a_post_and_a_csrf_token(
    boss: Client, staff: Staff, group: QuarantineGroup
) -> None:
    before = OrmQ.objects.count()
    path = f"{GROUPS}{group.pk}/reingest/"
    assert boss.get(path).status_code == 405
    assert boss.post(f"{GROUPS}{group.pk + 1}/reingest/").status_code == 404
    reader = staff("view_quarantinegroup")
    assert reader.post(path).status_code == 403
    shown = reader.get(f"{GROUPS}{group.pk}/change/").content.decode()
    assert "Re-ingesting needs a permission" in shown
    assert "Adding an event needs a permission" in shown
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = boss.cookies
    assert strict.post(path).status_code == 403
    assert OrmQ.objects.count() == before


def test_a_run_that_was_interrupted_can_be_started_again(boss: Client, group: QuarantineGroup) -> None:
    """A worker that was killed leaves the group as it was: the button must not be gone for good."""
    QuarantineGroup.objects.update(state="reingesting")
    shown = boss.get(f"{GROUPS}{group.pk}/change/").content.decode()
    assert "A worker is at it" in shown
    assert "disabled" not in shown.split("Re-ingest all")[0][-120:]


def test_a_name_that_no_event_can_have_is_not_offered_as_one(boss: Client) -> None:
    group = refuse("Referral Shared", "{}")
    shown = boss.get(f"{GROUPS}{group.pk}/change/").content.decode()
    assert "No event can have this name" in shown
    assert "Add as custom event" not in shown


def test_groups_cannot_be_added_changed_or_deleted(boss: Client, group: QuarantineGroup) -> None:
    assert boss.get(f"{GROUPS}add/").status_code == 403
    assert boss.post(f"{GROUPS}{group.pk}/delete/", {"post": "yes"}).status_code == 403
    boss.post(f"{GROUPS}{group.pk}/change/", {"event": "x", "state": "empty"})
    group.refresh_from_db()
    assert (group.event, group.state) == ("referral_shared", "open")


@pytest.mark.parametrize("raw", ["0", "x", "²", "9" * 30, "1%00"])
def test_a_group_that_does_not_exist_is_not_found(boss: Client, raw: str) -> None:
    assert boss.get(f"{GROUPS}{raw}/change/").status_code == 404


def test_the_list_is_narrowed_by_reason_in_words(boss: Client, group: QuarantineGroup) -> None:
    assert "Unknown event" in boss.get(GROUPS).content.decode()
    assert boss.get(GROUPS, {"code": "unknown_event"}).context["cl"].result_count == 1
    assert boss.get(GROUPS, {"code": "missing_property"}).context["cl"].result_count == 0


HOSTILE: dict[str, Any] = {
    "script": {"event": "x", "properties": {"<script>alert(1)</script>": "</pre><script>alert(1)</script>"}},
    "turning marks": {"properties": {"a\u202eb": "\u2066\u200f"}},
    "nul": {"properties": {"a\x00": "b\x00"}},
    "half a character": '{"properties": {"a": "\\ud800", "b\\udfff": 1}}',
    "long": {"properties": {"a": "x" * 60_000}},
    "deep": '{"properties": ' + "[" * 5_000 + "]" * 5_000 + "}",
    "huge number": '{"properties": {"a": ' + "9" * 6_000 + "}}",
    "no json": "<script>alert(1)</script>",
    "a list": "[1, 2]",
    "not a number": '{"properties": {"a": NaN}}',
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_strangers_sent_is_shown_and_never_obeyed(boss: Client, kind: str) -> None:
    sent = HOSTILE[kind]
    group = refuse("hostile_event", sent if isinstance(sent, str) else json.dumps(sent, ensure_ascii=False))
    form = f"/admin/observability/eventdefinition/add/?from_group={group.pk}"
    for path in (GROUPS, f"{GROUPS}{group.pk}/change/", form):
        answer = boss.get(path)
        assert answer.status_code == 200, path
        shown = answer.content.decode()
        assert "<script>alert" not in shown
        assert "<i>no" not in shown
        assert not {"\u202e", "\u2066", "\u200f", "\x00"} & set(shown), path
        assert len(shown) < 100_000
    assert tasks.reingest(group.pk) == (0, 1)


def test_what_strangers_sent_as_names_is_shown_and_never_obeyed(boss: Client) -> None:
    group = refuse("<script>alert(1)</script>" + "\u202e" + "x" * 150, "{}")
    for path in (GROUPS, f"{GROUPS}{group.pk}/change/", "/admin/"):
        assert b"<script>alert" not in boss.get(path).content


def test_what_was_stored_is_shown_and_never_obeyed(boss: Client, key: str) -> None:
    EventDefinition.objects.create(
        name="note_taken",
        description="<script>alert(1)</script>",
        owner="<script>alert(1)</script>",
        schema={"type": "object", "properties": {"<script>alert(1)</script>": {"description": "<b>"}}},
    )
    marks = "<script>alert(1)</script>\u202e"
    sent = make.event(event="note_taken", distinct_id=marks, properties={"a": marks, marks: "x" * 30_000})
    answer = post(boss, sent, key)
    assert answer.json()["accepted"] == 1
    event = boss.get("/admin/events/", {"event": "note_taken"}).context["rows"][0][1]
    definitions = "/admin/observability/eventdefinition/"
    for path in (
        f"/admin/events/{event}/",
        "/admin/events/?event=note_taken",
        definitions,
        f"{definitions}note_taken/change/",
    ):
        shown = boss.get(path)
        assert shown.status_code == 200
        assert b"<script>alert" not in shown.content, path
    assert "\\u202e" in boss.get(f"/admin/events/{event}/").context["properties"]
