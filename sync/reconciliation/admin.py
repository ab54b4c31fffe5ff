"""Reconciliations and silences in the admin. Read only."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString

from sync.models import Reconciliation, Silence
from trainu.admin_records import Newest, ReadOnly
from trainu.admin_rendering import pill
from trainu.templatetags.time import ago

_TONES = {"running": "info", "done": "ok", "failed": "bad"}


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
    nothing_yet = "They begin by themselves once a location has its token, or by manage.py reconcile."
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
    fields = [
        "location",
        "started_by",
        "state",
        "reason",
        "since",
        "until",
        "requests",
        "contacts_read",
        "appointments_read",
        "missed",
        "told",
        "created_at",
        "next_at",
        "ended_at",
        "cursor",
        "correlation_id",
    ]

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
