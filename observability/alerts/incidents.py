"""What becomes of an incident: opened, acknowledged, resolved, reopened, noted, owned.

The rule: each change locks the row, writes a line of the timeline and what is to be told, and is audited
where a person made it, all in one transaction. One that comes back within REOPENED_WITHIN is the same.
"""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from django.db import transaction

from observability.alerts import incident_words, outbox, silences
from observability.audit.actions import Action
from observability.audit.recording import record
from observability.models import AlertRule, Incident, IncidentMoment
from observability.models.alert import Severity
from observability.redaction import redact

REOPENED_WITHIN = timedelta(hours=2)
RECOVERY = incident_words.RECOVERY
SWITCHED_OFF = incident_words.SWITCHED_OFF
# More incidents than these at once are one trouble, which nobody wants to be told of a thousand times.
MOST_TENDED = 500
LONGEST_WORDS = 500

State = Incident.State


class Refused(ValueError):
    """The incident cannot be changed like this; str(): what to do."""


@transaction.atomic
def fire(
    rule: AlertRule, group: str, *, title: str, words: str, value: float | None, now: datetime
) -> Incident:
    """Open an incident, or reopen the one that was resolved lately; return it. One that is open stays so.

    title: in short, without anything personal. words: what was measured, for the timeline.
    """
    found = (
        Incident.objects.select_for_update()
        .filter(rule=rule, group=group)
        .order_by("-opened_at", "-id")
        .first()
    )
    if found and found.state != State.RESOLVED:
        return found
    if found and found.resolved_at and now - found.resolved_at < REOPENED_WITHIN:
        found.state, found.resolved_at, found.resolved_by = State.OPEN, None, ""
        found.acknowledged_at, found.acknowledged_by = None, ""
        found.episode, found.value, found.severity = found.episode + 1, value, rule.severity
        found.save()
        _line(found, "reopened", words, now=now)
    else:
        found = Incident.objects.create(
            rule=rule,
            group=group,
            dedup_key=f"{rule.code}:{group}:{now:%Y%m%dT%H%M%S.%f}"[:120],
            severity=rule.severity,
            title=title[:160],
            value=value,
            opened_at=now,
        )
        _line(found, "opened", words, now=now)
    _tell(found, "trigger", now=now)
    return found


@transaction.atomic
def recover(rule: AlertRule, group: str, *, words: str, now: datetime) -> Incident | None:
    """Resolve the open incident of a rule and group, since its measure is well again; None where none is."""
    found = (
        Incident.objects.select_for_update()
        .filter(rule=rule, group=group)
        .exclude(state=State.RESOLVED)
        .first()
    )
    if found is None:
        return None
    _resolve(found, by=RECOVERY, words=words, now=now)
    return found


@transaction.atomic
def acknowledge(incident: Incident, *, by: str, now: datetime) -> Incident:
    """Note that somebody sees to it; who acknowledges an unowned one owns it. Raises Refused."""
    found = _locked(incident)
    if found.state == State.RESOLVED:
        raise Refused("It is resolved already: there is nothing to see to.")
    if found.state == State.ACKNOWLEDGED:
        return found
    found.state, found.acknowledged_at, found.acknowledged_by = State.ACKNOWLEDGED, now, by
    found.owner = found.owner or by
    found.save()
    _line(found, "acknowledged", "", by=by, now=now)
    record(Action.INCIDENT_ACKNOWLEDGE, actor=by, target=found)
    _tell(found, "acknowledge", now=now)
    return found


@transaction.atomic
def resolve(incident: Incident, *, by: str, reason: str, now: datetime) -> Incident:
    """Resolve it by hand, with what was done about it. Raises Refused without a reason."""
    found = _locked(incident)
    if found.state == State.RESOLVED:
        return found
    words = _words(reason, "Say what was done about it: the next one who meets this will read it.")
    record(Action.INCIDENT_RESOLVE, actor=by, target=found, reason=words)
    _resolve(found, by=by, words=words, now=now)
    return found


@transaction.atomic
def note(incident: Incident, words: str, *, by: str, now: datetime) -> None:
    """Write a line of the timeline. Raises Refused for nothing."""
    found = _locked(incident)
    kept = _words(words, "Write what is to be noted.")
    _line(found, "note", kept, by=by, now=now)
    record(Action.INCIDENT_NOTE, actor=by, target=found, reason=kept)


@transaction.atomic
def own(incident: Incident, owner: str, *, by: str, now: datetime) -> None:
    """Say who sees to it; empty for nobody."""
    found = _locked(incident)
    if found.owner == owner:
        return
    record(Action.INCIDENT_OWN, actor=by, target=found, changes={"owner": (found.owner, owner)})
    found.owner = owner
    found.save(update_fields=["owner"])
    _line(found, "owner", owner or "nobody", by=by, now=now)


@transaction.atomic
def report(incident: Incident, *, is_final: bool, words: str, by: str, now: datetime) -> Incident:
    """Note that it was reported, at first or in full; also after it is resolved. Raises Refused.

    words: to whom, or where the report is. The final report is the first one too, where there was none.
    """
    found = _locked(incident)
    if found.severity != Severity.SEV1:
        raise Refused("Only incidents of SEV1 are reported. Write a note instead.")
    if found.final_report_at is not None:
        raise Refused("It was reported in full already. Write a note instead.")
    if found.first_report_at is not None and not is_final:
        raise Refused("It was reported first already. Report it in full, or write a note.")
    kept = _words(words, "Say where the report is, or to whom it went.")
    found.first_report_at = found.first_report_at or now
    if is_final:
        found.final_report_at = now
    found.save(update_fields=["first_report_at", "final_report_at"])
    record(Action.INCIDENT_REPORT, actor=by, target=found, reason=kept)
    _line(found, "final_report" if is_final else "first_report", kept, by=by, now=now)
    return found


def tend(*, now: datetime) -> None:
    """Resolve the open ones whose rule is switched off; tell of those that a silence has kept quiet and that
    are open when it is over; tell again of those that nobody has acknowledged.
    """
    unresolved = Incident.objects.exclude(state=State.RESOLVED).select_related("rule").order_by("id")
    for incident in unresolved[:MOST_TENDED]:
        if not incident.rule.is_enabled:
            _switch_off(incident, now=now)
        elif incident.state != State.OPEN or tell_at_last(incident, now=now):
            continue
        elif _is_to_repeat(incident, now=now):
            repeat(incident, now=now)


def tell_at_last(incident: Incident, *, now: datetime) -> bool:
    """Tell that an incident has begun which was silent until now; return whether it was told."""
    if not outbox.untold(incident) or silences.holds(incident, now=now):
        return False
    with transaction.atomic():
        found = _locked(incident)
        wanted = outbox.untold(found).intersection(_channels(found, "trigger"))
        if found.state != State.OPEN or not wanted:
            return False
        _line(
            found, "told", "Nothing keeps it quiet any more, and it is still open: it is told now.", now=now
        )
        _tell(found, "trigger", only=wanted, now=now)
    return True


@transaction.atomic
def _switch_off(incident: Incident, *, now: datetime) -> None:
    found = _locked(incident)
    if found.state != State.RESOLVED:
        words = "Its rule was switched off: nobody looks whether it still holds."
        _resolve(found, by=SWITCHED_OFF, words=words, now=now)


@transaction.atomic
def repeat(incident: Incident, *, now: datetime) -> bool:
    """Tell again of an incident that nobody has acknowledged; return whether it was due."""
    found = _locked(incident)
    if not _is_to_repeat(found, now=now):
        return False
    _tell(found, "repeat", now=now)
    return True


def _is_to_repeat(incident: Incident, *, now: datetime) -> bool:
    every = incident.rule.repeat_minutes
    if incident.state != State.OPEN or not every or not _channels(incident, "repeat"):
        return False
    due_at = now - timedelta(minutes=every)
    if incident.told_at and incident.told_at > due_at:
        return False
    # What was silenced sets the pace too, or a silence would be full of it.
    written = incident.notifications.filter(act__in=["trigger", "repeat"]).order_by("-id")
    last = written.values_list("created_at", flat=True).first()
    return last is not None and last <= due_at


@transaction.atomic
def remind(incident: Incident, act: str, words: str, *, channels: Iterable[str], now: datetime) -> None:
    """Tell of a clock that has run out for an incident; see `observability.alerts.clocks`."""
    found = _locked(incident)
    _line(found, act, words, now=now)
    outbox.write(found, act, channels=channels, is_silent=silences.holds(found, now=now), now=now)


def _resolve(incident: Incident, *, by: str, words: str, now: datetime) -> None:
    incident.state, incident.resolved_at, incident.resolved_by = State.RESOLVED, now, by
    incident.save()
    _line(incident, "resolved", words, by="" if by in (RECOVERY, SWITCHED_OFF) else by, now=now)
    _tell(incident, "resolve", now=now)


def _tell(incident: Incident, act: str, *, only: Collection[str] | None = None, now: datetime) -> None:
    is_silent = silences.holds(incident, now=now)
    channels = [one for one in _channels(incident, act) if only is None or one in only]
    written = outbox.write(incident, act, channels=channels, is_silent=is_silent, now=now)
    if act in ("trigger", "repeat") and any(one.state == outbox.State.WAITING for one in written):
        incident.told_at = now
        incident.save(update_fields=["told_at"])


def _channels(incident: Incident, act: str) -> list[str]:
    # Email gathers what is for the digest; what is worse than that goes out by itself. PagerDuty tells again
    # by itself, and by its own clock.
    left_out = {"email"} if incident.severity == "SEV3" else set()
    if act == "repeat":
        left_out.add("pagerduty")
    return [one for one in incident.rule.channels if one not in left_out]


def _locked(incident: Incident) -> Incident:
    return Incident.objects.select_for_update(of=("self",)).select_related("rule").get(pk=incident.pk)


def _line(incident: Incident, kind: str, words: str, *, by: str = "", now: datetime) -> None:
    IncidentMoment.objects.create(
        incident=incident, at=now, kind=kind, by=by, words=redact(words)[:LONGEST_WORDS]
    )


def _words(words: str, what_to_do: str) -> str:
    kept = words.strip()
    if not kept or len(kept) > LONGEST_WORDS or "\x00" in kept:
        raise Refused(f"{what_to_do} Up to {LONGEST_WORDS} characters.")
    return str(redact(kept))[:LONGEST_WORDS]
