"""Contacts as we know them: a person who appears in GoHighLevel is told as a lead, once.

The rules: whom we have made ourselves is no lead. Their webhook may overtake the answer to our own
request, so while a job of ours that was there before the contact may still turn out to have made it,
nothing is decided, for a quarter of an hour at most. Who has long been there is no new lead either.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Min, Q

from sync import signals
from sync.mirror.noted import Noted
from sync.mirror.seen import ContactSeen
from sync.models import ContactState, SyncJob
from sync.signals import LeadAppeared
from trainu import statements
from trainu.transactions import atomic_retry

Lead = ContactState.Lead
# As far as reconciliation reaches back: who was added before is not new, whenever we first see them.
NEW_FOR = timedelta(days=31)
LONGEST_DOUBT = timedelta(minutes=15)
CLOCK_SKEW = timedelta(minutes=2)
BATCH = 500
MAKES_CONTACTS = "contact.upsert"
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
_WRITTEN = [
    "added_at",
    "updated_at",
    "is_deleted",
    "lead",
    "decide_at",
    "lead_source",
    "correlation_id",
]
Key = tuple[str, str]

_OURS = """
insert into sync_contactstate (location_id, contact_id, first_seen_at, ours_since, is_deleted, lead,
                               lead_source, correlation_id)
select location_id, id, %(now)s, since, false, 'open', '', ''
from unnest(%(locations)b::text[], %(ids)b::text[], %(sinces)b::timestamptz[]) as made(location_id, id, since)
on conflict (contact_id, location_id) do update set
    ours_since = excluded.ours_since,
    lead = case when sync_contactstate.lead = 'open'
                     and sync_contactstate.added_at >= excluded.ours_since - %(skew)s
                then 'ours' else sync_contactstate.lead end,
    decide_at = case when sync_contactstate.added_at >= excluded.ours_since - %(skew)s
                     then null else sync_contactstate.decide_at end,
    lead_source = case when sync_contactstate.added_at >= excluded.ours_since - %(skew)s
                       then '' else sync_contactstate.lead_source end
where sync_contactstate.ours_since is null or excluded.ours_since < sync_contactstate.ours_since
"""


def observe(seen: Sequence[ContactSeen], *, now: datetime) -> int:
    """Take in what was seen, in any order and as often as it comes; return how many leads were told."""
    return note(seen, now=now).told


@atomic_retry
def note(seen: Sequence[ContactSeen], *, now: datetime) -> Noted:
    """Take in what was seen; return what came of it."""
    by_key: dict[Key, list[ContactSeen]] = {}
    for one in seen:
        by_key.setdefault((one.contact_id, one.location_id), []).append(one)
    rows, unknown = _locked(by_key, now)
    changed = []
    candidates = []
    for key in sorted(by_key):
        row = rows[key]
        if _write(row, by_key[key]) or key in unknown:
            changed.append(row)
            # A deletion alone makes no lead; who was seen alive is told, deleted since or not.
            if row.lead == Lead.OPEN and not all(one.is_deleted for one in by_key[key]):
                candidates.append((row, _first(by_key[key])))
    leads = _decided(candidates, now)
    if changed:
        # Locked rows all of them: this updates, and inserts none.
        ContactState.objects.bulk_create(
            changed, update_conflicts=True, unique_fields=["contact_id", "location"], update_fields=_WRITTEN
        )
    _tell(leads)
    return Noted(len(unknown), len(leads))


@atomic_retry
def ours(location_id: str, ids: Collection[str], *, now: datetime, since: datetime | None = None) -> None:
    """Note that jobs of ours have written these contacts. Inside the transaction that settles the jobs.

    since: when the earliest of the jobs was taken in: who was added before it was not made by it. None:
    whoever is unknown so far counts as made by us.
    """
    made({(id, location_id): since or _LONG_AGO for id in ids}, now=now)


def made(since: Mapping[Key, datetime], *, now: datetime) -> None:
    """The same for contacts of many locations: by (contact id, location id), when the earliest job was."""
    keys = sorted(since)
    parameters: dict[str, Any] = {
        "locations": [location_id for _, location_id in keys],
        "ids": [id for id, _ in keys],
        "sinces": [since[key] for key in keys],
        "now": now,
        "skew": CLOCK_SKEW,
    }
    statements.count(_OURS, parameters)


@atomic_retry
def decide(*, now: datetime, most: int = BATCH) -> int:
    """Decide about contacts that a job of ours might have made; return how many leads were told."""
    waiting = ContactState.objects.filter(decide_at__isnull=False).order_by("contact_id", "location_id")
    rows = list(waiting.select_for_update(skip_locked=True)[:most])
    oldest = _oldest_job({row.location_id for row in rows})
    ended = [row for row in rows if not _may_be_ours(row, oldest) or (row.decide_at or now) <= now]
    leads = [_lead(row) for row in ended if _settle(row)]
    for row in ended:
        row.lead_source = row.correlation_id = ""
    ContactState.objects.bulk_update(ended, ["lead", "decide_at", "lead_source", "correlation_id"])
    _tell(leads)
    return len(leads)


def _decided(candidates: Sequence[tuple[ContactState, ContactSeen]], now: datetime) -> list[LeadAppeared]:
    """Decide about open contacts; who may be ours is left for later. Changes the rows, and writes none."""
    leads = []
    dated = [(row, seen) for row, seen in candidates if row.added_at is not None]
    oldest = _oldest_job({row.location_id for row, _ in dated})
    for row, seen in dated:
        assert row.added_at is not None
        row.lead_source, row.correlation_id = seen.lead_source or "", seen.correlation_id
        if row.added_at < seen.seen_at - NEW_FOR:
            row.lead = Lead.OLD
        elif not _is_ours(row) and _may_be_ours(row, oldest):
            row.decide_at = row.decide_at or now + LONGEST_DOUBT
            continue
        elif _settle(row):
            leads.append(_lead(row))
        row.lead_source = row.correlation_id = ""
    return leads


def _settle(row: ContactState) -> bool:
    """Decide whether a contact is ours, and return whether it is a lead."""
    row.decide_at = None
    row.lead = Lead.OURS if _is_ours(row) else Lead.TOLD
    return row.lead == Lead.TOLD


def _is_ours(row: ContactState) -> bool:
    if row.ours_since is None or row.added_at is None:
        return False
    return row.added_at >= row.ours_since - CLOCK_SKEW


def _may_be_ours(row: ContactState, oldest: Mapping[str, datetime]) -> bool:
    """Whether a job that was sent and has not ended was taken in before the contact was made."""
    job_at = oldest.get(row.location_id)
    return job_at is not None and row.added_at is not None and job_at <= row.added_at + CLOCK_SKEW


def _oldest_job(location_ids: Collection[str]) -> dict[str, datetime]:
    """Return by location when the oldest job was taken in that may have made a contact and has not ended."""
    if not location_ids:
        return {}
    # The condition of the index job_making_a_contact, word for word.
    sent = Q(operation=MAKES_CONTACTS, state__in=["waiting", "leased"], fence__gt=0)
    jobs = SyncJob.objects.filter(sent, location_id__in=location_ids).order_by()
    return dict(jobs.values_list("location_id").annotate(Min("created_at")))


def _locked(keys: Collection[Key], now: datetime) -> tuple[dict[Key, ContactState], set[Key]]:
    """Return the rows, locked, and which of them are new. Inserted and locked in the order of their ids."""
    rows = _lock(keys)
    unknown = set(keys) - rows.keys()
    if unknown:
        ContactState.objects.bulk_create(
            [
                ContactState(contact_id=id, location_id=location_id, first_seen_at=now)
                for id, location_id in sorted(keys)
            ],
            ignore_conflicts=True,
        )
        rows = _lock(keys)
    return rows, unknown


def _lock(keys: Collection[Key]) -> dict[Key, ContactState]:
    by_location: dict[str, list[str]] = {}
    for id, location_id in keys:
        by_location.setdefault(location_id, []).append(id)
    found = Q(pk__in=[])
    for location_id, ids in sorted(by_location.items()):
        found |= Q(location_id=location_id, contact_id__in=ids)
    rows = ContactState.objects.filter(found).order_by("contact_id", "location_id").select_for_update()
    return {(row.contact_id, row.location_id): row for row in rows}


def _write(row: ContactState, seen: Sequence[ContactSeen]) -> bool:
    """Let the row show what was seen; return whether anything is new.

    Deleted stays deleted, whatever comes late, until we read the contact ourselves.
    """
    before = (row.added_at, row.updated_at, row.is_deleted)
    for one in sorted(seen, key=lambda one: one.seen_at):
        row.added_at = row.added_at or one.added_at
        if one.updated_at and (row.updated_at is None or one.updated_at > row.updated_at):
            row.updated_at = one.updated_at
        row.is_deleted = one.is_deleted or (row.is_deleted and one.source == "webhook")
    return before != (row.added_at, row.updated_at, row.is_deleted) or row.lead == Lead.OPEN


def _first(seen: Sequence[ContactSeen]) -> ContactSeen:
    return min((one for one in seen if not one.is_deleted), key=lambda one: one.seen_at)


def _lead(row: ContactState) -> LeadAppeared:
    assert row.added_at is not None, "only who has a date is decided"
    return LeadAppeared(
        location_id=row.location_id,
        contact_id=row.contact_id,
        source=row.lead_source or None,
        at=row.added_at,
        correlation_id=row.correlation_id,
    )


def _tell(leads: list[LeadAppeared]) -> None:
    if leads:
        signals.leads_appeared.send(sender=None, leads=leads)
