"""The page of one draft: what would be sent, to whom and why, what has been said so far, how it came about.

The rule: a page is made anew for each asking, also for one that was refused; then it carries what was typed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from sync.dead_letters.admin.addresses import address
from sync.dead_letters.admin.record import unkept
from sync.drafts import conversation, deciding, over, recalling, visible
from sync.drafts.admin import telling
from sync.drafts.llm import errors
from sync.drafts.states import Act, allows
from sync.ghl.operations.messages import LONGEST_SMS
from sync.models import DeadLetter, Draft
from trainu import navigation, people
from trainu.admin_rendering import seen
from trainu.admin_site import site

State = Draft.State

MOST_ATTEMPTS = 20
# Of the conversation these are shown at once; earlier ones open.
LAST = 3
SNOOZES = {"1h": "1 hour", "4h": "4 hours", "24h": "24 hours", "3d": "3 days"}
_STOP_POLLING = 286


class TextForm(forms.Form):
    """What is to be sent. The verb says what is wrong with it, so that nothing is cut in silence."""

    subject = forms.CharField(required=False, strip=False)
    text = forms.CharField(
        label="Message", required=False, strip=False, widget=forms.Textarea(attrs={"rows": 8})
    )

    def __init__(self, draft: Draft, data: Any = None) -> None:
        initial = {"subject": draft.subject, "text": draft.text}
        super().__init__(data, initial=initial, label_suffix="")
        if draft.channel != Draft.Channel.EMAIL:
            del self.fields["subject"]


@dataclass(frozen=True, slots=True)
class Refusal:
    """What was asked for in vain: why, and what had been typed, which the page gives back.

    at: the verb. typed: by field. asks_again: the page asks once more, for the client has acted since.
    is_written_anew: the page shows what is written now beside what was typed.
    """

    words: str
    at: str = ""
    form: TextForm | None = None
    typed: Mapping[str, str] = field(default_factory=dict)
    asks_again: bool = False
    is_written_anew: bool = False


def found(request: HttpRequest, draft_id: str) -> Draft:
    """Return a draft that this reader sees, or answer that there is none."""
    try:
        draft = visible.find(request.user, UUID(draft_id))
    except ValueError:
        draft = None
    if draft is None:
        raise Http404("There is no such draft.")
    return draft


@require_GET
def show(request: HttpRequest, draft_id: str) -> HttpResponse:
    """Show a draft. from: the list that the reader came from."""
    return render(request, found(request, draft_id))


@require_GET
def news(request: HttpRequest, draft_id: str) -> HttpResponse:
    """Say to a page that waits for a text whether it is there; asked every few seconds."""
    if not site.has_permission(request) or not navigation.may(request.user, telling.OPEN):
        return HttpResponse(status=_STOP_POLLING, headers={"HX-Refresh": "true"})
    if found(request, draft_id).state in (State.WAITING, State.WRITING):
        return HttpResponse(status=204)
    return HttpResponse(status=_STOP_POLLING, headers={"HX-Refresh": "true"})


def render(request: HttpRequest, draft: Draft, refusal: Refusal | None = None) -> HttpResponse:
    """Return a draft's page. refusal: of what this very asking wanted."""
    may_read = draft.pk in visible.readable(request.user, [draft])
    may_work = request.user.has_perm(telling.WORK)
    can = {act.value for act in Act if may_work and allows(draft.state, act)}
    now = timezone.now()
    if not draft.snoozed_until or draft.snoozed_until <= now:
        can.discard(Act.WAKE.value)
    origin = request.POST.get("next") or request.GET.get("from", "")
    context: dict[str, Any] = {
        "title": "AI Inbox",
        "subtitle": f"{draft.get_kind_display()} for {telling.client_of(draft, may_read=may_read)}",
        "draft": draft,
        "client": telling.client_of(draft, may_read=may_read),
        "may_read": may_read,
        "can": can,
        "state": telling.state_pill(draft),
        "impact": telling.impact_pill(draft),
        "why_not": telling.why_not(draft, stopped_since=telling.stopped_since([draft])),
        "is_over": over.is_over(draft, now),
        "refusal": refusal,
        "form": (refusal.form if refusal else None) or TextForm(draft),
        "longest": deciding.LONGEST_EMAIL if draft.channel == Draft.Channel.EMAIL else LONGEST_SMS,
        "longest_reason": deciding.LONGEST_REASON,
        "longest_hint": deciding.LONGEST_HINT,
        "snoozes": SNOOZES.items(),
        "origin": origin,
        "list_url": origin if origin.startswith(f"{reverse('admin:sync_inbox')}?") else "",
        "goes_at": telling.here(draft, draft.send_at if draft.send_at and draft.send_at > now else None),
        "sent_at": telling.here(draft, draft.sent_at),
        "is_being_written": draft.state in (State.WAITING, State.WRITING),
        "length": telling.length_of(draft),
    }
    context |= _told(request, draft, may_read)
    answer = TemplateResponse(request, "sync/drafts/draft.html", site.each_context(request) | context)
    return unkept(answer)


def _told(request: HttpRequest, draft: Draft, may_read: bool) -> dict[str, Any]:
    """Return what was said, tried and done so far, and where more of it stands, as far as they may see it."""
    said = conversation.of(draft.contact_id, draft.location_id) if may_read else []
    history = site.history(request, recalling.TARGET, str(draft.pk))
    named = people.names([draft.approved_by, *(moment.by for moment in history)])
    attempts = draft.attempts.order_by("-round", "-number")[:MOST_ATTEMPTS]
    return {
        "earlier": said[:-LAST],
        "latest": said[-LAST:],
        "approved_by": named.get(draft.approved_by, ""),
        "history": [(moment, seen(named.get(moment.by, ""))) for moment in history],
        "attempts": [(attempt, errors.words(attempt.code) if attempt.code else "") for attempt in attempts],
        "changes": _changes(draft) if may_read else [],
        "links": _links(request, draft),
    }


def _changes(draft: Draft) -> list[tuple[str, str, str]]:
    """Return what a person has changed: which part, as it was written, as it is."""
    if not draft.edited:
        return []
    parts = [
        ("Subject", draft.written_subject, draft.subject),
        ("Message", draft.written_text, draft.text),
    ]
    return [part for part in parts if part[1] != part[2]]


def _links(request: HttpRequest, draft: Draft) -> list[tuple[str, str]]:
    """Return words and addresses of where more stands, for who may go there."""
    may = request.user.has_perm
    found = []
    if draft.job_id and may("sync.view_syncjob"):
        found.append(("Its job", address("sync_syncjob_change", draft.job_id)))
    if draft.job_id and may("sync.view_deadletter"):
        letter = DeadLetter.objects.filter(job=draft.job_id).values_list("pk", flat=True).first()
        if letter:
            found.append(("Its dead letter", address("sync_deadletter_change", letter)))
    if may("observability.view_logline"):
        found.append(("Everything under its correlation id", address("trace", draft.correlation_id)))
    return [(words, url) for words, url in found if url]


site.register_view("sync/inbox/drafts/<str:draft_id>/", show, "sync_draft", permission=telling.OPEN)
site.register_part("sync/inbox/drafts/<str:draft_id>/news/", news, "sync_draft_news")
