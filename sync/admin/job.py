"""Jobs: what was to be done in GoHighLevel, and how it went.

The rule: read only, and masked. What is dead is worked as dead letters.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from sync import dying, job_search, retrying
from sync.admin import attempts, flight, origin
from sync.drafts import visible
from sync.ghl.operations import OPERATIONS
from sync.models import DeadLetter, Location, SyncJob
from trainu.admin_records import Newest, ReadOnly
from trainu.admin_rendering import pill, pretty
from trainu.admin_site import site
from trainu.bounded_query import TooBroad, bounded
from trainu.templatetags.time import ago

_TONES = {"waiting": "info", "leased": "info", "succeeded": "ok", "dead": "bad", "superseded": "warn"}
_CAUSES = {
    "refused": "GoHighLevel refused it.",
    "exhausted": "Every try failed.",
    "withdrawn": "Somebody has discarded it while the kill switch held it.",
    "check_by_hand": "It may have been done, and nobody can tell: look in GoHighLevel.",
}
# Choices of a filter are bounded; the rest is reached by searching for the location's id.
MOST_LOCATIONS = 200
MOST_COPIES = 10


class LocationFilter(admin.SimpleListFilter):
    title = "location"
    parameter_name = "location"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(Location.objects.order_by("name").values_list("pk", "name")[:MOST_LOCATIONS])

    def queryset(self, request: HttpRequest, queryset: QuerySet[SyncJob]) -> QuerySet[SyncJob]:
        return queryset.filter(location_id=_text(self.value())) if self.value() else queryset


class OperationFilter(admin.SimpleListFilter):
    title = "operation"
    parameter_name = "operation"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in sorted(OPERATIONS)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[SyncJob]) -> QuerySet[SyncJob]:
        return queryset.filter(operation=_text(self.value())) if self.value() else queryset


class TriedFilter(admin.SimpleListFilter):
    title = "tries"
    parameter_name = "tried"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("before", "Waiting, tried before")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[SyncJob]) -> QuerySet[SyncJob]:
        # In the words of its index, job_tried_before.
        return queryset.filter(state="waiting", tries__gt=0) if self.value() == "before" else queryset


@admin.register(SyncJob)
class SyncJobAdmin(ReadOnly):
    heading = "Jobs"
    intro = "What was to be done in GoHighLevel: the newest thousand that match the filters."
    nothing_yet = "TrainU's apps enqueue jobs with POST /api/sync/jobs."
    list_display = ["title", "state_pill", "location", "tries_figure", "last_code", "next_try", "created"]
    list_display_links = ["title"]
    list_filter = ["state", TriedFilter, LocationFilter, OperationFilter]
    list_select_related = ["location"]
    list_per_page = 50
    list_max_show_all = 50
    # The order that an index serves, and no other.
    ordering = ["-position"]
    sortable_by = ()
    paginator = Newest
    actions = None
    search_fields = ["id"]
    search_help_text = "Id of a job or a location, or a correlation id"
    show_facets = admin.ShowFacets.NEVER

    def has_delete_permission(self, request: HttpRequest, obj: SyncJob | None = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        # Not behind the site's sign-in, which would answer a part of a page with a login page.
        live = path("in-flight/", flight.status, name="sync_flight_status")
        return [live, self.verb_path("retry", self.retry, flight.RETRY), *super().get_urls()]

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        if not request.user.has_perm(flight.RETRY):
            return list(self.list_display)
        here = request.get_full_path()

        @admin.display(description="Try now")
        def button(job: SyncJob) -> SafeString | str:
            # Inside the list's own form, which brings the token along.
            return (
                format_html(
                    '<button class="button button-quiet" formaction="{}" name="back" value="{}">'
                    "Try now</button>",
                    reverse("admin:sync_syncjob_retry", args=[job.pk]),
                    here,
                )
                if retrying.refusal_of(job, now=timezone.now()) is None
                else ""
            )

        return [*self.list_display, button]

    def retry(self, request: HttpRequest, job: SyncJob) -> HttpResponse:
        """Let one job come due now."""
        page = reverse("admin:sync_syncjob_change", args=[job.pk])
        form = flight.ReasonForm(request.POST)
        if not form.is_valid():
            messages.error(request, "Say why in up to 300 characters, or say nothing.")
            return HttpResponseRedirect(page)
        try:
            with transaction.atomic():
                retrying.retry_one(job.pk, by=None, reason=form.cleaned_data["reason"], now=timezone.now())
                self.note(request, job, "Tried now.")
        except retrying.Refused as refusal:
            messages.error(request, str(refusal))
        else:
            messages.success(
                request,
                "It is due now. It goes as soon as its location may be asked and nothing of its order comes"
                " before it.",
            )
        return origin.back(request, page)

    def get_queryset(self, request: HttpRequest) -> QuerySet[SyncJob]:
        jobs: QuerySet[SyncJob] = super().get_queryset(request)
        return jobs.defer("payload")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[SyncJob], search_term: str
    ) -> tuple[QuerySet[SyncJob], bool]:
        """Find by whole ids, each by its index: no word of a payload can be searched for."""
        term = _text(search_term)
        if not term:
            return queryset, False
        try:
            # A correlation id may look like a job's.
            return queryset.filter(Q(pk=UUID(term)) | Q(correlation_id=term)), False
        except ValueError:
            pass
        if Location.objects.filter(pk=term).exists():
            return queryset.filter(location_id=term), False
        return queryset.filter(correlation_id=term), False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        try:
            with bounded(job_search.TIME_LIMIT_MS):
                answer = super().changelist_view(request, extra_context)
                # The list asks while it is rendered.
                return answer.render() if isinstance(answer, TemplateResponse) else answer
        except TooBroad:
            messages.error(
                request, "That would mean looking through too many jobs. Choose a location as well."
            )
            return HttpResponseRedirect(request.path if request.GET else reverse("admin:index"))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show a job with its newest attempts; its payload is masked."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        job = _found(object_id)
        context = site.each_context(request) | {
            "title": "Job",
            "subtitle": job.operation,
            "opts": self.opts,
            "job": job,
            "state": _state(job),
            "cause": _CAUSES.get(job.cause, ""),
            "payload": pretty(job_search.shown_payload(job)),
            "result": sorted(job.result.items()),
            "draft_id": visible.of_job(request.user, job),
            "letter": DeadLetter.objects.filter(job=job).first(),
            "copies": _copies(job),
            "dies_at": _dies_at(job),
            "may_retry": request.user.has_perm(flight.RETRY)
            and retrying.refusal_of(job, now=timezone.now()) is None,
            "reason_form": flight.ReasonForm(label_suffix=""),
            "attempts": attempts.rows(job_search.attempts(job)),
            "most": job_search.MOST_ATTEMPTS,
        }
        return TemplateResponse(request, "sync/job.html", context)

    @admin.display(description="Operation")
    def title(self, job: SyncJob) -> str:
        return job.operation

    @admin.display(description="State")
    def state_pill(self, job: SyncJob) -> SafeString:
        return _state(job)

    @admin.display(description="Tries")
    def tries_figure(self, job: SyncJob) -> int:
        return job.tries

    @admin.display(description="Last code")
    def last_code(self, job: SyncJob) -> str:
        return job.code.replace("_", " ") or "-"

    @admin.display(description="Next try")
    def next_try(self, job: SyncJob) -> str:
        return ago(job.next_at) if job.state == SyncJob.State.WAITING else "-"

    @admin.display(description="Created")
    def created(self, job: SyncJob) -> str:
        return ago(job.created_at)


def _copies(job: SyncJob) -> list[SyncJob]:
    """Return by which jobs with changed data it was replaced."""
    return list(job.replaced_by.only("pk").order_by("position")[:MOST_COPIES])


def _dies_at(job: SyncJob) -> datetime | None:
    """Return when a job that has failed before dies at the earliest; None for any other."""
    is_dying = job.state == SyncJob.State.WAITING and job.tries in dying.TRIES and not job.is_lookup
    return dying.dies_at(job.tries, max(job.next_at, timezone.now())) if is_dying else None


def _state(job: SyncJob) -> SafeString:
    return pill(job.get_state_display(), _TONES[job.state])


def _found(object_id: str) -> SyncJob:
    try:
        job = job_search.find(UUID(object_id))
    except ValueError:
        job = None
    if job is None:
        raise Http404("There is no such job.")
    return job


def _text(word: str | None) -> str:
    # PostgreSQL's text holds no NUL, so nothing that is stored could match one.
    return (word or "").replace("\x00", "").strip()[:200]
