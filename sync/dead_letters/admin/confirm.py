"""The page before a bulk operation: what exactly it would work on, what will happen, and why it is done.

The rule: the page freezes its moment and posts filter, moment and count, never ids: what arrives later is
untouched, and what has changed since is shown again before anything begins. One page begins one operation.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth import get_user_model
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from sync import job_search
from sync.dead_letters import approval, bulk, explanations, sample
from sync.dead_letters.admin import bulk_words, filter_words
from sync.dead_letters.bulk import Kind
from sync.dead_letters.chosen import Chosen
from sync.dead_letters.filters import chosen_of, query_of
from sync.dead_letters.preflight import Finding
from sync.dead_letters.refusal import Refused
from sync.dead_letters.wording import LONGEST_REASON
from sync.models import BulkOperation, CauseGroup, DeadLetter
from trainu.admin_rendering import seen
from trainu.admin_site import site
from trainu.bounded_query import TooBroad
from trainu.people import acting, colleagues
from trainu.transactions import atomic_retry

RUN = "sync.run_bulkoperation"
LONGEST_SUMMARY = 160
NOBODY = "0"
# Where a refusal is shown: at what was typed.
_AT_FIELD = {"reason_missing": "reason", "not_confirmed": "typed", "unknown_user": "assign_to"}


class ConfirmForm(forms.Form):
    reason = forms.CharField(
        label="Why, for the audit log and for whoever looks at it later",
        max_length=LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 2}),
        error_messages={"required": "Say why."},
    )
    assign_to = forms.ChoiceField(label="Who looks after them", error_messages={"required": "Choose whom."})
    # Shown above bulk.CONFIRM_ABOVE; the page labels it with the number.
    typed = forms.CharField(
        required=False,
        max_length=20,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )

    def __init__(self, kind: str, data: Any = None) -> None:
        super().__init__(data, label_suffix="")
        if kind != Kind.ASSIGN:
            del self.fields["assign_to"]
            return
        named = [(str(one.pk), filter_words.called(one)) for one in colleagues()]
        choices = [("", "Choose"), *named, (NOBODY, "Nobody")]
        self.fields["assign_to"].choices = choices  # type: ignore[attr-defined]

    def number(self) -> int | None:
        """Return the number that was typed; None for none."""
        return _number(self.cleaned_data["typed"])

    def assignee(self) -> int | None:
        """Return who was chosen; None for nobody."""
        return int(self.cleaned_data.get("assign_to") or NOBODY) or None


@require_GET
def confirm(request: HttpRequest) -> HttpResponse:
    """Show what would be worked on, and ask why."""
    try:
        kind, chosen = _wanted(request.GET, request.GET.get("kind", ""))
    except Refused as refusal:
        return _refused(request, str(refusal))
    return _page(request, kind, chosen)


@require_POST
def start(request: HttpRequest) -> HttpResponse:
    """Begin what was shown; where it is not that any more, show it again with all that was typed."""
    try:
        kind, chosen = _wanted(QueryDict(request.POST.get("filter", "")), request.POST.get("kind", ""))
    except Refused as refusal:
        return _refused(request, str(refusal))
    form = ConfirmForm(kind, request.POST)
    if not form.is_valid():
        return _page(request, kind, chosen, form)
    try:
        operation, is_new = _begun(request, kind, chosen, form)
    except Refused as refusal:
        if refusal.code in _AT_FIELD:
            form.add_error(_AT_FIELD[refusal.code], str(refusal))
            return _page(request, kind, chosen, form)
        return _page(request, kind, chosen, form, str(refusal))
    if not is_new:
        messages.info(request, "That page has begun this operation already. Nothing was begun twice.")
    elif operation.state == BulkOperation.State.PROPOSED:
        messages.success(request, "Proposed. It begins when somebody else has approved it.")
    else:
        messages.success(request, "Begun. This page shows how far it is.")
    return HttpResponseRedirect(reverse("admin:sync_bulkoperation_change", args=[operation.pk]))


@atomic_retry
@transaction.atomic
def _begun(request: HttpRequest, kind: str, chosen: Chosen, form: ConfirmForm) -> tuple[BulkOperation, bool]:
    """Begin it, or find what the same page has begun already; return which of both."""
    by, now = acting(request), timezone.now()
    # A button is pressed twice: the second waits here for the first.
    people = get_user_model()._default_manager.select_for_update(no_key=True)
    list(people.filter(pk__in=[request.user.pk]))
    begun = BulkOperation.objects.filter(by=by, kind=kind, chosen=chosen.document())
    if found := begun.filter(started_at__gte=_moment(request.POST.get("shown_at", "")) or now).first():
        return found, False
    operation = bulk.start(
        kind,
        chosen,
        by=by,
        reason=form.cleaned_data["reason"],
        shown_count=_number(request.POST.get("shown", "")) or 0,
        confirmed_count=form.number(),
        assignee_id=form.assignee(),
        now=now,
    )
    return operation, True


def _wanted(query: Mapping[str, str], kind: str) -> tuple[Kind, Chosen]:
    """Return what is meant, as of now where the query names no moment before that."""
    if kind not in Kind.values:
        raise Refused("unknown_kind", "The address does not say what to do with the letters.")
    chosen, now = chosen_of(query), timezone.now()
    return Kind(kind), replace(chosen, died_before=min(chosen.died_before or now, now))


def _page(
    request: HttpRequest, kind: Kind, chosen: Chosen, form: ConfirmForm | None = None, said: str = ""
) -> HttpResponse:
    try:
        found = sample.of(kind, chosen)
    except TooBroad:
        return _refused(
            request, "Counting so many letters takes too long. Choose fewer, by cause or location."
        )
    document = chosen.document()
    context = site.each_context(request) | {
        "title": f"{kind.label} {_letters(found.count)}",
        "kind": kind.value,
        "verb": kind.label,
        "form": form or ConfirmForm(kind),
        "said": said,
        "sample": found,
        "counted": _letters(found.count),
        "letters": [_line(letter, finding) for letter, finding in found.letters],
        "is_known": bool(found.held) or any(finding for _, finding in found.letters),
        "causes": [_cause(kind, chosen, group, count) for group, count in found.causes],
        "is_too_many": found.count > bulk.MOST,
        "most": bulk.MOST,
        "asks_number": found.count > bulk.CONFIRM_ABOVE,
        "takes_two": approval.takes_two(kind, found.messages),
        "most_alone": approval.MOST_ALONE,
        "which": filter_words.in_words(document, filter_words.names_of([document])),
        "filter": query_of(chosen),
        "shown_at": timezone.now().isoformat(),
        "what_happens": bulk_words.WHAT_HAPPENS[kind],
    }
    return TemplateResponse(request, "sync/bulk_confirm.html", context)


def _refused(request: HttpRequest, words: str) -> HttpResponse:
    context = site.each_context(request) | {"title": "Bulk operation", "refusal": words}
    return TemplateResponse(request, "sync/bulk_confirm.html", context, status=400)


def _line(letter: DeadLetter, finding: Finding | None) -> dict[str, Any]:
    """Return a letter of the sample; of its data only what is masked."""
    masked = json.dumps(job_search.shown_payload(letter.job), ensure_ascii=False) if letter.job else ""
    words = letter.words or explanations.explain(letter.code, letter.group.cause).words
    return {
        "letter": letter,
        "subject": seen(letter.group.subject),
        "place": seen(letter.location.name) if letter.location else "-",
        "said": seen(words[:LONGEST_SUMMARY]),
        "data": seen(masked if len(masked) <= LONGEST_SUMMARY else f"{masked[:LONGEST_SUMMARY]} …"),
        "finding": finding,
    }


def _cause(kind: Kind, chosen: Chosen, group: CauseGroup, count: int) -> dict[str, Any]:
    """Return a cause of the set, with the page that would work on its letters alone."""
    query = f"kind={kind.value}&{query_of(replace(chosen, group_id=group.pk))}"
    return {
        "group": group,
        "title": filter_words.title(group),
        "said": explanations.explain(group.code, group.cause),
        "count": count,
        "alone": f"{reverse('admin:sync_bulk_confirm')}?{query}",
    }


def _letters(count: int) -> str:
    return "1 dead letter" if count == 1 else f"{count:,} dead letters"


def _number(text: str) -> int | None:
    """Return a number as people write it, with or without marks between its digits; None for none."""
    digits = re.sub(r"[\s.,']", "", text)
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 else None


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


site.register_view("sync/bulk/confirm/", confirm, "sync_bulk_confirm", permission=RUN)
site.register_view("sync/bulk/start/", start, "sync_bulk_start", permission=RUN)
