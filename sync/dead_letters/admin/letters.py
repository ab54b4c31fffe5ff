"""Dead letters, one by one."""

from django.contrib import admin
from django.utils.safestring import SafeString

from sync.dead_letters.admin.letter import LetterPage
from sync.dead_letters.admin.record import RecordAdmin
from sync.models import DeadLetter
from trainu.admin_rendering import pill
from trainu.templatetags.time import ago

_LETTER_TONES = {
    "open": "bad",
    "redriving": "info",
    "recovered": "ok",
    "discarded": "warn",
    "superseded": "warn",
}


@admin.register(DeadLetter)
class DeadLetterAdmin(LetterPage, RecordAdmin):
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

    @admin.display(description="Letter")
    def title(self, letter: DeadLetter) -> str:
        return f"{letter.group.subject}: {letter.words or letter.code}"

    @admin.display(description="State")
    def state_pill(self, letter: DeadLetter) -> SafeString:
        return pill(letter.get_state_display(), _LETTER_TONES[letter.state])

    @admin.display(description="Died")
    def died(self, letter: DeadLetter) -> str:
        return ago(letter.died_at)
