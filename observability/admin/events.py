"""The events list and one event. No ModelAdmin: Django's cannot show a table with a composite key."""

from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from observability import event_search
from observability.admin.rendering import pretty
from observability.event_search import Question, TooBroad
from observability.models import EventDefinition
from trainu.admin_site import site


def events(request: HttpRequest) -> HttpResponse:
    """Show the newest events that match the filters, a page at a time."""
    chosen = request.GET.get("range", "")
    question = Question(
        event=request.GET.get("event", "").strip(),
        distinct_id=request.GET.get("distinct_id", "").strip(),
        correlation_id=request.GET.get("correlation_id", "").strip(),
        range=chosen if chosen in event_search.RANGES else event_search.DEFAULT_RANGE,
    )
    page, too_broad = None, False
    try:
        page = event_search.search(
            question,
            now=timezone.now(),
            older_than=event_search.parse_key(request.GET.get("older", "")),
            newer_than=event_search.parse_key(request.GET.get("newer", "")),
        )
    except TooBroad:
        too_broad = True
    filters = {
        name: value
        for name in ("event", "distinct_id", "correlation_id", "range")
        if (value := getattr(question, name))
    }
    context = site.each_context(request) | {
        "title": "Events",
        "question": question,
        "page": page,
        "too_broad": too_broad,
        "rows": [(event, str(event_search.key_of(event))) for event in page.events] if page else [],
        "filters": urlencode(filters),
        "is_filtered": bool(question.event or question.distinct_id or question.correlation_id),
        "ranges": [(name, words) for name, (words, _) in event_search.RANGES.items()],
        "names": EventDefinition.objects.order_by("name").values_list("name", flat=True),
    }
    return TemplateResponse(request, "observability/events.html", context)


def event(request: HttpRequest, key: str) -> HttpResponse:
    """Show one event with everything that is stored of it."""
    parsed = event_search.parse_key(key)
    found = event_search.find(parsed) if parsed else None
    if found is None:
        raise Http404("There is no such event.")
    definition = EventDefinition.objects.filter(name=found.event).first()
    context = site.each_context(request) | {
        "title": "Event",
        "subtitle": found.event,
        "event": found,
        "definition": definition,
        "properties": pretty(found.properties),
    }
    return TemplateResponse(request, "observability/event.html", context)


site.register_view("events/", events, "events", permission="observability.view_event")
site.register_view("events/<str:key>/", event, "event", permission="observability.view_event")
