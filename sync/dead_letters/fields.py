"""A payload as fields that a person can fill in, and back again: exactly.

The rule: what nobody touches comes back as it was, to the last digit. A text that a browser would change, or
in which something cannot be seen, is written as JSON; what no form can hold can only be kept or left out.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache
from typing import Any, Literal

from sync.dead_letters.changes import LOCKED
from sync.dead_letters.refusal import Refused
from sync.ghl.operations import OPERATIONS
from sync.ghl.operations.misfits import Misfit
from sync.ghl.operations.payload import Payload
from trainu.admin_rendering import seen

MOST_FIELDS = 100
# Of one field; more than the longest that any operation takes.
LONGEST = 250_000
_ONE_LINE = 300
_LONGEST_LABEL = 100
# Python reads no longer ones.
_MOST_DIGITS = 4_000
# A browser turns every end of a line into one of two characters; others it may drop.
_UNTOUCHED = re.compile("[^\x00-\x08\x0b-\x1f\x7f-\x9f]*")
_ABSENT = object()

OUT, NULL, EMPTY, KEEP = "out", "null", "empty", "keep"
_BLANK = {
    OUT: "is left out",
    NULL: "empties it in GoHighLevel (null)",
    EMPTY: "is sent as a text without characters",
}
Kind = Literal["line", "lines", "json", "choice", "kept", "locked"]


@dataclass(frozen=True, slots=True)
class Field:
    """A field as the form has it. name: in the payload; key: in the form.

    blank: what an empty text may mean, where it may mean more than one thing. choices: word and label.
    """

    name: str
    key: str
    label: str
    description: str
    kind: Kind
    is_required: bool = False
    is_known: bool = True
    choices: tuple[tuple[str, str], ...] = ()
    blank: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Typed:
    """What stands in a field. blank: what it means when the text is empty."""

    text: str
    blank: str = OUT


@dataclass(frozen=True, slots=True)
class Read:
    """What a form says. misfits: of what cannot be read; the payload then lacks it."""

    payload: dict[str, Any]
    misfits: tuple[Misfit, ...]


@dataclass(frozen=True, slots=True)
class _Described:
    description: str
    is_required: bool
    is_text: bool
    is_long: bool
    is_nullable: bool
    values: tuple[Any, ...]


def fields(operation: str, payload: Mapping[str, Any]) -> list[Field]:
    """Return the fields of a job's payload: those of its schema, then what else is stored.

    The same for the same stored payload. Raises Refused for an operation that is not known any more, or a
    payload with too many fields.
    """
    kind = OPERATIONS.get(operation)
    if kind is None:
        raise Refused("unknown_operation", "This version of the service does not know the operation.")
    schema: type[Payload] = kind.payload
    described = _described(schema)
    names = [*described, *(name for name in payload if name not in described)]
    if len(names) > MOST_FIELDS:
        raise Refused("too_many_fields", f"Its data has more than {MOST_FIELDS} fields: too many for a form.")
    return [
        _field(name, f"f{number}", payload.get(name, _ABSENT), described.get(name))
        for number, name in enumerate(names)
    ]


def typed(field: Field, payload: Mapping[str, Any]) -> Typed:
    """Return what stands in a field before anybody has touched it."""
    value = payload.get(field.name, _ABSENT)
    if field.kind == "kept":
        return Typed(KEEP)
    if value is _ABSENT:
        return Typed("")
    if field.kind in {"line", "lines"}:
        return Typed(value or "", NULL if value is None else EMPTY if value == "" else OUT)
    return Typed(_text(value))


def entered(field: Field, form: Mapping[str, str]) -> Typed | None:
    """Return what a form says of a field; None where it says nothing."""
    text = form.get(field.key)
    if text is None:
        return None
    return Typed(text.replace("\r\n", "\n").replace("\r", "\n"), form.get(f"{field.key}_blank", OUT))


def read(chosen: list[Field], stored: Mapping[str, Any], form: Mapping[str, str]) -> Read:
    """Return the payload that a form asks for. What it says nothing of stays as it is stored."""
    payload: dict[str, Any] = {}
    misfits = []
    for field in chosen:
        said = None if field.kind == "locked" else entered(field, form)
        try:
            value = stored.get(field.name, _ABSENT) if said is None else _value(field, said, stored)
        except ValueError as error:
            misfits.append(Misfit((field.name,), str(error)))
            continue
        if value is not _ABSENT:
            payload[field.name] = value
    return Read(payload, tuple(misfits))


def shown(value: Any) -> str:
    """Return a value as a page shows it: texts as they are, all else as JSON."""
    return value if isinstance(value, str) else _text(value)


def _value(field: Field, said: Typed, stored: Mapping[str, Any]) -> Any:
    if field.kind == "kept":
        return _ABSENT if said.text == OUT else stored.get(field.name, _ABSENT)
    if field.kind in {"line", "lines"}:
        if said.text:
            return said.text
        allowed = {word for word, _ in field.blank}
        means = said.blank if said.blank in allowed else OUT
        return {OUT: _ABSENT, NULL: None, EMPTY: ""}[means]
    return _parsed(said.text) if said.text.strip() else _ABSENT


def _parsed(text: str) -> Any:
    if len(text) > LONGEST:
        raise ValueError(f"This is longer than {LONGEST:,} characters.")
    try:
        return json.loads(
            text,
            parse_int=_whole,
            parse_float=_exact,
            parse_constant=_no_number,
            object_pairs_hook=_without_doubles,
        )
    except json.JSONDecodeError as error:
        raise ValueError(
            f"This is no JSON: line {error.lineno}, character {error.colno}. A text stands in quotes."
        ) from None
    except RecursionError:
        raise ValueError("This is nested too deeply.") from None


def _whole(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise ValueError("This number has too many digits.")
    return int(digits)


def _exact(digits: str) -> float:
    number = float(digits)
    try:
        is_exact = math.isfinite(number) and Decimal(digits) == Decimal(repr(number))
    except ArithmeticError:
        is_exact = False
    if not is_exact:
        raise ValueError("This number has more digits than can be sent exactly.")
    return number


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no number.")


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("The same name stands in an object twice.")
    return found


def _field(name: str, key: str, value: Any, described: _Described | None) -> Field:
    about = described or _Described("", False, isinstance(value, str), False, False, ())
    label = name.replace("_", " ").capitalize() if described else seen(name[:_LONGEST_LABEL])
    field = Field(
        name=name,
        key=key,
        label=label,
        description="" if about.description == f"{label}." else about.description,
        kind=_kind(name, value, about),
        is_required=about.is_required,
        is_known=described is not None,
    )
    if field.kind == "choice":
        return replace(field, choices=_choices(about))
    if field.kind == "kept":
        return replace(field, choices=((KEEP, "Keep it as it is"), (OUT, "Leave it out")))
    if field.kind in {"line", "lines"}:
        means = [
            OUT,
            *([NULL] if about.is_nullable or value is None else []),
            *([EMPTY] if value == "" else []),
        ]
        return replace(field, blank=tuple((word, _BLANK[word]) for word in means))
    return field


def _kind(name: str, value: Any, about: _Described) -> Kind:
    if name in LOCKED:
        return "locked"
    if about.values and (value is _ABSENT or any(_same(value, one) for one in about.values)):
        return "choice"
    if about.is_text and (value is _ABSENT or value is None or isinstance(value, str)):
        text = value if isinstance(value, str) else ""
        if len(text) > LONGEST:
            return "kept"
        if _UNTOUCHED.fullmatch(text) and seen(text) == text:
            return "lines" if about.is_long or "\n" in text or len(text) > _ONE_LINE else "line"
    if value is _ABSENT:
        return "json"
    try:
        written = _text(value)
    except RecursionError:
        return "kept"
    return "kept" if len(written) > LONGEST else "json"


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and one == other


def _choices(about: _Described) -> tuple[tuple[str, str], ...]:
    words = {True: "Yes", False: "No", None: _BLANK[NULL].capitalize()}
    given = [(_text(value), value if isinstance(value, str) else words[value]) for value in about.values]
    return (("", "Left out"), *given)


def _text(value: Any) -> str:
    """Return JSON in which nothing is hidden; reading it gives the same value."""
    return seen(json.dumps(value, indent=2, ensure_ascii=False))


@cache
def _described(payload: type[Payload]) -> dict[str, _Described]:
    schema = payload.model_json_schema(by_alias=False)
    required = set(schema.get("required", ()))
    return {name: _of(one, name in required) for name, one in schema.get("properties", {}).items()}


def _of(schema: dict[str, Any], is_required: bool) -> _Described:
    branches = schema.get("anyOf", [schema])
    rest = [one for one in branches if one.get("type") != "null"]
    is_nullable = len(rest) < len(branches)
    values = [*rest[0].get("enum", ()), *([rest[0]["const"]] if "const" in rest[0] else [])]
    if [one.get("type") for one in rest] == ["boolean"]:
        values = [True, False]
    return _Described(
        description=schema.get("description", ""),
        is_required=is_required,
        is_text=all(one.get("type") == "string" for one in rest),
        is_long=any(one.get("maxLength", 0) > _ONE_LINE for one in rest),
        is_nullable=is_nullable,
        values=(*values, *([None] if values and is_nullable else [])),
    )
