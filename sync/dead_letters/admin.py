"""Dead letters in the admin: their causes first, then letters, bulk operations, and the daily ledger.

The rule: read only. Lists are in the order that an index serves, and are counted no further than a thousand.
"""

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from sync import job_search
from sync.dead_letters import explanations, preflight, search
from sync.models import BulkOperation, CauseGroup, DeadLetter, LedgerCheck
from trainu.admin_records import Newest, ReadOnly
from trainu.admin_rendering import block, pill, pretty
from trainu.templatetags.time import ago

_GROUP_TONES = {"open": "warn", "regressed": "bad", "resolved": "ok"}
_LETTER_TONES = {
    "open": "bad",
    "redriving": "info",
    "recovered": "ok",
    "discarded": "warn",
    "superseded": "warn",
}
_BULK_TONES = {"running": "info", "paused": "warn", "stopped": "bad", "canceled": "warn", "done": "ok"}


class RecordAdmin(ReadOnly):
    list_per_page = 50
    list_max_show_all = 50
    sortable_by = ()
    paginator = Newest
    actions = None
    show_facets = admin.ShowFacets.NEVER

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(CauseGroup)
class CauseGroupAdmin(RecordAdmin):
    heading = "Causes of dead letters"
    intro = "What could not be done, one line a cause, with what to do about it. Those seen last come first."
    nothing_yet = (
        "Nothing has died so far. A job gets here when GoHighLevel refuses it or its tries are used up."
    )
    list_display = ["title", "state_pill", "what_happened", "open_figure", "owner", "last_seen"]
    list_display_links = ["title"]
    list_filter = ["state", "integration"]
    list_select_related = ["owner"]
    ordering = ["-last_seen_at", "-id"]
    readonly_fields = (
        "subject",
        "code",
        "cause",
        "message",
        "state_pill",
        "what_happened",
        "next_step",
        "letters",
        "open",
        "redriving",
        "recovered",
        "discarded",
        "superseded",
        "total",
        "owner",
        "snoozed",
        "first_seen_at",
        "last_seen_at",
        "resolved_at",
        "notes_shown",
    )
    fields = readonly_fields

    @admin.display(description="Cause")
    def title(self, group: CauseGroup) -> str:
        return f"{group.subject}: {group.message or group.code}"

    @admin.display(description="State")
    def state_pill(self, group: CauseGroup) -> SafeString:
        return pill(group.get_state_display(), _GROUP_TONES[group.state])

    @admin.display(description="What happened")
    def what_happened(self, group: CauseGroup) -> str:
        return explanations.explain(group.code, group.cause).words

    @admin.display(description="What to do")
    def next_step(self, group: CauseGroup) -> str:
        return explanations.explain(group.code, group.cause).next_step

    @admin.display(description="Open")
    def open_figure(self, group: CauseGroup) -> str:
        return f"{group.open:,}"

    @admin.display(description="Last seen")
    def last_seen(self, group: CauseGroup) -> str:
        return ago(group.last_seen_at)

    @admin.display(description="Snoozed")
    def snoozed(self, group: CauseGroup) -> str:
        if not group.is_snoozed(timezone.now()):
            return "No"
        if group.snoozed_until is None:
            return f"Until more than {group.snoozed_to_count:,} are open"
        return f"Until {group.snoozed_until:%Y-%m-%d %H:%M} UTC"

    @admin.display(description="Letters")
    def letters(self, group: CauseGroup) -> SafeString:
        where = urlencode({"group__id__exact": group.pk})
        url = reverse("admin:sync_deadletter_changelist")
        return format_html('<a href="{}?{}">Show its letters</a>', url, where)

    @admin.display(description="Notes")
    def notes_shown(self, group: CauseGroup) -> str:
        return _notes(group.notes.all()[: search.MOST_NOTES])


@admin.register(DeadLetter)
class DeadLetterAdmin(RecordAdmin):
    heading = "Dead letters"
    intro = (
        "Jobs and webhooks that failed for good: the thousand that died last and match the filters. Open ones"
        " stay until they recover, are discarded, or something newer makes them needless."
    )
    nothing_yet = (
        "No dead letter. What GoHighLevel refuses for good will stand here, and nothing of it is lost."
    )
    list_display = ["title", "state_pill", "location", "code", "deaths", "assigned_to", "died"]
    list_display_links = ["title"]
    list_filter = ["state"]
    list_select_related = ["group", "location", "assigned_to"]
    ordering = ["-died_at", "-id"]
    readonly_fields = (
        "title",
        "state_pill",
        "what_happened",
        "next_step",
        "in_the_way",
        "job",
        "webhook",
        "group",
        "location",
        "code",
        "status",
        "words",
        "payload",
        "first_died_at",
        "died_at",
        "deaths",
        "resolved_at",
        "discard_reason",
        "discarded_by",
        "assigned_to",
        "snoozed_until",
        "notes_shown",
    )
    fields = readonly_fields

    @admin.display(description="Letter")
    def title(self, letter: DeadLetter) -> str:
        return f"{letter.group.subject}: {letter.words or letter.code}"

    @admin.display(description="State")
    def state_pill(self, letter: DeadLetter) -> SafeString:
        return pill(letter.get_state_display(), _LETTER_TONES[letter.state])

    @admin.display(description="What happened")
    def what_happened(self, letter: DeadLetter) -> str:
        return explanations.explain(letter.code, letter.group.cause).words

    @admin.display(description="What to do")
    def next_step(self, letter: DeadLetter) -> str:
        return explanations.explain(letter.code, letter.group.cause).next_step

    @admin.display(description="In the way")
    def in_the_way(self, letter: DeadLetter) -> str:
        found = preflight.of([letter]).get(letter.pk) if letter.state == DeadLetter.State.OPEN else None
        return found.words if found else "Nothing is known."

    @admin.display(description="Data, masked")
    def payload(self, letter: DeadLetter) -> str:
        return block(pretty(job_search.shown_payload(letter.job))) if letter.job else ""

    @admin.display(description="Died")
    def died(self, letter: DeadLetter) -> str:
        return ago(letter.died_at)

    @admin.display(description="Notes")
    def notes_shown(self, letter: DeadLetter) -> str:
        return _notes(search.notes(letter))


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


def _notes(notes: Any) -> str:
    lines = [f"{note.at:%Y-%m-%d %H:%M} UTC, {note.by}: {note.words}" for note in notes]
    return block("\n".join(lines)) if lines else "None yet."
