"""Look at every rule: ask its measure, keep what it said, and let incidents begin and end.

The rule: one process at a time, by a lock; each rule in a transaction of its own, so that a broken measure
costs its own rule and no other, and is reported. A rule's window is added up from the minutes that were kept.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction

from observability.alerts import incidents, measures, rules
from observability.alerts.evaluation import Phase, Reading, State, step
from observability.alerts.measures import Measure, Said
from observability.errors import reporting
from observability.models import AlertRule, Incident, MeasureMinute, RuleState

# Counters are carried every few seconds, and events rolled up a second later: the minutes before the last
# one may have grown.
READ_AGAIN = 3
MINUTE = timedelta(minutes=1)
_LOCK = 0x7472_6169_6E75_0A11


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What one evaluation did. broken: codes of rules whose measure broke."""

    rules: int
    fired: int
    recovered: int
    broken: tuple[str, ...]


def evaluate(*, now: datetime) -> Evaluated | None:
    """Evaluate every enabled rule; None where another process is at it."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_try_advisory_lock(%s)", [_LOCK])
        if not cursor.fetchone()[0]:
            return None
    try:
        return _evaluate(now)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("select pg_advisory_unlock(%s)", [_LOCK])


def _evaluate(now: datetime) -> Evaluated:
    fired = recovered = looked_at = 0
    broken = []
    for rule in AlertRule.objects.filter(is_enabled=True):
        measure = measures.find(rule.code)
        if measure is None:
            continue
        looked_at += 1
        try:
            changes = _of_rule(rule, measure, now)
        except Exception as error:  # noqa: BLE001 - one broken measure must not silence the other rules
            broken.append(rule.code)
            reporting.report(error, event="alert_not_evaluated", rule=rule.code)
            continue
        fired += changes.count("fires")
        recovered += changes.count("recovers")
    for incident in Incident.objects.filter(state=Incident.State.OPEN).select_related("rule"):
        incidents.repeat(incident, now=now)
    return Evaluated(looked_at, fired, recovered, tuple(broken))


def _of_rule(rule: AlertRule, measure: Measure, now: datetime) -> list[str]:
    last = now.replace(second=0, microsecond=0) - MINUTE
    said = list(measure.read(last))
    keep(measure, last, said)
    for back in range(1, READ_AGAIN):
        minute = last - back * MINUTE
        keep(measure, minute, measure.read(minute))
    groups = {one.group for one in said} | set(
        RuleState.objects.filter(rule=rule).values_list("group", flat=True)
    )
    return [_of_group(rule, measure, group, last, now) for group in sorted(groups)]


@transaction.atomic
def _of_group(rule: AlertRule, measure: Measure, group: str, minute: datetime, now: datetime) -> str:
    kept, _ = RuleState.objects.select_for_update().get_or_create(
        rule=rule, group=group, defaults={"phase": Phase.OK, "evaluated_at": now}
    )
    reading = window(rule, measure, group, minute)
    before = State(Phase(kept.phase), kept.since, kept.well_since, tuple(kept.starts))
    after, change = step(rules.terms(rule), before, reading)
    kept.phase, kept.since, kept.well_since = after.phase, after.since, after.well_since
    kept.starts, kept.value, kept.sample, kept.evaluated_at = (
        list(after.starts),
        reading.value,
        reading.sample,
        now,
    )
    kept.save()
    words = in_words(measure, reading)
    title = f"{rule.title}: {group}" if group else rule.title
    if change == "fires":
        incidents.fire(rule, group, title=title, words=words, value=reading.value, now=now)
    elif change == "recovers":
        incidents.recover(rule, group, words=words, now=now)
    return change


def keep(measure: Measure, minute: datetime, said: Iterable[Said]) -> None:
    """Keep what a measure said of a minute, in place of what it said before."""
    rows = [
        MeasureMinute(
            measure=measure.code,
            group=one.group[:64],
            minute=minute,
            value=one.value,
            bad=None if measure.kind == "level" else one.bad,
            total=None if measure.kind == "level" else one.total,
        )
        for one in said
    ]
    MeasureMinute.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["measure", "group", "minute"],
        update_fields=["value", "bad", "total"],
    )


def window(rule: AlertRule, measure: Measure, group: str, minute: datetime) -> Reading:
    """Return what a measure says of a rule's window that ends with a minute, from what was kept."""
    since = minute - (rule.window_minutes - 1) * MINUTE
    with connection.cursor() as cursor:
        cursor.execute(
            "select sum(bad), sum(total), (array_agg(value order by minute desc))[1]"
            " from observability_measureminute"
            ' where measure = %s and "group" = %s and minute between %s and %s',
            [measure.code, group, since, minute],
        )
        bad, total, value = cursor.fetchone()
    match measure.kind:
        case "level":
            return Reading(minute, value)
        case "count":
            return Reading(minute, bad or 0.0, bad=bad or 0.0)
        case "rate":
            return Reading(minute, bad / total if total else None, sample=total or 0.0, bad=bad or 0.0)


def in_words(measure: Measure, reading: Reading) -> str:
    """Return what was measured, for the timeline."""
    if reading.value is None:
        return f"{measure.words}: not known."
    value = f"{reading.value:.1%}" if measure.unit == "share" else f"{reading.value:,.6g}"
    unit = "" if measure.unit in ("share", "number") else f" {measure.unit}"
    cases = f" of {reading.sample:,.0f} cases" if reading.sample is not None else ""
    return f"{measure.words}: {value}{unit}{cases}."
