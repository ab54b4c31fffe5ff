"""The verbs of a cause as buttons: whose it is, what is noted, known, and not asked about for a while.

The rule: each is a POST of its own address, wants `sync.assign_deadletter`, and calls one verb.
"""

from collections.abc import Callable
from datetime import datetime

from django.contrib import admin, messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, reverse
from django.utils import timezone

from sync.dead_letters import groups
from sync.dead_letters.admin.cause_forms import NoteForm, OwnerForm, SnoozeForm
from sync.dead_letters.admin.cause_page import ASSIGN
from sync.dead_letters.admin.record import RecordAdmin
from sync.dead_letters.refusal import Refused
from sync.models import CauseGroup
from trainu.people import acting

Verb = Callable[[str, datetime], object]


class CauseVerbs(RecordAdmin):
    def get_urls(self) -> list[URLPattern]:
        verbs = {
            "assign": self.assign,
            "note": self.write_note,
            "acknowledge": self.acknowledge,
            "unacknowledge": self.unacknowledge,
            "snooze": self.snooze,
            "unsnooze": self.unsnooze,
        }
        paths = [self.verb_path(name, verb, ASSIGN) for name, verb in verbs.items()]
        return [*paths, *super().get_urls()]

    def assign(self, request: HttpRequest, group: CauseGroup) -> HttpResponse:
        """Make somebody responsible, or nobody."""
        form = OwnerForm(request.POST)
        if not form.is_valid():
            return _failed(request, group, "Choose somebody on the staff.")
        owner = form.cleaned_data["owner"]
        words = "Assigned." if owner else "It is nobody's now."
        return self._do(request, group, lambda by, now: groups.assign(group.pk, owner, by=by), words)

    def write_note(self, request: HttpRequest, group: CauseGroup) -> HttpResponse:
        """Write something down."""
        form = NoteForm(request.POST)
        words = form.cleaned_data["words"] if form.is_valid() else ""
        return self._do(
            request, group, lambda by, now: groups.note(group.pk, words, by=by, now=now), "Noted."
        )

    def acknowledge(self, request: HttpRequest, group: CauseGroup) -> HttpResponse:
        """Say that it is known."""
        words = "Acknowledged. It is asked about again when it was resolved and comes back."
        return self._do(request, group, lambda by, now: groups.acknowledge(group.pk, by=by, now=now), words)

    def unacknowledge(self, request: HttpRequest, group: CauseGroup) -> HttpResponse:
        """Take that back."""
        words = "It is new again, and stands among what nobody has acknowledged."
        return self._do(request, group, lambda by, now: groups.unacknowledge(group.pk, by=by), words)

    def snooze(self, request: HttpRequest, group: CauseGroup) -> HttpResponse:
        """Have nobody asked about it for a while."""
        form = SnoozeForm(request.POST)
        if not form.is_valid():
            return _failed(request, group, "Choose for how long, or give the number of open letters.")

        def verb(by: str, now: datetime) -> object:
            return groups.snooze(group.pk, by=by, now=now, **form.chosen(now))

        return self._do(request, group, verb, "Snoozed. Its letters stay, and what dies still joins them.")

    def unsnooze(self, request: HttpRequest, group: CauseGroup) -> HttpResponse:
        """Ask about it again."""
        return self._do(
            request, group, lambda by, now: groups.snooze(group.pk, by=by, now=now), "The snooze is over."
        )

    def _do(self, request: HttpRequest, group: CauseGroup, verb: Verb, words: str) -> HttpResponse:
        try:
            with transaction.atomic():
                verb(acting(request), timezone.now())
                self.note(request, group, words.partition(".")[0] + ".")
        except Refused as refusal:
            return _failed(request, group, str(refusal))
        messages.success(request, words)
        return _back(group)


def _back(group: CauseGroup) -> HttpResponse:
    return HttpResponseRedirect(reverse("admin:sync_causegroup_change", args=[admin.utils.quote(group.pk)]))


def _failed(request: HttpRequest, group: CauseGroup, words: str) -> HttpResponse:
    messages.error(request, words)
    return _back(group)
