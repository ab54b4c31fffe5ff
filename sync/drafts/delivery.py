"""When an approved draft may be sent, and what becomes of it: quiet hours, the cap of a day, and consent.

The rules: hours and days are the client's own. What may not go now waits at no cost; what the client does
not want is not sent at all. It is asked when a draft is approved, and again when its job is about to go
(`departure`). How a draft ends follows from how its job does, in the same transaction, wherever that is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from sync import signals
from sync.drafts import consent, told
from sync.drafts.refusal import Refused
from sync.drafts.states import after_sending
from sync.ghl import words as of_codes
from sync.ghl.errors import Code, Outcome, Verdict
from sync.models import Draft, SyncJob
from sync.signals import DraftSent
from sync.transitions import Cause
from sync.transitions import State as JobState
from sync.webhooks.fields import zone_of

State = Draft.State

QUIET, CAP = "quiet_hours", "daily_cap"
NOT_SENT_ANY_MORE = "Its message was taken out of the queue."
STOPPED = "All messages are stopped for now. It goes when they are let go again."
_NO_ACCESS = "The studio's connection with GoHighLevel is broken. Support has to mend it."
# To trainers, who know nothing of jobs and tokens; what is not here is said as staff read it.
_TO_TRAINERS = {
    Code.TARGET_GONE: "This client is no longer in GoHighLevel. Tell support.",
    **dict.fromkeys(
        (
            Code.UNUSABLE_TOKEN,
            Code.UNAUTHORIZED,
            Code.MISSING_SCOPE,
            Code.WRONG_LOCATION,
            Code.GRANT_REVOKED,
            Code.CLIENT_REFUSED,
        ),
        _NO_ACCESS,
    ),
}


@dataclass(frozen=True, slots=True)
class End:
    """How the job of a draft has ended. cause: of a dead one."""

    state: str
    cause: str = ""

    @property
    def is_sent_perhaps(self) -> bool:
        return self.state == JobState.SUCCEEDED or self.cause == Cause.CHECK_BY_HAND


def zone(draft: Draft) -> tzinfo:
    """Return the client's time zone: as the app says, else the location's, else UTC."""
    client = draft.context.get("client") if isinstance(draft.context, dict) else None
    named = client.get("time_zone") if isinstance(client, dict) else None
    return zone_of(named, draft.location.timezone)


def end_of_quiet(now: datetime, where: tzinfo, hours: tuple[time, time]) -> datetime:
    """Return when quiet hours that are on now end; now where they are not. hours: from, until."""
    if not _is_quiet(now.astimezone(where), hours):
        return now
    first, last = hours
    here = now.astimezone(where)
    day = here.date() + timedelta(days=1 if first > last and here.time() >= first else 0)
    ends = datetime.combine(day, last, where)
    if (found := ends.astimezone(now.tzinfo)) <= now:
        # Where a clock is put back, the same hour comes twice, and the first of them was over.
        found = ends.replace(fold=1).astimezone(now.tzinfo)
    # Where a clock is put on, what lies between two times of quiet may be left out.
    return end_of_quiet(found, where, hours)


def start_of_next_day(now: datetime, where: tzinfo, hours: tuple[time, time]) -> datetime:
    """Return when somebody there may be written to first on their next day."""
    day = now.astimezone(where).date() + timedelta(days=1)
    midnight = datetime.combine(day, time(0), where).astimezone(now.tzinfo)
    return end_of_quiet(midnight, where, hours)


def first_moment(draft: Draft, *, now: datetime) -> tuple[datetime, str]:
    """Return when a draft may go first, and what holds it until then: quiet_hours or an empty text."""
    ends = end_of_quiet(now, zone(draft), settings.QUIET_HOURS)
    return ends, QUIET if ends > now else ""


def check_consent(draft: Draft) -> None:
    """Raise Refused "opted_out" where the client does not want messages on this channel."""
    if not consent.allows(draft.contact_id, draft.location_id, draft.channel):
        raise Refused(
            "opted_out",
            f"The client does not want to get messages by {draft.get_channel_display()}: they wrote so, or"
            " do-not-disturb is on in GoHighLevel. Reach them in another way, or dismiss the draft.",
        )


def ended(ends: Mapping[UUID, End], *, now: datetime) -> None:
    """Let drafts end as their jobs have. Inside the transaction that has ended the jobs; locks drafts last.

    Jobs that no draft has are passed over. Told twice, an end counts once.
    """
    if not ends:
        return
    moved, sent = [], []
    for draft in _of_jobs(ends):
        assert draft.job_id is not None
        end = ends[draft.job_id]
        state = after_sending(draft.state, end.state)
        if state is None:
            continue
        draft.state, draft.held_by = state, ""
        if not end.is_sent_perhaps:
            # It takes up nothing of the client's day.
            draft.sent_on = None
        if state == State.SENT:
            draft.sent_on = draft.sent_on or now.astimezone(zone(draft)).date()
            draft.sent_at = draft.ended_at = now
            sent.append(draft)
        elif state == State.DISMISSED:
            draft.ended_at, draft.dismissed_reason = now, NOT_SENT_ANY_MORE
        moved.append(draft)
    if moved:
        fields = ["state", "held_by", "sent_on", "sent_at", "ended_at", "dismissed_reason"]
        Draft.objects.bulk_update(moved, fields)
    if sent:
        signals.drafts_sent.send(sender=None, sent=[_told(draft, now) for draft in sent])


def replaced(job_id: UUID, by: UUID, payload: Mapping[str, Any]) -> None:
    """Let a draft go with the job that replaces its dead one, which says something else. As in `ended`."""
    for draft in _of_jobs({job_id}):
        draft.job_id = by
        draft.text = payload.get("message", draft.text)
        draft.subject = payload.get("subject", draft.subject)
        draft.edited = True
        draft.save(update_fields=["job", "text", "subject", "edited"])


def words(draft: Draft, *, now: datetime | None = None, stopped_since: datetime | None = None) -> str:
    """Return in plain words why an approved draft waits or could not be sent; empty for any other.

    Its job is read where it is not there yet: lists ask for it with their drafts. now: default is the clock.
    stopped_since: `kill_switch.held_since()`, asked once for all that is shown.
    """
    if draft.state == State.SCHEDULED:
        return _why_it_waits(draft, now or timezone.now(), stopped_since)
    return _why_undelivered(draft.job) if draft.state == State.UNDELIVERED else ""


def _why_it_waits(draft: Draft, now: datetime, stopped_since: datetime | None) -> str:
    job = draft.job
    if job and stopped_since and _is_stopped(job, stopped_since):
        return STOPPED
    if draft.held_by and draft.send_at and draft.send_at > now:
        until = f"{draft.send_at.astimezone(zone(draft)):%A, %H:%M}"
        if draft.held_by == QUIET:
            return f"It is night where the client is. It waits until {until} their time."
        most = settings.MESSAGES_A_DAY
        return (
            f"The client has got {most} messages today, which is the most. It waits until {until} their time."
        )
    if job is None or job.state != JobState.WAITING:
        return "It is on its way."
    if job.is_lookup:
        return "GoHighLevel's answer got lost, so it may have been sent. It is looked up there."
    # What the switch held, and holds no more, is about to go.
    if job.code in ("", Code.KILL_SWITCH):
        return "It is on its way."
    return f"{_in_words(job.code)} It is tried again by itself." if job.tries else _in_words(job.code)


def _is_stopped(job: SyncJob, since: datetime) -> bool:
    """Whether the kill switch holds a job. A lookup sends nothing; what was released since goes."""
    is_released = job.released_at is not None and job.released_at >= since
    return job.state == JobState.WAITING and not job.is_lookup and not is_released


def _why_undelivered(job: SyncJob | None) -> str:
    if job is None:
        return "It could not be sent."
    if job.state in (JobState.WAITING, JobState.LEASED):
        return "It could not be sent. Somebody is having it tried again."
    if job.cause == Cause.CHECK_BY_HAND:
        return "Nobody can tell whether it was sent. Look in GoHighLevel before you write again."
    if job.cause == Cause.WITHDRAWN:
        why = "Somebody discarded it while all messages were stopped."
    else:
        why = _in_words(job.code)
    return f"It could not be sent. {why}".strip()


def _in_words(code: str) -> str:
    try:
        known = Code(code)
    except ValueError:
        return ""
    return _TO_TRAINERS.get(known) or of_codes.explain(Verdict(Outcome.PERMANENT, known)).words


def _of_jobs(ids: "Mapping[UUID, End] | set[UUID]") -> list[Draft]:
    found = Draft.objects.filter(job__in=list(ids)).select_related("location")
    return list(found.order_by("pk").select_for_update(of=("self",)))


def _is_quiet(here: datetime, hours: tuple[time, time]) -> bool:
    first, last = hours
    clock = here.time()
    return first <= clock < last if first <= last else clock >= first or clock < last


def _told(draft: Draft, now: datetime) -> DraftSent:
    assert draft.job_id is not None
    return DraftSent(**told.of(draft, at=now), job_id=draft.job_id, location_id=draft.location_id)
