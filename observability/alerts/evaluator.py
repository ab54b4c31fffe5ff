"""Look at every rule: ask its measure, keep what it said, and let incidents begin and end.

The rule: one process at a time, by a lock. A measure that breaks costs its own rule and no other, and is
reported. A change and the incident that it opens or resolves commit together. Minutes that nobody looked at
are looked at afterwards, one after the other, so that what was counted in them is not lost.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import OuterRef, Q, Subquery

from observability.alerts import clocks, incident_words, incidents, measures, minutes, replay, rules
from observability.alerts.evaluation import Change, Phase, Reading, State, step
from observability.alerts.measures import MOST_GROUPS, OTHERS, Measure, Said
from observability.alerts.minutes import MINUTE, Asked
from observability.charts.formatting import write
from observability.errors import reporting
from observability.models import AlertRule, Incident, MeasureMinute, RuleState
from trainu.bounded_query import bounded

# Counters are carried every few seconds, and events rolled up a second later: the minutes before the last
# one may have grown.
READ_AGAIN = 3
# Minutes further back are not made up for: an evaluator that is away for so long has been told by others.
MOST_MISSED = 180
MEASURE_LIMIT_MS = 5_000
# Whoever resolves by hand what still holds is believed for so long.
STILL_BAD_AFTER = timedelta(hours=1)
_LOCK = 0x7472_6169_6E75_0A11


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What one evaluation did. broken: codes of rules whose measure broke."""

    rules: int
    fired: int
    recovered: int
    broken: tuple[str, ...]


@dataclass(slots=True)
class _Look:
    """A rule that is looked at. first, last: the minutes to be judged, several where some were missed."""

    rule: AlertRule
    measure: Measure
    states: Mapping[str, RuleState]
    first: datetime
    last: datetime
    is_new: bool
    kept: list[MeasureMinute] = field(default_factory=list)

    @property
    def groups(self) -> list[str]:
        return sorted({"", *self.states, *(one.group for one in self.kept)})

    def asked(self) -> list[Asked]:
        """The windows that end with the last minute."""
        window = self.rule.window_minutes
        return [Asked(self.measure, group, window, self.last) for group in self.groups]


@dataclass(slots=True)
class _Outcome:
    """What is written at the end, and counted. gone: states that say nothing any more."""

    states: list[RuleState] = field(default_factory=list)
    gone: list[RuleState] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)


def evaluate(*, now: datetime, only: frozenset[str] | None = None) -> Evaluated | None:
    """Evaluate every enabled rule, or these only; None where another process is at it.

    Without `only`, what is due of open incidents is told as well.
    """
    with connection.cursor() as cursor:
        cursor.execute("select pg_try_advisory_lock(%s)", [_LOCK])
        if not cursor.fetchone()[0]:
            return None
    try:
        return _evaluate(now, only)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("select pg_advisory_unlock(%s)", [_LOCK])


def _evaluate(now: datetime, only: frozenset[str] | None) -> Evaluated:
    all_rules = [one for one in AlertRule.objects.all() if only is None or one.code in only]
    states: dict[str, dict[str, RuleState]] = {}
    for state in RuleState.objects.filter(rule__in=[one.code for one in all_rules]):
        states.setdefault(state.rule_id, {})[state.group] = state
    looks: list[_Look] = []
    broken: list[str] = []
    for rule in all_rules:
        measure = measures.find(rule.code) if rule.is_enabled else None
        if measure is not None:
            with _on_its_own(rule, broken):
                looks.append(_ask(rule, measure, states.get(rule.code, {}), now))
    minutes.keep([row for look in looks for row in look.kept])
    readings = iter(minutes.windows([one for look in looks for one in look.asked()]))
    outcome = _Outcome()
    for look in looks:
        of_groups = {group: next(readings) for group in look.groups}
        with _on_its_own(look.rule, broken):
            _settle(look, of_groups, outcome, now)
    _write(outcome)
    if only is None:
        _switch_off(all_rules, states)
        _come_back(now)
        incidents.tend(now=now)
        clocks.remind(now=now)
    changes = outcome.changes
    return Evaluated(
        len(looks) + len(broken),
        changes.count("fires"),
        changes.count("recovers"),
        tuple(dict.fromkeys(broken)),
    )


@contextmanager
def _on_its_own(rule: AlertRule, broken: list[str]) -> Iterator[None]:
    """Let what breaks cost one rule; but where PostgreSQL itself is away, there is nothing to go on with."""
    try:
        yield
    except Exception as error:
        if not connection.is_usable():
            raise
        broken.append(rule.code)
        reporting.report(error, event="alert_not_evaluated", rule=rule.code)


def _ask(rule: AlertRule, measure: Measure, states: Mapping[str, RuleState], now: datetime) -> _Look:
    """Return a rule with what its measure says of the minutes that are to be read."""
    at_hand = now.replace(second=0, microsecond=0)
    late = timedelta(0) if measure.at_hand else MINUTE
    last = at_hand - late
    whole = states.get("")
    before = whole.evaluated_at.replace(second=0, microsecond=0) - late if whole else None
    first = last if before is None else min(max(before + MINUTE, last - MOST_MISSED * MINUTE), last)
    look = _Look(rule, measure, states, first, last, is_new=before is None or before < last)
    with nullcontext() if measure.has_own_limits else bounded(MEASURE_LIMIT_MS):
        for minute in _to_read(look, before):
            said = minutes.few(measure, measure.read(minute), states)
            if measure.kind == "level":
                said += _unnamed(said, states)
            look.kept += minutes.rows(measure, minute, said)
    return look


def _to_read(look: _Look, before: datetime | None) -> Iterator[datetime]:
    measure, last = look.measure, look.last
    if measure.kind == "level":
        # It says how it is now, and nothing of what has been.
        every = measure.every_minutes
        if every == 1 or before is None or _turn(before, every) != _turn(last, every):
            yield last
        return
    again = READ_AGAIN - 1 if look.is_new else int(measure.at_hand)
    minute = max(look.first - again * MINUTE, last - MOST_MISSED * MINUTE)
    while minute <= last:
        yield minute
        minute += MINUTE


def _turn(minute: datetime, every_minutes: int) -> int:
    return int(minute.timestamp()) // 60 // every_minutes


def _unnamed(said: Iterable[Said], states: Iterable[str]) -> list[Said]:
    """Return how the groups of a level stand that it does not name: well, unless all of it is bad."""
    named = {one.group: one.value for one in said}
    value = replay.unnamed_value(named.get(""))
    return [Said(group, value=value) for group in states if group and group not in named]


def _settle(look: _Look, readings: Mapping[str, Reading], outcome: _Outcome, now: datetime) -> None:
    for group, last in readings.items():
        kept = look.states.get(group)
        new = RuleState(rule=look.rule, group=group, phase=Phase.OK)
        row = kept or new
        seen = row.value or 0.0
        state, changes = State(Phase(row.phase), row.since, row.well_since, tuple(row.starts)), []
        for said, after, change in _stood(look, group, last, state):
            state = after
            if change:
                changes.append((change, said))
        row.phase, row.since, row.well_since = state.phase, state.since, state.well_since
        row.starts, row.value, row.sample, row.evaluated_at = list(state.starts), last.value, last.sample, now
        # Somebody has resolved it by hand, and it has happened again: that is news.
        if not changes and state.phase is Phase.FIRING and look.measure.kind == "count":
            changes = [("fires", last)] if (last.value or 0.0) > seen else []
            _apply(look, group, changes, now)
        elif changes:
            with transaction.atomic():
                _save([row])
                _apply(look, group, changes, now)
            outcome.changes += [change for change, _ in changes]
        if not group or state.phase is not Phase.OK or state.starts:
            outcome.states.append(row)
        elif kept is not None:
            outcome.gone.append(kept)


def _stood(look: _Look, group: str, last: Reading, state: State) -> Iterable[replay.Stood]:
    """Return how a rule stands after each minute that is to be judged."""
    terms, measure = rules.terms(look.rule), look.measure
    if measure.kind == "level" or look.first == look.last:
        return [replay.Stood(last, *step(terms, state, last))]
    window = replay.Window.of(measure.kind, look.rule.window_minutes)
    since = look.first - window.minutes * MINUTE
    rows = minutes.between(measure, group, since, look.last)
    return replay.walk(terms, window, rows, since=look.first, until=look.last, state=state)


def _apply(look: _Look, group: str, changes: Iterable[tuple[Change, Reading]], now: datetime) -> None:
    rule, measure = look.rule, look.measure
    for change, reading in changes:
        words = in_words(measure, reading)
        if group == OTHERS:
            words += f" These are all beyond the first {MOST_GROUPS}, told as one."
        if reading.at < look.last:
            words += f" This was at {reading.at:%H:%M} UTC, when nobody looked."
        if change == "fires":
            title = incident_words.title(rule.code, group)
            incidents.fire(rule, group, title=title, words=words, value=reading.value, now=now)
        else:
            incidents.recover(rule, group, words=words, now=now)


def _save(states: list[RuleState]) -> None:
    RuleState.objects.bulk_create(
        states,
        update_conflicts=True,
        unique_fields=["rule", "group"],
        update_fields=["phase", "since", "well_since", "starts", "value", "sample", "evaluated_at"],
    )


def _write(outcome: _Outcome) -> None:
    _save(outcome.states)
    if outcome.gone:
        which = Q()
        for state in outcome.gone:
            which |= Q(rule=state.rule_id, group=state.group)
        RuleState.objects.filter(which).delete()


def _switch_off(all_rules: Iterable[AlertRule], states: Mapping[str, object]) -> None:
    """Forget where rules stand that are switched off: switched on again, they begin anew."""
    off = [rule.code for rule in all_rules if not rule.is_enabled and rule.code in states]
    if off:
        RuleState.objects.filter(rule__in=off).delete()


def _come_back(now: datetime) -> None:
    """Reopen what somebody has resolved by hand an hour ago and what fires still: it was not over."""
    about = Incident.objects.filter(rule=OuterRef("rule"), group=OuterRef("group"))
    newest = about.order_by("-opened_at", "-id")
    silent = (
        RuleState.objects.filter(phase=Phase.FIRING, rule__is_enabled=True)
        .alias(resolved_at=Subquery(newest.values("resolved_at")[:1]))
        .filter(resolved_at__lte=now - STILL_BAD_AFTER)
        .select_related("rule")
    )
    for state in silent[:MOST_GROUPS]:
        title = incident_words.title(state.rule_id, state.group)
        words = "It was resolved an hour ago or more, and has held all the time."
        incidents.fire(state.rule, state.group, title=title, words=words, value=state.value, now=now)


def in_words(measure: Measure, reading: Reading) -> str:
    """Return what was measured, for the timeline."""
    if reading.value is None:
        return f"{measure.words}: not known."
    value = write(reading.value, "share") if measure.unit == "share" else f"{reading.value:,.6g}"
    unit = "" if measure.unit in ("share", "number") else f" {measure.unit}"
    cases = f" of {reading.sample:,.0f} cases" if reading.sample is not None else ""
    return f"{measure.words}: {value}{unit}{cases}."
