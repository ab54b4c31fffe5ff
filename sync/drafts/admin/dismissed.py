"""What was dismissed: a list to look at, newest first.

The rule: as in the inbox, everybody sees what is theirs to see; nothing is decided here.
"""

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from sync.drafts import inbox, visible
from sync.drafts.admin import telling
from trainu.admin_site import site
from trainu.bounded_query import TooBroad


@never_cache
@require_GET
def show(request: HttpRequest) -> HttpResponse:
    """Show what was dismissed. after: the page goes on from there."""
    context: dict[str, Any] = {
        "title": "Dismissed drafts",
        "tab": "dismissed",
        "here": request.get_full_path(),
        "is_staff": request.user.has_perm(visible.ALL),
        "is_first": "after" not in request.GET,
    }
    try:
        found = inbox.dismissed(visible.drafts(request.user), after=request.GET.get("after", ""))
    except TooBroad:
        context["too_broad"] = True
    else:
        context["lines"] = telling.lines(request, found.drafts, now=timezone.now())
        context["following"] = f"?{urlencode({'after': found.following})}" if found.following else ""
    return TemplateResponse(request, "sync/drafts/dismissed.html", site.each_context(request) | context)


site.register_view("sync/inbox/dismissed/", show, "sync_inbox_dismissed", permission=telling.OPEN)
