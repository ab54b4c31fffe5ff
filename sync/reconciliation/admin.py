"""Reconciliations and silences in the admin. Read only, but for the form that begins a reconciliation.

The rule: the part of a page that refreshes itself speaks up only when a state or a stage has changed, and
ends with the run or with the session.
"""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.utils.safestring import SafeString
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from sync.admin import read_back
from sync.models import Reconciliation, Silence
from sync.reconciliation import stages
from trainu import navigation, people
from trainu.admin_records import Newest, ReadOnly
from trainu.admin_rendering import pill
from trainu.admin_site import site
from trainu.templatetags.time import ago

_TONES = {"running": "info", "done": "ok", "failed": "bad"}
_STAGES = {
    stages.CONTACTS: "It reads the contacts that were changed.",
    stages.CALENDARS: "It reads which calendars there are.",
    stages.EVENTS: "It reads the appointments, calendar by calendar.",
    stages.APPOINTMENTS: "It looks up single appointments.",
    stages.END: "It has read all, and ends.",
}
# What htmx takes as: do not ask again.
_ENOUGH = 286


class RecordAdmin(ReadOnly):
    list_select_related = ["location"]
    list_per_page = 50
    list_max_show_all = 50
    sortable_by = ()
    paginator = Newest
    actions = None

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Reconciliation)
class ReconciliationAdmin(RecordAdmin):
    heading = "Reconciliations"
    intro = (
        "GoHighLevel read back for what its webhooks have missed: each hour the last hours, each night the"
        " last day, and whenever somebody asks for it."
    )
    nothing_yet = "They begin by themselves once a location has its token, or when somebody asks for one."
    change_list_template = "sync/reconciliations.html"
    change_form_template = "sync/reconciliation.html"
    list_display = [
        "title",
        "state_pill",
        "location",
        "started_by",
        "contacts_read",
        "appointments_read",
        "missed",
        "events",
        "created",
    ]
    list_filter = ["state", "started_by"]
    show_facets = admin.ShowFacets.NEVER
    ordering = ["-created_at", "-id"]
    fields = ["location", "started_by", "since", "until", "created_at", "cursor", "correlation_id"]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return super().changelist_view(request, read_back.offered(request) | (extra_context or {}))

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **options: Any
    ) -> HttpResponse:
        """Show how far a run is, and who asked for it, as far as this reader may know it."""
        run = options["obj"]
        moments = site.history(request, "sync.reconciliation", str(run.pk))
        names = people.names({moment.by for moment in moments})
        acts = {"acts": [(moment, names.get(moment.by, "")) for moment in moments]}
        return super().render_change_form(request, context | acts | _standing(run), *args, **options)

    @admin.display(description="Reconciliation")
    def title(self, run: Reconciliation) -> str:
        return f"Since {run.since:%d %b %H:%M}"

    @admin.display(description="State")
    def state_pill(self, run: Reconciliation) -> SafeString:
        return pill(run.get_state_display(), _TONES.get(run.state, "info"))

    @admin.display(description="Events told")
    def events(self, run: Reconciliation) -> str:
        return f"{run.told:,}"

    @admin.display(description="Begun")
    def created(self, run: Reconciliation) -> str:
        return ago(run.created_at)


@admin.register(Silence)
class SilenceAdmin(RecordAdmin):
    heading = "Silent locations"
    intro = (
        "Locations whose webhooks have stopped coming. Until they come again, GoHighLevel is asked every 15"
        " minutes. Check there whether the app is installed, and whether its deliveries were paused."
    )
    nothing_yet = "Webhooks come from every location as usual. That is how it should be."
    list_display = ["location", "last", "noticed", "polled"]
    ordering = ["last_at"]

    @admin.display(description="Last webhook")
    def last(self, row: Silence) -> str:
        return ago(row.last_at)

    @admin.display(description="Noticed")
    def noticed(self, row: Silence) -> str:
        return ago(row.noticed_at)

    @admin.display(description="Asked last")
    def polled(self, row: Silence) -> str:
        return ago(row.polled_at)


@never_cache
@require_GET
def progress(request: HttpRequest, pk: int) -> HttpResponse:
    """The part of a run's page that refreshes itself. seen: how it stood when the page was last told."""
    if not site.has_permission(request):
        # A login page has no place inside a page; this stops the asking and loads the page anew.
        return HttpResponse(status=_ENOUGH, headers={"HX-Refresh": "true"})
    if not navigation.may(request.user, read_back.VIEW):
        raise PermissionDenied
    context = _standing(get_object_or_404(Reconciliation, pk=pk))
    context["is_news"] = request.GET.get("seen", "") != context["told"]
    status = 200 if context["is_live"] else _ENOUGH
    return TemplateResponse(request, "sync/reconciliation_progress.html", context, status=status)


def _standing(run: Reconciliation) -> dict[str, Any]:
    """Return what changes while a run is under way. told: tells whether there is news for readers."""
    stage = run.cursor.get("stage", "") if run.requests else ""
    return {
        "run": run,
        "is_live": run.state == Reconciliation.State.RUNNING,
        "state": pill(run.get_state_display(), _TONES.get(run.state, "info")),
        "now_words": _now(run, stage),
        "told": f"{run.state}-{stage}",
    }


def _now(run: Reconciliation, stage: str) -> str:
    if run.state == Reconciliation.State.DONE:
        return "It has come to its end."
    if run.state == Reconciliation.State.FAILED:
        return "It stopped before its end. What was repaired until then stays so."
    return _STAGES.get(stage, "Workers begin within a minute.")


site.register_part("sync/reconciliation/<int:pk>/progress/", progress, "sync_reconciliation_progress")
