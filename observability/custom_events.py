"""Events that staff added: known by name, checked by the JSON Schema of their definition.

Held in each process for a few seconds, so that ingestion asks the database for nothing.
"""

import math
import time
from dataclasses import dataclass, field
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from observability.models import EventDefinition
from observability.refusals import Code, Reason, shown, unknown_property

HELD_S = 5.0
MAX_BYTES = 64 * 1024
MAX_DEPTH = 20


@dataclass(frozen=True, slots=True)
class CustomEvent:
    """An event of a custom definition. properties: JSON values as they were sent."""

    name: str
    properties: dict[str, Any]


@dataclass
class _Held:
    validators: dict[str, Draft202012Validator] = field(default_factory=dict)
    until: float = 0.0


_held = _Held()


def names() -> tuple[str, ...]:
    """Return the names of the custom events, at most a few seconds old."""
    return tuple(_validators())


def forget() -> None:
    """Read the definitions again at the next question, because one has changed in this process."""
    _held.until = 0.0


def check(event: CustomEvent) -> Reason | None:
    """Return why the properties do not fit the event's schema, or None when they do."""
    if reason := _unstorable(event.name, event.properties):
        return reason
    validator = _validators()[event.name]
    error = next(iter(sorted(validator.iter_errors(event.properties), key=lambda e: list(e.path))), None)
    if error is None:
        return None
    schema: Any = validator.schema
    known = list(schema.get("properties", {}))
    if error.validator == "additionalProperties" and not error.path:
        extra = next(name for name in event.properties if name not in known)
        return unknown_property(event.name, extra, known)
    if error.validator == "required" and not error.path:
        missing = next(name for name in schema["required"] if name not in event.properties)
        return Reason(Code.MISSING_PROPERTY, f"{event.name} needs the property {missing}.", property=missing)
    at = shown(error.path[0]) if error.path else "properties"
    # Not error.message: it quotes the value.
    expected = f"{error.validator}: {error.validator_value}"[:120]
    return Reason(
        Code.INVALID_PROPERTY, f"{event.name}: {at} does not fit its schema ({expected}).", property=at
    )


def schema_problem(schema: object) -> str:
    """Return what is wrong with a JSON Schema for properties, or nothing when it can be used."""
    if not isinstance(schema, dict):
        return "The schema must be a JSON object."
    if schema.get("type") != "object":
        return 'The schema must have "type": "object", for properties are an object.'
    if "$ref" in str(schema) or "$dynamicRef" in str(schema):
        return "References ($ref, $dynamicRef) are not followed: write the schema in one piece."
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        return f"This is no valid JSON Schema: {error.message}"
    return ""


def infer_schema(properties: dict[str, Any]) -> dict[str, Any]:
    """Return a first schema for a custom event, from one example of its properties."""
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    return {
        "type": "object",
        "properties": {
            name: {"type": kinds.get(type(value), "string")} for name, value in properties.items()
        },
        "additionalProperties": False,
    }


def _validators() -> dict[str, Draft202012Validator]:
    now = time.monotonic()
    if now >= _held.until:
        rows = EventDefinition.objects.filter(kind=EventDefinition.Kind.CUSTOM).values_list("name", "schema")
        _held.validators = {name: Draft202012Validator(schema) for name, schema in rows}
        _held.until = now + HELD_S
    return _held.validators


def _unstorable(event: str, properties: dict[str, Any]) -> Reason | None:
    """Return why jsonb would refuse the properties: a NUL, an infinite number, or too deep a nest."""
    todo: list[tuple[Any, int, str]] = [(value, 1, name) for name, value in properties.items()]
    if any("\x00" in name for name in properties):
        return Reason(Code.INVALID_PROPERTY, f"{event}: a property's name holds a NUL character.")
    while todo:
        value, depth, at = todo.pop()
        problem = ""
        if depth > MAX_DEPTH:
            problem = f"is nested more than {MAX_DEPTH} levels deep"
        elif isinstance(value, str) and "\x00" in value:
            problem = "holds a NUL character"
        elif isinstance(value, float) and not math.isfinite(value):
            problem = "must be a finite number"
        elif isinstance(value, dict):
            if any("\x00" in key for key in value):
                problem = "holds a NUL character"
            todo.extend((inner, depth + 1, at) for inner in value.values())
        elif isinstance(value, list):
            todo.extend((inner, depth + 1, at) for inner in value)
        if problem:
            return Reason(Code.INVALID_PROPERTY, f"{event}: {shown(at)} {problem}.", property=shown(at))
    return None
