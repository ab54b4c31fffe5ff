"""Why an item was refused, in words that say what to do. Codes are a closed vocabulary.

The rule: a message names fields and expectations, never the value that was sent, for the value may
be somebody's address or number; a name is repeated only when it looks like a name.
"""

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic_core import ErrorDetails

_PLAIN = re.compile(r"[$A-Za-z_][A-Za-z0-9_.$-]{0,63}", re.ASCII)


class Code(StrEnum):
    INVALID_EVENT = "invalid_event"
    UNKNOWN_EVENT = "unknown_event"
    UNKNOWN_PROPERTY = "unknown_property"
    MISSING_PROPERTY = "missing_property"
    INVALID_PROPERTY = "invalid_property"
    INVALID_DISTINCT_ID = "invalid_distinct_id"
    INVALID_UUID = "invalid_uuid"
    INVALID_TIMESTAMP = "invalid_timestamp"
    TIMESTAMP_TOO_OLD = "timestamp_too_old"
    TIMESTAMP_IN_FUTURE = "timestamp_in_future"
    TOO_LARGE = "too_large"


@dataclass(frozen=True, slots=True)
class Refusal:
    """One refused item. index: its place in the batch. payload: the item as JSON text."""

    index: int
    uuid: UUID | None
    event: str
    code: Code
    message: str
    payload: str
    property: str = ""
    suggestion: str = ""


@dataclass(frozen=True, slots=True)
class Reason:
    """A refusal without its item."""

    code: Code
    message: str
    property: str = ""
    suggestion: str = ""


def shown(name: object) -> str:
    """Return a name as it may be repeated: itself when it is a plain word, else a description of it."""
    return name if isinstance(name, str) and _PLAIN.fullmatch(name) else "(not a plain name)"


def unknown_event(name: object, known: Iterable[str]) -> Reason:
    """Word the refusal of an event that is neither in the catalog nor custom."""
    suggestion = _nearest(name, known)
    hint = f"Did you mean {suggestion}?" if suggestion else "/api/docs lists the events there are."
    return Reason(Code.UNKNOWN_EVENT, f"There is no event {shown(name)}. {hint}", suggestion=suggestion)


def unknown_property(event: str, name: object, known: Iterable[str]) -> Reason:
    """Word the refusal of a property that the event does not declare."""
    known = list(known)
    suggestion = _nearest(name, known)
    if suggestion:
        hint = f"Did you mean {suggestion}?"
    elif known:
        hint = f"It has {', '.join(known)}."
    else:
        hint = "It has none."
    message = f"{event} has no property {shown(name)}. {hint}"
    return Reason(Code.UNKNOWN_PROPERTY, message, property=shown(name), suggestion=suggestion)


def from_errors(event: str, errors: list[ErrorDetails], known_properties: Iterable[str]) -> Reason:
    """Turn what pydantic found wrong with one item into the first reason, naming up to three.

    `errors` have locations relative to the item, such as ("properties", "duration_ms").
    """
    reasons = [_from_error(event, error, known_properties) for error in errors]
    first = reasons[0]
    messages = list(dict.fromkeys(reason.message for reason in reasons))
    more = f" And {len(messages) - 3} more." if len(messages) > 3 else ""
    return Reason(first.code, " ".join(messages[:3]) + more, first.property, first.suggestion)


def _from_error(event: str, error: ErrorDetails, known_properties: Iterable[str]) -> Reason:
    location = error["loc"]
    field = location[0] if location else ""
    if field == "properties" and len(location) > 1:
        return _property(event, str(location[1]), error, known_properties)
    match field:
        case "properties":
            return Reason(Code.INVALID_EVENT, f"{event}: properties must be an object.")
        case "distinct_id":
            return Reason(Code.INVALID_DISTINCT_ID, _DISTINCT_ID)
        case "uuid":
            return Reason(Code.INVALID_UUID, "uuid must be a UUID, such as 0190…; UUIDv7 is best.")
        case "timestamp":
            return Reason(Code.INVALID_TIMESTAMP, _TIMESTAMP)
    if error["type"] == "extra_forbidden":
        return Reason(
            Code.INVALID_EVENT,
            f"An event has no field {shown(field)}: it has event, distinct_id, properties, timestamp, uuid.",
        )
    return Reason(Code.INVALID_EVENT, "An event is an object with event, distinct_id and properties.")


def _property(event: str, name: str, error: ErrorDetails, known: Iterable[str]) -> Reason:
    kind = error["type"]
    if kind == "extra_forbidden":
        return unknown_property(event, name, known)
    if kind == "missing":
        return Reason(Code.MISSING_PROPERTY, f"{event} needs the property {name}.", property=name)
    return Reason(
        Code.INVALID_PROPERTY, f"{event}: {name} {_expectation(kind, error.get('ctx', {}))}.", property=name
    )


def _expectation(kind: str, context: dict[str, Any]) -> str:
    """Return what a property of that kind of error should have been."""
    if kind in _EXPECTED:
        return _EXPECTED[kind].format(**context)
    if kind.startswith(("datetime", "timezone")):
        return "must be a time with an offset, such as 2026-01-31T09:30:00Z"
    return "is not of the kind that the catalog declares"


_EXPECTED = {
    "string_type": "must be text",
    "string_too_short": "must have {min_length} characters or more",
    "string_too_long": "must have {max_length} characters or fewer",
    "string_pattern_mismatch": "must match {pattern}",
    "int_type": "must be a whole number, without quotes",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number, without quotes",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false, without quotes",
    "literal_error": "must be one of {expected}",
    "greater_than_equal": "must be {ge} or more",
    "less_than_equal": "must be {le} or less",
    "list_type": "must be a list",
    "dict_type": "must be an object",
}
_DISTINCT_ID = (
    "distinct_id must be 1 to 200 characters of text, with no control character and no @: send the id of"
    " the account, never an e-mail address."
)
_TIMESTAMP = "timestamp must be a time with an offset, such as 2026-01-31T09:30:00Z or …+02:00."


def _nearest(name: object, known: Iterable[str]) -> str:
    """Return the known name most like `name`, or nothing. Bounded: names are cut at 64 characters."""
    if not isinstance(name, str):
        return ""
    found = difflib.get_close_matches(name[:64].lower(), list(known), n=1, cutoff=0.7)
    return found[0] if found else ""
