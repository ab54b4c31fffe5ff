"""Causes of dead letters: what went wrong, in whose hands it is, and what to do about it."""

from urllib.parse import urlencode

from django.contrib import admin
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from sync.dead_letters import explanations, search
from sync.dead_letters.admin.record import RecordAdmin, notes_of
from sync.models import CauseGroup
from trainu.admin_rendering import pill
from trainu.templatetags.time import ago

_GROUP_TONES = {"open": "warn", "regressed": "bad", "resolved": "ok"}


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
        return notes_of(group.notes.all()[: search.MOST_NOTES])
