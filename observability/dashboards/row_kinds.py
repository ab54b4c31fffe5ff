"""Which rows a number counts: bookings, drafts, messages and sign-ups, each by the number's own predicate.

The rule: what stands here in a query stands in `counting` and `definitions` with the same meaning; a page of
rows has as many of them as the number says.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery, TextField, Value
from django.db.models.functions import Coalesce, Concat

from observability.dashboards.question import Question, midnight
from observability.dashboards.sign_ups import BOOKING_WITHIN, INSIGHT_WITHIN
from observability.models import Booking, DraftedMessage, InboundMessage, Person
from observability.rollups.bookings import RECOVERED_WITHIN_DAYS
from observability.rollups.messages import ANSWERED_WITHIN_HOURS

Rows = QuerySet[Any]
_RECOVERED_WITHIN = timedelta(days=RECOVERED_WITHIN_DAYS)
_ANSWERED_WITHIN = timedelta(hours=ANSWERED_WITHIN_HOURS)
_SENT = "sent on days of the period that have been over for 48 hours"
_SIGNED_UP = "who signed up in the period"


@dataclass(frozen=True, slots=True)
class Which:
    """Some rows of a kind. title, words: what they are. narrow: takes the others away."""

    title: str
    words: str
    narrow: Callable[[Rows, Question, datetime], Rows]


@dataclass(frozen=True, slots=True)
class Kind:
    """title: plural. order: the columns that rows go by, a time and an id. every: all rows of a question."""

    title: str
    order: tuple[str, str]
    every: Callable[[Question, datetime], Rows]
    whiches: Mapping[str, Which]


def _only(**conditions: Any) -> Callable[[Rows, Question, datetime], Rows]:
    return lambda rows, _question, _now: rows.filter(**conditions)


def _in_time(column: str, within: timedelta) -> Callable[[Rows, Question, datetime], Rows]:
    reached = {f"{column}__lte": F("signed_up_at") + within}
    return lambda rows, _question, now: rows.filter(signed_up_at__lte=now - within, **reached)


def _settled(rows: Rows, column: str, took: timedelta, question: Question, now: datetime) -> Rows:
    """Keep the rows of days that have been over for so long."""
    days = question.settled(took, now=now)
    until = midnight(days[-1] + timedelta(days=1), question.zone) if days else question.starts_at
    return rows.filter(**{f"{column}__lt": until})


def _bookings(question: Question, now: datetime) -> Rows:
    rows = Booking.objects.filter(
        starts_at__gte=question.starts_at, starts_at__lt=question.ends_at, starts_at__lte=now
    )
    if question.trainer:
        rows = rows.filter(trainer_id=question.trainer)
    return rows.filter(segment=question.segment) if question.segment else rows


def _recoverable(*, is_recovered: bool) -> Callable[[Rows, Question, datetime], Rows]:
    anew = Booking.objects.filter(
        client_id=OuterRef("client_id"),
        scheduled_at__gt=OuterRef("starts_at"),
        scheduled_at__lte=OuterRef("starts_at") + _RECOVERED_WITHIN,
    )

    def narrow(rows: Rows, question: Question, now: datetime) -> Rows:
        missed = rows.filter(Exists(anew) if is_recovered else ~Exists(anew), state=Booking.State.NO_SHOW)
        return _settled(missed, "starts_at", _RECOVERED_WITHIN, question, now)

    return narrow


def _drafts(question: Question, _now: datetime) -> Rows:
    rows = DraftedMessage.objects.filter(drafted_at__gte=question.starts_at, drafted_at__lt=question.ends_at)
    return _of_clients(rows, question)


def _messages(question: Question, now: datetime) -> Rows:
    rows = DraftedMessage.objects.filter(sent_at__gte=question.starts_at, sent_at__lt=question.ends_at)
    answers = InboundMessage.objects.filter(
        client_id=OuterRef("client_id"),
        received_at__gt=OuterRef("sent_at"),
        received_at__lte=OuterRef("sent_at") + _ANSWERED_WITHIN,
    )
    first = answers.order_by("received_at").values("received_at")[:1]
    settled = _settled(rows, "sent_at", _ANSWERED_WITHIN, question, now)
    return _of_clients(settled.annotate(answered_at=Subquery(first)), question)


def _of_clients(rows: Rows, question: Question) -> Rows:
    """Tell the segment that each row's client has now, and keep the rows of the question's filters."""
    client = Person.objects.filter(
        distinct_id=Concat(Value("client:"), OuterRef("client_id"), output_field=TextField())
    )
    named = Subquery(client.values("segment")[:1])
    rows = rows.annotate(segment=Coalesce(named, Value(Person.UNKNOWN)))
    if question.trainer:
        rows = rows.filter(trainer_id=question.trainer)
    return rows.filter(segment=question.segment) if question.segment else rows


def sign_ups(question: Question, _now: datetime) -> Rows:
    """Return those who signed up in the period, with the filters."""
    rows = Person.objects.filter(signed_up_at__gte=question.starts_at, signed_up_at__lt=question.ends_at)
    if question.trainer:
        rows = rows.filter(trainer_id=question.trainer)
    return rows.filter(segment=question.segment) if question.segment else rows


def step(position: int) -> Which:
    """Return those who have got to a step of onboarding, by its place, or past it."""
    is_there = Q(step_position__gte=position) & ~Q(step="") | Q(onboarded_at__isnull=False)
    return Which(
        f"Step {position:,} of onboarding",
        f"People who signed up in the period and have got to step {position:,} of onboarding, past it, or to"
        " its end.",
        lambda rows, _question, _now: rows.filter(is_there),
    )


KINDS = {
    "bookings": Kind(
        "Bookings",
        ("starts_at", "booking_id"),
        _bookings,
        {
            "kept": Which(
                "Due",
                "Bookings whose start lies in the period and has passed, and that were not canceled.",
                lambda rows, _question, _now: rows.exclude(state=Booking.State.CANCELED),
            ),
            "no_show": Which(
                "No-shows",
                "Due bookings of the period that were marked as a no-show.",
                _only(state=Booking.State.NO_SHOW),
            ),
            "canceled": Which(
                "Canceled",
                "Bookings whose start lies in the period and has passed, and that were canceled.",
                _only(state=Booking.State.CANCELED),
            ),
            "recovered": Which(
                "Recovered",
                "No-shows on days of the period that have been over for 7 days, whose client has booked anew"
                " later than the missed start and within 7 days of it.",
                _recoverable(is_recovered=True),
            ),
            "not_recovered": Which(
                "Not recovered",
                "No-shows on days of the period that have been over for 7 days, whose client has not booked"
                " anew within 7 days of the missed start.",
                _recoverable(is_recovered=False),
            ),
        },
    ),
    "drafts": Kind(
        "Drafts",
        ("drafted_at", "draft_id"),
        _drafts,
        {
            "drafted": Which("Drafted", "Messages that the agent has drafted in the period.", _only()),
            "approved": Which(
                "Approved",
                "Drafts of the period that a trainer has approved by now.",
                _only(approved_at__isnull=False),
            ),
            "edited": Which(
                "Edited",
                "Drafts of the period, approved by now, that the trainer had changed.",
                _only(approved_at__isnull=False, edited=True),
            ),
            "sent": Which(
                "Sent",
                "Drafts of the period, approved by now, that GoHighLevel has accepted by now.",
                _only(approved_at__isnull=False, sent_at__isnull=False),
            ),
        },
    ),
    "messages": Kind(
        "Messages",
        ("sent_at", "draft_id"),
        _messages,
        {
            "sent": Which("Sent", f"Messages {_SENT}.", _only()),
            "answered": Which(
                "Answered",
                f"Messages {_SENT}, whose client has written back later than that and within 48 hours.",
                _only(answered_at__isnull=False),
            ),
            "unanswered": Which(
                "Unanswered",
                f"Messages {_SENT}, whose client has not written back within 48 hours.",
                _only(answered_at__isnull=True),
            ),
        },
    ),
    "people": Kind(
        "People",
        ("signed_up_at", "number"),
        sign_ups,
        {
            "signed_up": Which("Signed up", f"People {_SIGNED_UP}.", _only()),
            "onboarded": Which(
                "Onboarded",
                f"People {_SIGNED_UP} and have finished onboarding by now.",
                _only(onboarded_at__isnull=False),
            ),
            "not_onboarded": Which(
                "Not onboarded",
                f"People {_SIGNED_UP} and have not finished onboarding yet.",
                _only(onboarded_at__isnull=True),
            ),
            "booked": Which(
                "Booked",
                f"People {_SIGNED_UP} and have booked by now.",
                _only(first_booking_at__isnull=False),
            ),
            "insight": Which(
                "Had an insight",
                f"People {_SIGNED_UP} and have had an insight by now.",
                _only(first_insight_at__isnull=False),
            ),
            "booked_in_time": Which(
                "Booked within 24 h",
                f"People {_SIGNED_UP}, at least 24 hours ago, and have booked within 24 hours of it.",
                _in_time("first_booking_at", BOOKING_WITHIN),
            ),
            "insight_in_time": Which(
                "Insight within 7 days",
                f"People {_SIGNED_UP}, at least 7 days ago, and have had an insight within 7 days of it.",
                _in_time("first_insight_at", INSIGHT_WITHIN),
            ),
            "booked_insight": Which(
                "Booked and had an insight",
                f"People {_SIGNED_UP}, have booked by now, and have had an insight by now.",
                _only(first_booking_at__isnull=False, first_insight_at__isnull=False),
            ),
        },
    ),
}
