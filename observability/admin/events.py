"""The events list and one event. No ModelAdmin: Django's cannot show a table with a composite key."""

from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from observability import event_search
from observability.event_search import Question
from observability.models import ApiKey, EventDefinition, ForwardRejection
from trainu.admin_rendering import pretty
from trainu.admin_site import site
from trainu.bounded_query import TooBroad


def events(request: HttpRequest) -> HttpResponse:
    """Show the newest events that match the filters, a page at a time."""
    question = _question(request)
    older_than = event_search.parse_key(request.GET.get("older", ""))
    newer_than = event_search.parse_key(request.GET.get("newer", ""))
    page, too_broad = None, False
    try:
        page = event_search.search(question, now=timezone.now(), older_than=older_than, newer_than=newer_than)
    except TooBroad:
        too_broad = True
    filters = question.filters | {"range": question.range}
    context = site.each_context(request) | {
        "title": "Events",
        "question": question,
        "page": page,
        "too_broad": too_broad,
        "rows": [(event, str(event_search.key_of(event))) for event in page.events] if page else [],
        "filters": urlencode(filters),
        "is_narrowed": bool(question.filters) or question.range != event_search.DEFAULT_RANGE,
        "is_first": older_than is None and newer_than is None,
        "ranges": [(name, words) for name, (words, _) in event_search.RANGES.items()],
        "names": EventDefinition.objects.order_by("name").values_list("name", flat=True),
        "may_add_key": request.user.has_perm("observability.add_apikey"),
    }
    return TemplateResponse(request, "observability/events.html", context)


def event(request: HttpRequest, key: str) -> HttpResponse:
    """Show one event with everything that is stored of it."""
    parsed = event_search.parse_key(key)
    found = event_search.find(parsed) if parsed else None
    if found is None:
        raise Http404("There is no such event.")
    context = site.each_context(request) | {
        "title": "Event",
        "subtitle": found.event,
        "event": found,
        "definition": EventDefinition.objects.filter(name=found.event).first(),
        "api_key": ApiKey.objects.filter(pk=found.api_key_id).first() if found.api_key_id else None,
        "rejection": ForwardRejection.objects.filter(pk=found.uuid).first(),
        "properties": pretty(found.properties),
    }
    return TemplateResponse(request, "observability/event.html", context)


def _question(request: HttpRequest) -> Question:
    def word(field: str) -> str:
        # PostgreSQL's text holds no NUL, so nothing that is stored could match one.
        return request.GET.get(field, "").replace("\x00", "").strip()

    chosen = request.GET.get("range", "")
    return Question(
        event=word("event"),
        distinct_id=word("distinct_id"),
        correlation_id=word("correlation_id"),
        range=chosen if chosen in event_search.RANGES else event_search.DEFAULT_RANGE,
    )


site.register_view("events/", events, "events", permission="observability.view_event")
site.register_view("events/<str:key>/", event, "event", permission="observability.view_event")
