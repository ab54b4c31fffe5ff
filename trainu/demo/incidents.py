"""The demo's incidents: some that are over, with what was done about them, and two that somebody must see to.

The rule: made once, by the verbs of the service where they are of today; the past is written as it would have
been left. Bad spells of the measures lie below them, so that their graphs show why.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from django.db import transaction

from observability.alerts import incidents, rules
from observability.models import AlertRule, Incident, IncidentMoment, Notification, RuleState
from trainu.demo.measured import MINUTE, Spell

NOTES = "note"


@dataclass(frozen=True, slots=True)
class Past:
    """An incident that is over. minutes: how long it lasted. share: of the measure. notes: what was found.

    by_hand: what was done about it, where it did not recover by itself.
    """

    rule: str
    days_ago: int
    hour: int
    minutes: int
    share: float
    notes: tuple[str, ...]
    by_hand: str = ""


PAST = (
    Past(
        "sync_failure_rate",
        24,
        9,
        70,
        0.06,
        ("Refusals of one field since this morning's release.", "The old mapping is back; letters redriven."),
    ),
    Past(
        "database_down",
        19,
        2,
        6,
        6.0,
        ("The host was restarted for updates without a word to us.", "Updates have a window from now on."),
    ),
    Past("query_time", 17, 14, 40, 0.12, ("A report read a whole table; it goes by the index now.",)),
    Past(
        "error_rate",
        11,
        11,
        25,
        0.16,
        ("Timeouts at GoHighLevel, from their status page too.",),
        "Nothing to do here: their outage is over, and jobs drain.",
    ),
    Past("forwarder_lag", 8, 3, 120, 2_400.0, ("PostHog had maintenance, announced for this night.",)),
    Past(
        "draft_failure_rate",
        4,
        16,
        80,
        0.22,
        ("The model's provider answers 529; retries help half of them.",),
    ),
)
# Of today: rule, since when (minutes), share. The second one is acknowledged.
OPEN = (("sync_failure_rate", 25, 0.07), ("draft_failure_rate", 50, 0.25))


def spells(now: datetime) -> list[Spell]:
    """Return the bad spells that lie below the incidents; none where these were made by an earlier run."""
    if Incident.objects.exists():
        return []
    past = [Spell(one.rule, _at(one, now), one.minutes, one.share) for one in PAST]
    minute = now.replace(second=0, microsecond=0)
    return past + [Spell(rule, minute - minutes * MINUTE, minutes, share) for rule, minutes, share in OPEN]


@transaction.atomic
def make(*, now: datetime, staff: Sequence[str]) -> int:
    """Let there have been incidents; return how many. Does nothing where there are some.

    staff: who saw to them, as the audit log names people.
    """
    if Incident.objects.exists():
        return 0
    rules.seed()
    for number, one in enumerate(PAST):
        _leave(one, now=now, by=staff[number % len(staff)])
    for number, (rule, minutes, share) in enumerate(OPEN):
        found = _fire(rule, share, at=now - minutes * MINUTE + 5 * MINUTE, now=now)
        if number:
            incidents.acknowledge(found, by=staff[-1], now=now - 20 * MINUTE)
            incidents.note(
                found, "The provider's status page is yellow.", by=staff[-1], now=now - 12 * MINUTE
            )
    return len(PAST) + len(OPEN)


def _fire(code: str, share: float, *, at: datetime, now: datetime) -> Incident:
    """Open an incident, and leave its rule firing, as an evaluator that was at it until now would have."""
    rule = AlertRule.objects.get(pk=code)
    RuleState.objects.update_or_create(
        rule=rule,
        group="",
        defaults={"phase": "firing", "since": at, "starts": [at], "value": share, "evaluated_at": now},
    )
    return incidents.fire(rule, "", title=rule.title, words=_words(code, share), value=share, now=at)


def _leave(one: Past, *, now: datetime, by: str) -> None:
    """Write an incident that is over, with its timeline and what was told of it."""
    rule = AlertRule.objects.get(pk=one.rule)
    opened, ended = _at(one, now) + 4 * MINUTE, _at(one, now) + (one.minutes + 10) * MINUTE
    acknowledged = opened + 3 * MINUTE
    is_worst = rule.severity == "SEV1"
    incident = Incident.objects.create(
        rule=rule,
        dedup_key=f"{rule.code}::{opened:%Y%m%dT%H%M%S.%f}",
        severity=rule.severity,
        state=Incident.State.RESOLVED,
        title=rule.title,
        value=one.share,
        opened_at=opened,
        acknowledged_at=acknowledged,
        acknowledged_by=by,
        resolved_at=ended,
        resolved_by=by if one.by_hand else incidents.RECOVERY,
        owner=by,
        told_at=opened,
        first_report_at=opened + timedelta(hours=6) if is_worst else None,
        final_report_at=opened + timedelta(hours=50) if is_worst else None,
    )
    notes = [(acknowledged + (5 + 8 * number) * MINUTE, words) for number, words in enumerate(one.notes)]
    moments = [
        (opened, "opened", "", _words(one.rule, one.share)),
        (acknowledged, "acknowledged", by, ""),
        *((at, NOTES, by, words) for at, words in notes),
        (ended, "resolved", by if one.by_hand else "", one.by_hand or "It is within its bounds again."),
    ]
    IncidentMoment.objects.bulk_create(
        IncidentMoment(incident=incident, at=at, kind=kind, by=who, words=words)
        for at, kind, who, words in moments
    )
    Notification.objects.bulk_create(
        Notification(
            key=f"{incident.dedup_key}/1/{act}/0/{channel}",
            incident=incident,
            channel=channel,
            act=act,
            body={"value": one.share, "episode": 1},
            state=Notification.State.SENT,
            tries=1,
            due_at=at,
            created_at=at,
            sent_at=at + timedelta(seconds=1),
        )
        for at, act in ((opened, "trigger"), (acknowledged, "acknowledge"), (ended, "resolve"))
        for channel in rule.channels
    )


def _at(one: Past, now: datetime) -> datetime:
    on = now.astimezone(UTC).date() - timedelta(days=one.days_ago)
    return datetime.combine(on, time(one.hour), UTC)


def _words(rule: str, share: float) -> str:
    value = f"{share:.1%}" if share < 1 else f"{share:,.0f} s"
    return f"It was {value} when this began."
