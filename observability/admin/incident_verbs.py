"""The verbs of an incident as buttons: seen to, resolved, noted, owned, silenced, reported.

The rule: each is a POST of its own address, checks its permission, and calls one verb, which audits itself.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern
from django.utils import timezone

from observability.admin import incident_news
from observability.alerts import incidents, silences
from observability.models import Incident
from trainu import people
from trainu.admin_records import ReadOnly
from trainu.people import acting

WORK = "observability.work_incident"
SILENCE = "observability.add_silence"
SILENCES = {"1": "1 hour", "4": "4 hours", "24": "24 hours"}

Verb = Callable[[str, datetime], object]


class _Nothing(Exception):
    """There was nothing to do; str(): why."""


class IncidentVerbs(ReadOnly):
    actions = None

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        verbs = {
            "acknowledge": self.acknowledge,
            "resolve": self.resolve,
            "note": self.write_note,
            "own": self.own,
            "report": self.report,
        }
        paths = [self.verb_path(name, verb, WORK) for name, verb in verbs.items()]
        return [*paths, self.verb_path("silence", self.silence, SILENCE), *super().get_urls()]

    def acknowledge(self, request: HttpRequest, incident: Incident) -> HttpResponse:
        """Say that somebody sees to it."""

        def verb(by: str, now: datetime) -> object:
            found = incidents.acknowledge(incident, by=by, now=now)
            if found.acknowledged_at != now:
                raise _Nothing(_who_sees_to(found, by))
            return found

        words = "Acknowledged. It is told again only if it is resolved and comes back."
        return self._do(request, incident, verb, words)

    def resolve(self, request: HttpRequest, incident: Incident) -> HttpResponse:
        """Resolve it by hand."""
        reason = request.POST.get("reason", "")
        return self._do(
            request,
            incident,
            lambda by, now: incidents.resolve(incident, by=by, reason=reason, now=now),
            "Resolved. If it still holds in an hour, it opens again.",
        )

    def write_note(self, request: HttpRequest, incident: Incident) -> HttpResponse:
        """Write something down."""
        words = request.POST.get("words", "")
        return self._do(
            request, incident, lambda by, now: incidents.note(incident, words, by=by, now=now), "Noted."
        )

    def own(self, request: HttpRequest, incident: Incident) -> HttpResponse:
        """Say who sees to it: me, nobody, or a member of staff by number."""
        wanted = request.POST.get("owner", "")
        if wanted == "me":
            wanted = str(request.user.pk)
        if wanted and wanted not in {str(one.pk) for one in people.colleagues()}:
            return self._failed(request, incident, "Choose somebody on the staff.")
        owner = f"staff:{wanted}" if wanted else ""
        words = "It has an owner now." if owner else "It is nobody's now."
        return self._do(
            request, incident, lambda by, now: incidents.own(incident, owner, by=by, now=now), words
        )

    def report(self, request: HttpRequest, incident: Incident) -> HttpResponse:
        """Note that it was reported, first or in full."""
        is_final, words = request.POST.get("kind") == "final", request.POST.get("words", "")
        return self._do(
            request,
            incident,
            lambda by, now: incidents.report(incident, is_final=is_final, words=words, by=by, now=now),
            "The report is noted.",
        )

    def silence(self, request: HttpRequest, incident: Incident) -> HttpResponse:
        """Tell nobody of it for a while."""
        hours, reason = request.POST.get("hours", ""), request.POST.get("reason", "")
        if hours not in SILENCES:
            return self._failed(request, incident, "Choose for how long.")

        def verb(by: str, now: datetime) -> object:
            until = now + timedelta(hours=int(hours))
            return silences.begin(incident.rule, incident.group, reason=reason, ends_at=until, by=by, now=now)

        return self._do(
            request, incident, verb, "Silenced. It stays open and visible; nobody is told until the end."
        )

    def _do(self, request: HttpRequest, incident: Incident, verb: Verb, words: str) -> HttpResponse:
        try:
            with transaction.atomic():
                verb(acting(request), timezone.now())
                self.note(request, incident, f"{words.partition('.')[0]}.")
                incident_news.forget()
                # Another page may have looked before this was committed.
                transaction.on_commit(incident_news.forget)
        except (incidents.Refused, silences.Refused) as refusal:
            return self._failed(request, incident, str(refusal))
        except _Nothing as nothing:
            messages.warning(request, str(nothing))
            return HttpResponseRedirect(incident_news.address(incident.pk))
        messages.success(request, words)
        return HttpResponseRedirect(incident_news.address(incident.pk))

    def _failed(self, request: HttpRequest, incident: Incident, words: str) -> HttpResponse:
        messages.error(request, words)
        return HttpResponseRedirect(incident_news.address(incident.pk))


def _who_sees_to(incident: Incident, reader: str) -> str:
    who = incident.owner or incident.acknowledged_by
    if who == reader:
        return "You see to it already."
    name = people.names([who]).get(who, who)
    return f"{name[:1].upper()}{name[1:]} sees to it already. Ask there, before you begin as well."
