"""The team's saved views as the list of letters offers them: saved and removed there, by POST.

The rule: pages parse and render; what a view may say is decided by `dead_letters.views`.
"""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from sync.dead_letters import views
from sync.dead_letters.admin.addresses import back
from sync.dead_letters.refusal import Refused
from trainu.admin_site import site
from trainu.people import acting

VIEW, ADD, DELETE = "sync.view_savedview", "sync.add_savedview", "sync.delete_savedview"
LIST = "admin:sync_deadletter_changelist"


@require_POST
def save(request: HttpRequest) -> HttpResponse:
    """Save the list's filters under a name, for everybody."""
    try:
        view = views.save(
            request.POST.get("name", ""),
            request.POST.get("query", ""),
            by=acting(request),
            now=timezone.now(),
        )
    except Refused as refusal:
        messages.error(request, str(refusal))
        return back(request, reverse(LIST))
    messages.success(request, "Saved. The whole team finds it under Views.")
    return HttpResponseRedirect(f"{reverse(LIST)}?{view.query}")


@require_POST
def remove(request: HttpRequest, view_id: int) -> HttpResponse:
    """Remove a view, for everybody."""
    try:
        views.remove(view_id, by=acting(request))
    except Refused as refusal:
        raise Http404(str(refusal)) from None
    messages.success(request, "Removed the view. The letters are as they were.")
    return back(request, reverse(LIST))


site.register_view("sync/letters/views/save/", save, "sync_letters_view_save", permission=ADD)
site.register_view(
    "sync/letters/views/<int:view_id>/remove/", remove, "sync_letters_view_remove", permission=DELETE
)
