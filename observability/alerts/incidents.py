"""What becomes of an incident: opened, acknowledged, resolved, reopened, noted, owned.

The rule: each change locks the row, writes a line of the timeline and what is to be told, and is audited
where a person made it, all in one transaction. One that comes back within REOPENED_WITHIN is the same.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction

from observability.alerts import outbox, silences
from observability.audit.actions import Action
from observability.audit.recording import record
from observability.models import AlertRule, Incident, IncidentMoment
from observability.redaction import redact

REOPENED_WITHIN = timedelta(hours=2)
RECOVERY = "recovery"
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
def repeat(incident: Incident, *, now: datetime) -> bool:
    """Tell again of an incident that nobody has acknowledged; return whether it was due."""
    found = _locked(incident)
    every = found.rule.repeat_minutes
    if found.state != State.OPEN or not every or found.told_at is None:
        return False
    if now - found.told_at < timedelta(minutes=every):
        return False
    _tell(found, "repeat", now=now)
    return True


def _resolve(incident: Incident, *, by: str, words: str, now: datetime) -> None:
    incident.state, incident.resolved_at, incident.resolved_by = State.RESOLVED, now, by
    incident.save()
    _line(incident, "resolved", words, by="" if by == RECOVERY else by, now=now)
    _tell(incident, "resolve", now=now)


def _tell(incident: Incident, act: str, *, now: datetime) -> None:
    is_silent = silences.holds(incident, now=now)
    outbox.write(incident, act, channels=_channels(incident, act), is_silent=is_silent, now=now)
    if act in ("trigger", "repeat"):
        incident.told_at = now
        incident.save(update_fields=["told_at"])


def _channels(incident: Incident, act: str) -> Iterable[str]:
    # Email gathers what is for the digest; what is worse than that goes out by itself.
    return [one for one in incident.rule.channels if not (one == "email" and incident.severity == "SEV3")]


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
