"""Channels in the admin: what is set and how the last deliveries went, a change, and a test.

The rule: a secret is entered and never shown, in no field, message or history; what a test came to is read
from the notifications themselves.
"""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET
from pydantic import SecretStr

from observability.admin.notification_words import CHANNELS, STATES, code_in_words, news
from observability.alerts import channels
from observability.models import Channel, Notification
from trainu import navigation, people
from trainu.admin_records import ReadOnly, for_reading
from trainu.admin_rendering import pill
from trainu.admin_site import site
from trainu.people import acting

VIEW, CHANGE = "observability.view_channel", "observability.change_channel"
MOST_TESTS = 5
_STOP_POLLING = 286
_LIST = "admin:observability_channel_changelist"
_SECRETS = {
    "slack": (
        "Address of the incoming webhook",
        "In Slack: your app, Incoming Webhooks. Begins with https://.",
    ),
    "pagerduty": ("Integration key", "In PagerDuty: the service, Integrations, Events API v2."),
}
ABOUT = {
    "slack": "Incidents of SEV1 and SEV2, as they begin and end, into one channel of Slack.",
    "pagerduty": "What must wake somebody: it calls people, and goes on until somebody acknowledges.",
    "email": "Incidents of SEV1 at once, and the daily digest. Through the mail server of EMAIL_URL.",
}


class ChannelForm(forms.Form):
    secret = forms.CharField(
        required=False,
        max_length=500,
        # Never filled in again: an input that is shown is one that can be read.
        widget=forms.PasswordInput(render_value=False, attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    recipients = forms.CharField(
        required=False,
        max_length=4_000,
        label="Recipients",
        help_text="One email address a line.",
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false"}),
    )
    is_enabled = forms.BooleanField(
        required=False, label="On", help_text="Off: nothing goes out here, and others are not told instead."
    )

    def __init__(self, channel: Channel, data: Any = None) -> None:
        given = {"recipients": channel.recipients, "is_enabled": channel.is_enabled}
        super().__init__(data, initial=given, label_suffix="")
        if channel.kind in _SECRETS:
            label, about = _SECRETS[channel.kind]
            kept = " Empty: the one that is set stays." if channel.secret else ""
            self.fields["secret"].label, self.fields["secret"].help_text = label, f"{about}{kept}"
        else:
            del self.fields["secret"]
        if channel.kind != "email":
            del self.fields["recipients"]


@admin.register(Channel)
class ChannelAdmin(ReadOnly):
    actions = None

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        return [self.verb_path("test", self.test, CHANGE), *super().get_urls()]

    @for_reading
    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the channels there are."""
        rows = [(one, CHANNELS[one.kind], ABOUT[one.kind], *standing(one)) for one in Channel.objects.all()]
        context = site.each_context(request) | {"title": "Channels", "opts": self.opts, "rows": rows}
        return TemplateResponse(request, "observability/alerts/channels.html", context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show a channel; change it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        channel = get_object_or_404(Channel, pk=object_id)
        may_change = request.user.has_perm(CHANGE)
        form = ChannelForm(channel, request.POST if request.method == "POST" else None)
        if request.method == "POST":
            if not may_change:
                raise PermissionDenied
            if form.is_valid() and self._save(request, channel, form):
                return HttpResponseRedirect(request.path)
        context = (
            site.each_context(request)
            | _part(channel)
            | {
                "title": CHANNELS[channel.kind],
                "opts": self.opts,
                "about": ABOUT[channel.kind],
                "form": form,
                "may_change": may_change,
                "may_see_notifications": request.user.has_perm("observability.view_notification"),
            }
        )
        return TemplateResponse(request, "observability/alerts/channel.html", context)

    def test(self, request: HttpRequest, channel: Channel) -> HttpResponse:
        """Have a test told."""
        try:
            with transaction.atomic():
                channels.send_test(channel, by=acting(request), now=timezone.now())
        except ValueError as refusal:
            messages.error(request, str(refusal))
        else:
            messages.success(request, "A test is on its way. Below it is said what became of it.")
        return HttpResponseRedirect(f"{_address(channel)}#tests")

    def _save(self, request: HttpRequest, channel: Channel, form: ChannelForm) -> bool:
        data = form.cleaned_data
        try:
            with transaction.atomic():
                channels.change(
                    channel,
                    # Nothing that was entered leaves the one that is there.
                    secret=SecretStr(data["secret"]) if data.get("secret") else None,
                    recipients=data.get("recipients"),
                    is_enabled=data["is_enabled"],
                    by=acting(request),
                    now=timezone.now(),
                )
                self.note(request, channel, "Changed.")
        except ValueError as refusal:
            form.add_error(None, str(refusal))
            return False
        messages.success(request, "Saved. Send a test to see whether it works.")
        return True


@never_cache
@require_GET
def tests(request: HttpRequest, kind: str) -> HttpResponse:
    """Answer with how a channel stands and its last tests; asks for itself again while one waits."""
    if not site.has_permission(request):
        return HttpResponse(status=_STOP_POLLING, headers={"HX-Refresh": "true"})
    if not navigation.may(request.user, VIEW):
        raise PermissionDenied
    channel = Channel.objects.filter(pk=kind).first()
    if channel is None:
        raise Http404("There is no such channel.")
    return TemplateResponse(request, "observability/alerts/channel_part.html", _part(channel))


def standing(channel: Channel) -> tuple[SafeString, str]:
    """Return how a channel stands: a label, and what is to be said about it."""
    if lacking := channels.what_it_lacks(channel):
        return pill("Not set up", "warn"), lacking
    if not channel.is_enabled:
        return pill("Off", "warn"), "Nothing is told here until somebody turns it on."
    if channel.code:
        return pill("Failing", "bad"), f"The last try failed: {code_in_words(channel.code)}."
    if channel.sent_at is None:
        return pill("Not tried", "info"), "Nothing was delivered yet. Send a test."
    return pill("Well", "ok"), "The last try was delivered."


def _part(channel: Channel) -> dict[str, Any]:
    state, words = standing(channel)
    by = channel.changed_by
    rows = Notification.objects.filter(channel=channel.kind, act="test", incident=None).order_by("-id")
    found = list(rows[:MOST_TESTS])
    return {
        "channel": channel,
        "state": state,
        "words": words,
        "recipients": channel.recipients.splitlines(),
        "has_secret": bool(channel.secret),
        "changed_by": people.names([by]).get(by, "") if by else "",
        "tests": [(one, pill(one.get_state_display(), STATES[one.state]), news(one)) for one in found],
        "is_waiting": any(one.state == Notification.State.WAITING for one in found),
    }


def _address(channel: Channel) -> str:
    return reverse("admin:observability_channel_change", args=[channel.pk])


site.register_part("alerts/channel-tests/<slug:kind>/", tests, "channel_tests")
