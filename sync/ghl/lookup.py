"""Asking GoHighLevel whether something was done, when the answer to the doing itself got lost.

The rule: a lookup asks and never changes. It says "not found" only where the place it looked in would
show the thing; in doubt it cannot tell, and then a person decides.

A lookup is a generator: it yields a Request, is given the Answer, and returns a Finding. `ask` carries it.
"""

from collections.abc import Awaitable, Callable, Generator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sync.ghl.errors import READ, Code, Outcome, Verdict, classify
from sync.ghl.request import Request
from sync.ghl.response import Answer, Failure

MOST_REQUESTS = 12


class Found(StrEnum):
    FOUND = "found"
    NOT_FOUND = "not_found"
    CANNOT_TELL = "cannot_tell"


@dataclass(frozen=True, slots=True)
class Finding:
    """ids: what was found, by name. target_gone: what it was to be done to is not there any more either."""

    found: Found
    ids: Mapping[str, str] = field(default_factory=dict)
    target_gone: bool = False


NOT_FOUND = Finding(Found.NOT_FOUND)
CANNOT_TELL = Finding(Found.CANNOT_TELL)
TARGET_GONE = Finding(Found.NOT_FOUND, target_gone=True)

Steps = Generator[Request, Answer, Finding]


def found(**ids: str | None) -> Finding:
    """Return that it was found, with the ids that are known."""
    return Finding(Found.FOUND, {name: value for name, value in ids.items() if value})


async def ask(
    steps: Steps, send: Callable[[Request], Awaitable[Answer | Failure]], *, now: datetime
) -> Finding | Verdict:
    """Carry a lookup to its end.

    Returns its finding, or the verdict on the request that failed (transient, deferred, configuration):
    nothing is known then, and the same lookup may be asked again later. A refusal other than "does not
    exist" is a finding: cannot tell.
    """
    try:
        request = next(steps)
        for _ in range(MOST_REQUESTS):
            result = await send(request)
            verdict = classify(READ, result, now=now)
            if isinstance(result, Failure):
                return verdict
            if verdict.outcome not in {Outcome.OK, Outcome.PERMANENT}:
                return verdict
            if verdict.outcome is Outcome.PERMANENT and verdict.code is not Code.TARGET_GONE:
                return CANNOT_TELL
            request = steps.send(result)
    except StopIteration as end:
        return end.value if isinstance(end.value, Finding) else CANNOT_TELL
    finally:
        steps.close()
    return CANNOT_TELL


def instant(value: object) -> datetime | None:
    """Return a moment GoHighLevel wrote, in UTC; None for junk and for times without a zone."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def agrees(sent: Mapping[str, Any], there: Mapping[str, Any]) -> bool | None:
    """Whether what is stored has every field as it was sent. None: a field is not shown, so nobody knows."""
    unknown = False
    for name, value in sent.items():
        if name not in there and value is not None:
            unknown = True
        elif not _same(value, there.get(name)):
            return False
    return None if unknown else True


def _same(sent: Any, there: Any) -> bool:
    if sent is None or sent == "":
        return there is None or there == ""
    if isinstance(sent, list) and isinstance(there, list):
        return _fields(sent).items() <= _fields(there).items()
    if isinstance(sent, str) and isinstance(there, str):
        ours, theirs = instant(sent), instant(there)
        if ours and theirs:
            return ours == theirs
        return _folded(sent) == _folded(there)
    return bool(sent == there)


def _fields(items: list[Any]) -> dict[Any, Any]:
    """Return custom fields by their id; both spellings of their value occur."""
    return {
        item.get("id"): str(item.get("field_value", item.get("value")))
        for item in items
        if isinstance(item, dict)
    }


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()
