"""Quarantine: what was refused, one line a mistake; and letting it in once the catalog knows better."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, reverse
from django.utils.safestring import SafeString
from django_q.tasks import async_task

from observability.admin.event_definition_form import NAME
from observability.audit.actions import Action
from observability.audit.recording import record
from observability.models import ApiKey, EventDefinition, QuarantinedEvent, QuarantineGroup
from observability.refusals import Code
from trainu.admin_records import ReadOnly
from trainu.admin_rendering import pill, pretty_text
from trainu.admin_site import site
from trainu.templatetags.time import ago

SAMPLE = 5
# Waiting events are counted no further: nobody acts differently for more.
_COUNTED = 10_000
_ADD = "observability.add_eventdefinition"
_REINGEST = "observability.reingest_quarantinegroup"
_TONES = {"open": "warn", "reingesting": "info", "empty": "ok"}


class ReasonFilter(admin.SimpleListFilter):
    """Why events were refused, in words."""

    title = "reason"
    parameter_name = "code"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(code.value, _in_words(code)) for code in Code]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[QuarantineGroup]
    ) -> QuerySet[QuarantineGroup]:
        return queryset.filter(code=self.value()) if self.value() else queryset


@admin.register(QuarantineGroup)
class QuarantineGroupAdmin(ReadOnly):
    heading = "Quarantine"
    intro = (
        "Events that were refused, one line a mistake. Nothing of them is lost: tell the app's developers, "
        "or let the catalog know the event, and then let them in."
    )
    nothing_yet = "Every event that was reported so far was accepted."
    list_display = ["title", "what_is_wrong", "refused_figure", "state_pill", "last_seen"]
    list_filter = ["state", ReasonFilter]
    search_fields = ["event", "property"]
    search_help_text = "Event or property"

    def has_delete_permission(self, request: HttpRequest, obj: QuarantineGroup | None = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        return [self.verb_path("reingest", self.reingest, _REINGEST), *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show a mistake: what was expected, a sample of what came, and what can be done."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        group = get_object_or_404(QuarantineGroup, pk=object_id if object_id.isdecimal() else 0)
        sample = list(group.events.order_by("-received_at")[:SAMPLE])
        waiting = group.events.order_by()[:_COUNTED].count()
        is_unknown = group.code == Code.UNKNOWN_EVENT
        definition = EventDefinition.objects.filter(name=group.event).first()
        may_add = is_unknown and not definition and request.user.has_perm(_ADD)
        add_url = reverse("admin:observability_eventdefinition_add")
        context = site.each_context(request) | {
            "title": "Quarantine",
            "subtitle": f"{group.event}: {_in_words(group.code).lower()} {group.property}".rstrip(),
            "opts": self.opts,
            "group": group,
            "state": self.state_pill(group),
            "waiting": f"{waiting:,}{'+' if waiting == _COUNTED else ''}",
            "sample": [(item, pretty_text(item.payload)) for item in sample],
            "keys": _keys(sample),
            "is_unknown": is_unknown,
            "definition": definition,
            "is_usable_name": bool(NAME.fullmatch(group.event)),
            "add_url": f"{add_url}?{urlencode({'from_group': group.pk})}" if may_add else "",
            "may_reingest": request.user.has_perm(_REINGEST),
        }
        return TemplateResponse(request, "observability/quarantine_group.html", context)

    def reingest(self, request: HttpRequest, group: QuarantineGroup) -> HttpResponse:
        """Have a worker try the group's events again."""
        with transaction.atomic():
            async_task("observability.tasks.reingest", group.pk)
            record(Action.QUARANTINE_REINGEST, target=group)
            self.note(request, group, "Re-ingested.")
        messages.info(
            request,
            f"A worker is trying the events of “{group.event}” again. Those that fit now become events; "
            "the others stay here with today's reason. Reload to see how far it is.",
        )
        return HttpResponseRedirect(reverse("admin:observability_quarantinegroup_change", args=[group.pk]))

    @admin.display(description="Event", ordering="event")
    def title(self, group: QuarantineGroup) -> str:
        return group.event

    @admin.display(description="What is wrong", ordering="code")
    def what_is_wrong(self, group: QuarantineGroup) -> str:
        return group.message

    @admin.display(description="Refused", ordering="refused")
    def refused_figure(self, group: QuarantineGroup) -> str:
        return f"{group.refused:,}"

    @admin.display(description="State", ordering="state")
    def state_pill(self, group: QuarantineGroup) -> SafeString:
        words = "Let in" if group.state == QuarantineGroup.State.EMPTY else group.get_state_display()
        return pill(words, _TONES[group.state])

    @admin.display(description="Last seen", ordering="last_seen_at")
    def last_seen(self, group: QuarantineGroup) -> str:
        return ago(group.last_seen_at)


def _in_words(code: str) -> str:
    return str(code).replace("_", " ").capitalize()


def _keys(sample: list[QuarantinedEvent]) -> list[ApiKey]:
    """Return the keys with which the sample was sent: they name the apps to talk to."""
    ids = {item.api_key_id for item in sample if item.api_key_id}
    return list(ApiKey.objects.filter(pk__in=ids)) if ids else []


site.register_badge(
    "admin:observability_quarantinegroup_changelist",
    lambda: QuarantineGroup.objects.filter(state=QuarantineGroup.State.OPEN).count(),
)
