"""Silences in the admin: those that hold and those that are over, one more, and an early end.

The rule: a silence is never deleted or changed, only ended; whoever looks later sees why nobody was told.
"""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, reverse
from django.utils import timezone

from observability.alerts import cursors, incident_search, silences
from observability.models import AlertRule, Silence
from trainu import people
from trainu.admin_records import ReadOnly, for_reading
from trainu.admin_rendering import pill, seen
from trainu.admin_site import Need, site
from trainu.people import acting

ADD, VIEW = "observability.add_silence", "observability.view_silence"
EVERY = "*"
MOST_HOLDING = 100
ROWS = 50
_LIST = "admin:observability_silence_changelist"
UNTIL = "until"
LASTS = {
    "1": ("1 hour", timedelta(hours=1)),
    "4": ("4 hours", timedelta(hours=4)),
    "24": ("24 hours", timedelta(hours=24)),
    "72": ("3 days", timedelta(days=3)),
    "168": ("7 days", timedelta(days=7)),
}


def _rules() -> list[tuple[str, str]]:
    named = list(AlertRule.objects.order_by("title").values_list("code", "title"))
    return [("", "Choose a rule"), *named, (EVERY, "Every rule, SEV1 too")]


class SilenceForm(forms.Form):
    rule = forms.ChoiceField(
        choices=_rules,
        label="Rule",
        help_text=(
            "What nobody is to be told of. Every rule, the last choice, also silences what is worst:"
            " nobody is called, whatever happens."
        ),
        error_messages={"required": "Choose a rule. Every rule is the last choice."},
    )
    group = forms.CharField(
        required=False,
        max_length=64,
        label="Group",
        help_text="Only of one, such as a location's id. Empty: of all.",
    )
    lasts = forms.ChoiceField(
        label="For", choices=[*((key, words) for key, (words, _) in LASTS.items()), (UNTIL, "Until a time")]
    )
    ends_at = forms.DateTimeField(
        required=False,
        label="Until, UTC",
        help_text="For the last choice; 30 days from now at most.",
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )
    reason = forms.CharField(
        max_length=silences.LONGEST_REASON,
        label="Why, for whoever wonders",
        error_messages={"required": "Say why: somebody will wonder why nobody was told."},
    )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if cleaned.get("lasts") == UNTIL and not cleaned.get("ends_at") and "ends_at" not in self.errors:
            self.add_error("ends_at", "Give the time until when.")
        return cleaned

    def until(self, now: datetime) -> datetime:
        """Return when it is to end. Of a form that is valid."""
        lasts = self.cleaned_data["lasts"]
        if lasts != UNTIL:
            return now + LASTS[lasts][1]
        return self.cleaned_data["ends_at"].replace(tzinfo=UTC)  # type: ignore[no-any-return]


@admin.register(Silence)
class SilenceAdmin(ReadOnly):
    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(ADD)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        return [self.verb_path("end", self.end, ADD), *super().get_urls()]

    @for_reading
    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show what holds, and what is over, the newest first."""
        now = timezone.now()
        rows = Silence.objects.select_related("rule")
        position = _position(request)
        holding = (
            [] if position else list(rows.filter(ends_at__gt=now).order_by("ends_at", "id")[:MOST_HOLDING])
        )
        over = rows.filter(ends_at__lte=now).order_by("-ends_at", "-id")
        if position:
            at, id = position
            over = over.filter(Q(ends_at__lt=at) | Q(ends_at=at, id__lt=id))
        found = list(over[: ROWS + 1])
        last = found[ROWS - 1] if len(found) > ROWS else None
        names = people.names({name for one in [*holding, *found] for name in (one.by, one.ended_by) if name})
        context = site.each_context(request) | {
            "title": "Silences",
            "opts": self.opts,
            "holding": [_row(one, names) for one in holding],
            "over": [_row(one, names) for one in found[:ROWS]],
            "is_first": position is None,
            "older": urlencode({"older": cursors.written((last.ends_at, last.pk))}) if last else "",
            "may_add": self.has_add_permission(request),
        }
        return TemplateResponse(request, "observability/alerts/silences.html", context)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Begin one. The address may fill in rule and group."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        given = {name: request.GET.get(name, "").replace("\x00", "") for name in ("rule", "group")}
        form = SilenceForm(request.POST or None, initial=given, label_suffix="")
        if request.method == "POST" and form.is_valid() and self._begin(request, form):
            return HttpResponseRedirect(reverse(_LIST))
        context = site.each_context(request) | {"title": "Add silence", "opts": self.opts, "form": form}
        return TemplateResponse(request, "observability/alerts/silence_add.html", context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show one silence."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        is_number = object_id.isascii() and object_id.isdigit() and len(object_id) < 19
        found = get_object_or_404(Silence.objects.select_related("rule"), pk=object_id if is_number else 0)
        names = people.names({found.by, found.ended_by} - {""})
        is_over = found.ends_at <= timezone.now()
        context = site.each_context(request) | {
            "title": "Silence",
            "subtitle": seen(": ".join(filter(None, (_of(found), found.group)))),
            "opts": self.opts,
            "silence": found,
            "row": _row(found, names),
            "state": pill("Over", "") if is_over else pill("Holds", "warn"),
            "is_over": is_over,
            "may_end": request.user.has_perm(ADD) and not is_over,
        }
        return TemplateResponse(request, "observability/alerts/silence.html", context)

    def end(self, request: HttpRequest, silence: Silence) -> HttpResponse:
        """End it now."""
        if silences.end(silence, by=acting(request), now=timezone.now()):
            messages.success(request, "Ended. What happens from now on is told again.")
        else:
            messages.info(request, "It was over already.")
        return HttpResponseRedirect(reverse(_LIST))

    def _begin(self, request: HttpRequest, form: SilenceForm) -> bool:
        now, data = timezone.now(), form.cleaned_data
        rule = None if data["rule"] == EVERY else AlertRule.objects.get(pk=data["rule"])
        try:
            silences.begin(
                rule,
                data["group"],
                reason=data["reason"],
                ends_at=form.until(now),
                by=acting(request),
                now=now,
            )
        except silences.Refused as refusal:
            form.add_error(None, str(refusal))
            return False
        messages.success(request, "Silenced. Incidents open and are seen as always; nobody is told of them.")
        if data["group"] and not incident_search.is_known(rule, data["group"]):
            messages.warning(
                request,
                f"Nothing was ever seen of the group “{seen(data['group'])}”. See whether it is spelt right.",
            )
        return True


def everything(_request: HttpRequest) -> list[Need]:
    """Return that nobody is told of anything, while a silence of every rule holds."""
    now = timezone.now()
    found = (
        Silence.objects.filter(rule=None, group="", begins_at__lte=now, ends_at__gt=now)
        .order_by("-ends_at", "-id")
        .first()
    )
    if found is None:
        return []
    return [
        Need(
            "Nobody is told of any incident: every rule is silenced",
            reverse("admin:observability_silence_change", args=[found.pk]),
            f"{seen(found.reason).rstrip('.')}. End it as soon as it is not needed any more.",
            since=found.begins_at,
            urgency=2,
        )
    ]


def _position(request: HttpRequest) -> cursors.Position | None:
    try:
        return cursors.read(request.GET.get("older"))
    except cursors.Unreadable:
        return None


def _of(one: Silence) -> str:
    return one.rule.title if one.rule else "Every rule"


def _row(one: Silence, names: dict[str, str]) -> dict[str, Any]:
    return {
        "silence": one,
        "group": seen(one.group),
        "reason": seen(one.reason),
        "by": names.get(one.by, ""),
        "ended_by": names.get(one.ended_by, ""),
    }


site.register_need(everything, permission=VIEW)
