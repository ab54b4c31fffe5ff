"""The filter of dead letters as it stands in addresses: read, and written again.

The rule: what cannot be read is refused, and chooses nothing else by mistake. Lists, confirm pages, saved
views and links all speak this one language.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import urlencode

from sync.dead_letters.chosen import Chosen
from sync.dead_letters.refusal import Refused

_LARGEST = 2**31 - 1


def chosen_of(query: Mapping[str, str]) -> Chosen:
    """Return which letters an address's query means.

    group, assignee (0: nobody), status, times, operation: numbers. location, code, subject: texts. before,
    after: moments in ISO 8601. payload: name=value. Raises Refused, code "invalid_filter", for what cannot be
    read.
    """
    name, _, value = _text(query, "payload").partition("=")
    if _text(query, "payload") and not (name.strip() and value.strip()):
        raise Refused("invalid_filter", "Write a field of the payload as name=value, such as city=Ulm.")
    return Chosen(
        group_id=_number(query, "group"),
        location_id=_text(query, "location"),
        code=_text(query, "code"),
        subject=_text(query, "subject"),
        died_before=_moment(query, "before"),
        died_after=_moment(query, "after"),
        status=_number(query, "status"),
        assignee_id=_number(query, "assignee"),
        died_times=_number(query, "times"),
        payload_name=name.strip(),
        payload_value=value.strip(),
        operation_id=_number(query, "operation"),
    )


def query_of(chosen: Chosen) -> str:
    """Return a filter as the query of an address, without the question mark; `chosen_of` reads it."""
    given = {
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
    return urlencode({name: value for name, value in given.items() if value not in ("", None)})


def _text(query: Mapping[str, str], name: str) -> str:
    return query.get(name, "").replace("\x00", "").strip()[:200]


def _number(query: Mapping[str, str], name: str) -> int | None:
    text = _text(query, name)
    if not text:
        return None
    if not (text.isascii() and text.isdigit()) or int(text) > _LARGEST:
        raise Refused("invalid_filter", f"The filter {name!r} is a whole number.")
    return int(text)


def _moment(query: Mapping[str, str], name: str) -> datetime | None:
    text = _text(query, name)
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Refused(
            "invalid_filter", f"The filter {name!r} is a moment such as 2026-11-23T12:00."
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
