"""The demo's incidents: some that are over, with what was done about them, and two that somebody must see to.

The rule: made once, by the verbs of the service where they are of today; the past is written as it would have
been left. Bad spells of the measures lie below them, and when an incident began, with which value, and when
it was over, is what the rules' own replay finds in those minutes: page and graph say the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from django.db import transaction

from observability.alerts import incidents, measures, replay, rules
from observability.alerts.evaluation import Reading, State, span_minutes
from observability.alerts.evaluator import in_words
from observability.alerts.measures import Measure
from observability.alerts.replay import Row, Stood, Window
from observability.models import AlertRule, Incident, IncidentMoment, MeasureMinute, Notification, RuleState
from trainu.demo.measured import MINUTE, Spell

NOTES = "note"
# An hour's window forgets a spell an hour later.
LONGEST_RECOVERY = timedelta(hours=4)


@dataclass(frozen=True, slots=True)
class Past:
    """A bad spell that is over. minutes: how long it lasted. share: of the measure. notes: what was found.

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
        45.0,
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


@dataclass(frozen=True, slots=True)
class _Course:
    """How a rule stood through a spell: when it fired, when it was well again (if it was), and at last."""

    rule: AlertRule
    measure: Measure
    fired: Reading
    recovered: Reading | None
    last: Stood


@transaction.atomic
def make(*, now: datetime, staff: Sequence[str]) -> int:
    """Let there have been incidents; return how many. Does nothing where there are some.

    staff: who saw to them, as the audit log names people. After `measured.make`, with the same moment.
    """
    if Incident.objects.exists():
        return 0
    rules.seed()
    made = 0
    for number, one in enumerate(PAST):
        since = _at(one, now)
        course = _course(one.rule, since, min(since + one.minutes * MINUTE + LONGEST_RECOVERY, now))
        if course and course.recovered:
            _leave(one, course, course.recovered, by=staff[number % len(staff)])
            made += 1
    for number, (rule, minutes, _) in enumerate(OPEN):
        course = _course(rule, now - (minutes + 1) * MINUTE, now)
        if course is None or course.recovered:
            continue
        found = _fire(course, now=now)
        made += 1
        if number:
            incidents.acknowledge(found, by=staff[-1], now=now - 20 * MINUTE)
            incidents.note(
                found, "The provider's status page is yellow.", by=staff[-1], now=now - 12 * MINUTE
            )
    return made


def _course(code: str, since: datetime, until: datetime) -> _Course | None:
    """Return what the evaluation would have found in the minutes of a spell; None where it never fired."""
    rule, measure = AlertRule.objects.get(pk=code), measures.find(code)
    if measure is None:
        return None
    first, last = (at.replace(second=0, microsecond=0) for at in (since, until - MINUTE))
    window = Window.of(measure.kind, span_minutes(measure.kind, rule.window_minutes, measure.every_minutes))
    kept = MeasureMinute.objects.filter(
        measure=code, group="", minute__gt=first - window.minutes * MINUTE, minute__lte=last
    )
    rows = [Row(*row) for row in kept.order_by("minute").values_list(*Row._fields)]
    fired = recovered = stood = None
    for stood in replay.walk(rules.terms(rule), window, rows, since=first, until=last, state=State()):
        if stood.change == "fires" and fired is None:
            fired = stood.reading
        elif stood.change == "recovers" and recovered is None:
            recovered = stood.reading
    return _Course(rule, measure, fired, recovered, stood) if fired and stood else None


def _fire(course: _Course, *, now: datetime) -> Incident:
    """Open an incident, and leave its rule firing, as an evaluator that was at it until now would have."""
    rule, (last, state, _), fired = course.rule, course.last, course.fired
    RuleState.objects.update_or_create(
        rule=rule,
        group="",
        defaults={
            "phase": state.phase,
            "since": state.since,
            "well_since": state.well_since,
            "starts": list(state.starts),
            "value": last.value,
            "sample": last.sample,
            "evaluated_at": now,
        },
    )
    words = in_words(course.measure, fired)
    return incidents.fire(rule, "", title=rule.title, words=words, value=fired.value, now=_told(fired))


def _leave(one: Past, course: _Course, well: Reading, *, by: str) -> None:
    """Write an incident that is over, with its timeline and what was told of it."""
    rule, fired = course.rule, course.fired
    opened, ended = _told(fired), _told(well)
    acknowledged = opened + 3 * MINUTE
    is_worst = rule.severity == "SEV1"
    incident = Incident.objects.create(
        rule=rule,
        dedup_key=f"{rule.code}::{opened:%Y%m%dT%H%M%S.%f}",
        severity=rule.severity,
        state=Incident.State.RESOLVED,
        title=rule.title,
        value=fired.value,
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
        (opened, "opened", "", in_words(course.measure, fired)),
        (acknowledged, "acknowledged", by, ""),
        *((at, NOTES, by, words) for at, words in notes),
        (ended, "resolved", by if one.by_hand else "", one.by_hand or in_words(course.measure, well)),
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
            body={"value": fired.value, "episode": 1},
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


def _told(reading: Reading) -> datetime:
    """Return when a reading was there: its minute was over."""
    return reading.at + MINUTE
