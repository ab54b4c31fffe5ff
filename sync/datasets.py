"""What the observed keeps for a limited time, and how long by default.

The rule: a table of sync that grows for ever has a line here.
"""

from django.db.models import Q

from sync import attempt_log
from trainu.datasets import Dataset, Partitions, Rows, Table, register


def declare() -> None:
    """Register the datasets of sync; a second call changes nothing."""
    register(*JOBS, *LETTERS, *WEBHOOKS, *MIRROR, *DRAFTS)


def _processed() -> Q:
    # Whatever has a letter, open or decided, stays with it.
    return Q(state__in=["done", "ignored"], letter__isnull=True)


def _done() -> Q:
    # A dead one stays as long as its letter is open.
    return Q(state__in=["succeeded", "superseded"])


def _decided() -> Q:
    # Open letters never expire.
    return Q(state__in=["recovered", "superseded", "discarded"])


def _without_letter() -> Q:
    # Its letter was discarded, and has gone.
    return Q(state="dead", letter__isnull=True)


JOBS: tuple[Dataset, ...] = (
    Partitions(
        name="sync_attempts",
        label="Attempts of jobs",
        table=attempt_log.TABLE,
        default_days=30,
        least_days=2,
        why="a lookup must know when its job was first sent",
    ),
    Rows(
        name="sync_jobs",
        label="Jobs that are done",
        tables=(Table(model="sync.SyncJob", at="created_at", where=_done),),
        default_days=90,
        least_days=2,
        why="an idempotency key is remembered for as long as its job",
    ),
)

LETTERS: tuple[Dataset, ...] = (
    Rows(
        name="dead_letters",
        label="Dead letters that are not open any more",
        tables=(
            Table(model="sync.DeadLetter", at="resolved_at", where=_decided),
            Table(model="sync.SyncJob", at="settled_at", where=_without_letter),
            Table(model="sync.Webhook", at="processed_at", where=_without_letter),
        ),
        default_days=365,
        least_days=30,
        why="whoever discarded one may want it back",
    ),
    Rows(
        name="bulk_operations",
        label="Bulk operations that are over",
        tables=(Table(model="sync.BulkOperation", at="ended_at"),),
        default_days=365,
        least_days=30,
        why="the audit log tells of them by their number alone",
    ),
    Rows(
        name="cause_hours",
        label="Deaths of each cause by the hour",
        tables=(Table(model="sync.CauseHour", at="hour"),),
        default_days=90,
        least_days=4,
        why="a cause's page shows the last three days of them",
    ),
    Rows(
        name="message_levels",
        label="How many messages are usual, by the hour",
        tables=(Table(model="sync.MessageLevel", at="hour"),),
        default_days=30,
        least_days=15,
        why="the watch for a mass of messages compares with two weeks",
    ),
    Rows(
        name="ledger_checks",
        label="Daily checks of the dead letters' ledger",
        tables=(Table(model="sync.LedgerCheck", at="day"),),
        default_days=400,
        least_days=30,
        why="a difference is looked for by when it began",
    ),
)

WEBHOOKS: tuple[Dataset, ...] = (
    Rows(
        name="webhooks",
        label="Processed webhooks",
        tables=(Table(model="sync.Webhook", at="received_at", where=_processed),),
        default_days=30,
        least_days=2,
        why="a resend of a webhook is recognised by its row for as long as GoHighLevel may send it again",
    ),
)

MIRROR: tuple[Dataset, ...] = (
    Rows(
        name="contact_states",
        label="Contacts as we know them",
        tables=(Table(model="sync.ContactState", at="first_seen_at"),),
        default_days=400,
        least_days=40,
        why="a contact that is forgotten while it is new would be told as a lead again",
    ),
    Rows(
        name="appointment_states",
        label="Appointments as we know them",
        tables=(Table(model="sync.AppointmentState", at="starts_at"),),
        default_days=400,
        least_days=90,
        why="a late change of an appointment that is forgotten would be told as a new booking",
    ),
    Rows(
        name="reconciliations",
        label="Reconciliations that ended",
        tables=(Table(model="sync.Reconciliation", at="ended_at"),),
        default_days=90,
        least_days=7,
        why="the next one begins where the last one came to",
    ),
)

DRAFTS: tuple[Dataset, ...] = (
    Rows(
        name="drafts",
        label="Drafts that were sent or dismissed",
        # Open ones never expire; attempts go with their draft.
        tables=(Table(model="sync.Draft", at="ended_at"),),
        default_days=365,
        least_days=7,
        why="an idempotency key is remembered for as long as its draft, and a day's cap counts by it",
    ),
    Rows(
        name="messages",
        label="Messages with clients as GoHighLevel tells of them",
        tables=(Table(model="sync.Message", at="at"),),
        default_days=90,
        least_days=7,
        why="a draft's page shows what was said before it",
    ),
    Rows(
        name="insights",
        label="What the agent has found out about clients",
        tables=(Table(model="sync.Insight", at="created_at"),),
        default_days=180,
        least_days=14,
        why="a weekly digest tells of the week before it",
    ),
    Rows(
        name="trainer_digests",
        label="Weekly digests of trainers",
        tables=(Table(model="sync.TrainerDigest", at="created_at"),),
        default_days=400,
        least_days=14,
        why="a week's digest would be made and mailed again",
    ),
)
