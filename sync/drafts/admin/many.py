"""Several drafts approved at once: those that were ticked, each of them read first, and what became of each.

The rule: the page before shows every text that would be sent; what has been written anew since, or whose
client has acted since, is not approved by it.
"""

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from sync.drafts import deciding, visible
from sync.drafts.admin import telling
from sync.drafts.admin.verbs import moment
from sync.drafts.deciding import Chosen, Outcome
from sync.models import Draft
from trainu.admin_site import site
from trainu.people import acting

_ANEW = "It was written anew since you read it."


@never_cache
@require_GET
def confirm(request: HttpRequest) -> HttpResponse:
    """Show what would be approved. id: several."""
    drafts = _chosen(request, request.GET.getlist("id"))
    ready = [draft for draft in drafts if telling.can_be_chosen(draft)]
    context = {
        "title": "Approve several",
        "lines": telling.lines(request, ready, now=timezone.now()),
        "left_out": len(drafts) - len(ready),
        "is_too_many": len(drafts) > deciding.MOST_AT_ONCE,
        "most": deciding.MOST_AT_ONCE,
    }
    return TemplateResponse(request, "sync/drafts/approve.html", site.each_context(request) | context)


@never_cache
@require_POST
def approve(request: HttpRequest) -> HttpResponse:
    """Approve what is still ticked on that page. id: several; of each its round and its client's last act."""
    drafts = _chosen(request, request.POST.getlist("id"))
    seen = [draft for draft in drafts if request.POST.get(f"round_{draft.pk}") == str(draft.round)]
    wanted = [
        Chosen(draft.pk, moment(request.POST.get(f"seen_act_at_{draft.pk}", "")))
        for draft in seen[: deciding.MOST_AT_ONCE]
    ]
    outcomes = {one.draft_id: one for one in _approved(request, wanted)}
    shown = [
        (draft, outcomes.get(draft.pk) or Outcome(draft.pk, "written_anew", _ANEW))
        for draft in drafts[: deciding.MOST_AT_ONCE]
    ]
    # As they are now: an approved one says when it goes.
    now_there = visible.drafts(request.user).select_related("location", "job").in_bulk(list(outcomes))
    now_shown = [now_there.get(draft.pk, draft) for draft, _ in shown]
    lines = telling.lines(request, now_shown, now=timezone.now())
    context: dict[str, Any] = {
        "title": "What became of them",
        "outcomes": [(line, outcome) for line, (_, outcome) in zip(lines, shown, strict=True)],
        "approved": sum(1 for _, outcome in shown if not outcome.code),
    }
    return TemplateResponse(request, "sync/drafts/approved.html", site.each_context(request) | context)


def _approved(request: HttpRequest, wanted: list[Chosen]) -> list[Outcome]:
    return deciding.approve_many(wanted, by=acting(request), now=timezone.now()) if wanted else []


def _chosen(request: HttpRequest, ids: list[str]) -> list[Draft]:
    """Return those that this reader may read, in the order of the list; one more than may be approved."""
    known = {id for word in ids[: 2 * deciding.MOST_AT_ONCE] if (id := _id(word))}
    rows = visible.drafts(request.user).filter(pk__in=known).select_related("location", "job")
    found = list(rows.order_by("-impact", "created_at", "pk")[: deciding.MOST_AT_ONCE + 1])
    readable = visible.readable(request.user, found)
    return [draft for draft in found if draft.pk in readable]


def _id(word: str) -> UUID | None:
    try:
        return UUID(word)
    except ValueError:
        return None


site.register_view("sync/inbox/confirm/", confirm, "sync_inbox_confirm", permission=telling.WORK)
site.register_view(
    "sync/inbox/approve/", approve, "sync_inbox_approve", permission=telling.WORK, page="sync_inbox"
)
