"""Read a request body into events and refusals. Pure but for the names of custom events.

The whole body is checked in one step (2 µs an event); only where that finds a fault, item by item,
so that each refused item gets its own reason and the others get through.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Annotated, Any, Literal, NotRequired, TypeAlias, Union, cast
from uuid import UUID

from pydantic import (
    AwareDatetime,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)
from pydantic_core import from_json, to_json
from typing_extensions import TypedDict
from uuid_utils.compat import uuid7

from observability import custom_events
from observability.capture import Occurrence
from observability.catalog import CATALOG
from observability.catalog.event import Event
from observability.custom_events import CustomEvent
from observability.refusals import Code, Reason, Refusal, from_errors, shown, unknown_event
from trainu.problem import Problem

MAX_EVENTS = 1_000
MAX_BYTES = 5 * 1024 * 1024
FUTURE = timedelta(hours=1)
PAST = timedelta(days=30)
BACKFILL_PAST = timedelta(days=730)

DistinctId: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f@]{1,200}$")]
_NOBODY = {UUID(int=0), UUID(int=2**128 - 1)}


@dataclass(slots=True)
class Batch:
    """What a body held. `size` counts all items."""

    size: int
    occurrences: list[Occurrence] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)


def read(body: bytes, *, now: datetime, backfill: bool) -> Batch:
    """Read `{event, …}` or `{"batch": [...]}`.

    now: when the request came, the time of events that carry none. backfill: whether events up to two
    years old are welcome. Raises Problem 400 for what is no JSON or has no batch, 413 for over 1,000 items.
    """
    names = custom_events.names()
    if b"NaN" not in body and b"Infinity" not in body:
        try:
            document: Any = _body_adapter(tuple(CATALOG), names).validate_json(body)
        except ValidationError:
            pass
        else:
            return _checked(document.get("batch", [document]), now=now, backfill=backfill)
    return read_items(items_of(parse(body)), now=now, backfill=backfill)


def parse(body: bytes) -> Any:
    """Return the JSON document; raises Problem 400 saying where it breaks."""
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError as error:
        # pydantic-core's message names what was expected and the place, and quotes no value.
        raise Problem(400, "malformed_json", f"The body is not JSON: {error}.") from None


def items_of(document: Any) -> list[Any]:
    """Return the items of a parsed body; raises Problem 400 or 413."""
    if not isinstance(document, dict):
        raise Problem(400, "malformed_body", 'The body must be an event, or {"batch": [events]}.')
    if "batch" not in document:
        return [document]
    items = document["batch"]
    if not isinstance(items, list):
        raise Problem(400, "malformed_body", "batch must be a list of events.")
    if extra := [shown(key) for key in document if key != "batch"]:
        raise Problem(400, "malformed_body", f"Beside batch there must be nothing, but there is {extra[0]}.")
    if len(items) > MAX_EVENTS:
        raise Problem(413, "too_many_events", f"A batch holds up to {MAX_EVENTS} events. Send more batches.")
    return items


def read_items(items: Sequence[Any], *, now: datetime, backfill: bool) -> Batch:
    """Read parsed items one by one: each becomes an event or a refusal with its reason."""
    batch = Batch(size=len(items))
    for index, item in enumerate(items):
        payload = to_json(item, inf_nan_mode="constants")
        result = _read_item(item, payload, now=now, backfill=backfill)
        if isinstance(result, Occurrence):
            batch.occurrences.append(result)
        else:
            batch.refusals.append(_refusal(index, item, result, payload))
    return batch


def _read_item(item: Any, payload: bytes, *, now: datetime, backfill: bool) -> Occurrence | Reason:
    if not isinstance(item, dict):
        return Reason(Code.INVALID_EVENT, "An event is an object with event, distinct_id and properties.")
    name = item.get("event")
    if name is None:
        return Reason(Code.INVALID_EVENT, "The field event is missing: the name of an event of the catalog.")
    names = custom_events.names()
    # A list or an object would not even be looked up.
    if not isinstance(name, str) or (name not in CATALOG and name not in names):
        return unknown_event(name, [*CATALOG, *names])
    if name in names and len(payload) > custom_events.MAX_BYTES:
        return Reason(Code.TOO_LARGE, f"An event holds up to {custom_events.MAX_BYTES // 1024} KiB.")
    try:
        envelope = _item_adapter(tuple(CATALOG), names).validate_json(payload)
    except ValidationError as error:
        known = CATALOG[name].model_fields if name in CATALOG else ()
        details = error.errors(include_url=False, include_input=False)
        # The union puts the event's name first into each location.
        relative: Any = [detail | {"loc": detail["loc"][1:]} for detail in details]
        return from_errors(shown(name), relative, known)
    return _occurrence(envelope, now=now, backfill=backfill)


def _checked(envelopes: list[dict[str, Any]], *, now: datetime, backfill: bool) -> Batch:
    """Turn well-formed envelopes into events; times and custom properties can still be refused."""
    batch = Batch(size=len(envelopes))
    for index, envelope in enumerate(envelopes):
        result = _occurrence(envelope, now=now, backfill=backfill)
        if isinstance(result, Occurrence):
            batch.occurrences.append(result)
        else:
            payload = to_json(envelope)
            batch.refusals.append(_refusal(index, envelope, result, payload))
    return batch


def _occurrence(envelope: dict[str, Any], *, now: datetime, backfill: bool) -> Occurrence | Reason:
    timestamp: datetime = envelope.get("timestamp") or now
    uuid: UUID | None = envelope.get("uuid")
    if reason := _time_problem(timestamp, now=now, backfill=backfill):
        return reason
    if uuid in _NOBODY:
        return Reason(Code.INVALID_UUID, "uuid must be the event's own: all zeros or all ones name none.")
    event: Event | CustomEvent = envelope["properties"]
    if not isinstance(event, Event):
        event = CustomEvent(envelope["event"], envelope["properties"])
        if reason := custom_events.check(event):
            return reason
    return Occurrence(event, envelope["distinct_id"], timestamp, uuid or uuid7())


def _time_problem(timestamp: datetime, *, now: datetime, backfill: bool) -> Reason | None:
    age = now - timestamp
    if age < -FUTURE:
        return Reason(Code.TIMESTAMP_IN_FUTURE, "timestamp is more than an hour ahead. Check the clock.")
    if age > (BACKFILL_PAST if backfill else PAST):
        limit = (
            "two years" if backfill else "30 days; a key with the scope events:backfill may send older ones"
        )
        return Reason(Code.TIMESTAMP_TOO_OLD, f"timestamp lies further back than {limit}.")
    return None


def _refusal(index: int, item: Any, reason: Reason, payload: bytes) -> Refusal:
    event = item.get("event") if isinstance(item, dict) else None
    return Refusal(
        index=index,
        uuid=_uuid_of(item),
        event=shown(event) if event is not None else "(none)",
        code=reason.code,
        message=reason.message,
        payload=payload.decode(),
        property=reason.property,
        suggestion=reason.suggestion,
    )


def _uuid_of(item: Any) -> UUID | None:
    """Return the item's uuid where it is one that names a single event."""
    try:
        found = UUID(str(item["uuid"]))
    except (TypeError, ValueError, KeyError):
        return None
    return None if found in _NOBODY else found


def _envelope(name: str, properties: Any, names: tuple[str, ...]) -> Any:
    """Return the type of one event's envelope; `names` are the values its field `event` may take."""
    return _closed(
        f"{name}_envelope",
        {
            "event": Literal[names],
            "distinct_id": DistinctId,
            "properties": properties,
            "timestamp": NotRequired[AwareDatetime],
            "uuid": NotRequired[UUID],
        },
    )


def _closed(name: str, fields: dict[str, Any]) -> Any:
    """Return a strict TypedDict that takes no other fields."""
    made = cast(Any, TypedDict)(name, fields)
    made.__pydantic_config__ = ConfigDict(strict=True, extra="forbid")
    return made


def _item_type(catalog: tuple[str, ...], custom: tuple[str, ...]) -> Any:
    """Return the type of any item: one envelope an event, told apart by the field `event`."""
    members = [_envelope(name, CATALOG[name], (name,)) for name in catalog]
    if custom:
        members.append(_envelope("custom", dict[str, JsonValue], custom))
    return Annotated[Union[tuple(members)], Field(discriminator="event")]  # noqa: UP007 - made at run time


@lru_cache(maxsize=4)
def _item_adapter(catalog: tuple[str, ...], custom: tuple[str, ...]) -> TypeAdapter[Any]:
    """Return the reader of one item, made anew when the catalog or the custom events change."""
    return TypeAdapter(_item_type(catalog, custom))


@lru_cache(maxsize=4)
def _body_adapter(catalog: tuple[str, ...], custom: tuple[str, ...]) -> TypeAdapter[Any]:
    """Return the reader of a whole body: a batch, or else one event."""
    item = _item_type(catalog, custom)
    items: Any = Annotated[list.__class_getitem__(item), Field(max_length=MAX_EVENTS)]
    batch = _closed("batch", {"batch": items})
    either: Any = Annotated[Union[batch, item], Field(union_mode="left_to_right")]  # noqa: UP007
    return TypeAdapter(either)
