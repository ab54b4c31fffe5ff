"""The rows behind a number of a dashboard: which bookings, drafts, messages or people it has counted.

The rule: the page lists by the question of the number's own address, and says in words what that is.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from observability import event_search
from observability.admin.trace import may_find
from observability.dashboards import rows
from observability.dashboards.question import BadQuestion, Question, parse
from observability.dashboards.row_kinds import KINDS
from observability.dashboards.rows import Asked
from observability.models import Booking, DraftedMessage, Person
from trainu import navigation
from trainu.admin_rendering import seen
from trainu.admin_site import site
from trainu.bounded_query import TooBroad

# Which dashboard counts the rows of a kind.
_COUNTED_BY = {
    "people": ("activation", "Activation"),
    "bookings": ("show_rate", "Show-rate"),
    "drafts": ("engagement", "Engagement"),
    "messages": ("engagement", "Engagement"),
}
_TONES = {Booking.State.NO_SHOW: "bad", Booking.State.CANCELED: "warn", Booking.State.BOOKED: "ok"}


@dataclass(frozen=True, slots=True)
class Cell:
    """What stands in a column: words, which may lead somewhere or be a coloured label, or a time."""

    words: str = ""
    url: str = ""
    at: datetime | None = None
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Links:
    """Where ids lead, as far as the reader may go there. range: of the events list, that holds the period."""

    may_see_events: bool
    may_find: bool
    range: str

    def person(self, distinct_id: str) -> Cell:
        """A person, who leads to the own events."""
        words = {"distinct_id": distinct_id, "range": self.range}
        url = f"{reverse('admin:events')}?{urlencode(words)}" if self.may_see_events else ""
        return Cell(seen(distinct_id), url)

    def client(self, client_id: str) -> Cell:
        return self.person(f"client:{client_id}")

    def trainer(self, trainer_id: str) -> Cell:
        return self.person(f"trainer:{trainer_id}") if trainer_id else Cell()

    def change(self, booking: Booking) -> Cell:
        """The event that changed a booking last, which leads to everything that belongs to it."""
        url = f"{reverse('admin:trace_search')}?{urlencode({'id': f'event {booking.changed_by}'})}"
        return Cell(at=booking.changed_at, url=url if self.may_find else "")


@require_GET
def page(request: HttpRequest, kind: str) -> HttpResponse:
    """Show the rows of a kind that the address asks for, a page at a time."""
    if kind not in KINDS:
        raise Http404("There are no such rows.")
    now = timezone.now()
    which = request.GET.get("which", "") or next(iter(KINDS[kind].whiches))
    dashboard, back_title = _COUNTED_BY[kind]
    back = reverse("admin:dashboard", args=[dashboard])
    context: dict[str, Any] = {
        "title": KINDS[kind].title,
        "name": kind,
        "back": back,
        "back_title": back_title,
    }
    status = 200
    try:
        asked = Asked(kind, which, parse(request.GET.dict(), now=now), request.GET.get("role", ""))
        context |= {"back": f"{back}?{asked.question.address()}"} | _shown(request, asked, now)
    except BadQuestion as error:
        status = 400
        context |= {"wrong": error, "choices": _choices(kind, which, "")}
    return TemplateResponse(
        request, "observability/dashboards/rows.html", site.each_context(request) | context, status=status
    )


def _shown(request: HttpRequest, asked: Asked, now: datetime) -> dict[str, Any]:
    """Return what the page takes of a question that can be answered."""
    older_than = rows.parse_key(request.GET.get("older", ""))
    newer_than = rows.parse_key(request.GET.get("newer", ""))
    title, words = rows.said(asked)
    query = asked.question.address(role=asked.role)
    context: dict[str, Any] = {
        "subtitle": title,
        "words": words,
        "asked": asked,
        "question": asked.question,
        "days": len(asked.question.days),
        "address": asked.question.address(which=asked.which, role=asked.role),
        "choices": _choices(asked.kind, asked.which, query),
        "is_first": older_than is None and newer_than is None,
    }
    try:
        page = rows.page(asked, now=now, older_than=older_than, newer_than=newer_than)
    except TooBroad:
        return context | {"is_too_broad": True}
    columns, cells = _TABLES[asked.kind]
    links = _links(request, asked.question, now)
    return context | {"page": page, "columns": columns, "rows": [cells(row, links) for row in page.rows]}


def _choices(kind: str, which: str, query: str) -> list[tuple[str, str, bool]]:
    """Return what else there is to list of a kind: title, address, and whether it is this one."""
    return [
        (title, f"?{urlencode({'which': name})}{'&' if query else ''}{query}", name == which)
        for name, title in rows.offered(kind)
        # Features are many; the numbers about them lead here.
        if ":" not in name
    ]


def _links(request: HttpRequest, question: Question, now: datetime) -> Links:
    spans = ((name, span) for name, (_, span) in event_search.RANGES.items())
    *_, longest = event_search.RANGES
    return Links(
        navigation.may(request.user, "observability.view_event"),
        may_find(request),
        next((name for name, span in spans if now - span <= question.starts_at), longest),
    )


def _booking(row: Booking, links: Links) -> list[Cell]:
    return [
        Cell(seen(row.booking_id)),
        Cell(at=row.starts_at),
        Cell(row.get_state_display(), tone=_TONES[Booking.State(row.state)]),
        links.client(row.client_id),
        links.trainer(row.trainer_id),
        Cell(seen(row.segment)),
        Cell(at=row.scheduled_at),
        links.change(row),
    ]


def _draft(row: DraftedMessage, links: Links) -> list[Cell]:
    return [
        Cell(seen(row.draft_id)),
        Cell(at=row.drafted_at),
        Cell(at=row.approved_at),
        Cell("yes" if row.edited else ""),
        Cell(at=row.sent_at),
        *_of_message(row, links),
    ]


def _message(row: Any, links: Links) -> list[Cell]:
    return [
        Cell(seen(row.draft_id)),
        Cell(at=row.sent_at),
        Cell(at=row.answered_at),
        *_of_message(row, links),
    ]


def _of_message(row: Any, links: Links) -> list[Cell]:
    return [
        links.client(row.client_id),
        links.trainer(row.trainer_id),
        Cell(seen(row.segment)),
        Cell(row.kind.replace("_", " ")),
        Cell(row.channel),
    ]


def _person(row: Person, links: Links) -> list[Cell]:
    return [
        links.person(row.distinct_id),
        Cell(at=row.signed_up_at),
        Cell(seen(row.step)),
        Cell(at=row.onboarded_at),
        Cell(at=row.first_booking_at),
        Cell(at=row.first_insight_at),
        links.trainer(row.trainer_id),
        Cell(seen(row.segment)),
    ]


_OF_MESSAGE = ("Client", "Trainer", "Segment", "Kind", "Channel")
_TABLES: dict[str, tuple[tuple[str, ...], Callable[[Any, Links], list[Cell]]]] = {
    "bookings": (
        ("Booking", "Start", "State", "Client", "Trainer", "Segment", "Booked", "Last change"),
        _booking,
    ),
    "drafts": (("Draft", "Drafted", "Approved", "Edited", "Sent", *_OF_MESSAGE), _draft),
    "messages": (("Message", "Sent", "Answered", *_OF_MESSAGE), _message),
    "people": (
        (
            "Person",
            "Signed up",
            "Furthest step",
            "Onboarded",
            "First booking",
            "First insight",
            "Trainer",
            "Segment",
        ),
        _person,
    ),
}

site.register_view(
    "dashboards/rows/<slug:kind>/", page, "dashboard_rows", permission="observability.view_dashboard"
)
