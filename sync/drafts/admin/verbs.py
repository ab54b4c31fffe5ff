"""What is decided on a draft's page and in the list: one POST, one verb, and where it leads to.

The rule: a refusal changes nothing and loses nothing: the page comes again with what was typed and why not.
Nobody approves what they have not seen: not a text that was written anew since, nor a client's act.
"""

from collections.abc import Callable
from datetime import datetime

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from sync import jobs
from sync.dead_letters.admin.addresses import back
from sync.drafts import deciding
from sync.drafts.admin import page, telling
from sync.drafts.admin.page import Refusal, TextForm
from sync.drafts.deciding import Text
from sync.drafts.refusal import Refused
from sync.drafts.states import Act
from sync.models import Draft
from trainu.admin_site import site
from trainu.people import acting

LIST = "admin:sync_inbox"


def approve(request: HttpRequest, draft: Draft) -> HttpResponse:
    """Have it sent as the form has it. round: of the text that was seen. seen_act_at: of a stale one."""
    form = TextForm(draft, request.POST)
    if not form.is_valid():
        return page.render(request, draft, Refusal("Nothing was approved. See below.", "approve", form))
    wanted = Text(_plain(form.cleaned_data["text"]), _plain(form.cleaned_data.get("subject", "")))
    if request.POST.get("round") != str(draft.round):
        words = "It was written anew since you opened it. Compare, then approve what you want to be sent."
        typed = {"text": wanted.text}
        return page.render(request, draft, Refusal(words, "approve", form, typed, is_written_anew=True))
    is_as_written = wanted == Text(_plain(draft.text), _plain(draft.subject))
    try:
        approved = deciding.approve(
            draft.pk,
            by=acting(request),
            now=timezone.now(),
            changed=None if is_as_written else wanted,
            seen_act_at=moment(request.POST.get("seen_act_at", "")),
        )
    except (Refused, jobs.Refused) as refusal:
        # As it is now: that may be another state than the reader saw.
        now_there = page.found(request, str(draft.pk))
        asks_again = refusal.code == "stale"
        refused = Refusal(str(refusal), "approve", form, {"text": wanted.text}, asks_again)
        return page.render(request, now_there, refused)
    why_not = telling.why_not(approved, stopped_since=telling.stopped_since([approved]))
    messages.success(request, f"Approved. {why_not}".strip(), _forgetting(draft))
    return back(request, reverse(LIST))


def regenerate(request: HttpRequest, draft: Draft) -> HttpResponse:
    """Have it written anew. hint: what should be different."""
    hint = request.POST.get("hint", "")

    def verb(by: str, now: datetime) -> object:
        return deciding.regenerate(draft.pk, hint=hint, by=by, now=now)

    return _typed(request, draft, verb, "It is being written anew.", at="regenerate", typed={"hint": hint})


def dismiss(request: HttpRequest, draft: Draft) -> HttpResponse:
    """Decide that it is not sent. reason: why."""
    reason = request.POST.get("reason", "")

    def verb(by: str, now: datetime) -> object:
        return deciding.dismiss(draft.pk, reason=reason, by=by, now=now)

    return _typed(request, draft, verb, "Dismissed. It is not sent.", at="dismiss", typed={"reason": reason})


def retry(request: HttpRequest, draft: Draft) -> HttpResponse:
    """Have a failed one tried again."""
    return _done(
        request,
        draft,
        lambda by, now: deciding.retry(draft.pk, by=by, now=now),
        "It is being tried again. It comes back here when it is written, or says why not.",
    )


def snooze(request: HttpRequest, draft: Draft) -> HttpResponse:
    """Put it off. length: one of page.SNOOZES."""
    length = request.POST.get("length", "")
    return _done(
        request,
        draft,
        lambda by, now: deciding.snooze(draft.pk, length=length, by=by, now=now),
        f"Snoozed for {page.SNOOZES.get(length, length)}.",
    )


def wake(request: HttpRequest, draft: Draft) -> HttpResponse:
    """End a snooze."""
    return _done(
        request, draft, lambda by, _now: deciding.wake(draft.pk, by=by), "It is back among those to review."
    )


def recall(request: HttpRequest, draft: Draft) -> HttpResponse:
    """Take an approval back while nothing has left."""
    return _done(
        request,
        draft,
        lambda by, now: deciding.recall(draft.pk, by=by, now=now),
        "Called back. Nothing was sent; it is among those to review.",
    )


def moment(text: str) -> datetime | None:
    """Return a moment as a hidden field has it; None for what is none."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else None


def _done(
    request: HttpRequest, draft: Draft, verb: Callable[[str, datetime], object], words: str
) -> HttpResponse:
    try:
        verb(acting(request), timezone.now())
    except Refused as refusal:
        messages.error(request, str(refusal))
        return HttpResponseRedirect(reverse("admin:sync_draft", args=[draft.pk]))
    messages.success(request, words)
    return back(request, reverse(LIST))


def _typed(
    request: HttpRequest,
    draft: Draft,
    verb: Callable[[str, datetime], object],
    words: str,
    *,
    at: str,
    typed: dict[str, str],
) -> HttpResponse:
    try:
        verb(acting(request), timezone.now())
    except Refused as refusal:
        now_there = page.found(request, str(draft.pk))
        return page.render(request, now_there, Refusal(str(refusal), at, typed=typed))
    # Of what is to be written anew the words are kept: perhaps they are wanted then.
    messages.success(request, words, _forgetting(draft) if at == "dismiss" else "")
    return back(request, reverse(LIST))


def _forgetting(draft: Draft) -> str:
    """Return the tag of a message by which typed.js forgets what was typed for a draft."""
    return f"draft-{draft.pk}"


def _plain(text: str) -> str:
    """Return a text as people see it: forms end lines in two characters, and nobody sees what ends a text."""
    return text.replace("\r\n", "\n").strip()


def _posted(verb: Callable[[HttpRequest, Draft], HttpResponse]) -> Callable[..., HttpResponse]:
    @require_POST
    def act(request: HttpRequest, draft_id: str) -> HttpResponse:
        return verb(request, page.found(request, draft_id))

    return act


_VERBS: dict[Act, Callable[[HttpRequest, Draft], HttpResponse]] = {
    Act.APPROVE: approve,
    Act.REGENERATE: regenerate,
    Act.RETRY: retry,
    Act.SNOOZE: snooze,
    Act.WAKE: wake,
    Act.DISMISS: dismiss,
    Act.RECALL: recall,
}
for _act, _verb in _VERBS.items():
    site.register_view(
        f"sync/inbox/drafts/<str:draft_id>/{_act}/",
        _posted(_verb),
        f"sync_draft_{_act}",
        permission=telling.WORK,
        page="sync_draft",
    )
