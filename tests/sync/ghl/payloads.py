"""Payloads for tests: one written by hand for every operation, and any number generated from its model."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from hypothesis import strategies as st

from sync.ghl.operations import OPERATIONS, Payload

EXAMPLES: dict[str, dict[str, Any]] = {
    "contact.upsert": {
        "first_name": "Ada",
        "email": "ada@example.com",
        "phone": "+4915112345678",
        "custom_fields": [{"id": "cf1", "value": "blue"}, {"id": "cf2", "value": 3}],
    },
    "contact.update": {"contact_id": "c1", "last_name": "Byron", "city": None},
    "contact.delete": {"contact_id": "c1"},
    "contact.add_tags": {"contact_id": "c1", "tags": ["vip", "morning"]},
    "contact.remove_tags": {"contact_id": "c1", "tags": ["vip"]},
    "note.create": {"contact_id": "c1", "body": "Prefers mornings."},
    "task.create": {"contact_id": "c1", "title": "Call back", "due_at": "2026-12-01T09:00:00+01:00"},
    "task.update": {"contact_id": "c1", "task_id": "t1", "title": "Call back today"},
    "task.complete": {"contact_id": "c1", "task_id": "t1"},
    "appointment.create": {
        "calendar_id": "cal1",
        "contact_id": "c1",
        "start_at": "2026-12-01T09:00:00+01:00",
        "end_at": "2026-12-01T10:00:00+01:00",
        "title": "First session",
        "status": "confirmed",
        "notify": False,
    },
    "appointment.update": {"appointment_id": "a1", "start_at": "2026-12-02T09:00:00+01:00"},
    "appointment.cancel": {"appointment_id": "a1", "notify": False},
    "appointment.delete": {"appointment_id": "a1"},
    "message.send": {"channel": "SMS", "contact_id": "c1", "message": "See you at nine."},
    "opportunity.upsert": {
        "pipeline_id": "p1",
        "contact_id": "c1",
        "name": "Ten sessions",
        "monetary_value": 500,
    },
    "opportunity.status": {"opportunity_id": "o1", "status": "won"},
}
EMAIL = {"channel": "Email", "contact_id": "c1", "subject": "Your week", "html": "<p>Well done.</p>"}


def example(name: str) -> Payload:
    """Return the hand-written payload of an operation."""
    return OPERATIONS[name].payload.parse(EXAMPLES[name])


def generated(name: str) -> st.SearchStrategy[Payload]:
    """Return payloads of an operation, made from the schema of its model and from nothing else."""
    model = OPERATIONS[name].payload
    schema = model.model_json_schema(by_alias=False)
    complete = _COMPLETIONS.get(name, lambda document: document)
    return _values(schema, schema.get("$defs", {})).map(lambda document: model.parse(complete(document)))


def _values(schema: dict[str, Any], defs: dict[str, Any]) -> st.SearchStrategy[Any]:
    if "$ref" in schema:
        return _values(defs[schema["$ref"].rsplit("/", 1)[1]], defs)
    if "anyOf" in schema:
        return st.one_of([_values(branch, defs) for branch in schema["anyOf"]])
    if "const" in schema or "enum" in schema:
        return st.sampled_from(schema.get("enum") or [schema["const"]])
    return _KINDS[schema["type"]](schema, defs)


def _texts(schema: dict[str, Any], defs: dict[str, Any]) -> st.SearchStrategy[Any]:
    if schema.get("format") == "date-time":
        return _MOMENTS
    pattern = schema.get("pattern")
    if pattern and "maxLength" not in schema:
        return st.from_regex(re.compile(pattern.removeprefix("^").removesuffix("$")), fullmatch=True)
    alphabet = st.characters(exclude_categories=["Cs"], exclude_characters="\x00")
    return st.text(
        alphabet, min_size=schema.get("minLength", 0), max_size=min(schema.get("maxLength", 50), 50)
    )


def _objects(schema: dict[str, Any], defs: dict[str, Any]) -> st.SearchStrategy[Any]:
    needed = set(schema.get("required", ()))
    fields = {name: _values(part, defs) for name, part in schema["properties"].items()}
    return st.fixed_dictionaries(
        {name: values for name, values in fields.items() if name in needed},
        optional={name: values for name, values in fields.items() if name not in needed},
    )


def _lists(schema: dict[str, Any], defs: dict[str, Any]) -> st.SearchStrategy[Any]:
    return st.lists(_values(schema["items"], defs), min_size=schema.get("minItems", 0), max_size=4)


def _numbers(schema: dict[str, Any], defs: dict[str, Any]) -> st.SearchStrategy[Any]:
    return st.floats(schema["minimum"], schema["maximum"])


_MOMENTS = st.builds(
    lambda moment, minutes: (
        f"{moment.isoformat(timespec='seconds')}{'+' if minutes >= 0 else '-'}"
        f"{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
    ),
    # Bounds without a zone: the zone is drawn apart.
    st.datetimes(datetime(2000, 1, 1), datetime(2100, 12, 31)),  # noqa: DTZ001
    st.sampled_from([0, 60, 330, -480, 845]),
)
_KINDS: dict[str, Callable[[dict[str, Any], dict[str, Any]], st.SearchStrategy[Any]]] = {
    "string": _texts,
    "object": _objects,
    "array": _lists,
    "number": _numbers,
    "boolean": lambda schema, defs: st.booleans(),
    "null": lambda schema, defs: st.none(),
}


def _with_recognisable(document: dict[str, Any]) -> dict[str, Any]:
    known = document.get("email") or document.get("phone")
    return document if known else document | {"email": "ada@example.com"}


def _with_channel(document: dict[str, Any]) -> dict[str, Any]:
    if document["channel"] == "SMS":
        kept = {
            name: value for name, value in document.items() if name not in {"subject", "html", "email_from"}
        }
        return {"message": "Hello", **kept}
    kept = {name: value for name, value in document.items() if name != "from_number"}
    return {"subject": "Hello", "message": "Hello", **kept}


_COMPLETIONS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "contact.upsert": _with_recognisable,
    "contact.update": lambda document: document | {"first_name": "Ada"},
    "task.update": lambda document: document | {"title": "Call back"},
    "appointment.update": lambda document: document | {"status": "showed"},
    "message.send": _with_channel,
}
