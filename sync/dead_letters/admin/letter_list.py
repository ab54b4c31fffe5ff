"""The list of dead letters as a part of their admin: its page, its verbs for several letters, saved views.

The rule: the list is ours, not Django's: it goes on from a letter, counts no further than a thousand, and
everything that narrows it stands in its address.
"""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from sync.dead_letters.admin import listing
from sync.dead_letters.admin.record import RecordAdmin
from trainu.admin_records import for_reading
from trainu.admin_site import site


class LetterList(RecordAdmin):
    """Dead letters as a list that is worked on."""

    @for_reading
    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the letters that the address asks for, those that died last first, a page at a time."""
        context = site.each_context(request) | listing.context(request)
        context |= {"title": "All dead letters", "opts": self.opts, "here": request.get_full_path()}
        return TemplateResponse(request, "sync/letters.html", context | (extra_context or {}))
