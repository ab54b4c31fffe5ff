"""The mirror in the admin: what we know of contacts and appointments in GoHighLevel. Read only."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from sync.mirror.seen import Status
from sync.models import AppointmentState, ContactState
from trainu.admin_records import Newest, ReadOnly
from trainu.admin_rendering import block, pill, pretty
from trainu.templatetags.time import ago

_LEADS = {"open": "warn", "told": "ok", "ours": "info", "old": "info"}
_STATUSES = {
    Status.CONFIRMED: "ok",
    Status.SHOWED: "ok",
    Status.COMPLETED: "ok",
    Status.NO_SHOW: "bad",
    Status.CANCELED: "warn",
    Status.INVALID: "warn",
    Status.UNKNOWN: "warn",
}


class StateAdmin(ReadOnly):
    """A list of the newest thousand; any other is found by a whole id, for which there is an index."""

    list_select_related = ["location"]
    list_per_page = 50
    list_max_show_all = 50
    ordering = ["-id"]
    sortable_by = ()
    paginator = Newest
    actions = None
    show_facets = admin.ShowFacets.NEVER
    search_fields = ["id"]
    found_by: tuple[str, ...] = ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        for name in self.found_by:
            if (found := queryset.filter(**{name: term})).exists():
                return found, False
        return queryset.none(), False


@admin.register(ContactState)
class ContactStateAdmin(StateAdmin):
    heading = "Contacts"
    intro = (
        "Contacts of GoHighLevel that we have seen, by id and time alone, and whether they were new leads."
    )
    nothing_yet = "Webhooks of GoHighLevel and reconciliation write here what they see."
    list_display = ["contact_id", "lead_pill", "location", "added", "first_seen"]
    search_help_text = "Whole id of a contact"
    found_by = ("contact_id",)
    fields = [
        "contact_id",
        "location",
        "lead",
        "added_at",
        "updated_at",
        "first_seen_at",
        "is_deleted",
        "ours_since",
        "decide_at",
    ]

    @admin.display(description="Lead")
    def lead_pill(self, row: ContactState) -> SafeString:
        return pill(row.get_lead_display(), _LEADS.get(row.lead, "info"))

    @admin.display(description="Added there")
    def added(self, row: ContactState) -> str:
        return ago(row.added_at)

    @admin.display(description="First seen")
    def first_seen(self, row: ContactState) -> str:
        return ago(row.first_seen_at)


@admin.register(AppointmentState)
class AppointmentStateAdmin(StateAdmin):
    heading = "Appointments"
    intro = "Appointments of GoHighLevel as we know them: how they stand, and how they came to that."
    nothing_yet = "Webhooks of GoHighLevel and reconciliation write here what they see."
    list_display = ["appointment_id", "status_pill", "location", "starts", "updated"]
    search_help_text = "Whole id of an appointment or of a contact"
    found_by = ("appointment_id", "contact_id")
    fields = [
        "appointment_id",
        "location",
        "status",
        "starts_at",
        "ends_at",
        "contact_id",
        "calendar_id",
        "assigned_user_id",
        "added_at",
        "updated_at",
        "first_seen_at",
        "is_deleted",
        "is_ours",
        "is_doubtful",
        "past",
    ]
    readonly_fields = ["past"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[AppointmentState]:
        rows: QuerySet[AppointmentState] = super().get_queryset(request)
        return rows.defer("history")

    @admin.display(description="Status")
    def status_pill(self, row: AppointmentState) -> SafeString:
        if row.is_deleted:
            return pill("Deleted", "warn")
        return pill(row.get_status_display(), _STATUSES.get(Status(row.status), "info"))

    @admin.display(description="Starts")
    def starts(self, row: AppointmentState) -> str:
        return ago(row.starts_at)

    @admin.display(description="Changed there")
    def updated(self, row: AppointmentState) -> str:
        return ago(row.updated_at)

    @admin.display(description="Versions seen, and what was told")
    def past(self, row: AppointmentState) -> SafeString:
        return block(pretty(row.history))
