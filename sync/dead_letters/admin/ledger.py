"""The daily ledger: all that died, and what became of it."""

from django.contrib import admin
from django.utils.safestring import SafeString

from sync.dead_letters.admin.record import RecordAdmin
from sync.models import LedgerCheck
from trainu.admin_rendering import pill


@admin.register(LedgerCheck)
class LedgerCheckAdmin(RecordAdmin):
    heading = "Ledger of dead letters"
    intro = "Each day all that died is compared with what became of it. A difference is a fault of ours."
    nothing_yet = "The first check runs within a day."
    list_display = [
        "day",
        "verdict",
        "dead",
        "open",
        "redriving",
        "recovered",
        "discarded",
        "superseded",
    ]
    ordering = ["-day"]
    readonly_fields = (
        "day",
        "verdict",
        "dead",
        "open",
        "redriving",
        "recovered",
        "discarded",
        "superseded",
        "differences",
        "checked_at",
    )
    fields = readonly_fields

    @admin.display(description="Adds up")
    def verdict(self, check: LedgerCheck) -> SafeString:
        return pill("No", "bad") if check.differences else pill("Yes", "ok")
