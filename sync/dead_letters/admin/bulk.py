"""Bulk operations: one decision for many letters, and how far it has come."""

from django.contrib import admin
from django.utils.safestring import SafeString

from sync.dead_letters.admin.record import RecordAdmin
from sync.models import BulkOperation
from trainu.admin_rendering import pill
from trainu.templatetags.time import ago

_BULK_TONES = {"running": "info", "paused": "warn", "stopped": "bad", "canceled": "warn", "done": "ok"}


@admin.register(BulkOperation)
class BulkOperationAdmin(RecordAdmin):
    heading = "Bulk operations"
    intro = (
        "One decision for many dead letters. A redrive goes in steps of 1, 10, 100 and then 500, and stops by"
        " itself where letters fail again."
    )
    nothing_yet = "Nobody has begun one. POST /api/bulk-operations begins one."
    list_display = ["id", "kind", "state_pill", "progress", "by", "started"]
    list_filter = ["state", "kind"]
    ordering = ["-id"]
    readonly_fields = (
        "kind",
        "state_pill",
        "state_reason",
        "progress",
        "chosen",
        "reason",
        "by",
        "assignee",
        "step",
        "step_size",
        "total",
        "pending",
        "sent",
        "recovered",
        "failed_same_cause",
        "failed_new_cause",
        "superseded",
        "skipped",
        "canceled",
        "needs_decision",
        "done",
        "started_at",
        "ended_at",
    )
    fields = readonly_fields

    @admin.display(description="State")
    def state_pill(self, operation: BulkOperation) -> SafeString:
        return pill(operation.get_state_display(), _BULK_TONES[operation.state])

    @admin.display(description="Progress")
    def progress(self, operation: BulkOperation) -> str:
        ended = operation.total - operation.pending - operation.sent
        return f"{ended:,} of {operation.total:,}"

    @admin.display(description="Started")
    def started(self, operation: BulkOperation) -> str:
        return ago(operation.started_at)
