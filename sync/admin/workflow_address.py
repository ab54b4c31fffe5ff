"""Workflow addresses: issued for a location and shown once, listed, and revoked.

The rule: the page that shows a secret is the answer to the form that asked for it; no cache keeps it, and
no other page can show it again.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from sync.models import Location, WorkflowAddress
from sync.webhooks import workflow
from trainu.admin_records import Newest, ReadOnly
from trainu.admin_rendering import pill
from trainu.admin_site import site
from trainu.templatetags.time import ago

VIEW = "sync.view_workflowaddress"
ISSUE = "sync.add_workflowaddress"
REVOKE = "sync.change_workflowaddress"
# On a location's page; the list has the rest.
MOST = 20


@dataclass(frozen=True, slots=True)
class Panel:
    """What a location's page shows of its addresses, to this reader. heard_at: when one was used last."""

    heard_at: datetime | None
    addresses: list[WorkflowAddress]
    is_more: bool
    may_issue: bool
    may_revoke: bool


def panel(request: HttpRequest, location: Location) -> Panel | None:
    """Return a location's newest addresses, valid ones first; None for who may not see them."""
    may = request.user.has_perm
    if not any(may(permission) for permission in (VIEW, ISSUE, REVOKE)):
        return None
    rows = location.workflow_addresses.order_by("-issued_at", "-pk")
    found = list(rows[: MOST + 1])
    shown = sorted(found[:MOST], key=lambda row: row.revoked_at is not None)
    heard_at = workflow.heard_at(location.pk) if found else None
    return Panel(heard_at, shown, len(found) > MOST, may(ISSUE), may(REVOKE))


def issue(request: HttpRequest, location: Location) -> HttpResponse:
    """Issue an address and show it, this once."""
    issued = workflow.issue_address(location, now=timezone.now())
    context = site.each_context(request) | {
        "title": "Workflow address",
        "location": location,
        "number": issued.address.pk,
        "address": request.build_absolute_uri(issued.path),
    }
    answer = TemplateResponse(request, "sync/workflow_address_issued.html", context)
    answer["Cache-Control"] = "no-store"
    return answer


@admin.register(WorkflowAddress)
class WorkflowAddressAdmin(ReadOnly):
    heading = "Workflow addresses"
    intro = (
        "Secret addresses that workflows of GoHighLevel post to, one location's each. A secret is shown once,"
        " when its address is issued; afterwards nobody can read it again. Issue and revoke them on the"
        " location's page."
    )
    nothing_yet = "Issue one on a location's page, and enter it in the workflow's webhook action."
    list_display = ("name", "location_link", "state_pill", "issued", "revoked")
    list_display_links = None
    list_filter = (("revoked_at", admin.EmptyFieldListFilter),)
    list_select_related = ("location",)
    list_per_page = 50
    paginator = Newest
    ordering = ("-issued_at", "-id")
    sortable_by = ()
    actions = None
    fields = ("name", "location_link", "state_pill", "issued", "revoked")
    readonly_fields = fields

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A revoked one stays, so that it can be told when it was in use."""
        return False

    def get_urls(self) -> list[URLPattern]:
        return [self.verb_path("revoke", self.revoke, REVOKE), *super().get_urls()]

    def revoke(self, request: HttpRequest, row: WorkflowAddress) -> HttpResponse:
        """Let an address be refused from now on, once the form says that this is meant."""
        if request.POST.get("confirm") != "yes":
            messages.error(request, "Nothing was revoked. Tick the box, for this cannot be taken back.")
        elif workflow.revoke_address(row.pk, now=timezone.now()):
            self.note(request, row, "Revoked.")
            messages.success(
                request, f"Revoked. What a workflow still posts to address {row.pk} is refused from now on."
            )
        else:
            messages.warning(request, f"Address {row.pk} had been revoked already.")
        return HttpResponseRedirect(_page(row.location_id))

    @admin.display(description="Address")
    def name(self, row: WorkflowAddress) -> str:
        return f"Address {row.pk}"

    @admin.display(description="Location")
    def location_link(self, row: WorkflowAddress) -> SafeString:
        return format_html('<a href="{}">{}</a>', _page(row.location_id), row.location.name)

    @admin.display(description="State")
    def state_pill(self, row: WorkflowAddress) -> SafeString:
        return pill("Revoked", "bad") if row.revoked_at else pill("Valid", "ok")

    @admin.display(description="Issued")
    def issued(self, row: WorkflowAddress) -> str:
        return ago(row.issued_at)

    @admin.display(description="Revoked")
    def revoked(self, row: WorkflowAddress) -> str:
        return ago(row.revoked_at) or "-"


def _page(location_id: str) -> str:
    return reverse("admin:sync_location_change", args=[admin.utils.quote(location_id)])
