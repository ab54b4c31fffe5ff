"""Reading a location back from GoHighLevel, as staff ask for it: the form, and what comes of it in words.

The rule: it is the verb of the API and the command. Whoever asks twice is told of the one under way.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.views.decorators.http import require_POST

from sync.models import Location, Reconciliation
from sync.reconciliation import runs
from trainu import navigation
from trainu.admin_site import site
from trainu.people import acting

VIEW = "sync.view_reconciliation"
START = "sync.start_reconciliation"
BY = "staff"
# Choices of a form are bounded; every other location has the form on its own page.
MOST_LOCATIONS = 200
SPANS = {
    "2h": ("The last 2 hours", timedelta(hours=2)),
    "24h": ("The last 24 hours", timedelta(hours=24)),
    "7d": ("The last 7 days", timedelta(days=7)),
    "30d": ("The last 30 days", timedelta(days=30)),
}


class ReadBackForm(forms.Form):
    """How far back. A time that is given counts, whatever else is chosen."""

    span = forms.ChoiceField(
        label="How far back", choices=[(key, words) for key, (words, _) in SPANS.items()], initial="24h"
    )
    since = forms.DateTimeField(
        label="Or from a time on, UTC",
        required=False,
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )

    def begins_at(self, now: datetime) -> datetime:
        """Return since when to read. Of a form that is valid."""
        since: datetime | None = self.cleaned_data["since"]
        return since.replace(tzinfo=UTC) if since else now - SPANS[self.cleaned_data["span"]][1]


def places() -> list[tuple[str, str]]:
    """Return which locations the form offers, by name."""
    return list(Location.objects.order_by("name", "pk").values_list("pk", "name")[:MOST_LOCATIONS])


class OfLocationForm(ReadBackForm):
    """The same with a choice of the location, for a page that is of none."""

    location = forms.ChoiceField(label="Location")
    field_order = ("location", "span", "since")

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # As a list: a select that is given a callable asks it twice.
        self.fields["location"].choices = places()  # type: ignore[attr-defined]


def offered(request: HttpRequest) -> dict[str, Any]:
    """Return the context of sync/read_back.html for a page that is of no location."""
    if not request.user.has_perm(START):
        return {}
    return {"read_back_form": OfLocationForm(label_suffix="", auto_id="id_read_back_%s")}


def offered_for(request: HttpRequest) -> ReadBackForm | None:
    """Return the form for a location's own page; None for who may not."""
    if not request.user.has_perm(START):
        return None
    return ReadBackForm(label_suffix="", auto_id="id_read_back_%s")


def begin_for(request: HttpRequest, location_id: str, *, note: Callable[[str], None]) -> None:
    """Begin for a location as its own page's form says. note: writes into the location's history."""
    form = ReadBackForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Nothing was begun. Choose how far back, or give a time to begin at.")
        return
    with transaction.atomic():
        run = _begin(request, location_id, form)
        if run:
            note(f"Read back since {run.since:%Y-%m-%d %H:%M} UTC.")


@require_POST
def start(request: HttpRequest) -> HttpResponse:
    """Begin for the location that the form names."""
    form = OfLocationForm(request.POST)
    if form.is_valid():
        _begin(request, form.cleaned_data["location"], form)
    else:
        words = "Nothing was begun. Choose a location of the list, and how far back or a time to begin at."
        messages.error(request, words)
    may_see = navigation.may(request.user, VIEW)
    return HttpResponseRedirect(reverse("admin:sync_reconciliation_changelist" if may_see else "admin:index"))


def _begin(request: HttpRequest, location_id: str, form: ReadBackForm) -> Reconciliation | None:
    """Begin as a valid form says, and tell the reader; return what has begun anew, if anything has."""
    now = timezone.now()
    try:
        started = runs.start(location_id, since=form.begins_at(now), now=now, by=BY, actor=acting(request))
    except runs.Refused as refusal:
        messages.error(request, f"Nothing was begun. {refusal}")
        return None
    run = started.run
    if started.goes_on:
        words = "It is being read back already, at least as far. Nothing new was begun."
        messages.warning(request, _linked(request, words, run))
        return None
    words = f"It will be read back from {run.since:%d %b %H:%M} UTC on. Workers begin within a minute."
    messages.success(request, _linked(request, words, run))
    return run


def _linked(request: HttpRequest, words: str, run: Reconciliation) -> str:
    if not navigation.may(request.user, VIEW):
        return words
    url = reverse("admin:sync_reconciliation_change", args=[run.pk])
    return format_html('{} <a href="{}">See how far it is</a>', words, url)


site.register_view("sync/reconciliation/start/", start, "sync_reconciliation_start", permission=START)
