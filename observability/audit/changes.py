"""What an entry says of changed fields: their names always, their values only where that is harmless.

The rule: fail-closed. A field that is personal or secret by its name shows no value, whoever asks;
what is shown has been redacted and cut before it is stored, for nothing can be taken out afterwards.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import Model
from pydantic_core import to_jsonable_python

from observability.redaction import redact
from observability.redaction.keys import Kind, classify

# Before and after; None: it has changed, and that is all the log says.
Change = tuple[Any, Any] | None

# Of these no value is ever shown, whatever redaction would make of it.
NEVER_SHOWN = frozenset(
    {
        "credential",
        "credentials",
        "digest",
        "email",
        "first_name",
        "full_name",
        "hash",
        "hmac",
        "key",
        "last_name",
        "password",
        "payload",
        "phone",
        "secret",
        "session_key",
        "token",
        "username",
    }
)
_HARMLESS = frozenset({Kind.PLAIN, Kind.BARE_NAME, Kind.MAYBE_PHONE, Kind.MAYBE_SECRET})
_MOST_FIELDS = 100
_MOST_ITEMS = 100
_LONGEST = 200


def shown(changes: Mapping[str, Change]) -> dict[str, list[Any] | None]:
    """Return changes as they may be stored for good."""
    kept = list(changes.items())[:_MOST_FIELDS]
    return {text(name, 100): _values(name, change) for name, change in kept}


def text(raw: object, longest: int) -> str:
    """Return a text that PostgreSQL can hold, cut."""
    return str(raw).replace("\x00", "").encode("utf-8", "replace").decode()[:longest]


def _values(name: str, change: Change) -> list[Any] | None:
    if change is None or name.lower() in NEVER_SHOWN or classify(name) not in _HARMLESS:
        return None
    before, after = change
    return [_value(name, before), _value(name, after)]


def _value(name: str, value: Any) -> Any:
    # Under its name, for names decide how values are read.
    return redact({name: _plain(value)}).get(name)


def _plain(value: Any) -> Any:
    """Return a value as JSON knows it, bounded."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        # JSON, and so PostgreSQL, knows no infinity.
        return value if math.isfinite(value) else str(value)
    if isinstance(value, str):
        return text(value, _LONGEST)
    if isinstance(value, Model):
        return text(value.pk, _LONGEST)
    if isinstance(value, Mapping):
        return {text(key, 100): _plain(item) for key, item in list(value.items())[:_MOST_ITEMS]}
    if isinstance(value, Iterable):
        return [_plain(item) for item in list(value)[:_MOST_ITEMS]]
    try:
        return text(to_jsonable_python(value), _LONGEST)
    except ValueError:
        return f"<{type(value).__name__}>"
