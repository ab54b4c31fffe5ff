"""What the API page says of events: made from the catalog's classes at each call, never written twice."""

from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import models_json_schema

from observability.catalog import CATALOG
from observability.refusals import Code

_REF = "#/components/schemas/{model}"


def document_events(schema: dict[str, Any]) -> None:
    """Add the schemas of events, answers and problems to an OpenAPI document, and link them."""
    schemas = schema.setdefault("components", {}).setdefault("schemas", {})
    schemas.update(_events())
    schemas.update(_ANSWERS)
    for path, operations in schema["paths"].items():
        for operation in operations.values():
            responses = operation.setdefault("responses", {})
            if path.endswith("/events"):
                # Ninja has put its own "OK" there, under the number 200 instead of the text.
                responses.clear()
                responses["200"] = _json("EventsAnswer", "Committed.")
                responses["422"] = _json("EventsAnswer", "Every item was refused; all are kept for staff.")
                for status, words in _PROBLEMS.items():
                    responses[status] = _json("Problem", words, "application/problem+json")


def _events() -> dict[str, Any]:
    classes = list(CATALOG.values())
    _, definitions = models_json_schema([(cls, "validation") for cls in classes], ref_template=_REF)
    schemas: dict[str, Any] = definitions.get("$defs", {})
    envelopes = {}
    for name, cls in CATALOG.items():
        schemas[cls.__name__]["description"] = cls.description()
        envelopes[f"{cls.__name__}Event"] = {
            "title": name,
            "description": f"{cls.description()} ({cls.category})",
            "type": "object",
            "required": ["event", "distinct_id", "properties"],
            "additionalProperties": False,
            "properties": {
                "event": {"type": "string", "enum": [name]},
                "properties": {"$ref": _REF.format(model=cls.__name__)},
                **_COMMON,
            },
        }
    one = {"anyOf": [{"$ref": _REF.format(model=name)} for name in envelopes]}
    schemas |= envelopes
    schemas["Event"] = one | {"description": "One event: a catalog event, or a custom one that staff added."}
    schemas["EventsBody"] = {
        "anyOf": [
            {
                "title": "Batch",
                "type": "object",
                "required": ["batch"],
                "additionalProperties": False,
                "properties": {
                    "batch": {
                        "type": "array",
                        "maxItems": 1000,
                        "items": {"$ref": _REF.format(model="Event")},
                    }
                },
            },
            {"$ref": _REF.format(model="Event")},
        ]
    }
    return schemas


_COMMON = {
    "distinct_id": {
        "type": "string",
        "minLength": 1,
        "maxLength": 200,
        "pattern": r"^[^\x00-\x1f\x7f@]+$",
        "description": "Whom the event is about: an id, never an e-mail address.",
    },
    "timestamp": {
        "type": "string",
        "format": "date-time",
        "description": "When it happened, with an offset. Default: now. Up to 30 days back (two years with"
        " the scope events:backfill), up to one hour ahead.",
    },
    "uuid": {
        "type": "string",
        "format": "uuid",
        "description": "The event's own id, UUIDv7 advised. Send the same one again when you retry.",
    },
}

_ANSWERS: dict[str, Any] = {
    "EventsAnswer": {
        "type": "object",
        "required": ["accepted", "duplicates", "rejected"],
        "properties": {
            "accepted": {"type": "integer"},
            "duplicates": {"type": "integer"},
            "rejected": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["index", "uuid", "code", "message"],
                    "properties": {
                        "index": {"type": "integer"},
                        "uuid": {"type": ["string", "null"]},
                        "code": {"type": "string", "enum": [code.value for code in Code]},
                        "message": {"type": "string"},
                    },
                },
            },
        },
    },
    "Problem": {
        "type": "object",
        "required": ["type", "title", "status", "code", "detail", "correlation_id"],
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "code": {"type": "string"},
            "detail": {"type": "string"},
            "correlation_id": {"type": "string"},
        },
    },
}
_PROBLEMS = {
    "400": "The body is no JSON, or neither an event nor a batch.",
    "401": "No valid key.",
    "403": "The key lacks a scope.",
    "413": "Over 1,000 events or 5 MiB.",
    "415": "An encoding other than gzip.",
    "429": "Over the key's limit; Retry-After says how many seconds to wait.",
    "503": "The database cannot be reached; Retry-After says when to try again.",
}


def _json(model: str, description: str, content_type: str = "application/json") -> dict[str, Any]:
    schema = {"$ref": _REF.format(model=model)}
    return {"description": description, "content": {content_type: {"schema": schema}}}


def property_schema(name: str) -> dict[str, Any]:
    """Return the JSON Schema of a catalog event's properties, for its row in the database."""
    schema: dict[str, Any] = TypeAdapter(CATALOG[name]).json_schema()
    return schema
