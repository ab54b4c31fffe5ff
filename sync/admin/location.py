"""Locations: whether they are worked for, whether GoHighLevel answers; pause, resume, limits, tokens.

The rule: a token that was entered is never shown again, nor kept in any answer.
"""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from pydantic import SecretStr

from sync import connections, credentials, locations, retrying
from sync.admin import flight, origin, read_back, workflow_address
from sync.models import Budget, Credential, Location
from trainu.admin_records import Explained, history_only
from trainu.admin_rendering import code, pill
from trainu.admin_site import site
from trainu.encryption import Unreadable

PAUSE = "sync.pause_location"
CHANGE = "sync.change_location"
CREDENTIAL = "sync.change_credential"

_LASTS = {
    "": ("until somebody resumes it", None),
    "1": ("for an hour", timedelta(hours=1)),
    "4": ("for four hours", timedelta(hours=4)),
    "24": ("for a day", timedelta(days=1)),
    "168": ("for a week", timedelta(days=7)),
}
_BREAKER_TONES = {"closed": "ok", "open": "bad", "ramping": "warn"}


class NewLocationForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Location
        fields = ["id", "name"]

    def clean_id(self) -> str:
        location_id = str(self.cleaned_data["id"]).strip()
        try:
            locations.check_id(location_id)
        except locations.Refused as refusal:
            raise forms.ValidationError(str(refusal)) from None
        return location_id


class PauseForm(forms.Form):
    reason = forms.CharField(label="Reason, for whoever finds it paused", max_length=300)
    lasts = forms.ChoiceField(
        label="How long", required=False, choices=[(key, words) for key, (words, _) in _LASTS.items()]
    )


class ResumeForm(forms.Form):
    reason = forms.CharField(
        label="Reason, if somebody may ask later",
        max_length=locations.LONGEST_REASON,
        required=False,
    )


class LimitsForm(forms.Form):
    burst_limit = forms.IntegerField(label="Requests in ten seconds")
    daily_limit = forms.IntegerField(label="Requests a day (UTC)")


class TokenForm(forms.Form):
    # render_value is off: a page that comes back with an error holds no token.
    token = forms.CharField(
        label="Token of the private integration",
        max_length=8192,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )


@admin.register(Location)
class LocationAdmin(Explained):
    heading = "Locations"
    intro = "Sub-accounts of GoHighLevel that are worked for. What is held loses nothing: its jobs wait."
    nothing_yet = "Add one by its id and enter its token, or connect our app of GoHighLevel's marketplace."
    form = NewLocationForm
    change_list_template = "sync/locations.html"
    list_display = ["name", "state_pill", "reason", "breaker_pill", "entered_by", "their_id"]
    list_filter = ["state", "breaker__state"]
    list_select_related = ["breaker", "credential"]
    list_per_page = 100
    search_fields = ["name", "=id"]
    search_help_text = "Name or id"
    show_facets = admin.ShowFacets.NEVER
    actions = None

    def has_delete_permission(self, request: HttpRequest, obj: Location | None = None) -> bool:
        """Its jobs explain themselves by it: it is paused, never deleted."""
        return False

    def get_urls(self) -> list[URLPattern]:
        verbs = [
            self.verb_path("pause", self.pause, PAUSE),
            self.verb_path("resume", self.resume, PAUSE),
            self.verb_path("retry", self.retry, flight.RETRY),
            self.verb_path("limits", self.limits, CHANGE),
            self.verb_path("token", self.token, CREDENTIAL),
            self.verb_path("read_back", self.read_back, read_back.START),
            self.verb_path("issue", workflow_address.issue, workflow_address.ISSUE),
        ]
        return [*verbs, *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        may = connections.is_configured() and request.user.has_perm(CREDENTIAL)
        return super().changelist_view(request, {"may_connect": may, **(extra_context or {})})

    def save_model(self, request: HttpRequest, obj: Location, form: Any, change: bool) -> None:
        locations.add(obj.pk, obj.name, now=timezone.now())

    def log_addition(self, request: HttpRequest, obj: Location, message: Any) -> Any:
        """For the location's history; the verb has audited it."""
        with history_only():
            return super().log_addition(request, obj, message)

    def response_add(
        self, request: HttpRequest, obj: Location, post_url_continue: Any = None
    ) -> HttpResponse:
        messages.success(request, "Added. Enter its token now: until then its jobs wait.")
        return _back(obj.pk)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show a location with what may be done. Each form goes to its own address."""
        row = self.get_object(request, admin.utils.unquote(object_id))
        if row is None:
            raise Http404("There is no such location.")
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        if request.method not in {"GET", "HEAD"}:
            return HttpResponse(status=405, headers={"Allow": "GET, HEAD"})
        return TemplateResponse(request, "sync/location.html", self._context(request, row))

    def _context(self, request: HttpRequest, row: Location) -> dict[str, Any]:
        now = timezone.now()
        limits = {"burst_limit": row.burst_limit, "daily_limit": row.daily_limit}
        budget = Budget.objects.filter(pk=row.pk).first()
        rests_until = budget.held_until if budget else None
        may = request.user.has_perm
        return site.each_context(request) | {
            "title": row.name,
            "opts": self.opts,
            "location": row,
            "state": state_pill(row),
            "is_held": locations.is_held(row, now),
            "is_over": row.state == Location.State.PAUSED and not locations.is_held(row, now),
            "breaker": getattr(row, "breaker", None),
            "breaker_pill": self.breaker_pill(row),
            "used_today": budget.used_today if budget and budget.day == now.date() else 0,
            "rests_until": rests_until if rests_until and rests_until > now else None,
            "credential": Credential.objects.filter(pk=row.pk).first(),
            "renewal": _renewal(row),
            "pause_form": PauseForm(label_suffix="", auto_id="id_pause_%s"),
            "resume_form": ResumeForm(label_suffix="", auto_id="id_resume_%s"),
            "retry_form": flight.ReasonForm(label_suffix="", auto_id="id_retry_%s"),
            "limits_form": LimitsForm(initial=limits, label_suffix=""),
            "token_form": TokenForm(label_suffix=""),
            "read_back_form": read_back.offered_for(request),
            "workflow": workflow_address.panel(request, row),
            "may_pause": may(PAUSE),
            "may_retry": may(flight.RETRY),
            "may_change": may(CHANGE),
            "may_enter": may(CREDENTIAL),
            "may_connect": may(CREDENTIAL) and connections.is_configured(),
            "may_see_jobs": may("sync.view_syncjob"),
        }

    def pause(self, request: HttpRequest, row: Location) -> HttpResponse:
        """Send nothing for it, for a time."""
        form = PauseForm(request.POST)
        if not form.is_valid():
            return _failed(request, row, "Say why, and choose for how long.")
        now = timezone.now()
        lasts = _LASTS[form.cleaned_data["lasts"]][1]
        return self._do(
            request,
            row,
            lambda: locations.pause(
                row.pk, form.cleaned_data["reason"], until=now + lasts if lasts else None, now=now
            ),
            "Paused. What is under way still ends; everything else waits.",
        )

    def resume(self, request: HttpRequest, row: Location) -> HttpResponse:
        """Let it go on."""
        form = ResumeForm(request.POST)
        if not form.is_valid():
            return _failed(request, row, "Say why in up to 300 characters, or say nothing.")
        words = "Resumed. What has waited goes out as fast as its limits allow."
        reason = form.cleaned_data["reason"]
        return self._do(request, row, lambda: locations.resume(row.pk, reason=reason), words)

    def retry(self, request: HttpRequest, row: Location) -> HttpResponse:
        """Try all that waits for a later try, from now on."""
        form = flight.ReasonForm(request.POST)
        if not form.is_valid():
            return _failed(request, row, "Say why in up to 300 characters, or say nothing.")
        with transaction.atomic():
            retried = retrying.retry_now(
                location_id=row.pk, by=None, reason=form.cleaned_data["reason"], now=timezone.now()
            )
            if retried.jobs:
                self.note(request, row, f"{retried.jobs:,} waiting jobs tried now.")
        flight.tell(request, retried)
        return origin.back(request, _address(row.pk))

    def read_back(self, request: HttpRequest, row: Location) -> HttpResponse:
        """Read it back from GoHighLevel."""
        read_back.begin_for(request, row.pk, note=lambda words: self.note(request, row, words))
        return _back(row.pk)

    def limits(self, request: HttpRequest, row: Location) -> HttpResponse:
        """Change how fast it may go."""
        form = LimitsForm(request.POST)
        if not form.is_valid():
            return _failed(request, row, "Limits are whole numbers.")
        return self._do(
            request, row, lambda: locations.edit_limits(row.pk, **form.cleaned_data), "Limits changed."
        )

    def token(self, request: HttpRequest, row: Location) -> HttpResponse:
        """Check and keep a private integration's token. GoHighLevel is asked outside of any transaction."""
        form = TokenForm(request.POST)
        if not form.is_valid():
            return _failed(request, row, "Enter the token.")
        try:
            connections.enter_private_token(row.pk, SecretStr(form.cleaned_data["token"]), now=timezone.now())
        except locations.Refused as refusal:
            return _failed(request, row, str(refusal))
        self.note(request, row, "Token entered.")
        messages.success(request, "GoHighLevel accepts the token. It is kept encrypted, and not shown again.")
        return _back(row.pk)

    def _do(self, request: HttpRequest, row: Location, verb: Any, words: str) -> HttpResponse:
        try:
            with transaction.atomic():
                verb()
                self.note(request, row, words.partition(".")[0] + ".")
        except locations.Refused as refusal:
            return _failed(request, row, str(refusal))
        messages.success(request, words)
        return _back(row.pk)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Location]:
        rows: QuerySet[Location] = super().get_queryset(request)
        return rows.defer("credential__access_token", "credential__refresh_token")

    @admin.display(description="Id", ordering="pk")
    def their_id(self, row: Location) -> SafeString:
        return code(row.pk)

    @admin.display(description="State", ordering="state")
    def state_pill(self, row: Location) -> SafeString:
        return state_pill(row)

    @admin.display(description="Why")
    def reason(self, row: Location) -> str:
        return row.state_reason if locations.is_held(row, timezone.now()) else "-"

    @admin.display(description="GoHighLevel")
    def breaker_pill(self, row: Location) -> SafeString | str:
        breaker = getattr(row, "breaker", None)
        return pill(breaker.get_state_display(), _BREAKER_TONES[breaker.state]) if breaker else "-"

    @admin.display(description="Entered by")
    def entered_by(self, row: Location) -> SafeString | str:
        credential = getattr(row, "credential", None)
        return credential.get_kind_display() if credential else pill("No token", "bad")


def state_pill(row: Location) -> SafeString:
    """Return whether a location is worked for, as a coloured label."""
    if row.state == Location.State.MISCONFIGURED:
        return pill("Misconfigured", "bad")
    return pill("Paused", "warn") if locations.is_held(row, timezone.now()) else pill("Active", "ok")


def _renewal(row: Location) -> str:
    """Return what will become of a location's token."""
    try:
        held = credentials.held(row.pk)
    except Unreadable as error:
        return str(error)
    if held is None or held.expires_at is None:
        return "It lasts until it is replaced."
    if held.refresh is None:
        return "It was bought with the agency's token and cannot be renewed: enter another before it ends."
    return "It is renewed by itself."


def _address(location_id: str) -> str:
    return reverse("admin:sync_location_change", args=[admin.utils.quote(location_id)])


def _back(location_id: str) -> HttpResponse:
    return HttpResponseRedirect(_address(location_id))


def _failed(request: HttpRequest, row: Location, words: str) -> HttpResponse:
    messages.error(request, words)
    return _back(row.pk)
