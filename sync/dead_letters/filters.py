"""The filter of dead letters as it stands in addresses: read, and written again.

The rule: what cannot be read is refused, and chooses nothing else by mistake. Lists, confirm pages, saved
views and links all speak this one language.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from django.utils import timezone

from sync.dead_letters.chosen import Chosen
from sync.dead_letters.refusal import Refused
from sync.models import DeadLetter

# What an address may say, and what staff call it.
LABELS = {
    "group": "Cause",
    "location": "Location",
    "subject": "Operation or topic",
    "code": "Code",
    "status": "HTTP status",
    "times": "Died at least",
    "before": "Died before",
    "after": "Died since",
    "assignee": "Owner",
    "payload": "Payload",
    "operation": "Done by bulk operation",
}
STATES = (*DeadLetter.State.values, "all")
LONGEST = 200

_LARGEST = 2**63 - 1
_AGE = re.compile(r"([0-9]{1,4})([mhd])")
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
# Beyond, PostgreSQL and Python no longer mean the same by a moment.
_YEARS = range(2000, 2101)


class BadFilter(Refused):
    """One part of a filter cannot be read. name: which; str(): what it should be, with its label."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__("invalid_filter", f"{LABELS.get(name, name.capitalize())}: {message}")
        self.name = name


def chosen_of(query: Mapping[str, str], *, now: datetime | None = None) -> Chosen:
    """Return which letters an address's query means; other names than those of LABELS are left alone.

    group, assignee (0: nobody), status, times, operation: numbers. location, code, subject: texts. before,
    after: moments in ISO 8601 (UTC where they name no zone), or ages such as 24h and 7d, counted from now.
    payload: name=value. Raises BadFilter, code "invalid_filter", for what cannot be read.
    """
    name, value = _payload(query)
    at = now or timezone.now()
    return Chosen(
        group_id=_number(query, "group", 1, _LARGEST),
        location_id=_text(query, "location"),
        code=_text(query, "code"),
        subject=_text(query, "subject"),
        died_before=_moment(query, "before", at),
        died_after=_moment(query, "after", at),
        status=_number(query, "status", 100, 599),
        assignee_id=_number(query, "assignee", 0, _LARGEST),
        died_times=_number(query, "times", 1, 1_000_000),
        payload_name=name,
        payload_value=value,
        operation_id=_number(query, "operation", 1, _LARGEST),
    )


def state_of(query: Mapping[str, str]) -> str:
    """Return the state that an address's query means: open where it names none, or "all".

    Raises BadFilter.
    """
    state = _text(query, "state") or str(DeadLetter.State.OPEN)
    if state not in STATES:
        raise BadFilter("state", f"there is no {state!r}. There are: {', '.join(STATES)}.")
    return state


def query_of(chosen: Chosen) -> str:
    """Return a filter as the query of an address, without the question mark; `chosen_of` reads it.

    Ages have become moments: what it chooses does not move with the clock. Raises BadFilter for the one
    thing that no address can say: a name in a payload with = in it.
    """
    if "=" in chosen.payload_name:
        raise BadFilter("payload", "a name cannot hold the sign =.")
    said = {
        "group": chosen.group_id,
        "location": chosen.location_id,
        "code": chosen.code,
        "subject": chosen.subject,
        "before": chosen.died_before and chosen.died_before.isoformat(),
        "after": chosen.died_after and chosen.died_after.isoformat(),
        "status": chosen.status,
        "assignee": chosen.assignee_id,
        "times": chosen.died_times,
        "payload": f"{chosen.payload_name}={chosen.payload_value}" if chosen.payload_name else "",
        "operation": chosen.operation_id,
    }
    return urlencode({name: value for name, value in said.items() if value not in ("", None)})


def given(query: Mapping[str, str]) -> dict[str, str]:
    """Return what of an address's query chooses letters, as it was written: filters and state, no page."""
    words = {name: query.get(name, "").strip() for name in (*LABELS, "state")}
    return {name: word for name, word in words.items() if word}


def changed(query: Mapping[str, str], **changes: str) -> str:
    """Return the query of an address with some words replaced, or taken out by empty ones; page one of it."""
    return urlencode({name: word for name, word in {**given(query), **changes}.items() if word})


def _text(query: Mapping[str, str], name: str) -> str:
    text = query.get(name, "").strip()
    if "\x00" in text:
        # PostgreSQL's text holds none, so nothing that is stored could match.
        raise BadFilter(name, "it holds a character that nothing here can hold.")
    if len(text) > LONGEST:
        raise BadFilter(name, f"it is longer than {LONGEST} characters.")
    return text


def _payload(query: Mapping[str, str]) -> tuple[str, str]:
    text = _text(query, "payload")
    name, _, value = (part.strip() for part in text.partition("="))
    if text and not (name and value):
        raise BadFilter("payload", "write a field and its value as name=value, such as city=Ulm.")
    return name, value


def _number(query: Mapping[str, str], name: str, least: int, most: int) -> int | None:
    text = _text(query, name)
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
        span = f"from {least} to {most:,}" if most < _LARGEST else f"from {least} on"
        raise BadFilter(name, f"write a whole number {span}.")
    return int(text)


def _moment(query: Mapping[str, str], name: str, now: datetime) -> datetime | None:
    text = _text(query, name)
    if not text:
        return None
    if age := _AGE.fullmatch(text):
        return now - int(age[1]) * _UNITS[age[2]]
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BadFilter(
            name, "it is a moment such as 2026-11-23T12:00 (UTC), or an age such as 24h or 7d."
        ) from None
    if moment.year not in _YEARS:
        raise BadFilter(name, f"the year is from {_YEARS[0]} to {_YEARS[-1]}.")
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
