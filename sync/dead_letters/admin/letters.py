"""Dead letters, one by one: their list, its verbs for several of them, and the page of one.

The rule: the list is ours, not Django's: it goes on from a letter, counts no further than a thousand, and
everything that narrows it stands in its address.
"""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.safestring import SafeString

from sync import job_search
from sync.dead_letters import explanations, preflight, search
from sync.dead_letters.admin import acting, letter_list, saved_views
from sync.dead_letters.admin.record import RecordAdmin, notes_of
from sync.models import DeadLetter
from trainu.admin_rendering import block, pill, pretty
from trainu.admin_site import View, site
from trainu.templatetags.time import ago

_LETTER_TONES = {
    "open": "bad",
    "redriving": "info",
    "recovered": "ok",
    "discarded": "warn",
    "superseded": "warn",
}


@admin.register(DeadLetter)
class DeadLetterAdmin(RecordAdmin):
    ordering = ["-died_at", "-id"]
    readonly_fields = (
        "title",
        "state_pill",
        "what_happened",
        "next_step",
        "in_the_way",
        "job",
        "webhook",
        "group",
        "location",
        "code",
        "status",
        "words",
        "payload",
        "first_died_at",
        "died_at",
        "deaths",
        "resolved_at",
        "discard_reason",
        "discarded_by",
        "assigned_to",
        "snoozed_until",
        "notes_shown",
    )
    fields = readonly_fields

    def get_urls(self) -> list[URLPattern]:
        own: list[tuple[str, View, str]] = [
            ("act/", acting.act, "sync_letters_act"),
            ("views/save/", saved_views.save, "sync_letters_view_save"),
            ("views/<int:view_id>/remove/", saved_views.remove, "sync_letters_view_remove"),
        ]
        served = [path(route, self.admin_site.admin_view(view), name=name) for route, view, name in own]
        return [*served, *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the letters that the address asks for, those that died last first, a page at a time."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method not in {"GET", "HEAD"}:
            return HttpResponse(status=405, headers={"Allow": "GET, HEAD"})
        context = site.each_context(request) | letter_list.context(request)
        context |= {"title": "All dead letters", "opts": self.opts, "here": request.get_full_path()}
        return TemplateResponse(request, "sync/letters.html", context | (extra_context or {}))

    @admin.display(description="Letter")
    def title(self, letter: DeadLetter) -> str:
        return f"{letter.group.subject}: {letter.words or letter.code}"

    @admin.display(description="State")
    def state_pill(self, letter: DeadLetter) -> SafeString:
        return pill(letter.get_state_display(), _LETTER_TONES[letter.state])

    @admin.display(description="What happened")
    def what_happened(self, letter: DeadLetter) -> str:
        return explanations.explain(letter.code, letter.group.cause).words

    @admin.display(description="What to do")
    def next_step(self, letter: DeadLetter) -> str:
        return explanations.explain(letter.code, letter.group.cause).next_step

    @admin.display(description="In the way")
    def in_the_way(self, letter: DeadLetter) -> str:
        found = preflight.of([letter]).get(letter.pk) if letter.state == DeadLetter.State.OPEN else None
        return found.words if found else "Nothing is known."

    @admin.display(description="Data, masked")
    def payload(self, letter: DeadLetter) -> str:
        return block(pretty(job_search.shown_payload(letter.job))) if letter.job else ""

    @admin.display(description="Died")
    def died(self, letter: DeadLetter) -> str:
        return ago(letter.died_at)

    @admin.display(description="Notes")
    def notes_shown(self, letter: DeadLetter) -> str:
        return notes_of(search.notes(letter))
