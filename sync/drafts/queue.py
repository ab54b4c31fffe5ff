"""The queue of drafts: claimed under a lease, settled by fence, taken back where a worker was lost.

The rules: a try counts from its claim, with its row, so that a killed one is one of the three. Whoever's
lease ran out, or whose draft a person has decided about since, changes nothing any more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import F

from sync import signals
from sync.drafts import states, told
from sync.drafts.llm import errors
from sync.drafts.llm.answers import Answer
from sync.drafts.llm.errors import Code, Failed
from sync.drafts.states import Next, State
from sync.models import Draft, DraftAttempt
from sync.signals import DraftWritten, ModelFailed
from trainu import statements
from trainu.transactions import atomic_retry

# What a lane needs beside the call itself: to settle it, and to find out that it has to stop.
SLACK = timedelta(seconds=30)
_MOST_LOST = 50

_CLAIM = """
with due as materialized (
    select id as due_id from sync_draft where state = 'waiting' and next_at <= %(now)s
    order by next_at, id limit %(most)s for update skip locked
), claimed as (
    update sync_draft set state = 'writing', fence = fence + 1, tries = tries + 1, next_at = %(lease)s
    from due where id = due_id
    returning id, fence, round, tries
), begun as (
    insert into sync_draftattempt (draft_id, round, number, began_at, outcome, code, model)
    select id, round, tries, %(now)s, 'begun', '', '' from claimed
)
select id, fence, tries from claimed
"""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A draft in hand, as it was then. fence: what settles it."""

    draft: Draft
    fence: int
    began_at: datetime


@dataclass(frozen=True, slots=True)
class Ended:
    """A try that has ended. duration_ms: of the call. LOST: it was given up with nobody knowing its end."""

    claimed: Claimed
    result: Answer | Failed
    duration_ms: float


@atomic_retry
def claim(*, now: datetime, most: int, lease: timedelta) -> list[Claimed]:
    """Take up to `most` drafts that are due in hand until now + lease; return them with their locations."""
    parameters = {"now": now, "most": most, "lease": now + lease}
    fences = {id: fence for id, fence, _tries in statements.rows(_CLAIM, parameters)}
    if not fences:
        return []
    drafts = Draft.objects.select_related("location").filter(pk__in=fences).order_by("pk")
    return [Claimed(draft, fences[draft.pk], now) for draft in drafts]


@atomic_retry
def settle(ended: Sequence[Ended], *, now: datetime) -> set[UUID]:
    """Write what became of tries, and tell; return the drafts that were still ours."""
    ours = _locked({one.claimed.draft.pk: one.claimed.fence for one in ended})
    written: list[DraftWritten] = []
    failures: list[ModelFailed] = []
    attempts: list[DraftAttempt] = []
    for one in ended:
        if (draft := ours.get(one.claimed.draft.pk)) is None:
            continue
        attempts.append(_attempt(one, draft))
        if isinstance(one.result, Answer):
            _write(draft, one.result, began_at=one.claimed.began_at, now=now)
            usage = one.result.usage
            written.append(
                DraftWritten(
                    **told.of(draft, at=now),
                    round=draft.round,
                    duration_ms=one.duration_ms,
                    model=usage.model,
                )
            )
            continue
        _fail(draft, one.result, now=now)
        if fault := errors.fault(one.result.code):
            failures.append(ModelFailed(draft.pk, settings.LLM_PROVIDER, fault, at=now))
    _save(list(ours.values()), attempts)
    if written:
        signals.drafts_written.send(sender=None, written=written)
    if failures:
        signals.models_failed.send(sender=None, failures=failures)
    return set(ours)


@atomic_retry
def take_back(*, now: datetime) -> int:
    """Let drafts go on whose worker was lost with them in hand; return how many there were."""
    lost = list(
        Draft.objects.defer("context")
        .filter(state=State.WRITING, next_at__lte=now)
        .order_by("next_at")
        .select_for_update(skip_locked=True)[:_MOST_LOST]
    )
    for draft in lost:
        _go_on(draft, states.after_losing(draft.tries), Code.LOST, now=now)
    begun = DraftAttempt.objects.filter(draft__in=lost, outcome="begun")
    begun.filter(round=F("draft__round"), number=F("draft__tries")).update(outcome="lost", code=Code.LOST)
    _save(lost, [])
    return len(lost)


def _locked(fences: dict[UUID, int]) -> dict[UUID, Draft]:
    found = Draft.objects.defer("context").filter(pk__in=fences, state=State.WRITING)
    locked = found.order_by("pk").select_for_update()
    return {draft.pk: draft for draft in locked if draft.fence == fences[draft.pk]}


def _write(draft: Draft, answer: Answer, *, began_at: datetime, now: datetime) -> None:
    draft.state, draft.code = State.REVIEW, ""
    draft.text = draft.written_text = answer.text
    draft.subject = draft.written_subject = answer.subject
    draft.edited = False
    draft.written_at, draft.based_at = now, began_at
    draft.next_at = now


def _fail(draft: Draft, failed: Failed, *, now: datetime) -> None:
    if failed.code is Code.LOST:
        following = states.after_losing(draft.tries)
    else:
        following = states.after_failing(draft.tries, may_pass=failed.may_pass, asked_for=failed.asked_for)
    _go_on(draft, following, failed.code, now=now)


def _go_on(draft: Draft, following: Next, code: Code, *, now: datetime) -> None:
    draft.state, draft.code = following.state, code
    draft.next_at = now + following.wait
    draft.fence += 1


def _attempt(one: Ended, draft: Draft) -> DraftAttempt:
    """Return a try's row as it is to be; its key is found by draft, round and number."""
    result, usage = one.result, one.result.usage
    outcome, code = "ok", ""
    if isinstance(result, Failed):
        code = result.code
        outcome = "transient" if result.may_pass else "permanent"
        outcome = "lost" if code == Code.LOST else outcome
    return DraftAttempt(
        draft_id=draft.pk,
        round=draft.round,
        number=draft.tries,
        began_at=one.claimed.began_at,
        duration_ms=None if outcome == "lost" else one.duration_ms,
        outcome=outcome,
        code=code,
        model=usage.model,
        prompt_tokens=usage.prompt_tokens,
        answer_tokens=usage.answer_tokens,
    )


_OF_DRAFT = [
    "state",
    "code",
    "text",
    "written_text",
    "subject",
    "written_subject",
    "edited",
    "written_at",
    "based_at",
    "next_at",
    "fence",
]
_OF_ATTEMPT = ["duration_ms", "outcome", "code", "model", "prompt_tokens", "answer_tokens"]


def _save(drafts: list[Draft], attempts: list[DraftAttempt]) -> None:
    Draft.objects.bulk_update(drafts, _OF_DRAFT)
    if attempts:
        DraftAttempt.objects.bulk_create(
            attempts,
            update_conflicts=True,
            unique_fields=["draft", "round", "number"],
            update_fields=_OF_ATTEMPT,
        )
