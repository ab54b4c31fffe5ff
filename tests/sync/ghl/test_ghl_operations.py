"""Every operation sends what GoHighLevel's official documents allow, and says truly what it is."""

import json
import re
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openapi_core.exceptions import OpenAPIError
from pydantic import ValidationError

from sync.ghl.operations import OPERATIONS, Payload, marker
from sync.ghl.operations.payload import MASK, personal_fields
from sync.ghl.request import Request
from sync.ghl.response import read
from tests.sync.ghl import official, payloads

JOB = UUID("01890000-0000-7000-8000-000000000001")
MARK = marker(JOB)
NAMES = sorted(OPERATIONS)
QUICK = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])

# What the official documents answer, and the ids that are to be read from it.
ANSWERS: dict[str, tuple[int, Any, dict[str, str]]] = {
    "contact.upsert": (200, {"new": True, "contact": {"id": "c9"}, "traceId": "tr1"}, {"contact_id": "c9"}),
    "contact.update": (200, {"succeded": True, "contact": {"id": "c1"}}, {"contact_id": "c1"}),
    "contact.delete": (200, {"succeded": True}, {}),
    "contact.add_tags": (201, {"tags": ["vip", "morning"]}, {}),
    "contact.remove_tags": (200, {"tags": []}, {}),
    "note.create": (201, {"note": {"id": "n1", "body": "Prefers mornings."}}, {"note_id": "n1"}),
    "task.create": (201, {"task": {"id": "t1", "title": "Call back"}}, {"task_id": "t1"}),
    "task.update": (200, {"task": {"id": "t1"}}, {"task_id": "t1"}),
    "task.complete": (200, {"task": {"id": "t1", "completed": True}}, {"task_id": "t1"}),
    "appointment.create": (
        200,
        {"id": "a1", "calendarId": "cal1", "locationId": "loc1", "contactId": "c1"},
        {"appointment_id": "a1", "contact_id": "c1"},
    ),
    "appointment.update": (
        200,
        {"id": "a1", "calendarId": "cal1", "locationId": "loc1", "contactId": "c1"},
        {"appointment_id": "a1"},
    ),
    "appointment.cancel": (
        200,
        {"id": "a1", "calendarId": "cal1", "locationId": "loc1", "contactId": "c1"},
        {"appointment_id": "a1"},
    ),
    "appointment.delete": (201, {"succeeded": True}, {}),
    "message.send": (
        200,
        {
            "conversationId": "cv1",
            "messageId": "m1",
            "status": "pending",
            "msg": "Message queued successfully.",
        },
        {"message_id": "m1", "conversation_id": "cv1"},
    ),
    "opportunity.upsert": (200, {"opportunity": {"id": "o1"}, "new": True}, {"opportunity_id": "o1"}),
    "opportunity.status": (200, {"succeded": True}, {}),
}


def request_of(name: str, payload: Payload | None = None) -> Request:
    return OPERATIONS[name].request(payload or payloads.example(name), "loc1", MARK)


def test_all_operations_of_the_issue_are_there() -> None:
    assert set(NAMES) == set(payloads.EXAMPLES) == set(ANSWERS)


@pytest.mark.parametrize("name", NAMES)
def test_a_request_is_one_that_the_official_documents_allow(name: str) -> None:
    official.check(request_of(name))


def test_an_email_is_one_that_the_official_documents_allow() -> None:
    official.check(request_of("message.send", OPERATIONS["message.send"].payload.parse(payloads.EMAIL)))


def test_the_judge_refuses_what_the_documents_do_not_allow() -> None:
    good = request_of("appointment.create")
    for spoilt in (
        {**good.body, "appointmentStatus": "canceled"},  # type: ignore[dict-item]
        {**good.body, "startAt": "2026-12-01"},  # type: ignore[dict-item]
        {name: value for name, value in (good.body or {}).items() if name != "contactId"},
    ):
        with pytest.raises(OpenAPIError):
            official.check(Request(good.method, good.path, good.version, body=spoilt))
    with pytest.raises(OpenAPIError):
        official.check(Request(good.method, good.path, "2021-07-28", body=good.body))
    with pytest.raises(AssertionError):
        official.check(Request("GET", "/calendars/event", good.version))


@pytest.mark.parametrize("name", NAMES)
@QUICK
@given(data=st.data())
def test_any_payload_that_the_model_takes_is_one_that_the_documents_allow(
    name: str, data: st.DataObject
) -> None:
    payload = data.draw(payloads.generated(name))
    official.check(request_of(name, payload))


@pytest.mark.parametrize("name", NAMES)
@QUICK
@given(data=st.data())
def test_a_payload_survives_being_stored(name: str, data: st.DataObject) -> None:
    payload = data.draw(payloads.generated(name))
    stored = json.loads(json.dumps(payload.document()))
    again = type(payload).parse(stored)
    assert again == payload
    assert request_of(name, again).content() == request_of(name, payload).content()


@pytest.mark.parametrize("name", NAMES)
@QUICK
@given(data=st.data())
def test_an_operation_describes_itself_for_any_payload(name: str, data: st.DataObject) -> None:
    operation, payload = OPERATIONS[name], data.draw(payloads.generated(name))
    key = operation.ordering_key(payload)
    assert key is None or re.fullmatch(r"[a-z]+:[A-Za-z0-9_.:-]{1,140}", key)
    assert key is not None or not operation.writes(payload), "Nothing overtakes what has no order."
    assert operation.description()


@pytest.mark.parametrize("name", NAMES)
def test_ids_are_read_from_the_official_answer(name: str) -> None:
    status, document, ids = ANSWERS[name]
    official.check_answer(request_of(name), status, document)
    assert OPERATIONS[name].result(read(status, {}, json.dumps(document).encode())) == ids


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=20, deadline=None)
@given(
    body=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.sampled_from(["contact", "id", "note", "task"]), inner)
        ),
        max_leaves=8,
    )
)
def test_no_answer_breaks_the_reading_of_ids(name: str, body: Any) -> None:
    ids = OPERATIONS[name].result(read(200, {}, json.dumps(body).encode()))
    assert ids is None or all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.:-]*", value) for value in ids.values())


def test_whatever_cannot_be_repeated_is_a_post_and_creates_something() -> None:
    # aiohttp sends PUT and DELETE once more by itself when a kept connection was closed.
    once = {name for name in NAMES if not OPERATIONS[name].repeatable}
    assert once == {"note.create", "task.create", "appointment.create", "message.send", "opportunity.upsert"}
    assert all(request_of(name).method == "POST" and OPERATIONS[name].creates for name in once)


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("note.create", "body"),
        ("task.create", "body"),
        ("appointment.create", "description"),
    ],
)
def test_what_could_be_made_twice_carries_the_marker_of_its_job(name: str, field: str) -> None:
    assert (request_of(name).body or {})[field].endswith(MARK)


def test_a_message_carries_no_marker_for_its_reader_would_see_it() -> None:
    assert MARK.encode() not in (request_of("message.send").content() or b"")


def test_upsert_and_update_never_send_tags() -> None:
    for name in ("contact.upsert", "contact.update"):
        with pytest.raises(ValidationError):
            OPERATIONS[name].payload.parse({**payloads.EXAMPLES[name], "tags": ["vip"]})


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("contact.upsert", {"email": None, "phone": None}),
        ("contact.upsert", {"phone": "0151 2345678"}),
        ("contact.upsert", {"email": "ada at example.com"}),
        ("contact.upsert", {"locationId": "another"}),
        ("contact.upsert", {"firstName": "Ada"}),
        ("contact.delete", {"contact_id": "../opportunities/o1"}),
        ("contact.add_tags", {"tags": []}),
        ("contact.add_tags", {"tags": ["a,b"]}),
        ("note.create", {"body": "a\x00b"}),
        ("task.create", {"due_at": "2026-12-01T09:00:00"}),
        ("task.create", {"due_at": "9999-12-31T23:59:59+00:00"}),
        ("appointment.create", {"status": "cancelled"}),
        ("appointment.update", {"status": "canceled"}),
        ("message.send", {"subject": "An SMS has none"}),
        ("message.send", {"message": "x" * 1601}),
        ("message.send", {"channel": "WhatsApp"}),
        ("message.send", {"channel": "Email"}),
        ("opportunity.upsert", {"monetary_value": -1}),
        ("opportunity.status", {"status": "all"}),
    ],
)
def test_a_payload_that_cannot_be_right_is_refused_without_repeating_it(
    name: str, change: dict[str, Any]
) -> None:
    with pytest.raises(ValidationError) as refused:
        OPERATIONS[name].payload.parse({**payloads.EXAMPLES[name], **change})
    assert "ada@" not in str(refused.value)
    assert "0151" not in str(refused.value)


@pytest.mark.parametrize("value", ["\ud800", 2**70, object()])
def test_what_json_cannot_carry_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="JSON cannot carry"):
        OPERATIONS["note.create"].payload.parse({"contact_id": "c1", "body": value})


def test_updates_that_change_nothing_are_refused() -> None:
    for name, document in {
        "contact.update": {"contact_id": "c1"},
        "task.update": {"contact_id": "c1", "task_id": "t1"},
        "appointment.update": {"appointment_id": "a1"},
    }.items():
        with pytest.raises(ValidationError):
            OPERATIONS[name].payload.parse(document)


def test_personal_values_are_masked_and_ids_are_not() -> None:
    masked = payloads.example("contact.upsert").masked()
    assert masked == {"first_name": MASK, "email": MASK, "phone": MASK, "custom_fields": MASK}
    assert payloads.example("message.send").masked() == {
        "channel": "SMS",
        "contact_id": "c1",
        "message": MASK,
    }
    assert payloads.example("contact.add_tags").masked() == {"contact_id": "c1", "tags": MASK}


def test_every_field_of_free_text_counts_as_personal() -> None:
    for name in NAMES:
        model = OPERATIONS[name].payload
        for field, schema in model.model_json_schema(by_alias=False)["properties"].items():
            allows_words = re.search(r"\[\^|max[lL]ength", json.dumps(schema))
            assert not allows_words or field in personal_fields(model), f"{name}: {field}"


def test_every_field_is_described() -> None:
    for name in NAMES:
        for field, about in OPERATIONS[name].payload.model_fields.items():
            assert about.description, f"{name}: {field}"


def test_the_same_person_is_in_the_same_order_however_the_email_is_written() -> None:
    upsert = OPERATIONS["contact.upsert"]
    one, two = (upsert.payload.parse({"email": email}) for email in ("Ada@Example.com", "ada@example.com"))
    assert upsert.ordering_key(one) == upsert.ordering_key(two)
    assert "ada" not in str(upsert.ordering_key(one))


def test_a_later_job_overtakes_an_earlier_one_only_where_both_write() -> None:
    update, cancel = OPERATIONS["appointment.update"], OPERATIONS["appointment.cancel"]
    moved = update.payload.parse(
        {"appointment_id": "a1", "start_at": "2026-12-02T09:00:00Z", "notify": False}
    )
    shown = update.payload.parse({"appointment_id": "a1", "status": "showed"})
    canceled = cancel.payload.parse({"appointment_id": "a1"})
    assert update.ordering_key(moved) == cancel.ordering_key(canceled)
    assert not update.writes(moved) & cancel.writes(canceled)
    assert update.writes(shown) & cancel.writes(canceled)
