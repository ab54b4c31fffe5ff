"""What is told to nobody for a while: by a silence, or because something worse explains it.

The rule: what is silent is written into the outbox all the same, as silenced, so that anybody can see it.
What is still open when nothing keeps it quiet any more is told then (`incidents.tend`).
"""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q, QuerySet

from observability.audit.actions import Action
from observability.audit.recording import record
from observability.models import AlertRule, Incident, Silence
from observability.redaction import redact

LONGEST = timedelta(days=30)
LONGEST_REASON = 300
# While one of these is open, the others are its consequences.
INHIBITING = ("database_down",)


class Refused(ValueError):
    """There can be no such silence; str(): what to do."""


def holds(incident: Incident, *, now: datetime) -> bool:
    """Whether nobody is to be told of an incident now."""
    return holding(incident, now=now).exists() or is_inhibited(incident)


def holding(incident: Incident, *, now: datetime) -> QuerySet[Silence]:
    """Return the silences that keep an incident quiet now."""
    return Silence.objects.filter(
        Q(rule=incident.rule_id) | Q(rule=None),
        Q(group=incident.group) | Q(group=""),
        begins_at__lte=now,
        ends_at__gt=now,
    )


def is_inhibited(incident: Incident) -> bool:
    """Whether something worse is open that explains it."""
    if incident.rule_id in INHIBITING:
        return False
    worse = Incident.objects.filter(rule__in=INHIBITING).exclude(state=Incident.State.RESOLVED)
    return worse.exclude(pk=incident.pk).exists()


@transaction.atomic
def begin(
    rule: AlertRule | None, group: str, *, reason: str, ends_at: datetime, by: str, now: datetime
) -> Silence:
    """Tell nobody of a rule (None: of any) and group (empty: of any) until a time. Raises Refused."""
    kept = reason.strip()
    if not kept or len(kept) > LONGEST_REASON or "\x00" in kept:
        raise Refused(f"Say why, in up to {LONGEST_REASON} characters.")
    if ends_at <= now:
        raise Refused("It would have ended already. Choose a time to come.")
    if ends_at - now > LONGEST:
        raise Refused(f"A silence lasts {LONGEST.days} days at most. Mend or disable the rule instead.")
    silence = Silence.objects.create(
        rule=rule, group=group, reason=redact(kept), begins_at=now, ends_at=ends_at, by=by
    )
    record(Action.SILENCE_BEGIN, actor=by, target=silence, reason=kept)
    return silence


@transaction.atomic
def end(silence: Silence, *, by: str, now: datetime) -> bool:
    """End a silence early; return whether it still held."""
    found = Silence.objects.select_for_update().get(pk=silence.pk)
    if found.ends_at <= now:
        return False
    # The constraint wants an end behind the beginning, also of one that is ended in the same moment.
    found.ends_at = max(now, found.begins_at + timedelta(microseconds=1))
    found.ended_by = by
    found.save(update_fields=["ends_at", "ended_by"])
    record(Action.SILENCE_END, actor=by, target=found)
    return True
