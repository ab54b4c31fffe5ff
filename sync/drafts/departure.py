"""Whether messages of drafts that a lane has in hand may leave now: the last look before each of them.

The rules: what may not go now goes back unsent and costs no try; what the client does not want, and what was
dismissed since, ends unsent. A lookup sends nothing and is never asked about. Messages of one client have no
order among them, so several may be in hand together, of one lane or of two: who goes takes up one of the
client's day before it leaves, under the client's lock, so that neither they nor a killed process can get more
by; it is given back where nothing was sent.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import Count

from sync import attempt
from sync.attempt import Ended
from sync.drafts import consent, delivery
from sync.ghl.errors import Code, Outcome, Verdict
from sync.models import Draft
from sync.queue import Claimed
from sync.transitions import Cause, Next, State
from trainu.transactions import atomic_retry

MESSAGE = "message.send"
_HOLDS = {Code.QUIET_HOURS: delivery.QUIET, Code.DAILY_CAP: delivery.CAP}
_GOES = (Draft.State.SCHEDULED, Draft.State.UNDELIVERED)
_LOCK = "select pg_advisory_xact_lock(hashtextextended(%s, 0))"


@dataclass(frozen=True, slots=True)
class Hold:
    """Until when a message waits, and why."""

    until: datetime
    code: Code


def held(jobs: Sequence[Claimed], *, now: datetime) -> dict[UUID, Ended]:
    """Return how those of the claimed jobs end that may not leave now; nothing of jobs that no draft has."""
    asked = {job.id: job for job in jobs if job.operation == MESSAGE and not job.is_lookup}
    if not asked:
        return {}
    clients = dict(Draft.objects.filter(job__in=list(asked)).values_list("job_id", "client_id"))
    return (
        _decided([asked[id] for id in asked if id in clients], set(clients.values()), now) if clients else {}
    )


@atomic_retry
def _decided(jobs: Sequence[Claimed], clients: Collection[str], now: datetime) -> dict[UUID, Ended]:
    by_job = {job.id: job for job in jobs}
    with connection.cursor() as cursor:
        for client_id in sorted(clients):
            cursor.execute(_LOCK, [f"messages of {client_id}"])
    found = Draft.objects.filter(job__in=list(by_job)).select_related("location")
    drafts = list(found.order_by("pk").select_for_update(of=("self",)))
    taken = _taken(drafts, now)
    unwanted = consent.refused({draft.contact_id for draft in drafts})
    ends: dict[UUID, Ended] = {}
    for draft in drafts:
        assert draft.job_id is not None
        job = by_job[draft.job_id]
        draft.held_by, draft.sent_on = "", None
        if draft.state not in _GOES:
            ends[job.id] = _unsent(job, Code.DISMISSED, Next(State.SUPERSEDED, job.tries, job.lookups), now)
        elif (draft.contact_id, draft.location_id, draft.channel) in unwanted:
            dead = Next(State.DEAD, job.tries, job.lookups, cause=Cause.REFUSED)
            ends[job.id] = _unsent(job, Code.OPTED_OUT, dead, now)
        elif hold := _hold(draft, taken, now):
            draft.send_at, draft.held_by = hold.until, _HOLDS[hold.code]
            wait_s = (hold.until - now).total_seconds()
            ends[job.id] = attempt.unsent(job, Verdict(Outcome.DEFERRED, hold.code, wait_s=wait_s), now=now)
        else:
            draft.sent_on = _day(draft, now)
            taken[draft.client_id, draft.sent_on] += 1
    Draft.objects.bulk_update(drafts, ["send_at", "held_by", "sent_on"])
    return ends


def _hold(draft: Draft, taken: Counter[tuple[str, date]], now: datetime) -> Hold | None:
    where = delivery.zone(draft)
    ends = delivery.end_of_quiet(now, where, settings.QUIET_HOURS)
    if ends > now:
        return Hold(ends, Code.QUIET_HOURS)
    if taken[draft.client_id, _day(draft, now)] >= settings.MESSAGES_A_DAY:
        return Hold(delivery.start_of_next_day(now, where, settings.QUIET_HOURS), Code.DAILY_CAP)
    return None


def _taken(drafts: Sequence[Draft], now: datetime) -> Counter[tuple[str, date]]:
    """Return how many others each client has got, or may have, or is about to get, by the day."""
    others = Draft.objects.filter(
        client_id__in={draft.client_id for draft in drafts},
        sent_on__in={_day(draft, now) for draft in drafts},
    ).exclude(pk__in=[draft.pk for draft in drafts])
    counted = others.order_by().values_list("client_id", "sent_on").annotate(Count("pk"))
    return Counter({(client_id, day): count for client_id, day, count in counted})


def _day(draft: Draft, now: datetime) -> date:
    return now.astimezone(delivery.zone(draft)).date()


def _unsent(job: Claimed, code: Code, following: Next, now: datetime) -> Ended:
    """It costs no try: nothing was begun, so nothing of it need be looked for afterwards."""
    ended = attempt.unsent(job, Verdict(Outcome.PERMANENT, code), now=now)
    ended.next = following
    return ended
