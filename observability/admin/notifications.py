"""Notifications in the admin: the outbox as it is, what was given up first, and sending that again.

The rule: nothing is changed here but by the verb. What is told is shown as it is: it holds nothing personal.
"""

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, reverse
from django.utils import timezone

from observability.admin.notification_words import STATES, act_in_words, channel_in_words, code_in_words, news
from observability.alerts import channels
from observability.models import Notification
from trainu.admin_records import ReadOnly, for_reading
from trainu.admin_rendering import pill, pretty, seen
from trainu.admin_site import Need, site
from trainu.people import acting

RESEND = "observability.resend_notification"
ROWS = 50
MOST_DEAD = 20
# What could not be told for longer is news to nobody.
ASKED_FOR = timedelta(days=3)
_LIST = "admin:observability_notification_changelist"
_TABS = (
    ("", "All"),
    ("dead", "Given up"),
    ("waiting", "Waiting"),
    ("sent", "Sent"),
    ("silenced", "Silenced"),
)


@admin.register(Notification)
class NotificationAdmin(ReadOnly):
    actions = None

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        return [self.verb_path("resend", self.resend, RESEND), *super().get_urls()]

    @for_reading
    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show what was, or is, to be told: what was given up first, then the newest."""
        state = request.GET.get("state", "")
        state = state if state in STATES else ""
        older = request.GET.get("older", "")
        older_than = int(older) if older.isascii() and older.isdigit() and len(older) < 19 else 0
        all_rows = Notification.objects.select_related("incident").order_by("-id")
        dead = [] if state or older_than else list(all_rows.filter(state="dead")[: MOST_DEAD + 1])
        rows = all_rows.filter(state=state) if state else all_rows
        rows = rows.filter(pk__lt=older_than) if older_than else rows
        found = list(rows[: ROWS + 1])
        context = site.each_context(request) | {
            "title": "Notifications",
            "opts": self.opts,
            "dead": [_row(one) for one in dead[:MOST_DEAD]],
            "is_more_dead": len(dead) > MOST_DEAD,
            "rows": [_row(one) for one in found[:ROWS]],
            "tabs": [(label, _query(state=name), name == state) for name, label in _TABS],
            "state": state,
            "is_first": not older_than,
            "older": _query(state=state, older=found[ROWS - 1].pk) if len(found) > ROWS else "",
            "may_resend": request.user.has_perm(RESEND),
            "may_see_incidents": request.user.has_perm("observability.view_incident"),
            "here": request.get_full_path(),
        }
        return TemplateResponse(request, "observability/alerts/notifications.html", context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show one notification."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        is_number = object_id.isascii() and object_id.isdigit() and len(object_id) < 19
        rows = Notification.objects.select_related("incident")
        found = get_object_or_404(rows, pk=object_id if is_number else 0)
        context = site.each_context(request) | {
            "title": "Notification",
            "subtitle": f"{channel_in_words(found.channel)}: {act_in_words(found).lower()}",
            "opts": self.opts,
            "row": _row(found),
            "code": code_in_words(found.code),
            "body": pretty(found.body),
            "may_resend": request.user.has_perm(RESEND) and found.state == Notification.State.DEAD,
            "may_see_incidents": request.user.has_perm("observability.view_incident"),
        }
        return TemplateResponse(request, "observability/alerts/notification.html", context)

    def resend(self, request: HttpRequest, notification: Notification) -> HttpResponse:
        """Let what was given up be tried again."""
        try:
            channels.resend(notification, by=acting(request), now=timezone.now())
        except ValueError as refusal:
            messages.error(request, str(refusal))
        else:
            messages.success(
                request, "It is tried again now, within seconds. Reload to see what became of it."
            )
        return HttpResponseRedirect(
            reverse("admin:observability_notification_change", args=[notification.pk])
        )


def given_up(_request: HttpRequest) -> list[Need]:
    """Return that something could not be told to anybody on its channel."""
    rows = Notification.objects.filter(state="dead", created_at__gt=timezone.now() - ASKED_FOR)
    dead = list(rows.exclude(act="test").order_by("id").values_list("created_at", flat=True)[:100])
    if not dead:
        return []
    number = f"{len(dead)}{'+' if len(dead) == 100 else ''} notification{'' if len(dead) == 1 else 's'}"
    return [
        Need(
            f"{number} could not be delivered",
            f"{reverse(_LIST)}?state=dead",
            "Whoever should have been told was not, on that channel. Mend the channel, then send them again.",
            since=dead[0],
            urgency=2,
        )
    ]


def _row(one: Notification) -> dict[str, Any]:
    return {
        "one": one,
        "state": pill(one.get_state_display(), STATES[one.state]),
        "channel": channel_in_words(one.channel),
        "act": act_in_words(one),
        "incident": seen(one.incident.title) if one.incident else "",
        "news": news(one),
    }


def _query(**given: Any) -> str:
    return f"?{urlencode({name: value for name, value in given.items() if value})}"


site.register_need(given_up, permission=RESEND)
