"""What the observer keeps for a limited time, and how long by default.

The rule: a table of the observer that grows for ever has a line here. `sync` declares its own.
"""

from django.db.models import Exists, OuterRef, Q

from observability import partitions, watermark
from observability.audit import chain, expiry
from observability.metrics import totals
from observability.models import QuarantinedEvent
from observability.retention import held_back
from trainu.datasets import Dataset, Owned, Partitions, Rows, Table, register

# 25 months, so that two years can be compared with the month at hand.
TWO_YEARS_AND_A_MONTH = 760


def declare() -> None:
    """Register the observer's datasets; a second call changes nothing."""
    register(*EVENTS, *LOGS, *REFUSED, *FIGURES, *ALERTS, *MACHINERY, audit_log())


EVENTS: tuple[Dataset, ...] = (
    Partitions(
        name="product_events",
        label="Product events",
        table=partitions.EVENTS,
        held=held_back.events,
        still=watermark.standing_still,
        default_days=TWO_YEARS_AND_A_MONTH,
        least_days=30,
        why="dashboards and alerts look back so far",
    ),
    Rows(
        name="seen_uuids",
        label="Uuids of stored events",
        tables=(Table(model="observability.SeenUuid", at="seen_on"),),
        default_days=40,
        least_days=32,
        most_days=400,
        why="events up to 30 days old are accepted, and a resend of one is recognised by its uuid",
    ),
    Rows(
        name="backfilled_days",
        label="Notes of backfilled days",
        tables=(Table(model="observability.BackfilledDay", at="day", where=held_back.backfilled_days),),
        default_days=TWO_YEARS_AND_A_MONTH,
        least_days=735,
        why="events up to two years old may be backfilled",
    ),
)

LOGS: tuple[Dataset, ...] = (
    Partitions(
        name="application_logs",
        label="Application logs",
        table=partitions.LOGS,
        default_days=30,
        most_days=400,
    ),
    Partitions(
        name="error_logs",
        label="Error logs",
        table=partitions.ERROR_LOGS,
        default_days=90,
        least_days=7,
        most_days=400,
        why="an error of last week is still being looked into",
    ),
)

REFUSED: tuple[Dataset, ...] = (
    Rows(
        name="quarantine",
        label="Refused events in quarantine",
        tables=(
            Table(model="observability.QuarantinedEvent", at="received_at"),
            Table(
                model="observability.QuarantineGroup",
                at="last_seen_at",
                where=lambda: Q(~Exists(QuarantinedEvent.objects.filter(group=OuterRef("pk")))),
            ),
        ),
        default_days=90,
        least_days=7,
        why="somebody needs the time to let them in",
    ),
    Rows(
        name="forward_rejections",
        label="Notes of events that PostHog refused",
        tables=(Table(model="observability.ForwardRejection", at="refused_at"),),
        default_days=90,
        least_days=7,
        why="somebody needs the time to send them again",
    ),
)


# What Prometheus reads of them only grows: a minute stays until it is in the totals.
_COUNTED_FOR_EVER = dict.fromkeys(
    ("EventMinute", "DurationMinute", "CounterMinute", "ErrorMinute"), totals.folded
)


def _figures(name: str, label: str, model: str, at: str, days: int, *, least: int, why: str) -> Dataset:
    table = Table(model=f"observability.{model}", at=at, where=_COUNTED_FOR_EVER.get(model, Q))
    return Rows(name=name, label=label, tables=(table,), default_days=days, least_days=least, why=why)


# A day is counted from these rows, whatever the zone it is asked for in: they are kept alike.
DASHBOARDS: tuple[Dataset, ...] = (
    Rows(
        name="bookings_and_messages",
        label="Bookings, drafts and answers as dashboards count them",
        tables=(
            Table(model="observability.Booking", at="starts_at"),
            Table(model="observability.DraftedMessage", at="drafted_at"),
            Table(
                model="observability.DraftedMessage", at="sent_at", where=lambda: Q(drafted_at__isnull=True)
            ),
            Table(model="observability.InboundMessage", at="received_at"),
        ),
        default_days=TWO_YEARS_AND_A_MONTH,
        least_days=90,
        why="dashboards compare quarters",
    ),
    Rows(
        name="activity_quarters",
        label="Who was active, and how attempts ended, by the quarter of an hour",
        tables=(
            Table(model="observability.PeopleQuarter", at="quarter"),
            Table(model="observability.SyncQuarter", at="quarter"),
            Table(model="observability.LatencyQuarter", at="quarter"),
        ),
        default_days=TWO_YEARS_AND_A_MONTH,
        least_days=90,
        why="dashboards compare quarters",
    ),
    Rows(
        name="counted_days",
        label="Counts of days, by time zone",
        # First what says that a day was counted.
        tables=(
            Table(model="observability.CountedDay", at="day"),
            Table(model="observability.DayCell", at="day"),
            Table(model="observability.ActiveDay", at="day"),
            Table(model="observability.TouchedDay", at="day"),
            Table(model="observability.CountedZone", at="asked_at"),
        ),
        default_days=TWO_YEARS_AND_A_MONTH,
        least_days=90,
        why="dashboards compare quarters",
    ),
)

FIGURES: tuple[Dataset, ...] = (
    _figures(
        "event_minutes",
        "Counts of events by the minute",
        "EventMinute",
        "minute",
        14,
        least=2,
        why="pages show the last 24 hours by the minute",
    ),
    _figures(
        "event_hours",
        "Counts of events by the hour",
        "EventHour",
        "hour",
        TWO_YEARS_AND_A_MONTH,
        least=90,
        why="dashboards compare quarters",
    ),
    *DASHBOARDS,
    _figures(
        "duration_minutes",
        "Durations by the minute",
        "DurationMinute",
        "minute",
        30,
        least=2,
        why="pages show the last 24 hours by the minute",
    ),
    _figures(
        "counter_minutes",
        "Counters by the minute",
        "CounterMinute",
        "minute",
        90,
        least=2,
        why="alerts look back a day",
    ),
    _figures(
        "error_minutes",
        "Counts of errors by the minute",
        "ErrorMinute",
        "minute",
        400,
        least=14,
        why="alerts compare weeks",
    ),
)

ALERTS: tuple[Dataset, ...] = (
    _figures(
        "measure_minutes",
        "What alerts have measured, by the minute",
        "MeasureMinute",
        "minute",
        40,
        least=31,
        why="other terms of a rule are tried on the last 30 days",
    ),
    Rows(
        name="incidents",
        label="Incidents that are resolved, with what was told of them",
        tables=(
            Table(model="observability.Incident", at="resolved_at"),
            Table(
                model="observability.Notification",
                at="created_at",
                where=lambda: Q(incident__isnull=True) & ~Q(state="waiting"),
            ),
            Table(model="observability.Silence", at="ends_at"),
        ),
        default_days=400,
        least_days=90,
        why="who meets one again reads what was done about the last",
    ),
)

MACHINERY: tuple[Dataset, ...] = (
    Rows(
        name="task_results",
        label="Results of tasks that went well",
        tables=(Table(model="django_q.Task", at="stopped", where=lambda: Q(success=True)),),
        default_days=14,
        most_days=400,
    ),
    Rows(
        name="task_failures",
        label="Failed tasks",
        tables=(Table(model="django_q.Task", at="stopped", where=lambda: Q(success=False)),),
        default_days=90,
        least_days=7,
        most_days=400,
        why="a failure of last week is still being looked into",
    ),
    Rows(
        name="heartbeats",
        label="Signs of life of lanes and clusters that are gone",
        tables=(Table(model="observability.Heartbeat", at="beat_at"),),
        default_days=1,
        most_days=400,
    ),
    Rows(
        name="sessions",
        label="Sign-ins that have expired",
        tables=(Table(model="sessions.Session", at="expire_date"),),
        default_days=1,
        most_days=400,
    ),
    Rows(
        name="audit_verifications",
        label="Results of audit verifications",
        tables=(Table(model="observability.AuditVerification", at="verified_at"),),
        default_days=400,
        least_days=30,
        why="they prove that the audit log was whole",
    ),
    Rows(
        name="purge_runs",
        label="Reports of purges",
        tables=(Table(model="observability.PurgeRun", at="started_at"),),
        default_days=400,
        least_days=30,
        why="they prove that the policies are obeyed",
    ),
)


def audit_log() -> Dataset:
    """Return the audit log's declaration: a year or more, unless whoever runs the service decides."""
    return Owned(
        name="audit",
        label="Audit log",
        purge=expiry.purge,
        due=expiry.due,
        oldest=expiry.oldest,
        default_days=365,
        least_days=chain.least_days(),
        why="that is how far back an inquiry must be able to look",
    )
