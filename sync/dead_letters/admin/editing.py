"""Correcting the data of a letter: a form, what it would change, and then a linked copy.

The rules: whoever opens the form sees somebody's data, so it wants the permission to reveal, a reason, and
leaves the same entry; later steps want its signed token. The copy is made of what was looked at and of
nothing newer; until then nothing that was typed is lost.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, reverse
from django.utils import timezone

from sync.dead_letters import changes, fields, revealing, wording
from sync.dead_letters.admin import telling
from sync.dead_letters.admin.record import RecordAdmin, onward, unkept
from sync.dead_letters.admin.telling import EDIT, REVEAL
from sync.dead_letters.changes import Proposal
from sync.dead_letters.fields import Field, Typed
from sync.dead_letters.refusal import Refused
from sync.ghl.operations.misfits import Misfit
from sync.models import DeadLetter, SyncJob
from trainu.admin_rendering import cut, seen
from trainu.people import acting

_SALT = "sync.dead_letters.editing"
# A shift: whoever comes back later looks anew.
_TOKEN_LASTS_S = 12 * 3600
_NO_TOKEN = "The form was open for too long, or is somebody else's. Open it again."
# What the form cannot mend, so it leads to the letter as it is now.
_OVER = frozenset(
    {
        "changed_meanwhile",
        "not_dead",
        "too_deep",
        "too_many_fields",
        "unknown_letter",
        "unknown_operation",
        "webhook",
        "wrong_state",
    }
)


@dataclass(frozen=True, slots=True)
class Row:
    """A field with what stands in it, and what is wrong about that: where in it, and words."""

    field: Field
    typed: Typed
    misfits: tuple[tuple[str, str], ...]
    stored: str
    is_stored: bool

    @property
    def is_in_use(self) -> bool:
        """Whether it is to be seen at once: it holds something, or something is wrong with it."""
        return self.is_stored or bool(self.typed.text or self.misfits) or self.field.is_required


@dataclass(frozen=True, slots=True)
class Editing:
    """A form in hand. token: of its opening. why: the reason that it was opened for."""

    letter: DeadLetter
    job: SyncJob
    token: str
    why: str
    mark: str
    fields: list[Field]


class LetterEditing(RecordAdmin):
    """The three steps from a letter to its copy with changed data."""

    def get_urls(self) -> list[URLPattern]:
        steps = [
            self.verb_path("edit", self.edit, EDIT),
            self.verb_path("diff", self.diff, EDIT),
            self.verb_path("send", self.send, EDIT),
        ]
        return [*steps, *super().get_urls()]

    def edit(self, request: HttpRequest, letter: DeadLetter) -> HttpResponse:
        """Open the form. It shows everything, so it is revealed first."""
        if not request.user.has_perm(REVEAL):
            raise PermissionDenied
        reason = request.POST.get("reason", "")
        try:
            job = changes.editable(letter.pk)
            mark, chosen = changes.mark(job), fields.fields(job.operation, job.payload)
            why = wording.reason(reason)
            revealing.reveal(letter.pk, reason, by=acting(request))
        except Refused as refusal:
            return _refused(request, letter, refusal)
        given = {"letter": letter.pk, "by": request.user.pk, "mark": mark, "why": why}
        token = signing.dumps(given, salt=_SALT)
        return self._form(request, Editing(letter, job, token, why, mark, chosen), None)

    def diff(self, request: HttpRequest, letter: DeadLetter) -> HttpResponse:
        """Show what would change; with `again`, the form as it was typed."""
        try:
            editing = _editing(request, letter)
            if "again" in request.POST:
                return self._form(request, editing, request.POST)
            proposal = _proposal(editing, request.POST)
        except Refused as refusal:
            if refusal.code in _OVER:
                return _refused(request, letter, refusal)
            return self._form(request, editing, request.POST, refusal)
        return self._difference(request, editing, proposal)

    def send(self, request: HttpRequest, letter: DeadLetter) -> HttpResponse:
        """Make the linked copy of what the difference has shown."""
        reason = request.POST.get("reason", "")
        try:
            editing = _editing(request, letter)
            proposal = _proposal(editing, request.POST)
            copy = changes.redrive_with_changes(
                letter.pk,
                proposal.after,
                by=acting(request),
                reason=reason,
                now=timezone.now(),
                seen=editing.mark,
            )
        except Refused as refusal:
            if refusal.code in _OVER:
                return _refused(request, letter, refusal)
            if refusal.code == "reason_missing":
                return self._difference(request, editing, proposal, str(refusal))
            return self._form(request, editing, request.POST, refusal)
        messages.success(
            request,
            f"Sent as a linked copy, job {copy}. The letter goes with it: it recovers when that succeeds.",
        )
        return HttpResponseRedirect(reverse("admin:sync_deadletter_change", args=[letter.pk]))

    def _form(
        self,
        request: HttpRequest,
        editing: Editing,
        form: Mapping[str, str] | None,
        refusal: Refused | None = None,
    ) -> HttpResponse:
        misfits = refusal.misfits if refusal else ()
        rows = [_row(field, editing.job, form, misfits) for field in editing.fields]
        named = {field.name for field in editing.fields}
        of_all = [one.words for one in misfits if one.field not in named]
        return self._answer(
            request,
            "sync/letter_edit.html",
            editing,
            {
                "rows": rows,
                "spare": sum(not row.is_in_use for row in rows),
                "wrong": [row for row in rows if row.misfits],
                # Misfits say it at their fields; what has none is said at the top.
                "of_all": of_all if misfits else [str(refusal)] if refusal else [],
            },
        )

    def _difference(
        self, request: HttpRequest, editing: Editing, proposal: Proposal, error: str = ""
    ) -> HttpResponse:
        return self._answer(
            request,
            "sync/letter_diff.html",
            editing,
            {
                "lines": _lines(editing, proposal),
                "unchanged": len(proposal.after)
                - len(proposal.difference.added + proposal.difference.changed),
                "typed": [(name, value) for name, value in request.POST.items() if _is_of_form(name)],
                "reason": request.POST.get("reason", editing.why),
                "error": error,
                "warning": telling.warning(editing.job),
                "longest_reason": wording.LONGEST_REASON,
            },
        )

    def _answer(
        self, request: HttpRequest, template: str, editing: Editing, shown: dict[str, Any]
    ) -> HttpResponse:
        context = self.admin_site.each_context(request) | {
            "title": f"Dead letter {editing.letter.pk}",
            "subtitle": editing.job.operation,
            "opts": self.opts,
            "letter": editing.letter,
            "job": editing.job,
            "token": editing.token,
        }
        return unkept(TemplateResponse(request, template, context | shown))


def _editing(request: HttpRequest, letter: DeadLetter) -> Editing:
    """Return the form in hand; raises Refused where it is none any more."""
    token = request.POST.get("token", "")
    try:
        given = signing.loads(token, salt=_SALT, max_age=_TOKEN_LASTS_S)
    except signing.BadSignature:
        given = {}
    if (given.get("letter"), given.get("by")) != (letter.pk, request.user.pk):
        raise Refused("changed_meanwhile", _NO_TOKEN)
    job = changes.editable(letter.pk)
    if changes.mark(job) != given["mark"]:
        raise Refused("changed_meanwhile", changes.CHANGED_MEANWHILE)
    return Editing(letter, job, token, given["why"], given["mark"], fields.fields(job.operation, job.payload))


def _proposal(editing: Editing, form: Mapping[str, str]) -> Proposal:
    said = fields.read(editing.fields, editing.job.payload, form)
    if said.misfits:
        raise Refused("unreadable", "Some fields cannot be read.", said.misfits)
    return changes.propose(editing.job, said.payload)


def _row(field: Field, job: SyncJob, form: Mapping[str, str] | None, misfits: tuple[Misfit, ...]) -> Row:
    typed = fields.entered(field, form) if form is not None else None
    return Row(
        field,
        typed or fields.typed(field, job.payload),
        tuple((seen(one.below), one.words) for one in misfits if one.field == field.name),
        _cell(job.payload, field.name) if field.kind in {"locked", "kept"} else "",
        field.name in job.payload,
    )


def _lines(editing: Editing, proposal: Proposal) -> list[tuple[str, str, str, str]]:
    """Return what would change: what happens to a field, its label, its value before and after."""
    labels = {field.name: field.label for field in editing.fields}
    found = proposal.difference
    return [
        (what, labels.get(name, name), _cell(editing.job.payload, name), _cell(proposal.after, name))
        for what, names in (("Changed", found.changed), ("Added", found.added), ("Removed", found.removed))
        for name in names
    ]


def _cell(payload: Mapping[str, Any], name: str) -> str:
    if name not in payload:
        return ""
    try:
        return cut(fields.shown(payload[name]))
    except RecursionError:
        return "Nested too deeply to be shown."


def _is_of_form(name: str) -> bool:
    return name[:1] == "f" and name[1:2].isdigit()


def _refused(request: HttpRequest, letter: DeadLetter, refusal: Refused) -> HttpResponse:
    messages.error(request, str(refusal))
    return onward(request, letter)
