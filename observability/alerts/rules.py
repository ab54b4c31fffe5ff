"""The rules that every installation begins with. Their terms are staff's once they are there.

The rule: a rule that is there is never changed by a release, and one that the code knows no more is disabled
by hand. Thresholds are shares (0 to 1), seconds or counts, as the measure's unit says.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from math import isfinite
from typing import Any

from django.db import transaction

from observability.alerts import demands
from observability.alerts.evaluation import Terms
from observability.audit.actions import Action
from observability.audit.recording import record
from observability.models import AlertRule
from observability.models.alert import Severity

_HOUR, _DAY, _WEEK = 60, 1_440, 10_080
_DAY_S = 86_400
SLACK, PAGERDUTY, EMAIL = "slack", "pagerduty", "email"


@dataclass(frozen=True, slots=True)
class Seed:
    """A rule as it is at first; see `observability.models.AlertRule`."""

    code: str
    title: str
    severity: str
    threshold: float
    recovery: float
    window_minutes: int = 1
    min_sample: int = 0
    min_bad: int = 0
    needs_confidence: bool = False
    for_minutes: int = 0
    recovery_minutes: int = 5
    repeat_minutes: int = 240

    @property
    def channels(self) -> list[str]:
        """SEV1 is told on all of them, SEV2 in Slack, SEV3 in the daily email."""
        return {"SEV1": [SLACK, PAGERDUTY, EMAIL], "SEV2": [SLACK], "SEV3": [EMAIL]}[self.severity]


SEEDS = (
    Seed(
        "sev1_fault",
        "Data lost, or a mass of messages",
        "SEV1",
        0,
        0,
        5,
        recovery_minutes=30,
        repeat_minutes=30,
    ),
    Seed(
        "database_down", "PostgreSQL does not answer", "SEV1", 0, 0, 5, recovery_minutes=2, repeat_minutes=30
    ),
    Seed("audit_broken", "The audit log does not hold", "SEV1", 0, 0, recovery_minutes=0),
    Seed("sync_failure_rate", "Sync jobs fail", "SEV2", 0.01, 0.005, _HOUR, 20, 3, True, 3, 10),
    Seed("error_rate", "Much goes wrong", "SEV2", 0.05, 0.03, 15, 20, 3, True, 0, 5),
    Seed("query_time", "Database queries are slow", "SEV2", 0.05, 0.04, 15, 100, 5, True, 3, 10),
    Seed("draft_failure_rate", "Drafts fail", "SEV2", 0.05, 0.02, _HOUR, 20, 3, True, 3, 15),
    Seed("breaker_open", "GoHighLevel does not answer", "SEV2", 0, 0, for_minutes=10, recovery_minutes=5),
    Seed("workers_silent", "Workers give no sign of life", "SEV2", 0, 0, for_minutes=2, recovery_minutes=2),
    Seed("forwarder_lag", "PostHog does not get events", "SEV2", 900, 300, for_minutes=5, recovery_minutes=5),
    Seed("webhook_silence", "Webhooks have fallen silent", "SEV2", 0, 0, for_minutes=5, recovery_minutes=5),
    Seed("dead_letters_growing", "Dead letters grow", "SEV2", 20, 5, _HOUR, recovery_minutes=30),
    Seed("new_cause", "A new cause of dead letters", "SEV2", 0, 0, 30, recovery_minutes=30, repeat_minutes=0),
    Seed("dying_soon", "Jobs will die soon", "SEV2", 10, 2, for_minutes=5, recovery_minutes=15),
    Seed("deadlocks", "Transactions lock each other out", "SEV2", 3, 0, 15, recovery_minutes=30),
    Seed("dead_letter_age", "A dead letter waits for a day", "SEV3", _DAY_S, _DAY_S, recovery_minutes=0),
    Seed("show_rate_drop", "Fewer clients come", "SEV3", 0.10, 0.05, _HOUR, 30, recovery_minutes=_DAY),
    Seed("log_drops", "Log lines are lost", "SEV3", 0, 0, 15, recovery_minutes=60),
    Seed(
        "retention_overdue", "Data is kept too long", "SEV3", 0, 0, for_minutes=_HOUR, recovery_minutes=_HOUR
    ),
)

CHANNELS = (SLACK, PAGERDUTY, EMAIL)
_MINUTES = ("window_minutes", "for_minutes", "recovery_minutes", "repeat_minutes")
_MOST_CASES = 1_000_000
# What staff may change of a rule.
TERMS = (
    "severity",
    "threshold",
    "recovery",
    "window_minutes",
    "min_sample",
    "min_bad",
    "needs_confidence",
    "for_minutes",
    "recovery_minutes",
    "repeat_minutes",
    "channels",
    "is_enabled",
)


def seed(**_signal: Any) -> None:
    """Make the rules that are missing; receiver of post_migrate."""
    AlertRule.objects.bulk_create(
        [AlertRule(**asdict(one), channels=one.channels) for one in SEEDS], ignore_conflicts=True
    )


def terms(rule: AlertRule) -> Terms:
    """Return what a rule demands, for the evaluation."""
    return Terms(
        threshold=rule.threshold,
        recovery=rule.recovery,
        for_minutes=rule.for_minutes,
        recovery_minutes=rule.recovery_minutes,
        min_sample=rule.min_sample,
        min_bad=rule.min_bad,
        needs_confidence=rule.needs_confidence,
    )


@transaction.atomic
def change(rule: AlertRule, changes: dict[str, Any], *, by: str, now: datetime) -> AlertRule:
    """Change a rule's terms; raises ValueError for what may not be changed, or does not fit together."""
    found = AlertRule.objects.select_for_update().get(pk=rule.pk)
    if unknown := changes.keys() - set(TERMS):
        raise ValueError(f"These cannot be changed: {', '.join(sorted(unknown))}.")
    before = {name: getattr(found, name) for name in changes}
    for name, value in changes.items():
        setattr(found, name, value)
    check(found)
    told = {name: (before[name], value) for name, value in changes.items() if before[name] != value}
    if told:
        found.changed_at, found.changed_by = now, by
        found.save()
        record(Action.ALERT_CHANGE, actor=by, target=found, changes=told)
    return found


def check(rule: AlertRule) -> None:
    """Raise ValueError where a rule's terms do not fit together; str(): what to do."""
    if rule.severity not in Severity.values:
        raise ValueError(f"Choose a severity: {', '.join(Severity.values)}.")
    if unknown := set(rule.channels) - set(CHANNELS):
        raise ValueError(
            f"There is no such channel: {', '.join(sorted(unknown))}. Choose of {', '.join(CHANNELS)}."
        )
    if rule.is_enabled and not rule.channels and rule.severity != Severity.SEV3:
        raise ValueError("Nobody would be told. Choose a channel, or switch the rule off.")
    check_numbers(rule)


def check_numbers(rule: AlertRule) -> None:
    """Raise ValueError where a rule's numbers do not fit together; str(): what to do."""
    if not (_is_number(rule.threshold) and _is_number(rule.recovery)):
        raise ValueError("Write the threshold and the bound of recovery as plain numbers.")
    if demands.unit(rule) == "share" and not (0 <= rule.recovery <= 1 and 0 <= rule.threshold <= 1):
        raise ValueError("A share is 0 to 1, which is 100 %. Set the threshold and the bound of recovery so.")
    if rule.recovery > rule.threshold:
        raise ValueError("It would be well again beyond the threshold. Set the bound of recovery within it.")
    for name in _MINUTES:
        if not _is_count(getattr(rule, name), _WEEK):
            raise ValueError(f"{_in_words(name)}: write whole minutes from 0 to {_WEEK:,}, which is a week.")
    if rule.window_minutes < 1:
        raise ValueError("A window has a minute at least. Write 1 or more.")
    for name in ("min_sample", "min_bad"):
        if not _is_count(getattr(rule, name), _MOST_CASES):
            raise ValueError(f"{_in_words(name)}: write a whole number from 0 to {_MOST_CASES:,}.")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _is_count(value: Any, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most


def _in_words(name: str) -> str:
    return name.replace("_", " ").capitalize()
