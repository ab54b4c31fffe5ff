"""From whatever staff have in hand to the correlation ids that it leads to: the search box of every page.

The rule: ids are compared whole and found by an index. Each place is asked for the newest MOST and within a
limit of time; what the reader may not see is not asked, and what was too slow is said.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db.models import QuerySet

from observability.models import Event, QuarantinedEvent, SeenUuid
from sync.stats import found
from sync.stats.found import Record, Trail
from trainu.bounded_query import TooBroad, bounded

MOST = 50
TIME_LIMIT_MS = 1_000
_KINDS = {
    "letter": "letter",
    "dead letter": "letter",
    "#": "letter",
    "bulk": "bulk",
    "bulk operation": "bulk",
    "webhook": "webhook",
    "job": "job",
    "event": "event",
    "draft": "draft",
}
_WITH_KIND = re.compile(rf"(?P<kind>{'|'.join(map(re.escape, _KINDS))})\s*#?\s*(?P<text>\S+)", re.I)
_NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)
_DAY = timedelta(days=1)
# How old an event may be when it is stored, unless it is a backfill.
_LATE = 31 * _DAY
# Python's years end with 9999, those of a UUIDv7 do not.
_FAR_FUTURE_MS = 2**47


@dataclass(frozen=True, slots=True)
class Asked:
    """What was entered. kind: letter, bulk, webhook, job, draft or event where that was said, else empty."""

    kind: str
    text: str

    def is_of(self, *kinds: str) -> bool:
        """Whether it may be one of these."""
        return self.kind in {"", *kinds}

    @property
    def number(self) -> int | None:
        return int(self.text) if _NUMBER.fullmatch(self.text) else None

    @property
    def uuid(self) -> UUID | None:
        try:
            return UUID(self.text)
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class Place:
    """Where an id may lead to. name: plural, for staff. permission: what the reader must hold."""

    name: str
    permission: str
    trails: Callable[[Asked], list[Trail]] | None = None
    records: Callable[[Asked], list[Record]] | None = None


@dataclass(frozen=True, slots=True)
class Journey:
    """A correlation id with the newest thing that the search has led to. more: how many others there are."""

    newest: Trail
    more: int


@dataclass(frozen=True, slots=True)
class Finding:
    """What an id has led to, newest first. hidden, too_slow: places that were not asked, or gave up."""

    journeys: list[Journey] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    is_cut: bool = False
    hidden: list[str] = field(default_factory=list)
    too_slow: list[str] = field(default_factory=list)

    @property
    def only(self) -> str:
        """The one correlation id to go to; empty where there is none, or a choice."""
        return self.journeys[0].newest.correlation_id if len(self.journeys) == 1 else ""


def read(entered: str) -> Asked:
    """Return what was entered: "letter 12" and "#12" say what they mean, anything else is any id."""
    text = " ".join(entered.replace("\x00", "").split())[:200]
    match = _WITH_KIND.fullmatch(text)
    return Asked(_KINDS[match["kind"].lower()], match["text"]) if match else Asked("", text)


def find(asked: Asked, *, may: Callable[[str], bool]) -> Finding:
    """Return all that an id leads to and the reader may see. may: whether they hold a permission."""
    trails: list[Trail] = []
    records: list[Record] = []
    too_slow = []
    allowed = [place for place in PLACES if may(place.permission)]
    for place in allowed:
        try:
            with bounded(TIME_LIMIT_MS):
                trails += place.trails(asked) if place.trails else []
                records += place.records(asked) if place.records else []
        except TooBroad:
            too_slow.append(place.name)
    journeys = _journeys(trails)
    return Finding(
        journeys[:MOST],
        records,
        is_cut=len(journeys) > MOST,
        hidden=[place.name for place in PLACES if place not in allowed],
        too_slow=too_slow,
    )


def _journeys(trails: list[Trail]) -> list[Journey]:
    by_id: dict[str, list[Trail]] = {}
    for trail in sorted(set(trails), key=lambda one: one.at, reverse=True):
        if trail.correlation_id:
            by_id.setdefault(trail.correlation_id, []).append(trail)
    return [Journey(told[0], len(told) - 1) for told in by_id.values()]


def _jobs(asked: Asked) -> list[Trail]:
    told = found.job(asked.uuid) if asked.is_of("job") and asked.uuid else []
    if asked.kind or not asked.text:
        return told
    told += found.jobs_under(asked.text, MOST + 1)
    told += found.jobs_about(asked.text, MOST + 1)
    return told + found.jobs_keyed(asked.text, MOST + 1)


def _webhooks(asked: Asked) -> list[Trail]:
    told = found.webhook(asked.number) if asked.is_of("webhook") and asked.number is not None else []
    if not asked.is_of("webhook") or not asked.text:
        return told
    told += found.webhooks_about(asked.text, MOST + 1)
    return told if asked.kind else told + found.webhooks_under(asked.text, MOST + 1)


def _letters(asked: Asked) -> list[Trail]:
    return found.letter(asked.number) if asked.is_of("letter") and asked.number is not None else []


def _letter_records(asked: Asked) -> list[Record]:
    if not _letters(asked):
        return []
    return [Record("sync_deadletter", asked.number, f"Dead letter {asked.number}")]


def _bulk_jobs(asked: Asked) -> list[Trail]:
    if not asked.is_of("bulk") or asked.number is None:
        return []
    return found.jobs_of_bulk(asked.number, MOST + 1)


def _bulks(asked: Asked) -> list[Record]:
    return found.bulk(asked.number) if asked.is_of("bulk") and asked.number is not None else []


def _drafts(asked: Asked) -> list[Trail]:
    told = found.draft(asked.uuid) if asked.is_of("draft") and asked.uuid else []
    if asked.kind or not asked.text:
        return told
    return told + found.drafts_under(asked.text, MOST + 1) + found.drafts_about(asked.text, MOST + 1)


def _contacts(asked: Asked) -> list[Record]:
    return [] if asked.kind else found.contacts(asked.text)


def _appointments(asked: Asked) -> list[Record]:
    return [] if asked.kind else found.appointments(asked.text)


def _events(asked: Asked) -> list[Trail]:
    if not asked.is_of("event") or asked.uuid is None:
        return []
    stored = _event(asked.uuid)
    if stored:
        return [Trail("Event", stored.event, "", "", stored.timestamp, stored.correlation_id)]
    refused = QuarantinedEvent.objects.filter(pk=asked.uuid).select_related("group").first()
    if refused is None:
        return []
    return [Trail("Refused event", refused.group.event, "", "", refused.received_at, refused.correlation_id)]


def _event(uuid: UUID) -> Event | None:
    """Return an event by its uuid. The table goes by time, so likely times are looked through first."""
    day = SeenUuid.objects.filter(pk=uuid).values_list("seen_on", flat=True).first()
    if day is None:
        return None
    seen = datetime(day.year, day.month, day.day, tzinfo=UTC)
    spans = [(seen - _DAY, seen + 2 * _DAY), (seen - _LATE, seen - _DAY)]
    milliseconds = uuid.int >> 80
    if uuid.version == 7 and milliseconds < _FAR_FUTURE_MS:
        made = datetime.fromtimestamp(milliseconds / 1_000, UTC)
        spans.insert(0, (made - _DAY / 24, made + _DAY / 24))
    events: QuerySet[Event] = Event.objects.defer("properties").filter(uuid=uuid)
    for since, until in spans:
        if event := events.filter(timestamp__gte=since, timestamp__lt=until).first():
            return event
    return None


PLACES = (
    Place("jobs", "sync.view_syncjob", _jobs),
    Place("webhooks", "sync.view_webhook", _webhooks),
    Place("dead letters", "sync.view_deadletter", _letters, _letter_records),
    Place("bulk operations", "sync.view_bulkoperation", _bulk_jobs, _bulks),
    Place("drafts", "sync.view_draft", _drafts),
    Place("contacts", "sync.view_contactstate", records=_contacts),
    Place("appointments", "sync.view_appointmentstate", records=_appointments),
    Place("events", "observability.view_event", _events),
)
