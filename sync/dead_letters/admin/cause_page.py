"""One cause on one page: what happened, who mends it, what worked last time, and what may be done about it.

The rule: a bounded number of questions, however many letters there are; a part that the reader may not see is
not asked for.
"""

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from sync.dead_letters import experience, search, trend
from sync.dead_letters.admin import bars
from sync.dead_letters.admin.cause_forms import SnoozeForm
from sync.dead_letters.admin.cause_words import cause
from sync.dead_letters.groups import TARGET_KIND
from sync.dead_letters.trend import Trend
from sync.dead_letters.wording import LONGEST_NOTE
from sync.models import CauseGroup, DeadLetter
from sync.models.dead_letter import OPEN_STATES
from trainu import people
from trainu.admin_rendering import seen
from trainu.admin_site import site

ASSIGN = "sync.assign_deadletter"
RUN = "sync.run_bulkoperation"
MOST_LETTERS = 10
MOST_MOMENTS = 50


def context(request: HttpRequest, group: CauseGroup, now: datetime) -> dict[str, Any]:
    """Return what the page of a cause shows to this reader."""
    may = request.user.has_perm
    whole = trend.of([group.pk], now=now, hours=trend.LONGEST)[group.pk]
    told = experience.of(group)
    notes = list(group.notes.all()[: search.MOST_NOTES])
    moments = site.history(request, TARGET_KIND, str(group.pk))[-MOST_MOMENTS:][::-1]
    mentioned = {one.by for one in told.operations} | {one.by for one in notes} | {one.by for one in moments}
    names = people.names({group.acknowledged_by} | mentioned)
    may_work, may_see_letters = may(ASSIGN), may("sync.view_deadletter")
    return {
        "cause": cause(group, _last_day(whole), now),
        "group": group,
        "since": _since(group),
        "acknowledged_by": names[group.acknowledged_by],
        "whole": whole,
        "chart": bars.chart(whole),
        "told": told,
        "operations": [(one, names[one.by]) for one in told.operations],
        "notes": [(one, names[one.by]) for one in notes],
        "moments": [(one, names[one.by]) for one in moments],
        "letters": _letters(group) if may_see_letters else [],
        "may_see_letters": may_see_letters,
        "may_see_operations": may("sync.view_bulkoperation"),
        "may_work": may_work,
        "colleagues": people.colleagues() if may_work else [],
        "snooze_form": SnoozeForm(initial={"to_count": group.open}, label_suffix=""),
        "longest_note": LONGEST_NOTE,
        "bulk": _bulk(group) if may(RUN) and group.open else [],
    }


def _last_day(whole: Trend) -> Trend:
    return Trend(whole.begins + (len(whole.deaths) - trend.DAY) * trend.HOUR, whole.deaths[-trend.DAY :])


def _since(group: CauseGroup) -> datetime | None:
    """Return when the first of its letters died that are open now; None where none is."""
    return min(filter(None, (_first(group, state) for state in OPEN_STATES)), default=None)


def _first(group: CauseGroup, state: str) -> datetime | None:
    # Backwards along the index of a group's letters: one row each.
    letters = DeadLetter.objects.filter(group=group, state=state).order_by("died_at", "pk")
    return letters.values_list("died_at", flat=True).first()


def _letters(group: CauseGroup) -> list[tuple[DeadLetter, str]]:
    """Return the letters that died last, with what was said of each: open ones while there are any."""
    # By state, as the index of a group's letters has them.
    state = next((state.value for state in DeadLetter.State if getattr(group, state.value)), "open")
    rows = DeadLetter.objects.filter(group=group, state=state).select_related("location")
    found = rows.order_by("-died_at", "-pk")[:MOST_LETTERS]
    return [(letter, seen(letter.words or letter.code)) for letter in found]


def _bulk(group: CauseGroup) -> list[tuple[str, str]]:
    """Return the verbs for all open letters: words and address; none where there are no such pages."""
    try:
        url = reverse("admin:sync_bulk_confirm")
    except NoReverseMatch:
        return []
    words = {
        "redrive": f"Redrive all {group.open:,} …",
        "discard": f"Discard all {group.open:,} …",
        "assign": "Assign its letters …",
    }
    return [(said, f"{url}?kind={kind}&group={group.pk}") for kind, said in words.items()]
