"""The list of dead letters as a part of their admin: its page, its verbs for several letters, saved views.

The rule: the list is ours, not Django's: it goes on from a letter, counts no further than a thousand, and
everything that narrows it stands in its address.
"""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from sync.dead_letters.admin import acting, listing, saved_views
from sync.dead_letters.admin.record import RecordAdmin
from trainu.admin_site import View, site


class LetterList(RecordAdmin):
    """Dead letters as a list that is worked on."""

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
        context = site.each_context(request) | listing.context(request)
        context |= {"title": "All dead letters", "opts": self.opts, "here": request.get_full_path()}
        return TemplateResponse(request, "sync/letters.html", context | (extra_context or {}))
