"""What the page of a letter tells: what was wanted, what was said, what to do now, and how it came about.

The rule: masked, unless somebody has revealed it; bounded, whatever strangers have sent; and nothing is
offered that the reader may not do.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString

from sync import job_search
from sync.admin import attempts
from sync.dead_letters import explanations, fields, preflight, story, wording
from sync.dead_letters.revealing import Revealed
from sync.drafts import visible
from sync.ghl import masking
from sync.ghl.operations import OPERATIONS
from sync.models import CauseGroup, DeadLetter, SyncJob, Webhook
from sync.webhooks.envelope import document_of
from trainu import people
from trainu.admin_rendering import cut, pill, pretty, pretty_text, seen
from trainu.admin_site import site
from trainu.bounded_query import TooBroad
from trainu.moments import Moment

REDRIVE, EDIT = "sync.redrive_deadletter", "sync.edit_deadletter"
DISCARD, ASSIGN, REVEAL = "sync.discard_deadletter", "sync.assign_deadletter", "sync.reveal_deadletter"

SNOOZES = {
    "1": ("1 hour", timedelta(hours=1)),
    "4": ("4 hours", timedelta(hours=4)),
    "24": ("24 hours", timedelta(hours=24)),
    "72": ("3 days", timedelta(days=3)),
}
MOST_MOMENTS = 200
TONES = {"open": "bad", "redriving": "info", "recovered": "ok", "discarded": "warn", "superseded": "warn"}
_MESSAGE = "message.send"
TWICE = "GoHighLevel is not asked first, so it may be done twice."
TWICE_FOR_A_PERSON = (
    "GoHighLevel is not asked first, so the message may reach the person twice. Before you do this, look in"
    " GoHighLevel whether it has arrived."
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a letter is about. title: in plain words; name: as developers call it. lines: label and value.

    body: of a webhook. is_erased: there is nothing left of it.
    """

    title: str
    name: str
    lines: Sequence[tuple[str, str]] = ()
    body: str = ""
    is_erased: bool = False


def context(request: HttpRequest, letter: DeadLetter, revealed: Revealed | None = None) -> dict[str, Any]:
    """Return what `sync/letter.html` needs. The letter was read with all that it refers to."""
    is_open = letter.state == DeadLetter.State.OPEN
    may = request.user.has_perm
    told, moments = _told(request, letter)
    names = people.names([letter.discarded_by, *(moment.by for moment in moments)])
    return {
        "letter": letter,
        "subtitle": f"Dead letter {letter.pk}",
        "title": letter.group.subject,
        "state": state_pill(letter),
        "said": explanations.explain(letter.code, letter.group.cause),
        "their_words": seen(letter.words),
        "finding": preflight.of([letter]).get(letter.pk) if is_open else None,
        "waits": _waits(letter),
        "wanted": wanted(letter, revealed),
        "is_revealed": revealed is not None,
        "warning": warning(letter.job),
        "attempts": attempts.rows(told.attempts) if told else [],
        "most": story.MOST_ATTEMPTS,
        "copies": list(told.jobs)[:-1] if told else [],
        "moments": [(_seen(moment), names.get(moment.by, "")) for moment in moments[-MOST_MOMENTS:]],
        "is_cut": len(moments) > MOST_MOMENTS,
        "is_too_slow": told is None,
        "discarded_by": names.get(letter.discarded_by, ""),
        "discard_reason": seen(letter.discard_reason),
        "correlation_id": _correlation_id(letter),
        "draft_id": visible.of_job(request.user, letter.job),
        "snoozed_until": letter.snoozed_until if _is_snoozed(letter) else None,
        "snoozes": [(word, label) for word, (label, _) in SNOOZES.items()],
        "people": [(one.pk, one.get_username()) for one in people.colleagues()]
        if may(ASSIGN) and _is_unended(letter)
        else [],
        "is_open": is_open,
        "is_unended": _is_unended(letter),
        "may_redrive": may(REDRIVE) and is_open,
        "may_send": may(REDRIVE) and may(EDIT) and is_open and letter.job is not None,
        "may_edit": may(EDIT) and may(REVEAL) and is_open and letter.job is not None,
        "may_discard": may(DISCARD),
        "may_assign": may(ASSIGN),
        "may_reveal": may(REVEAL),
        "longest_reason": wording.LONGEST_REASON,
        "longest_note": wording.LONGEST_NOTE,
    }


def with_all(rows: QuerySet[DeadLetter]) -> QuerySet[DeadLetter]:
    """Return letters so that their page asks for nothing of them again."""
    return rows.select_related("group", "location", "assigned_to", "job", "webhook")


def state_pill(letter: DeadLetter) -> SafeString:
    """Return a letter's state as a coloured label."""
    return pill(letter.get_state_display(), TONES[letter.state])


def warning(job: SyncJob | None) -> str:
    """Return what may happen when a job is sent without a look first; empty where that is harmless."""
    kind = OPERATIONS.get(job.operation) if job else None
    if job is None or (kind is not None and kind.repeatable):
        return ""
    return TWICE_FOR_A_PERSON if job.operation == _MESSAGE else TWICE


def cause_of(group: CauseGroup) -> str:
    """Return a cause in a line, as its own page calls it."""
    return seen(f"{group.subject}: {group.message or group.code.replace('_', ' ')}")


def wanted(letter: DeadLetter, revealed: Revealed | None) -> Wanted:
    """Return what a letter is about, masked unless it was revealed."""
    if letter.job is not None:
        return _of_job(letter.job, revealed)
    return _of_webhook(letter.webhook, revealed) if letter.webhook else Wanted("", "")


def _of_job(job: SyncJob, revealed: Revealed | None) -> Wanted:
    kind = OPERATIONS.get(job.operation)
    payload = job_search.shown_payload(job) if revealed is None else revealed.payload or {}
    return Wanted(
        title=kind.description() if kind else "An operation that this version of the service does not know.",
        name=job.operation,
        lines=[
            (seen(name[:100]).replace("_", " "), _cell(value))
            for name, value in list(payload.items())[: fields.MOST_FIELDS]
        ],
        is_erased=not payload,
    )


def _of_webhook(webhook: Webhook, revealed: Revealed | None) -> Wanted:
    raw = bytes(webhook.body)
    document = document_of(raw) if revealed is None else None
    if revealed is not None:
        body = pretty_text(revealed.body or "")
    elif document is None:
        body = f"No JSON object: {len(raw):,} bytes."
    else:
        body = pretty(masking.mask(document))
    topic = webhook.topic.replace("_", " ")
    return Wanted(
        title=f"GoHighLevel told us: {topic}. It could not be worked on.",
        name=webhook.topic,
        body=body if raw else "",
        is_erased=not raw,
    )


def _cell(value: Any) -> str:
    try:
        return cut(fields.shown(value))
    except RecursionError:
        return "Nested too deeply to be shown."


def _told(request: HttpRequest, letter: DeadLetter) -> tuple[story.Story | None, list[Moment]]:
    done = site.history(request, "sync.deadletter", str(letter.pk))
    try:
        told = story.of(letter)
    except TooBroad:
        return None, done
    return told, sorted([*told.moments, *done], key=lambda moment: moment.at)


def _seen(moment: Moment) -> Moment:
    return replace(moment, title=seen(moment.title), detail=seen(moment.detail))


def _waits(letter: DeadLetter) -> str:
    """Return why one that is tried again may take long; empty where nothing is known."""
    if letter.state != DeadLetter.State.REDRIVING or letter.job is None:
        return ""
    return preflight.HELD if preflight.held([letter.location_id]) else ""


def _correlation_id(letter: DeadLetter) -> str:
    about = letter.job or letter.webhook
    return about.correlation_id if about else ""


def _is_snoozed(letter: DeadLetter) -> bool:
    return letter.snoozed_until is not None and letter.snoozed_until > timezone.now()


def _is_unended(letter: DeadLetter) -> bool:
    return letter.state in {DeadLetter.State.OPEN, DeadLetter.State.REDRIVING}
