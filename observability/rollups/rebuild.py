"""Make roll-ups anew from stored events, day by day, beside those in use, and put them in place then.

The rule: the same rooms as ever do the work, on tables of the same names in a schema of its own, so that
pages and roll-ups go on meanwhile. A day and the note that it is done commit together: a run that dies is
gone on with. What came from events of before the first day stays as it stands.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.utils import timezone

from observability import watermark
from observability.audit.actions import Action
from observability.audit.recording import record
from observability.models import Event, RollupRebuild
from observability.rollups import activity, fresh, people, step

_SCHEMA = "rollup_rebuild"
# Tables of counts, with the time of a row: rows from the first day on are replaced.
_COUNTED = {
    "observability_eventminute": "minute",
    "observability_eventhour": "hour",
    "observability_syncquarter": "quarter",
    "observability_latencyquarter": "quarter",
    "observability_peoplequarter": "quarter",
}
# Tables of merged rows, and what of each row is known from events before the first day. A row of which
# nothing is left out begins anew.
_KEPT = {
    "observability_booking": """
        select booking_id, client_id, trainer_id,
               case when segment_named_at < {since} then segment else 'unknown' end,
               case when segment_named_at < {since} then segment_named_at end,
               case when segment_named_at < {since} then segment_named_by end,
               starts_at, state, least(changed_at, {since} - interval '1 microsecond'), changed_by,
               case when scheduled_at < {since} then scheduled_at end
        from public.observability_booking
        where changed_at < {since} or scheduled_at < {since} or segment_named_at < {since}
    """,
    "observability_draftedmessage": """
        select draft_id, client_id, trainer_id, kind, channel,
               case when drafted_at < {since} then drafted_at end,
               case when approved_at < {since} then approved_at end,
               edited and coalesce(approved_at < {since}, false),
               case when sent_at < {since} then sent_at end
        from public.observability_draftedmessage where least(drafted_at, approved_at, sent_at) < {since}
    """,
    "observability_inboundmessage": """
        select client_id, received_at from public.observability_inboundmessage where received_at < {since}
    """,
}
# Of a person the number stays for good, and the furthest step, for nobody knows when that was.
_PEOPLE = """
    select number, distinct_id, role,
           case when signed_up_at < {since} then signed_up_at end,
           case when onboarded_at < {since} then onboarded_at end,
           case when first_booking_at < {since} then first_booking_at end,
           case when first_insight_at < {since} then first_insight_at end,
           case when trainer_named_at < {since} or role = 'trainer' then trainer_id else '' end,
           case when trainer_named_at < {since} then trainer_named_at end,
           case when segment_named_at < {since} then segment else 'unknown' end,
           case when segment_named_at < {since} then segment_named_at end,
           step, step_position
    from public.observability_person p
"""
_MILESTONES = (
    "signed_up_at, onboarded_at, first_booking_at, first_insight_at, trainer_id, trainer_named_at, segment,"
    " segment_named_at, step, step_position"
)
_EMPTY = ("observability_eventdefinition", "observability_touchedday")


class NothingStored(Exception):
    """There are no events to count."""


class Busy(Exception):
    """Another process rebuilds."""


def begin(since: date, *, now: datetime) -> RollupRebuild:
    """Begin a rebuild, or return the unfinished one of the same day; raises NothingStored, ValueError.

    since: its first day, of UTC. An unfinished one of another day must be finished or given up first.
    """
    unfinished = RollupRebuild.objects.filter(finished_at=None).first()
    if unfinished:
        if unfinished.since != since:
            raise ValueError(
                f"A rebuild since {unfinished.since} is unfinished. Go on with it"
                f" (--since {unfinished.since}), or throw away what it has (--give-up)."
            )
        return unfinished
    if not Event.objects.exists():
        raise NothingStored
    with transaction.atomic(), connection.cursor() as cursor:
        rebuild = RollupRebuild.objects.create(since=since, below_xid=_hold(cursor), started_at=now)
        _make(cursor, since)
        record(Action.ROLLUPS_REBUILD, target=rebuild, changes={"since": (None, since.isoformat())})
    return rebuild


def days(rebuild: RollupRebuild, *, now: datetime) -> list[date]:
    """Return the days that are still to be done."""
    first = rebuild.reached + timedelta(days=1) if rebuild.reached else rebuild.since
    # A clock that goes ahead may have reported events of tomorrow.
    return [first + timedelta(days=i) for i in range(((now.astimezone(UTC).date() - first).days) + 2)]


def advance(rebuild: RollupRebuild, *, now: datetime) -> Iterator[tuple[date, int]]:
    """Do the days that are left and put the result in place; yield each day and how many events it had.

    Raises Busy where another process is at it.
    """
    with connection.cursor() as cursor:
        cursor.execute("select pg_try_advisory_lock(hashtextextended('rollup rebuild', 6))")
        if not cursor.fetchone()[0]:
            raise Busy
    try:
        rebuild.refresh_from_db()
        for day in days(rebuild, now=now):
            yield day, _take(rebuild, day, now=now)
        _put_in_place(rebuild, now=now)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("select pg_advisory_unlock(hashtextextended('rollup rebuild', 6))")


def give_up() -> bool:
    """Throw an unfinished rebuild away; return whether there was one. What pages read was not touched."""
    with transaction.atomic(), connection.cursor() as cursor:
        given_up, _ = RollupRebuild.objects.filter(finished_at=None).delete()
        cursor.execute(f"drop schema if exists {_SCHEMA} cascade")
    return bool(given_up)


def _hold(cursor: CursorWrapper) -> int:
    """Keep the roll-ups where they are until the transaction ends; return where that is."""
    cursor.execute("select xid from observability_watermark where consumer = %s for update", [step.CONSUMER])
    row = cursor.fetchone()
    return int(row[0]) if row else 0


def _make(cursor: CursorWrapper, since: date) -> None:
    # The date is ours, not text from outside.
    bound = f"'{_midnight(since).isoformat()}'::timestamptz"
    cursor.execute(f"drop schema if exists {_SCHEMA} cascade")
    cursor.execute(f"create schema {_SCHEMA}")
    for table in (*_COUNTED, *_KEPT, *_EMPTY, "observability_person", "observability_samplelevel"):
        cursor.execute(
            f"create table {_SCHEMA}.{table} (like public.{table} including defaults including indexes)"
        )
    for table, kept in _KEPT.items():
        cursor.execute(f"insert into {_SCHEMA}.{table} {kept.format(since=bound)}")
    cursor.execute(f"insert into {_SCHEMA}.observability_person {_PEOPLE.format(since=bound)}")
    cursor.execute(
        f"insert into {_SCHEMA}.observability_samplelevel select * from public.observability_samplelevel"
    )


def _take(rebuild: RollupRebuild, day: date, *, now: datetime) -> int:
    """Take the events of a day into the tables beside; return how many they were."""
    window = {"since": _midnight(day), "until": _midnight(day + timedelta(days=1))}
    with transaction.atomic(), connection.cursor() as cursor:
        # Numbers are the real table's, and given in a transaction of their own: who meets the same
        # people in the roll-ups must not wait for the whole day.
        if fresh.take_again(cursor, **window, below_xid=rebuild.below_xid):
            people.number(cursor)
    with transaction.atomic(), connection.cursor() as cursor:
        events = fresh.take_again(cursor, **window, below_xid=rebuild.below_xid)
        if events:
            _roll_beside(cursor, now=now)
        rebuild.reached = day
        rebuild.save(update_fields=["reached"])
    return events


def _roll_beside(cursor: CursorWrapper, *, now: datetime) -> None:
    cursor.execute(
        f"insert into {_SCHEMA}.observability_person"
        " select number, distinct_id, role, null, null, null, null,"
        " case when role = 'trainer' then trainer_id else '' end, null, 'unknown', null, '', 0"
        " from public.observability_person p where not exists"
        f" (select from {_SCHEMA}.observability_person beside where beside.number = p.number)"
    )
    cursor.execute(f"set local search_path to {_SCHEMA}, public")
    step.count(cursor, now=now)
    step.merge(cursor, exact_up_to=activity.EXACT_UP_TO)
    cursor.execute("set local search_path to public")


@transaction.atomic
def _put_in_place(rebuild: RollupRebuild, *, now: datetime) -> None:
    """Take what came in meanwhile, and put the rows made anew in place of those in use."""
    since = _midnight(rebuild.since)
    with connection.cursor() as cursor:
        cursor.execute("set local statement_timeout = 0")
        reached = _hold(cursor)
        if fresh.take(cursor, low=rebuild.below_xid, high=reached, since=watermark.NEVER):
            people.number(cursor)
            _roll_beside(cursor, now=now)
        for table, at in _COUNTED.items():
            cursor.execute(f"delete from public.{table} where {at} >= %s", [since])
            cursor.execute(
                f"insert into public.{table} select * from {_SCHEMA}.{table} where {at} >= %s", [since]
            )
        for table in _KEPT:
            cursor.execute(f"delete from public.{table}")
            cursor.execute(f"insert into public.{table} select * from {_SCHEMA}.{table}")
        cursor.execute(
            f"update public.observability_person p set ({_MILESTONES}) = (select {_MILESTONES}"
            f" from {_SCHEMA}.observability_person beside where beside.number = p.number)"
        )
        cursor.execute(
            "insert into observability_touchedday select subject, day, version"
            f" from {_SCHEMA}.observability_touchedday on conflict do nothing"
        )
        # Counted anew when somebody asks, all of them: a day of before may depend on what was after.
        cursor.execute(
            "update observability_touchedday set version = nextval('observability_touchedday_version')"
        )
        cursor.execute(f"drop schema {_SCHEMA} cascade")
        rebuild.finished_at = timezone.now()
        rebuild.save(update_fields=["finished_at"])


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
