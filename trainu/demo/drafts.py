"""The demo's AI Inbox: drafts in all states, what clients have answered, insights, and digests of weeks past.

The rule: made once, from the seed. What a person decides goes through the verbs; what the model has written
stands there as it leaves it, for asking it would keep everybody waiting. What is still to be written is left
to the workers and the simulated model.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from uuid_utils.compat import uuid7

from sync.drafts import deciding, delivery
from sync.drafts.digest import composing, week
from sync.models import Draft, DraftAttempt, Insight, Message, TrainerDigest
from trainu.demo import llm
from trainu.demo.coaches import INSIGHTS, Client, Coach, insight, wish

State = Draft.State
KINDS = tuple(Draft.Kind.values)
DAYS_BACK = 16
SENT_EACH, OPEN_EACH = 14, 9
# Why drafts could not be written, and how often that was tried.
FAILURES = (("refused", 1), ("timeout", 3), ("provider_5xx", 3))
IMPACTS = {
    "at_risk_outreach": 82,
    "no_show_recovery": 70,
    "booking_reschedule": 66,
    "general_reply": 60,
    "booking_confirmation": 55,
    "booking_reminder": 50,
    "progress_celebration": 40,
    "weekly_checkin": 30,
}
ANSWERS = (
    "Thank you, sounds good!",
    "Yes, let us do that.",
    "Can we do it a little later?",
    "Great, see you then.",
)
# All around the world: it is night in one of them.
_ZONES = (
    "Europe/London",
    "Asia/Kolkata",
    "Asia/Tokyo",
    "Pacific/Auckland",
    "Pacific/Honolulu",
    "America/New_York",
)
_MARK = re.compile(r"\{\{(\w+)\}\}")


@dataclass(slots=True)
class _Made:
    drafts: list[Draft]
    attempts: list[DraftAttempt]
    messages: list[Message]
    insights: list[Insight]


def make(coaches: Sequence[Coach], *, by: str, now: datetime, seed: int) -> int:
    """Let the last weeks have happened; return how many drafts there are. Does nothing where there are any.

    by: who has decided, as the audit log names people.
    """
    if Draft.objects.exists():
        return 0
    rng = Random(f"{seed}:drafts")
    made = _Made([], [], [], [])
    for coach in coaches:
        for draft in _past(rng, coach, made, by, now):
            made.drafts.append(draft)
        _open(rng, coach, made, now)
        _insights(rng, coach, made, now)
    with transaction.atomic():
        Draft.objects.bulk_create(made.drafts)
        DraftAttempt.objects.bulk_create(made.attempts)
        Message.objects.bulk_create(made.messages)
        Insight.objects.bulk_create(made.insights)
    for coach in coaches:
        _decide(coach, by=by, now=now)
        _digest_of_before(coach, now)
    return len(made.drafts)


def _past(rng: Random, coach: Coach, made: _Made, by: str, now: datetime) -> Iterator[Draft]:
    """Yield drafts that were sent; to some of them clients have answered."""
    for _ in range(SENT_EACH):
        client, kind = rng.choice(coach.clients), rng.choice(KINDS)
        at = now - timedelta(days=rng.uniform(0.4, DAYS_BACK))
        draft = _draft(rng, coach, client, kind, at)
        sent_at = at + timedelta(minutes=rng.randrange(5, 90))
        draft.state, draft.approvals, draft.approved_by = State.SENT, 1, by
        draft.approved_at = draft.send_at = draft.sent_at = draft.ended_at = sent_at
        draft.sent_on = sent_at.date()
        if rng.random() < 0.3:
            draft.text, draft.edited = f"{draft.text} Take care!", True
        made.attempts.append(_attempt(draft, 1, "ok", "", rng))
        made.messages.append(_message(draft, sent_at, "outbound", draft.text))
        if rng.random() < 0.55 and (answered_at := sent_at + timedelta(hours=rng.uniform(0.2, 40))) < now:
            made.messages.append(_message(draft, answered_at, "inbound", rng.choice(ANSWERS)))
        yield draft


def _open(rng: Random, coach: Coach, made: _Made, now: datetime) -> None:
    """Add drafts that wait: for a person, and for the model."""
    for number in range(OPEN_EACH):
        client, kind = coach.clients[number % len(coach.clients)], KINDS[number % len(KINDS)]
        at = now - timedelta(minutes=rng.randrange(10, 2_000))
        draft = _draft(rng, coach, client, kind, at)
        if number == 0:
            # The client has written since: it is stale.
            draft.client_acted_at, draft.client_act = at + timedelta(minutes=5), "wrote"
            made.messages.append(
                _message(draft, draft.client_acted_at, "inbound", "Can we move it to Friday?")
            )
        if number == 1:
            draft.context["client"] = draft.context["client"] | {"time_zone": _night(now)}
        made.drafts.append(draft)
        made.attempts.append(_attempt(draft, 1, "ok", "", rng))
    for code, tries in FAILURES:
        draft = _draft(rng, coach, rng.choice(coach.clients), rng.choice(KINDS), now - timedelta(hours=3))
        draft.state, draft.code, draft.tries = State.FAILED, code, tries
        draft.text = draft.written_text = draft.subject = draft.written_subject = ""
        draft.written_at = None
        made.drafts.append(draft)
        outcome = "transient" if tries > 1 else "permanent"
        made.attempts += [_attempt(draft, number + 1, outcome, code, rng) for number in range(tries)]
    waiting = _draft(rng, coach, rng.choice(coach.clients), "weekly_checkin", now)
    waiting.state, waiting.tries, waiting.written_at = State.WAITING, 0, None
    waiting.text = waiting.written_text = waiting.subject = waiting.written_subject = ""
    made.drafts.append(waiting)


def _insights(rng: Random, coach: Coach, made: _Made, now: datetime) -> None:
    for number in range(8):
        at = now - timedelta(days=rng.uniform(0.1, DAYS_BACK))
        said = insight(coach, rng.choice(coach.clients), list(INSIGHTS)[number % len(INSIGHTS)])
        made.insights.append(Insight(id=_id(), **said, correlation_id=_correlation(rng), created_at=at))


def _decide(coach: Coach, *, by: str, now: datetime) -> None:
    """Approve one for whose client it is night, put two off, and dismiss one, as a person would."""
    mine = list(Draft.objects.filter(trainer_id=coach.trainer_id, state=State.REVIEW).order_by("pk"))
    night = [one for one in mine if "time_zone" in one.context["client"]]
    rest = [one for one in mine if one not in night and not one.is_stale]
    for draft in night:
        deciding.approve(draft.pk, by=by, now=now)
    for draft, length in zip(rest, ("4h", "3d"), strict=False):
        deciding.snooze(draft.pk, length=length, by=by, now=now)
    for draft in rest[2:3]:
        deciding.dismiss(draft.pk, reason="I have told them in person.", by=by, now=now)


def _digest_of_before(coach: Coach, now: datetime) -> None:
    """Have the digest of the week before the last one there, read; the last one is left to the workers."""
    monday = week.due(now, UTC) - week.WEEK
    at = week.due_at(monday, UTC)
    TrainerDigest.objects.create(
        id=_id(),
        trainer_id=coach.trainer_id,
        week=monday,
        content=composing.compose(coach.trainer_id, monday, UTC),
        created_at=at,
        tries=1,
        emailed_at=at + timedelta(minutes=2),
        viewed_at=at + timedelta(hours=2),
    )


def _draft(rng: Random, coach: Coach, client: Client, kind: str, at: datetime) -> Draft:
    """Return a draft that waits for review, as the model has written it."""
    channel = "email" if rng.random() < 0.3 else "sms"
    asked = wish(coach, client, kind, channel, now=at)
    values = {
        "client_first_name": client.person.get("first_name", "there"),
        "trainer_name": coach.name,
    }
    if booking := asked["context"].get("booking"):
        starts_at = datetime.fromisoformat(booking["starts_at"])
        values["booking_starts_at"] = f"{starts_at:%A} {starts_at.day} {starts_at:%B} at {starts_at:%H:%M}"
    subject, text = llm.write(kind, rng.randrange(100), set(values))
    text = _MARK.sub(lambda found: values[found[1]], text)
    if channel == "sms":
        subject = ""
    return Draft(
        id=_id(),
        **asked,
        state=State.REVIEW,
        impact=min(100, IMPACTS[kind] + rng.randrange(15)),
        why=asked["context"]["reason"],
        tries=1,
        fence=1,
        next_at=at,
        subject=subject,
        text=text,
        written_subject=subject,
        written_text=text,
        written_at=at + timedelta(seconds=4),
        based_at=at + timedelta(seconds=1),
        created_at=at,
        correlation_id=_correlation(rng),
    )


def _attempt(draft: Draft, number: int, outcome: str, code: str, rng: Random) -> DraftAttempt:
    is_ok = outcome == "ok"
    return DraftAttempt(
        draft=draft,
        round=1,
        number=number,
        began_at=draft.created_at + timedelta(seconds=1 + 15 * (number - 1)),
        duration_ms=30_000.0 if code == "timeout" else round(rng.uniform(600, 4_000), 1),
        outcome=outcome,
        code=code,
        model=llm.MODEL if is_ok else "",
        prompt_tokens=rng.randrange(300, 700) if is_ok else None,
        answer_tokens=rng.randrange(20, 90) if is_ok else None,
    )


def _message(draft: Draft, at: datetime, direction: str, text: str) -> Message:
    return Message(
        location_id=draft.location_id,
        message_id=f"demo-{_id()}",
        contact_id=draft.contact_id,
        direction=direction,
        channel=draft.channel,
        text=text,
        at=at,
    )


def _night(now: datetime) -> str:
    """Return a time zone where nobody is written to now."""
    quiet = settings.QUIET_HOURS
    nights = (zone for zone in _ZONES if delivery.end_of_quiet(now, ZoneInfo(zone), quiet) > now)
    return next(nights, _ZONES[0])


def _id() -> UUID:
    return UUID(int=uuid7().int)


def _correlation(rng: Random) -> str:
    return f"draft-{rng.getrandbits(48):012x}"
