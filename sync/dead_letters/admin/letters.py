"""Dead letters, one by one."""

from django.contrib import admin
from django.utils.safestring import SafeString

from sync import job_search
from sync.dead_letters import explanations, preflight, search
from sync.dead_letters.admin.letter_list import LetterList
from sync.dead_letters.admin.record import RecordAdmin, notes_of
from sync.models import DeadLetter
from trainu.admin_rendering import block, pill, pretty
from trainu.templatetags.time import ago

_LETTER_TONES = {
    "open": "bad",
    "redriving": "info",
    "recovered": "ok",
    "discarded": "warn",
    "superseded": "warn",
}


@admin.register(DeadLetter)
class DeadLetterAdmin(LetterList, RecordAdmin):
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
        return notes_of(search.notes(letter))
