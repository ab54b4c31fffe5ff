"""Quarantine: what was refused, one line a mistake; and letting it in once the catalog knows better."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST
from django_q.tasks import async_task

from observability.admin.rendering import pill, pretty_text
from observability.models import QuarantineGroup
from observability.refusals import Code
from trainu.admin_site import site
from trainu.templatetags.time import ago

SAMPLE = 5


@admin.register(QuarantineGroup)
class QuarantineGroupAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["title", "reason", "property", "refused_words", "state_pill", "last_seen"]
    list_filter = ["state", "code"]
    search_fields = ["event", "property"]
    search_help_text = "Event or property"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: QuarantineGroup | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: QuarantineGroup | None = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        reingest = path(
            "<int:group_id>/reingest/",
            self.admin_site.admin_view(require_POST(self.reingest)),
            name="quarantine_reingest",
        )
        return [reingest, *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show a mistake: what was expected, a sample of what came, and what can be done."""
        if not self.has_view_permission(request):
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined, no-any-return]
        group = get_object_or_404(QuarantineGroup, pk=object_id if object_id.isdigit() else 0)
        sample = list(group.events.order_by("-received_at")[:SAMPLE])
        add_url = (
            f"{reverse('admin:observability_eventdefinition_add')}?{urlencode({'from_group': group.pk})}"
        )
        is_unknown = group.code == Code.UNKNOWN_EVENT
        context = site.each_context(request) | {
            "title": "Quarantine",
            "subtitle": str(group),
            "opts": self.opts,
            "group": group,
            "sample": [(item, pretty_text(item.payload)) for item in sample],
            "add_url": add_url if is_unknown and request.user.has_perm(_ADD) else "",
            "may_reingest": request.user.has_perm(_REINGEST),
        }
        return TemplateResponse(request, "observability/quarantine_group.html", context)

    def reingest(self, request: HttpRequest, group_id: int) -> HttpResponse:
        """Have a worker try the group's events again."""
        if not request.user.has_perm(_REINGEST):
            return HttpResponse(status=403)
        group = get_object_or_404(QuarantineGroup, pk=group_id)
        async_task("observability.tasks.reingest", group.pk)
        messages.info(
            request,
            f"A worker is trying the events of “{group}” again. Those that fit now become events; "
            "the others stay here with today's reason.",
        )
        return HttpResponseRedirect(reverse("admin:observability_quarantinegroup_change", args=[group.pk]))

    @admin.display(description="Event", ordering="event")
    def title(self, group: QuarantineGroup) -> str:
        return group.event

    @admin.display(description="Reason", ordering="code")
    def reason(self, group: QuarantineGroup) -> str:
        return Code(group.code).replace("_", " ").capitalize()

    @admin.display(description="Refused", ordering="refused")
    def refused_words(self, group: QuarantineGroup) -> str:
        return f"{group.refused:,}"

    @admin.display(description="State", ordering="state")
    def state_pill(self, group: QuarantineGroup) -> SafeString:
        tone = {"open": "warn", "reingesting": "info", "empty": "ok"}[group.state]
        return pill(group.get_state_display(), tone)

    @admin.display(description="Last seen", ordering="last_seen_at")
    def last_seen(self, group: QuarantineGroup) -> str:
        return ago(group.last_seen_at)


_ADD = "observability.add_eventdefinition"
_REINGEST = "observability.reingest_quarantinegroup"

site.register_badge(
    "admin:observability_quarantinegroup_changelist",
    lambda: QuarantineGroup.objects.filter(state=QuarantineGroup.State.OPEN).count(),
)
