"""Connecting locations by OAuth: to GoHighLevel's page where our app is let in, and back.

The rule: whoever comes back must have been sent from this browser a moment ago; the session remembers a
secret for that, once. The code in the address is worth nothing without our app's own secret.
"""

import secrets
from datetime import datetime, timedelta

from django.contrib import messages
from django.contrib.admin.utils import quote
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.timesince import timeuntil
from django.views.decorators.http import require_GET, require_POST
from pydantic import SecretStr

from sync import connections, locations
from sync.admin.location import CREDENTIAL
from sync.models import Location
from trainu.admin_site import site

STATE_LASTS = timedelta(minutes=15)
_KEY = "sync_connecting"


@require_POST
def connect(request: HttpRequest) -> HttpResponse:
    """Show where to go, with a secret that only this browser's session knows."""
    location_id = request.POST.get("location_id", "")
    location = Location.objects.filter(pk=location_id.replace("\x00", "")).first()
    if location_id and location is None:
        raise Http404("There is no such location.")
    state = secrets.token_urlsafe(32)
    try:
        url = connections.authorize_url(_back_to(request), state)
    except locations.Refused as refusal:
        messages.error(request, str(refusal))
        return _to(location_id)
    until = timezone.now() + STATE_LASTS
    request.session[_KEY] = {"state": state, "location_id": location_id, "until": until.isoformat()}
    context = site.each_context(request) | {
        "title": "Connect",
        "location": location,
        "url": url,
        "minutes": STATE_LASTS // timedelta(minutes=1),
    }
    # A link and no redirect: our policy lets no form lead to another site.
    return TemplateResponse(request, "sync/connect.html", context)


@require_GET
def connected(request: HttpRequest) -> HttpResponse:
    """GoHighLevel sends the browser back here, with a code for tokens."""
    expected = request.session.pop(_KEY, None) or {}
    location_id = str(expected.get("location_id", ""))
    now = timezone.now()
    state = request.GET.get("state", "").encode()
    is_ours = secrets.compare_digest(state, str(expected.get("state", "")).encode())
    if not expected or not is_ours or now > datetime.fromisoformat(expected["until"]):
        messages.error(
            request,
            "This browser did not ask to be connected, or too long ago. Nothing was stored; press Connect.",
        )
        return _to(location_id)
    code = request.GET.get("code", "")
    if not code:
        messages.error(
            request, "GoHighLevel has not let our app in, so nothing was stored. Press Connect to try again."
        )
        return _to(location_id)
    try:
        done = connections.connect(SecretStr(code), _back_to(request), location_id=location_id, now=now)
    except locations.Refused as refusal:
        messages.error(request, str(refusal))
        return _to(location_id)
    messages.success(
        request, f"Connected{' and added' if done.is_new else ''}. Its tokens are kept encrypted."
    )
    if done.ends_at is not None:
        messages.warning(
            request,
            f"This token was bought with the agency's and ends in {timeuntil(done.ends_at, now)}, without a"
            " way to renew it. Install the app in the location itself, or enter a private token.",
        )
    return _to(done.location_id)


def _back_to(request: HttpRequest) -> str:
    """Return the address that stands in our app's settings at GoHighLevel."""
    return request.build_absolute_uri(reverse("admin:sync_connected"))


def _to(location_id: str) -> HttpResponse:
    if not location_id:
        return HttpResponseRedirect(reverse("admin:sync_location_changelist"))
    return HttpResponseRedirect(reverse("admin:sync_location_change", args=[quote(location_id)]))


site.register_view("sync/connect/", connect, "sync_connect", permission=CREDENTIAL)
site.register_view("sync/connected/", connected, "sync_connected", permission=CREDENTIAL)
