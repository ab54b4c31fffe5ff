"""The forwarder's page: how far PostHog has got, what it refused, pause and resume."""

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from observability import forwarder, health
from observability.event_search import Key
from observability.models import Forwarder, ForwardRejection
from trainu.admin_site import site

_PAUSE = "observability.pause_forwarder"


def forwarding(request: HttpRequest) -> HttpResponse:
    """Show the forwarder's state in words and numbers."""
    state = forwarder.load()
    open_refusals = ForwardRejection.objects.filter(state=ForwardRejection.State.OPEN)
    context = site.each_context(request) | {
        "title": "PostHog forwarding",
        "state": state,
        "configured": bool(settings.POSTHOG_API_KEY),
        "host": settings.POSTHOG_HOST,
        "tone": _tone(state),
        "refusals": [(one, str(Key(one.timestamp, one.uuid))) for one in open_refusals[:10]],
        "may_see_refusals": request.user.has_perm("observability.view_forwardrejection"),
        "may_pause": request.user.has_perm(_PAUSE),
    }
    return TemplateResponse(request, "observability/forwarding.html", context)


@require_POST
def pause(request: HttpRequest) -> HttpResponse:
    """Pause with a reason; events wait meanwhile."""
    try:
        # A NUL is the one character that PostgreSQL's text cannot hold.
        reason = request.POST.get("reason", "").replace("\x00", "")
        forwarder.pause(reason=reason, now=timezone.now())
    except ValueError as error:
        messages.error(request, str(error))
    else:
        messages.warning(request, "Paused. Events are stored as always and wait for PostHog.")
    return HttpResponseRedirect(reverse("admin:forwarding"))


@require_POST
def resume(request: HttpRequest) -> HttpResponse:
    """Send again, at once."""
    forwarder.resume()
    messages.success(request, "Resumed. What has waited is on its way.")
    return HttpResponseRedirect(reverse("admin:forwarding"))


def _tone(state: Forwarder) -> str:
    if not settings.POSTHOG_API_KEY:
        return ""
    return "bad" if state.failures else "warn" if health.check_posthog().status != "pass" else "ok"


site.register_view("forwarding/", forwarding, "forwarding", permission="observability.view_forwarder")
site.register_view("forwarding/pause/", pause, "forwarding_pause", permission=_PAUSE)
site.register_view("forwarding/resume/", resume, "forwarding_resume", permission=_PAUSE)
