"""Bulk operations: one decision for many letters, how far it has come, and what may be decided about it.

The rule: figures are read from the operation's row, so that they add up. What refreshes itself changes
only where something has changed, takes no focus away, and ends with the operation or with the session.
"""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from sync.dead_letters import bulk, wording
from sync.dead_letters.admin import bulk_items, bulk_words, filter_words
from sync.dead_letters.admin.confirm import RUN
from sync.dead_letters.admin.record import RecordAdmin
from sync.dead_letters.bulk import Kind, State
from sync.dead_letters.refusal import Refused
from sync.models import BulkOperation
from trainu.admin_records import for_reading
from trainu.admin_rendering import pill
from trainu.admin_site import Need, site
from trainu.people import acting
from trainu.templatetags.time import ago

VIEW = "sync.view_bulkoperation"
# What htmx takes as: do not ask again.
_ENOUGH = 286
_WAITING = (State.PROPOSED, State.STOPPED)
_MOST_NEEDS = 20
_MOST_COUNTED = 99


@admin.register(BulkOperation)
class BulkOperationAdmin(RecordAdmin):
    heading = "Bulk operations"
    intro = (
        f"One decision for many dead letters. A redrive goes in steps of {bulk_words.STEPS}, and stops by"
        " itself where letters fail again."
    )
    nothing_yet = "Choose a cause or filter the list of dead letters, and work on all that match."
    list_display = ["what", "state_pill", "progress", "started_by", "started"]
    list_display_links = ["what"]
    list_filter = ["state", "kind"]
    list_select_related = ["assignee"]
    ordering = ["-id"]

    def get_urls(self) -> list[URLPattern]:
        verbs = [
            self.verb_path("approve", self.approve, RUN),
            self.verb_path("pause", self.pause, RUN),
            self.verb_path("resume", self.resume, RUN),
            self.verb_path("cancel", self.cancel, RUN),
        ]
        # Not within admin_view: signed out, the page to sign in would be put into the page.
        progress = path("<int:operation_id>/progress/", self.live, name="sync_bulk_progress")
        return [*verbs, progress, *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        answer = super().changelist_view(request, extra_context)
        shown = getattr(answer, "context_data", None) or {}
        if "cl" in shown:
            rows = shown["cl"].result_list = list(shown["cl"].result_list)
            names = filter_words.names_of([row.chosen for row in rows], [row.by for row in rows])
            for row in rows:
                row.names = names
        return answer

    @for_reading
    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show an operation: how far it is, what may be decided, and what became of its letters."""
        operation = self.get_object(request, admin.utils.unquote(object_id))
        if operation is None:
            raise Http404("There is no such bulk operation.")
        names = filter_words.names_of([operation.chosen], [operation.by, operation.approved_by])
        context = site.each_context(request) | {
            "title": f"Bulk operation {operation.pk}",
            "subtitle": bulk_words.heading(operation),
            "opts": self.opts,
            **_standing(request, operation, names),
            "which": filter_words.in_words(operation.chosen, names),
            "query": filter_words.query(operation),
            "by": names.who(operation.by),
            "approved_by": names.who(operation.approved_by),
            "history": site.history(request, bulk.TARGET_KIND, str(operation.pk)),
            **bulk_items.listed(operation, request.GET),
        }
        return TemplateResponse(request, "sync/bulk.html", context)

    def live(self, request: HttpRequest, operation_id: int) -> HttpResponse:
        """Answer how far an operation is, for a page that shows it."""
        return _live(request, operation_id)

    def approve(self, request: HttpRequest, operation: BulkOperation) -> HttpResponse:
        """Let one begin that waits for a second person."""
        words = "Approved. It begins now, with one letter."
        return self._do(
            request, operation, lambda by: bulk.approve(operation.pk, by=by, now=timezone.now()), words
        )

    def pause(self, request: HttpRequest, operation: BulkOperation) -> HttpResponse:
        """Begin no further letters until somebody resumes it."""
        words = "Paused. What is under way still ends; nothing more begins."
        return self._do(request, operation, lambda by: bulk.pause(operation.pk, by=by), words)

    def resume(self, request: HttpRequest, operation: BulkOperation) -> HttpResponse:
        """Go on."""
        words = "Resumed."
        if operation.state == State.STOPPED:
            words = "Resumed. It begins with one letter again."
        return self._do(request, operation, lambda by: bulk.resume(operation.pk, by=by), words)

    def cancel(self, request: HttpRequest, operation: BulkOperation) -> HttpResponse:
        """Begin no further letters, for good; that takes a reason."""
        words = "Canceled. What was not begun stays as it was."
        given = request.POST.get("reason", "")

        def verb(by: str) -> BulkOperation:
            return bulk.cancel(operation.pk, by=by, reason=wording.reason(given), now=timezone.now())

        return self._do(request, operation, verb, words)

    def _do(
        self,
        request: HttpRequest,
        operation: BulkOperation,
        verb: Callable[[str], BulkOperation],
        words: str,
    ) -> HttpResponse:
        try:
            with transaction.atomic():
                verb(acting(request))
                self.note(request, operation, words.partition(".")[0] + ".")
        except Refused as refusal:
            messages.error(request, str(refusal))
        else:
            messages.success(request, words)
        return HttpResponseRedirect(_address(operation))

    @admin.display(description="What")
    def what(self, operation: BulkOperation) -> SafeString:
        words = filter_words.in_words(operation.chosen, operation.names)  # type: ignore[attr-defined]
        return format_html(
            '{}<span class="sub">Letters {}. {}</span>',
            bulk_words.heading(operation),
            words,
            operation.reason,
        )

    @admin.display(description="State")
    def state_pill(self, operation: BulkOperation) -> SafeString:
        return _state(operation)

    @admin.display(description="Progress")
    def progress(self, operation: BulkOperation) -> SafeString:
        ended = operation.total - operation.pending - operation.sent
        failed = bulk_words.failed(operation)
        return format_html(
            '{} of {}<span class="sub">{}</span>',
            f"{ended:,}",
            f"{operation.total:,}",
            f"{failed:,} failed again" if failed else "",
        )

    @admin.display(description="By")
    def started_by(self, operation: BulkOperation) -> str:
        return operation.names.who(operation.by)  # type: ignore[attr-defined,no-any-return]

    @admin.display(description="Started")
    def started(self, operation: BulkOperation) -> str:
        return ago(operation.started_at)


@never_cache
@require_GET
def _live(request: HttpRequest, operation_id: int) -> HttpResponse:
    if not site.has_permission(request):
        return HttpResponse(status=_ENOUGH, headers={"HX-Refresh": "true"})
    if not request.user.has_perm(VIEW):
        raise PermissionDenied
    operation = BulkOperation.objects.filter(pk=operation_id).first()
    if operation is None:
        raise Http404("There is no such bulk operation.")
    names = filter_words.names_of([], [operation.by])
    context = _standing(request, operation, names)
    seen = request.GET.get("seen", "")
    context["is_news"] = seen != context["standing"]
    # Apart, for somebody may be writing there why it is canceled.
    context["is_decided"] = seen.partition("-")[0] != operation.state
    if context["is_decided"]:
        context |= bulk_items.listed(operation, {})
    status = 200 if context["is_live"] else _ENOUGH
    return TemplateResponse(request, "sync/bulk_progress.html", context, status=status)


def _standing(request: HttpRequest, operation: BulkOperation, names: filter_words.Names) -> dict[str, Any]:
    """Return what changes while an operation runs. standing: tells whether there is news for readers."""
    progress = bulk.progress(operation)
    is_over = operation.state in {State.DONE, State.CANCELED}
    may = request.user.has_perm(RUN)
    return {
        "operation": operation,
        "state": _state(operation),
        "is_live": operation.state == State.RUNNING or operation.sent > 0,
        "standing": f"{operation.state}-{operation.step}-{int(operation.sent > 0)}",
        "now": bulk_words.now(operation, names.who(operation.by)),
        "following": bulk_words.following(operation, progress),
        "bar": progress,
        "counters": bulk_words.counters(operation),
        "is_over": is_over,
        "causes": bulk_items.causes_of_failures(operation) if operation.state == State.STOPPED else [],
        "first_failed": bulk_items.first_state(operation),
        "failed": bulk_words.failed(operation),
        "is_mine": operation.by == acting(request),
        "may_run": may,
        "may_restore": may and is_over and operation.kind == Kind.DISCARD and operation.done > 0,
    }


def _state(operation: BulkOperation) -> SafeString:
    return pill(operation.get_state_display(), bulk_words.TONES[operation.state])


def _address(operation: BulkOperation) -> str:
    return reverse("admin:sync_bulkoperation_change", args=[operation.pk])


def _waiting() -> QuerySet[BulkOperation]:
    return BulkOperation.objects.filter(state__in=_WAITING).order_by("pk")


def needs(request: HttpRequest) -> list[Need]:
    """Return the operations that wait for a person's decision."""
    return [_need(operation) for operation in _waiting()[:_MOST_NEEDS]]


def _need(operation: BulkOperation) -> Need:
    if operation.state == State.PROPOSED:
        title = f"A second person has to approve a redrive that sends {operation.messages:,} messages"
        return Need(title, _address(operation), operation.reason, operation.started_at, 2)
    title = f"A bulk operation has stopped by itself: {bulk_words.heading(operation).lower()}"
    detail = f"{bulk_words.now(operation, '')} Look at why, then resume or cancel it."
    return Need(title, _address(operation), detail, operation.looked_at, 2)


def waiting() -> int:
    """Return how many operations wait for a person's decision, counted no further than a badge shows."""
    return _waiting()[:_MOST_COUNTED].count()


site.register_need(needs, permission=VIEW)
site.register_badge("admin:sync_bulkoperation_changelist", waiting)
