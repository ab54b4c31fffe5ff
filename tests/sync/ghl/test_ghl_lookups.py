"""Was it done? Lookups find our own work, take nobody else's for it, and admit what they cannot tell."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.ghl.errors import Outcome, Verdict
from sync.ghl.lookup import CANNOT_TELL, NOT_FOUND, TARGET_GONE, Finding, Found, ask, instant
from sync.ghl.operations import OPERATIONS, Sought, marker
from sync.ghl.request import Request
from sync.ghl.response import Answer, Cause, Failure, Phase, read
from tests.sync.ghl import official, payloads
from tests.sync.ghl.test_ghl_operations import JOB, NAMES

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SENT_AT = NOW - timedelta(minutes=2)
MARK = marker(JOB)
OTHER_MARK = "ref:01890000-0000-7000-8000-000000000002"
JUST_NOW = "2026-11-23T11:58:01Z"
LONG_AGO = "2025-01-01T00:00:00Z"
GONE = (404, {"message": "Not found", "statusCode": 404})

Reply = tuple[int, Any] | Failure


def look_up(name: str, *replies: Reply, document: Any = None, claimed: Any = ()) -> Finding | Verdict:
    """Carry an operation's lookup against these replies; each of its requests must be an official one."""
    operation = OPERATIONS[name]
    payload = operation.payload.parse(document) if document else payloads.example(name)
    left = list(replies)

    async def send(request: Request) -> Answer | Failure:
        official.check(request)
        reply = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(reply, Failure):
            return reply
        return read(reply[0], {}, json.dumps(reply[1]).encode())

    sought = Sought("loc1", MARK, SENT_AT, claimed)
    return asyncio.run(ask(operation.look_up(payload, sought), send, now=NOW))


def found(**ids: str) -> Finding:
    return Finding(Found.FOUND, ids)


def event(**changes: Any) -> dict[str, Any]:
    return {"id": "a9", "contactId": "c1", "startTime": "2026-12-01T09:00:00+01:00", **changes}


def message(**changes: Any) -> dict[str, Any]:
    return {
        "id": "m9",
        "direction": "outbound",
        "messageType": "TYPE_SMS",
        "dateAdded": JUST_NOW,
        "body": "See you at nine.",
        **changes,
    }


@pytest.mark.parametrize(
    ("name", "listed", "made"),
    [
        (
            "note.create",
            lambda text: {"notes": [{"id": "n1", "body": "Other"}, {"id": "n2", "body": text}]},
            "note_id",
        ),
        ("task.create", lambda text: {"tasks": [{"id": "n1"}, {"id": "n2", "body": text}]}, "task_id"),
    ],
)
def test_a_note_or_task_is_known_by_its_marker(name: str, listed: Callable[[str], Any], made: str) -> None:
    assert look_up(name, (200, listed(f"<p>Prefers mornings.</p><p>{MARK}</p>"))) == found(**{made: "n2"})
    assert look_up(name, (200, listed(f"Prefers mornings.\n\n{OTHER_MARK}"))) == NOT_FOUND
    assert look_up(name, (200, listed("Prefers mornings."))) == NOT_FOUND
    assert look_up(name, (200, {"notes": None})) == CANNOT_TELL
    assert look_up(name, GONE) == TARGET_GONE


def test_an_appointment_is_known_by_its_marker_wherever_it_has_been_moved() -> None:
    moved = event(startTime="2026-12-02T15:00:00+01:00", description=f"First\n\n{MARK}")
    assert look_up("appointment.create", (200, {"events": [event(id="a1", contactId="c2"), moved]})) == (
        found(appointment_id="a9", contact_id="c1")
    )
    in_notes = event(notes=MARK)
    assert look_up("appointment.create", (200, {"events": [in_notes]})) == (
        found(appointment_id="a9", contact_id="c1")
    )


@pytest.mark.parametrize(
    "other",
    [
        event(),
        event(startTime="2026-12-01T08:00:00Z"),
        event(startTime="2026-12-01 09:00:00"),
        event(description=OTHER_MARK),
        event(appointmentStatus="cancelled"),
    ],
)
def test_another_appointment_of_the_contact_at_that_time_leaves_it_to_a_person(other: dict[str, Any]) -> None:
    assert look_up("appointment.create", (200, {"events": [other]})) == CANNOT_TELL
    assert look_up("appointment.create", (200, {"events": [other]}), claimed={"a9"}) == NOT_FOUND


def test_no_appointment_of_the_contact_at_that_time_means_it_was_not_made() -> None:
    others = [event(contactId="c2"), event(startTime="2026-12-01T11:00:00+01:00")]
    assert look_up("appointment.create", (200, {"events": others})) == NOT_FOUND
    assert look_up("appointment.create", (200, {"events": []})) == NOT_FOUND
    assert look_up("appointment.create", (200, {})) == CANNOT_TELL


CONVERSATIONS = (200, {"conversations": [{"id": "cv1"}], "total": 1})


def test_a_message_is_found_in_the_conversation_however_it_is_nested() -> None:
    for body in ({"messages": {"messages": [message()]}}, {"messages": [message()]}):
        assert look_up("message.send", CONVERSATIONS, (200, body)) == found(
            message_id="m9", conversation_id="cv1"
        )


@pytest.mark.parametrize(
    "other",
    [
        [],
        [message(body="See you at ten.")],
        [message(direction="inbound")],
        [message(messageType="TYPE_EMAIL")],
        [message(dateAdded="2026-11-23T11:57:00Z")],
        [message(dateAdded=None)],
        [message(), message(id="m8")],
    ],
)
def test_a_message_is_never_said_to_be_missing(other: list[dict[str, Any]]) -> None:
    assert look_up("message.send", CONVERSATIONS, (200, {"messages": {"messages": other}})) == CANNOT_TELL
    assert look_up("message.send", (200, {"conversations": [], "total": 0})) == CANNOT_TELL


def test_a_message_of_another_job_is_not_taken_for_this_one() -> None:
    reply = (200, {"messages": [message()]})
    assert look_up("message.send", CONVERSATIONS, reply, claimed={"m9"}) == CANNOT_TELL


def test_an_email_is_found_by_its_text() -> None:
    sent = message(messageType="TYPE_EMAIL", body="<p>Well  done.</p>")
    assert look_up("message.send", CONVERSATIONS, (200, {"messages": [sent]}), document=payloads.EMAIL) == (
        found(message_id="m9", conversation_id="cv1")
    )
    without = message(messageType="TYPE_EMAIL", body="")
    assert (
        look_up("message.send", CONVERSATIONS, (200, {"messages": [without]}), document=payloads.EMAIL)
        == CANNOT_TELL
    )


CONTACT = {
    "id": "c9",
    "firstName": "ada",
    "email": "ADA@example.com",
    "phone": "+4915112345678",
    "dateAdded": LONG_AGO,
    "customFields": [
        {"id": "cf1", "value": "blue"},
        {"id": "cf2", "value": "3.0"},
        {"id": "cf3", "value": "x"},
    ],
}


def test_a_contact_counts_as_upserted_when_it_is_new_or_has_every_field() -> None:
    assert look_up("contact.upsert", (200, {"contact": CONTACT})) == found(contact_id="c9")
    changed = CONTACT | {"firstName": "Grace"}
    assert look_up("contact.upsert", (200, {"contact": changed})) == NOT_FOUND
    assert look_up("contact.upsert", (200, {"contact": changed | {"dateAdded": JUST_NOW}})) == found(
        contact_id="c9"
    )
    assert look_up("contact.upsert", (200, {"contact": None})) == NOT_FOUND


def test_a_contact_counts_as_updated_when_it_has_every_field() -> None:
    assert look_up("contact.update", (200, {"contact": {"id": "c1", "lastName": "BYRON"}})) == found(
        contact_id="c1"
    )
    assert (
        look_up("contact.update", (200, {"contact": {"id": "c1", "lastName": "Byron", "city": "Bonn"}}))
        == NOT_FOUND
    )
    assert look_up("contact.update", (200, {"contact": {"id": "c1"}})) == CANNOT_TELL
    assert look_up("contact.update", GONE) == TARGET_GONE


def test_tags_count_as_added_when_all_are_there_and_as_removed_when_none_is() -> None:
    for name, tags, finding in [
        ("contact.add_tags", ["VIP", "morning ", "other"], found(contact_id="c1")),
        ("contact.add_tags", ["vip"], NOT_FOUND),
        ("contact.remove_tags", ["other"], found(contact_id="c1")),
        ("contact.remove_tags", ["vip", "other"], NOT_FOUND),
    ]:
        assert look_up(name, (200, {"contact": {"id": "c1", "tags": tags}})) == finding
    assert look_up("contact.add_tags", (200, {"contact": {"id": "c1"}})) == CANNOT_TELL


def test_what_is_gone_counts_as_deleted() -> None:
    assert look_up("contact.delete", GONE) == found(contact_id="c1")
    assert look_up("contact.delete", (200, {"contact": {"id": "c1"}})) == NOT_FOUND
    assert look_up("appointment.delete", GONE) == found(appointment_id="a1")
    assert look_up("appointment.delete", (200, {"event": {"id": "a1", "deleted": True}})) == found(
        appointment_id="a1"
    )
    assert look_up("appointment.delete", (200, {"event": {"id": "a1"}})) == NOT_FOUND
    assert look_up("appointment.delete", (200, {})) == CANNOT_TELL


@pytest.mark.parametrize(
    ("name", "there", "finding"),
    [
        ("appointment.update", {"event": {"startTime": "2026-12-02T08:00:00Z"}}, found(appointment_id="a1")),
        ("appointment.update", {"event": {"startTime": "2026-12-01T08:00:00Z"}}, NOT_FOUND),
        ("appointment.update", {"event": {}}, CANNOT_TELL),
        ("appointment.cancel", {"event": {"appointmentStatus": "cancelled"}}, found(appointment_id="a1")),
        ("appointment.cancel", {"event": {"appointmentStatus": "confirmed"}}, NOT_FOUND),
        ("task.update", {"task": {"title": "Call back today"}}, found(task_id="t1")),
        ("task.complete", {"task": {"completed": True}}, found(task_id="t1")),
        ("task.complete", {"task": {"completed": False}}, NOT_FOUND),
        ("opportunity.status", {"opportunity": {"status": "won"}}, found(opportunity_id="o1")),
        ("opportunity.status", {"opportunity": {"status": "open"}}, NOT_FOUND),
    ],
)
def test_a_change_counts_as_made_when_it_shows(name: str, there: Any, finding: Finding) -> None:
    assert look_up(name, (200, there)) == finding
    assert look_up(name, GONE) == TARGET_GONE


def test_an_opportunity_is_known_by_its_fields() -> None:
    there = {"id": "o9", "name": "Ten sessions", "pipelineId": "p1", "contactId": "c1", "monetaryValue": 500}
    assert look_up("opportunity.upsert", (200, {"opportunities": [there]})) == found(opportunity_id="o9")
    assert look_up("opportunity.upsert", (200, {"opportunities": [there | {"name": "Five"}]})) == NOT_FOUND
    assert look_up("opportunity.upsert", (200, {"opportunities": []})) == NOT_FOUND
    assert look_up("opportunity.upsert", (200, {})) == CANNOT_TELL
    hidden = {"id": "o9", "name": "Ten sessions"}
    assert look_up("opportunity.upsert", (200, {"opportunities": [hidden]})) == CANNOT_TELL
    known = payloads.EXAMPLES["opportunity.upsert"] | {"opportunity_id": "o9"}
    assert look_up("opportunity.upsert", (200, {"opportunity": there}), document=known) == found(
        opportunity_id="o9"
    )
    assert look_up("opportunity.upsert", GONE, document=known) == TARGET_GONE


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        ((503, {}), Outcome.TRANSIENT),
        ((429, {}), Outcome.DEFERRED),
        ((401, {"message": "Invalid token"}), Outcome.CONFIGURATION),
        (Failure(Phase.MAYBE_SENT, Cause.TIMEOUT), Outcome.TRANSIENT),
    ],
)
def test_a_lookup_that_got_no_answer_says_nothing_about_the_job(
    name: str, reply: Reply, outcome: Outcome
) -> None:
    verdict = look_up(name, reply)
    assert isinstance(verdict, Verdict)
    assert verdict.outcome is outcome


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=12, deadline=None)
@given(
    document=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["contact", "event", "events", "messages", "conversations", "notes", "id", "tags"]
                ),
                inner,
            )
        ),
        max_leaves=8,
    )
)
def test_no_answer_makes_a_lookup_find_what_carries_nothing_of_ours(name: str, document: Any) -> None:
    result = look_up(name, (200, document))
    if not OPERATIONS[name].repeatable:
        assert isinstance(result, Verdict) or result.found is not Found.FOUND


@pytest.mark.parametrize("name", NAMES)
def test_a_refusal_of_the_lookup_leaves_it_to_a_person(name: str) -> None:
    assert look_up(name, (422, {"message": "no"})) == CANNOT_TELL


def test_times_without_a_zone_are_no_moments() -> None:
    assert instant("2026-12-01T09:00:00+01:00") == datetime(2026, 12, 1, 8, tzinfo=UTC)
    assert (
        instant("2026-12-01 09:00:00")
        is instant("soon")
        is instant(7)
        is instant("0001-01-01T00:00+14:00")
        is None
    )
