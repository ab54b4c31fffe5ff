"""The kept log lines: search by time, level, service, user, id and text, and a live tail."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.utils import timezone

from observability.logs import drops, search
from observability.logs.search import Question
from observability.models import LogLine
from observability.trace_sources import LEVEL_TONES
from trainu.admin_rendering import cut, pretty, seen
from trainu.admin_site import site
from trainu.bounded_query import TooBroad

_VIEW = "observability.view_logline"
_UNTOLD = {"exception", "request_id", "stack", "lineno", "pathname"}
# As a browser's field for date and time writes it.
_UNTIL = "%Y-%m-%dT%H:%M"


@dataclass(frozen=True, slots=True)
class Shown:
    """A line as the page writes it. key: tells the browser which lines it has already."""

    line: LogLine
    key: str
    event: str
    gist: str
    service: str
    logger: str
    user_id: str
    correlation_id: str
    exception: str
    rest: str
    tone: str


def logs(request: HttpRequest) -> HttpResponse:
    """Show the newest lines that match the filters, a page at a time."""
    now = timezone.now()
    question = _question(request)
    older_than = search.parse_key(request.GET.get("older", ""))
    page, too_broad = None, False
    try:
        page = search.search(question, now=now, older_than=older_than)
    except TooBroad:
        too_broad = True
    filters = _address(question)
    dropped = drops.dropped(since=now - timedelta(days=1))
    context = site.each_context(request) | {
        "title": "Logs",
        "question": question,
        "until": question.until.strftime(_UNTIL) if question.until else "",
        "page": page,
        "rows": shown(page.lines) if page else [],
        "too_broad": too_broad,
        "filters": filters,
        "is_narrowed": bool(filters),
        "is_first": older_than is None,
        "is_live": older_than is None and question.until is None and not too_broad,
        "now": now.isoformat(),
        "ranges": [(name, words) for name, (words, _) in search.RANGES.items()],
        "levels": [(name, words) for name, (words, _) in search.LEVELS.items()],
        "dropped": dropped,
        "dropped_in_all": sum(dropped.values()),
        "is_kept": settings.LOG_STORE,
    }
    return TemplateResponse(request, "observability/logs.html", context)


def tail(request: HttpRequest) -> HttpResponse:
    """Answer the live tail: rows as HTML for the top of the table, and from when to ask next."""
    now = timezone.now()
    since = min(_moment(request.GET.get("since", "")) or now, now)
    try:
        found = search.tail(_question(request), since=since, now=now)
    except TooBroad:
        return JsonResponse({"too_broad": True})
    rows = render_to_string("observability/log_rows.html", {"rows": shown(found.lines)}, request)
    return JsonResponse({"rows": rows, "since": found.since.isoformat(), "is_cut": found.is_cut})


def shown(lines: list[LogLine]) -> list[Shown]:
    """Return lines with what a template needs of each."""
    return [
        Shown(
            line=line,
            key=str(search.key_of(line)),
            event=seen(line.event) or "(no message)",
            gist=gist(line.rest),
            service=seen(line.service),
            logger=seen(line.logger),
            user_id=seen(line.user_id or ""),
            correlation_id=seen(line.correlation_id),
            exception=cut(str(line.rest.get("exception", ""))),
            rest=pretty({name: value for name, value in line.rest.items() if name != "exception"}),
            tone=LEVEL_TONES.get(line.level, ""),
        )
        for line in lines
    ]


def gist(rest: dict[str, Any]) -> str:
    """Return what else a line says, in a few words: its plain values, ids of the machinery left out."""
    plain = [
        str(value) if name == "request" else f"{name} {value}"
        for name, value in rest.items()
        if name not in _UNTOLD and isinstance(value, str | int | float)
    ]
    return seen(" · ".join(plain))[:160]


def _question(request: HttpRequest) -> Question:
    def word(field: str) -> str:
        # PostgreSQL's text holds no NUL, so nothing that is stored could match one.
        return request.GET.get(field, "").replace("\x00", "").strip()[:200]

    chosen, level = request.GET.get("range", ""), request.GET.get("level", "")
    return Question(
        range=chosen if chosen in search.RANGES else search.DEFAULT_RANGE,
        until=_moment(request.GET.get("until", "")),
        level=level if level in search.LEVELS else "",
        service=word("service"),
        correlation_id=word("correlation_id"),
        user_id=word("user_id"),
        text=word("text"),
    )


def _moment(raw: str) -> datetime | None:
    """Return a time in UTC, or None for what is none or lies outside of what can be asked."""
    try:
        moment = datetime.fromisoformat(raw)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment if 2000 <= moment.year <= 2100 else None


def _address(question: Question) -> str:
    """Return the question as it stands in an address; empty for the one that is asked by default."""
    words = dict(question.filters)
    if question.range != search.DEFAULT_RANGE:
        words["range"] = question.range
    if question.until:
        words["until"] = question.until.strftime(_UNTIL)
    return urlencode(words)


site.register_view("logs/", logs, "logs", permission=_VIEW)
site.register_view("logs/tail/", tail, "logs_tail", permission=_VIEW)
