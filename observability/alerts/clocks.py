"""The clocks of a SEV1 incident: acknowledged within four hours, reported within a day, in full within three.

The rule: a clock that has run out is told once, however often it is looked at: the line of the timeline says
that it was. Reports are due of resolved incidents too, and once an incident, however often it was reopened.
"""

from datetime import datetime, timedelta

from django.db.models import Exists, F, Max, OuterRef, Q, QuerySet

from observability.alerts import incidents, rules
from observability.alerts.due import ACKNOWLEDGED_WITHIN, FINAL_REPORT_WITHIN, FIRST_REPORT_WITHIN
from observability.models import Incident, IncidentMoment

OVERDUE, REPORT_24H, REPORT_72H = "overdue", "report_24h", "report_72h"
# Nobody is reminded of what is long gone.
FORGOTTEN_AFTER = timedelta(days=14)
MOST = 100

_WORST = Q(severity="SEV1")
# A report is paperwork: it wakes nobody.
_QUIET = (rules.SLACK, rules.EMAIL)
_WORDS = {
    OVERDUE: "Nobody has acknowledged it for four hours. Acknowledge it, or call whoever can.",
    REPORT_24H: "It has not been reported within 24 hours. Write the first report and note it here.",
    REPORT_72H: "It has not been reported in full within 72 hours. Write the final report and note it here.",
}


def remind(*, now: datetime) -> int:
    """Tell of every clock that has run out and was not told of; return how many these were."""
    told = 0
    for act, due, channels in (
        (OVERDUE, _unacknowledged(now), rules.CHANNELS),
        (REPORT_24H, _unreported(REPORT_24H, now), _QUIET),
        (REPORT_72H, _unreported(REPORT_72H, now), _QUIET),
    ):
        for incident in due:
            incidents.remind(incident, act, _WORDS[act], channels=channels, now=now)
            told += 1
    return told


def _unacknowledged(now: datetime) -> QuerySet[Incident]:
    """Return those that are open for too long in this episode, whose clock was not told of in it."""
    begun = Max("moments__at", filter=Q(moments__kind__in=["opened", "reopened"]))
    told = Max("moments__at", filter=Q(moments__kind=OVERDUE))
    open_now = Incident.objects.filter(_WORST, state=Incident.State.OPEN)
    late = open_now.annotate(begun_at=begun, told_late_at=told).filter(
        begun_at__lte=now - ACKNOWLEDGED_WITHIN
    )
    return late.filter(Q(told_late_at=None) | Q(told_late_at__lt=F("begun_at"))).order_by("id")[:MOST]


def _unreported(act: str, now: datetime) -> QuerySet[Incident]:
    """Return those that were opened too long ago without that report, whose clock was not told of."""
    within = FIRST_REPORT_WITHIN if act == REPORT_24H else FINAL_REPORT_WITHIN
    missing = Q(first_report_at=None) if act == REPORT_24H else Q(final_report_at=None)
    told = IncidentMoment.objects.filter(incident=OuterRef("pk"), kind=act)
    # Every state, since the index of times begins with it.
    opened = Q(
        state__in=Incident.State.values, opened_at__lte=now - within, opened_at__gt=now - FORGOTTEN_AFTER
    )
    return Incident.objects.filter(_WORST, missing, opened).exclude(Exists(told)).order_by("id")[:MOST]
