"""What a person decides about a draft: approve, recall, write anew, snooze, dismiss.

The rules: a decision is made under the draft's lock, for the state that it is in then, and is in the audit
log with it. Who may see a draft is not asked here: `visible` finds it for whoever asks. An app may say for
whom it decides (`acting`); what is not to be found then raises Draft.DoesNotExist.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sync import jobs, signals
from sync.drafts import acting, delivery, recalling, told
from sync.drafts.recalling import TARGET
from sync.drafts.refusal import Refused
from sync.drafts.states import ACTS, Act, allows
from sync.ghl.operations.messages import LONGEST_SMS
from sync.models import Draft, SyncJob
from sync.signals import DraftApproved
from trainu import correlation
from trainu.transactions import atomic_retry

SNOOZES = {
    "1h": timedelta(hours=1),
    "4h": timedelta(hours=4),
    "24h": timedelta(hours=24),
    "3d": timedelta(days=3),
}
LONGEST_REASON = 300
LONGEST_HINT = 300
LONGEST_SUBJECT = 200
# As the operation takes it.
LONGEST_EMAIL = 5_000
# Fewer than what the watch for a mass of messages takes for one.
MOST_AT_ONCE = 50
_MARK = "{{"


@dataclass(frozen=True, slots=True)
class Text:
    """What is to be sent. subject: of an email."""

    text: str
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A draft among others to be approved. seen_act_at: as in `approve`."""

    draft_id: UUID
    seen_act_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one of many. code, words: why it was not approved; empty where it was."""

    draft_id: UUID
    code: str = ""
    words: str = ""


@atomic_retry
def approve(
    draft_id: UUID,
    *,
    by: str,
    now: datetime,
    changed: Text | None = None,
    seen_act_at: datetime | None = None,
) -> Draft:
    """Have a draft sent, as it is or changed, at once or when the client may be written to; return it.

    seen_act_at: what the client did last, as the person has seen it, for a draft that is stale. Raises
    Refused: "stale" where the client has written or booked since and the person has not seen that;
    "wrong_state"; "opted_out"; "empty", "too_long", "placeholder_left" for a text that cannot be sent, and
    what `jobs.enqueue` refuses.
    """
    draft = _locked(draft_id, Act.APPROVE)
    if draft.is_stale and (seen_act_at is None or draft.client_acted_at != seen_act_at):
        raise Refused(
            "stale", f"The client {draft.get_client_act_display()} since. Look again, then approve."
        )
    wanted = _as_sent(draft, changed or Text(draft.text, draft.subject))
    _check(draft, wanted)
    delivery.check_consent(draft)
    draft.subject, draft.text = wanted.subject, wanted.text
    draft.edited = _as_sent(draft, Text(draft.written_text, draft.written_subject)) != wanted
    draft.approvals += 1
    draft.approved_by, draft.approved_at = by, now
    draft.send_at, draft.held_by = delivery.first_moment(draft, now=now)
    draft.snoozed_until = None
    draft.job_id = _enqueued(draft, now)
    _move(draft, Act.APPROVE)
    _tell(Act.APPROVE, draft, by, changes={"edited": (None, draft.edited)})
    approved = DraftApproved(**told.of(draft, at=now), approval=draft.approvals, edited=draft.edited)
    signals.drafts_approved.send(sender=None, approved=[approved])
    return draft


def approve_many(chosen: Sequence[Chosen], *, by: str, now: datetime) -> list[Outcome]:
    """Approve each as it is, in a transaction of its own; return what became of them, in their order.

    Raises Refused for more than MOST_AT_ONCE: that many nobody has read.
    """
    if len(chosen) > MOST_AT_ONCE:
        raise Refused("too_many", f"Approve at most {MOST_AT_ONCE} at once: each wants to be read.")
    outcomes = []
    for one in chosen:
        try:
            approve(one.draft_id, by=by, now=now, seen_act_at=one.seen_act_at)
        except Refused as refusal:
            outcomes.append(Outcome(one.draft_id, refusal.code, str(refusal)))
        except Draft.DoesNotExist:
            outcomes.append(Outcome(one.draft_id, "unknown_draft", "There is no such draft any more."))
        else:
            outcomes.append(Outcome(one.draft_id))
    return outcomes


@atomic_retry
def recall(draft_id: UUID, *, by: str, now: datetime) -> Draft:
    """Take an approval back while nothing has left; the draft is to be reviewed again.

    Raises Refused "wrong_state", and "already_going" where the message is on its way or may be.
    """
    job_id = Draft.objects.filter(pk=draft_id).values_list("job_id", flat=True).first()
    # The job first, as everybody does who settles one.
    job = SyncJob.objects.select_for_update().filter(pk=job_id).first() if job_id else None
    draft = _locked(draft_id, Act.RECALL)
    if job is None or draft.job_id != job.pk or not recalling.is_untouched(job):
        raise Refused("already_going", "It is on its way, and cannot be called back any more.")
    recalling.take_back(draft, job, now=now)
    draft.save()
    _tell(Act.RECALL, draft, by)
    return draft


@atomic_retry
def regenerate(draft_id: UUID, *, hint: str, by: str, now: datetime) -> Draft:
    """Have it written anew, as the hint says; what is there stays until then.

    Raises Refused "wrong_state".
    """
    draft = _locked(draft_id, Act.REGENERATE)
    draft.hint = " ".join(hint.split())[:LONGEST_HINT]
    return _write_again(draft, Act.REGENERATE, by=by, now=now)


@atomic_retry
def retry(draft_id: UUID, *, by: str, now: datetime) -> Draft:
    """Have a failed one tried again, up to three times. Raises Refused "wrong_state"."""
    return _write_again(_locked(draft_id, Act.RETRY), Act.RETRY, by=by, now=now)


@atomic_retry
def snooze(draft_id: UUID, *, length: str, by: str, now: datetime) -> Draft:
    """Put a draft out of sight for 1h, 4h, 24h or 3d. Raises Refused "wrong_state", "unknown_length"."""
    if length not in SNOOZES:
        raise Refused("unknown_length", f"Snooze for one of {', '.join(SNOOZES)}.")
    draft = _locked(draft_id, Act.SNOOZE)
    draft.snoozed_until = now + SNOOZES[length]
    _move(draft, Act.SNOOZE)
    _tell(Act.SNOOZE, draft, by, reason=length)
    return draft


@atomic_retry
def wake(draft_id: UUID, *, by: str) -> Draft:
    """End a snooze before its time. Raises Refused "wrong_state"."""
    draft = _locked(draft_id, Act.WAKE)
    draft.snoozed_until = None
    _move(draft, Act.WAKE)
    _tell(Act.WAKE, draft, by)
    return draft


@atomic_retry
def dismiss(draft_id: UUID, *, reason: str, by: str, now: datetime) -> Draft:
    """Decide that it is not sent. Raises Refused "wrong_state", "no_reason"."""
    kept = " ".join(reason.split())[:LONGEST_REASON]
    if not kept:
        raise Refused("no_reason", "Say why it is not sent.")
    draft = _locked(draft_id, Act.DISMISS)
    draft.dismissed_reason, draft.ended_at, draft.snoozed_until = kept, now, None
    _move(draft, Act.DISMISS)
    # The reason may name the client, and what stands in the audit log cannot be erased: the draft's can.
    _tell(Act.DISMISS, draft, by)
    return draft


def _locked(draft_id: UUID, act: Act) -> Draft:
    reached = acting.reached().select_for_update(of=("self",)).select_related("location")
    draft = reached.get(pk=draft_id)
    if not allows(draft.state, act):
        raise Refused("wrong_state", f"It is not possible now: {draft.get_state_display().lower()}.")
    return draft


def _move(draft: Draft, act: Act) -> None:
    state = ACTS[act][1]
    if state is not None:
        draft.state = state
    draft.save()


def _tell(
    act: Act,
    draft: Draft,
    by: str,
    *,
    reason: str = "",
    changes: dict[str, tuple[object, object]] | None = None,
) -> None:
    changed = {**(changes or {}), **acting.changes()}
    done = signals.Act(f"draft.{act.value}", TARGET, str(draft.pk), reason, actor=by, changes=changed)
    signals.acted.send(sender=None, acts=[done])


def _write_again(draft: Draft, act: Act, *, by: str, now: datetime) -> Draft:
    draft.round += 1
    draft.tries, draft.code = 0, ""
    draft.next_at, draft.snoozed_until = now, None
    _move(draft, act)
    _tell(act, draft, by)
    return draft


def _as_sent(draft: Draft, wanted: Text) -> Text:
    """Return a text as it is sent: without blanks around it, a subject in one line, and for emails alone."""
    subject = " ".join(wanted.subject.split()) if draft.channel == Draft.Channel.EMAIL else ""
    return Text(wanted.text.strip(), subject)


def _check(draft: Draft, wanted: Text) -> None:
    is_email = draft.channel == Draft.Channel.EMAIL
    if not wanted.text or (is_email and not wanted.subject):
        raise Refused(
            "empty", "There is nothing to send yet. Write a text" + (" and a subject." * is_email or ".")
        )
    longest = LONGEST_EMAIL if is_email else LONGEST_SMS
    if len(wanted.text) > longest or len(wanted.subject) > LONGEST_SUBJECT:
        raise Refused("too_long", f"It has at most {longest:,} characters, a subject {LONGEST_SUBJECT}.")
    if _MARK in wanted.text + wanted.subject:
        raise Refused(
            "placeholder_left", "A placeholder in {{ }} is still in the text. Write what it stands for."
        )


def _enqueued(draft: Draft, now: datetime) -> UUID:
    """Enqueue the message of a draft, as part of its story; return the job."""
    try:
        with correlation.bound(draft.correlation_id):
            taken = jobs.enqueue(
                jobs.MESSAGE,
                draft.location_id,
                _payload(draft),
                idempotency_key=f"draft:{draft.pk}:{draft.approvals}",
                # An order of its own: one that is held for the night or the day must hold up no other, and
                # how many of a client's leave is seen to by `departure`, under the client's lock.
                ordering_key=f"draft:{draft.pk}",
                now=now,
                due_at=draft.send_at,
            )
    except jobs.Refused as refusal:
        raise Refused(refusal.code, str(refusal)) from None
    return taken.job_id


def _payload(draft: Draft) -> dict[str, str]:
    if draft.channel == Draft.Channel.EMAIL:
        return {
            "channel": "Email",
            "contact_id": draft.contact_id,
            "subject": draft.subject,
            "message": draft.text,
        }
    return {"channel": "SMS", "contact_id": draft.contact_id, "message": draft.text}
