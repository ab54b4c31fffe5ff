"""Reconciliations that begin by themselves: each hour the last hours, each night the last day.

The rule: no gap. Where none has come to its end for longer, the next one reaches back to where the last
one did.
"""

import time
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db.models import Max, Q

from sync.models import Location, Reconciliation
from sync.reconciliation import runs, worker
from trainu import lanes

log = structlog.get_logger(__name__)

HOURLY = timedelta(hours=3)
NIGHTLY = timedelta(hours=25)
OVERLAP = timedelta(hours=1)
BY = "schedule"
SLICE_S = 80.0


def begin(reach: timedelta, *, now: datetime) -> int:
    """Begin one for each location that is worked for; return how many are new."""
    done = Max("reconciliations__until", filter=Q(reconciliations__state=Reconciliation.State.DONE))
    active = Location.objects.filter(state=Location.State.ACTIVE, credential__isnull=False)
    begun = 0
    for location_id, until in active.annotate(done_until=done).values_list("pk", "done_until"):
        since = min(now - reach, (until or now) - OVERLAP)
        try:
            started = runs.start(
                location_id, since=max(since, now - runs.FARTHEST), now=now, by=BY, tell=False
            )
        except runs.Refused as refused:
            # Held in this very moment; the next one reaches back to here.
            log.info("reconciliation_not_begun", location_id=location_id, code=refused.code)
        else:
            begun += not started.goes_on
    return begun


def work_slice() -> int:
    """Work off what is due, for 80 seconds at most; return how many reconciliations were in hand."""
    ends = time.monotonic() + SLICE_S
    return worker.work_off(settings.GHL_BASE_URL, lambda: lanes.stopping.is_set() or time.monotonic() > ends)
