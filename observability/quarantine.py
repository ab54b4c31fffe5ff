"""Refused events: keep them, group them, and let them in once the catalog knows better.

The rule: an item is kept before the answer that refuses it goes out, and leaves the quarantine only
in the transaction that stores it as an event.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from pydantic_core import from_json, to_json
from uuid_utils.compat import uuid7

from observability import capture, custom_events, intake
from observability.models import EventDefinition, QuarantinedEvent, QuarantineGroup
from observability.redaction import redact
from observability.refusals import Refusal
from observability.store import Origin
from trainu import correlation

_BATCH = 500


def keep(refusals: Sequence[Refusal], origin: Origin, *, now: datetime) -> None:
    """Store refused items, each once by its uuid, and count them in their groups."""
    kept = {refusal.uuid or uuid7(): refusal for refusal in refusals}
    with transaction.atomic():
        groups = _groups(kept, now=now)
        rows = [
            QuarantinedEvent(
                uuid=uuid,
                group_id=groups[_key(refusal)],
                payload=redacted(refusal.payload),
                message=refusal.message,
                source=origin.source,
                api_key_id=origin.api_key_id,
                correlation_id=origin.correlation_id,
                received_at=now,
            )
            for uuid, refusal in kept.items()
        ]
        QuarantinedEvent.objects.bulk_create(rows, ignore_conflicts=True)


def redacted(payload: str) -> str:
    """Return a refused item's JSON text without personal data and secrets.

    Letting it in later loses nothing by that, for capture redacts what it stores.
    """
    try:
        document = from_json(payload)
    except ValueError:
        # Numbers that JSON does not know stand in it as words.
        return str(redact(payload))
    return to_json(redact(document), inf_nan_mode="constants").decode()


def _key(refusal: Refusal) -> tuple[str, str, str]:
    return refusal.event, refusal.code, refusal.property


def _groups(kept: dict[UUID, Refusal], *, now: datetime) -> dict[tuple[str, str, str], int]:
    """Count the refusals into their groups, in a fixed order so that two requests cannot deadlock.

    A resend of a refused item is not counted twice.
    """
    known = set(QuarantinedEvent.objects.filter(uuid__in=kept).values_list("uuid", flat=True))
    fresh = Counter(_key(refusal) for uuid, refusal in kept.items() if uuid not in known)
    newest = {_key(refusal): refusal for refusal in kept.values()}
    keys = sorted(newest)
    with transaction.get_connection().cursor() as cursor:
        cursor.execute(
            _COUNT,
            [
                now,
                now,
                *(list(column) for column in zip(*keys, strict=True)),
                [newest[key].message for key in keys],
                [newest[key].suggestion for key in keys],
                [fresh[key] for key in keys],
            ],
        )
        return {(event, code, at): group for group, event, code, at in cursor.fetchall()}


_COUNT = """
insert into observability_quarantinegroup as g
    (state, reingested, first_seen_at, last_seen_at, event, code, property, message, suggestion, refused)
select 'open', 0, %s, %s, *
from unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[])
on conflict (event, code, property) do update
set message = excluded.message,
    suggestion = excluded.suggestion,
    refused = g.refused + excluded.refused,
    last_seen_at = excluded.last_seen_at,
    state = case when g.state = 'empty' then 'open' else g.state end
returning id, event, code, property
"""


def reingest(
    group: QuarantineGroup, *, now: datetime, progress: Callable[[int], None] = lambda done: None
) -> tuple[int, int]:
    """Try every item of a group again; return (let in, still refused).

    Items that are events now are stored and leave the quarantine in one transaction a batch, so that
    an interrupted run goes on where it was. Items that are still wrong stay, with today's message.
    Times are taken as of receipt: waiting in here does not make an event too old.
    """
    QuarantineGroup.objects.filter(pk=group.pk).update(state=QuarantineGroup.State.REINGESTING)
    custom_events.forget()
    accepted = refused = 0
    after: tuple[datetime, UUID] | None = None
    try:
        while items := _next_items(group, after):
            after = (items[-1].received_at, items[-1].uuid)
            let_in = _reingest_batch(group, items)
            accepted += let_in
            refused += len(items) - let_in
            progress(accepted + refused)
    finally:
        state = QuarantineGroup.State.OPEN if group.events.exists() else QuarantineGroup.State.EMPTY
        QuarantineGroup.objects.filter(pk=group.pk).update(state=state)
    return accepted, refused


def _next_items(group: QuarantineGroup, after: tuple[datetime, UUID] | None) -> list[QuarantinedEvent]:
    rows = group.events.order_by("received_at", "uuid")
    if after:
        rows = rows.extra(where=["(received_at, uuid) > (%s, %s)"], params=after)
    return list(rows[:_BATCH])


def _reingest_batch(group: QuarantineGroup, items: list[QuarantinedEvent]) -> int:
    accepted: list[QuarantinedEvent] = []
    with transaction.atomic():
        for item in items:
            document = _document(item)
            if isinstance(document, dict):
                # The uuid that the quarantine gave stays the event's own: no second copy, ever.
                document = document | {"uuid": str(item.uuid)}
            read = intake.read_items([document], now=item.received_at, backfill=True)
            if read.refusals:
                item.message = read.refusals[0].message
                continue
            origin = Origin(item.source, item.correlation_id or correlation.current(), item.api_key_id)
            capture.persist(read.occurrences, origin)
            accepted.append(item)
        QuarantinedEvent.objects.filter(pk__in=[item.pk for item in accepted]).delete()
        QuarantinedEvent.objects.bulk_update([item for item in items if item not in accepted], ["message"])
        QuarantineGroup.objects.filter(pk=group.pk).update(reingested=F("reingested") + len(accepted))
    return len(accepted)


def _document(item: QuarantinedEvent) -> object:
    """Return what was sent; None where it cannot be read, which is then refused like anything else."""
    try:
        return from_json(item.payload)
    except ValueError:
        return None


def suggested_definition(group: QuarantineGroup) -> EventDefinition:
    """Return an unsaved custom event for a group of unknown events, its schema read off the newest item.

    The values are not kept, only the kinds of the properties.
    """
    newest = group.events.order_by("-received_at").first()
    document = _document(newest) if newest else {}
    properties = document.get("properties") if isinstance(document, dict) else None
    return EventDefinition(
        name=group.event,
        kind=EventDefinition.Kind.CUSTOM,
        schema=custom_events.infer_schema(properties if isinstance(properties, dict) else {}),
        updated_at=timezone.now(),
    )
