"""The page of one dead letter, and what can be done about it from there.

The rule: a verb parses, calls the verb of its noun for one letter, and says in words what became of it. Then
it leads back to where it was called from, if that is here, else to the letter.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from sync.dead_letters import letters, preflight, revealing
from sync.dead_letters.admin import telling
from sync.dead_letters.admin.editing import LetterEditing
from sync.dead_letters.admin.record import onward, unkept
from sync.dead_letters.admin.telling import ASSIGN, DISCARD, EDIT, REDRIVE, REVEAL, SNOOZES
from sync.dead_letters.outcome import Outcome
from sync.dead_letters.refusal import Refused
from sync.models import DeadLetter
from trainu.people import acting

_STOP_POLLING = 286


class LetterPage(LetterEditing):
    """One letter: its page, and a verb for each thing that staff may do about it."""

    def get_urls(self) -> list[URLPattern]:
        pages = [
            # Not a page of the admin: signed out, it must not become the form to sign in.
            path("<path:object_id>/news/", self.news, name="sync_deadletter_news"),
            self.verb_path("redrive", self.redrive, REDRIVE),
            self.verb_path("discard", self.discard, DISCARD),
            self.verb_path("restore", self.restore, DISCARD),
            self.verb_path("assign", self.assign, ASSIGN),
            self.verb_path("note", self.take_note, ASSIGN),
            self.verb_path("snooze", self.snooze, ASSIGN),
            self.verb_path("reveal", self.reveal, REVEAL),
        ]
        return [*pages, *super().get_urls()]

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> DeadLetter | None:
        """Return a letter as its page needs it, if the list would show it."""
        rows = telling.with_all(self.get_queryset(request))
        try:
            return rows.get(pk=self.opts.pk.to_python(object_id))
        except (DeadLetter.DoesNotExist, ValidationError, ValueError):
            return None

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show a letter's story, with what may be done. Each form goes to its own address."""
        letter = self.get_object(request, unquote(object_id))
        if letter is None:
            raise Http404("There is no such letter.")
        if not self.has_view_permission(request, letter) or request.method not in {"GET", "HEAD"}:
            raise PermissionDenied
        return self._page(request, letter, telling.context(request, letter))

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Lead to the letter's page, which tells its history."""
        return HttpResponseRedirect(reverse("admin:sync_deadletter_change", args=[object_id]))

    def news(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Say to a page that waits whether a letter is still being tried again; asked every few seconds."""
        if not self.admin_site.has_permission(request) or not self.has_view_permission(request):
            return HttpResponse(status=_STOP_POLLING, headers={"HX-Refresh": "true"})
        letter = self.get_object(request, unquote(object_id))
        if letter is not None and letter.state == DeadLetter.State.REDRIVING:
            return HttpResponse(status=204)
        shown = {"letter": letter, "state": telling.state_pill(letter) if letter else ""}
        return TemplateResponse(request, "sync/letter_news.html", shown, status=_STOP_POLLING)

    def redrive(self, request: HttpRequest, letter: DeadLetter) -> HttpResponse:
        """Try it once more. look_first=0: at once, without a look in GoHighLevel whether it is done."""
        look_first = request.POST.get("look_first", "1") != "0"
        if not look_first and not request.user.has_perm(EDIT):
            raise PermissionDenied
        words = "It is tried again now, without a look in GoHighLevel."
        if letter.job is None:
            words = "It is worked on again now."
        elif look_first:
            words = "It is tried again now: GoHighLevel is asked first, and it is sent if it is not there."

        def verb() -> Outcome:
            now = timezone.now()
            return letters.redrive([letter.pk], by=acting(request), now=now, look_first=look_first)

        return self._told(request, letter, verb, words)

    def discard(self, request: HttpRequest, letter: DeadLetter) -> HttpResponse:
        """Close it with a reason."""
        reason = request.POST.get("reason", "")

        def verb() -> Outcome:
            return letters.discard([letter.pk], reason, by=acting(request), now=timezone.now())

        return self._told(request, letter, verb, "Discarded. Undo on its page opens it again.")

    def restore(self, request: HttpRequest, letter: DeadLetter) -> HttpResponse:
        """Undo a discard."""
        return self._told(
            request, letter, lambda: letters.restore([letter.pk], by=acting(request)), "It is open again."
        )

    def assign(self, request: HttpRequest, letter: DeadLetter) -> HttpResponse:
        """Make somebody responsible. user_id: a number, "me", or empty for nobody."""
        whom = request.POST.get("user_id", "").strip()
        user_id = request.user.pk if whom == "me" else _number(whom)
        words = "Nobody is responsible for it now." if user_id is None else "Assigned."
        return self._told(
            request, letter, lambda: letters.assign([letter.pk], user_id, by=acting(request)), words
        )

    def take_note(self, request: HttpRequest, letter: DeadLetter) -> HttpResponse:
        """Write something down about it."""
        words = request.POST.get("words", "").replace("\r\n", "\n")
        return self._done(
            request,
            letter,
            lambda: letters.note(letter.pk, words, by=acting(request), now=timezone.now()),
            "Noted.",
        )

    def snooze(self, request: HttpRequest, letter: DeadLetter) -> HttpResponse:
        """Have nobody asked about it for a while. hours: one of SNOOZES, or empty to end that."""
        hours = request.POST.get("hours", "").strip()
        if hours and hours not in SNOOZES:
            messages.error(request, "Choose for how long.")
            return onward(request, letter)
        now = timezone.now()
        label, lasts = SNOOZES.get(hours, ("", timedelta()))
        return self._done(
            request,
            letter,
            lambda: letters.snooze(letter.pk, now + lasts if hours else None, by=acting(request), now=now),
            f"Snoozed for {label}." if hours else "It is not snoozed any more.",
        )

    def reveal(self, request: HttpRequest, letter: DeadLetter) -> HttpResponse:
        """Show the page with its data unmasked, once somebody has said why."""
        try:
            revealed = revealing.reveal(letter.pk, request.POST.get("reason", ""), by=acting(request))
        except Refused as refusal:
            messages.error(request, str(refusal))
            return onward(request, letter)
        return unkept(self._page(request, letter, telling.context(request, letter, revealed)))

    def _page(self, request: HttpRequest, letter: DeadLetter, told: dict[str, Any]) -> TemplateResponse:
        frame = self.admin_site.each_context(request)
        return TemplateResponse(
            request,
            "sync/letter.html",
            {**frame, **told, "opts": self.opts, "cause": telling.cause_of(letter.group)},
        )

    def _told(
        self, request: HttpRequest, letter: DeadLetter, verb: Callable[[], Outcome], words: str
    ) -> HttpResponse:
        """Call a verb for one letter, and say what became of it."""
        try:
            outcome = verb()
        except Refused as refusal:
            messages.error(request, str(refusal))
            return onward(request, letter)
        if letter.pk in outcome.done:
            messages.success(request, words)
        elif letter.pk in outcome.superseded:
            messages.warning(request, f"Nothing was sent, and the letter is closed. {preflight.OVERTAKEN}")
        elif why := outcome.undecided.get(letter.pk):
            messages.warning(request, f"Nothing was sent: it needs your decision. {why}")
        else:
            messages.error(request, f"Nothing was done. {outcome.refused.get(letter.pk, '')}")
        return onward(request, letter)

    def _done(
        self, request: HttpRequest, letter: DeadLetter, verb: Callable[[], object], words: str
    ) -> HttpResponse:
        try:
            verb()
        except Refused as refusal:
            messages.error(request, str(refusal))
        else:
            messages.success(request, words)
        return onward(request, letter)


def _number(text: str) -> int | None:
    """Return an id; 0, which nobody has, for what is none; None for nothing."""
    if not text:
        return None
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
