"""How long everything is kept: the policies, changing one with a reason, purging now; and the purges done."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Case, OuterRef, QuerySet, Subquery, Value, When
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django_q.tasks import async_task

from observability.models import PurgeRun, RetentionPolicy
from observability.retention import policies, purge
from trainu.admin_records import Explained, ReadOnly
from trainu.admin_rendering import pill
from trainu.admin_site import site
from trainu.datasets import Dataset, find, registered
from trainu.templatetags.time import ago

_PURGE = "observability.purge_retentionpolicy"
_TONES = {"running": "info", "done": "ok", "interrupted": "warn", "failed": "bad"}
SHOWN_RUNS = 5


class PolicyForm(forms.Form):
    keep_days = forms.IntegerField(label="Days to keep")
    reason = forms.CharField(
        label="Reason, for whoever reads this later",
        max_length=200,
        error_messages={"required": "Say why: whoever reads this later will want to know."},
    )


@admin.register(RetentionPolicy)
class RetentionPolicyAdmin(Explained):
    heading = "Retention"
    intro = "How long each kind of data is kept. Once a day a worker removes what is older."
    list_display = ["label", "keep", "bounds", "oldest", "last_purge"]
    list_display_links = ["label"]
    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: RetentionPolicy | None = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[RetentionPolicy]:
        """Return the policies that something obeys, with what their last purge left."""
        runs = PurgeRun.objects.filter(dataset=OuterRef("dataset"), dry_run=False).order_by(
            "-started_at", "-id"
        )
        declared = [dataset.name for dataset in registered()]
        rows: QuerySet[RetentionPolicy] = super().get_queryset(request).filter(dataset__in=declared)
        return rows.annotate(
            words=_label(),
            last_state=Subquery(runs.values("state")[:1]),
            last_started_at=Subquery(runs.values("started_at")[:1]),
            last_oldest_at=Subquery(runs.values("oldest_left_at")[:1]),
        )

    def get_ordering(self, request: HttpRequest) -> Any:
        """Return the order by what is read in the list, not by the names in code."""
        return [_label()]

    def get_urls(self) -> list[URLPattern]:
        return [self.verb_path("purge", self.purge_now, _PURGE), *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show a policy with its purges; change it; with ?look show what a purge would remove."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        policy = get_object_or_404(self.get_queryset(request), pk=object_id if object_id.isdecimal() else 0)
        dataset = _dataset(policy)
        form = PolicyForm(
            request.POST or None, initial={"keep_days": policies.keep_days(dataset)}, label_suffix=""
        )
        if request.method == "POST" and self._save(request, policy, form):
            return HttpResponseRedirect(request.path)
        context = site.each_context(request) | {
            "title": dataset.label,
            "opts": self.opts,
            "policy": policy,
            "days": policies.keep_days(dataset),
            "bounds": policies.bounds(dataset),
            "form": form,
            "plan": purge.plan(dataset, now=timezone.now()) if "look" in request.GET else None,
            "runs": [(run, state_pill(run)) for run in _runs(policy)],
            "may_change": self.has_change_permission(request, policy),
            "may_purge": request.user.has_perm(_PURGE),
        }
        return TemplateResponse(request, "observability/retention_policy.html", context)

    def purge_now(self, request: HttpRequest, policy: RetentionPolicy) -> HttpResponse:
        """Have a worker purge one dataset now."""
        if request.POST.get("confirmed"):
            async_task("observability.tasks.purge_now", policy.dataset, f"staff:{request.user.pk}")
            messages.info(request, "A worker purges it now. Reload to see how far it is.")
        else:
            messages.error(
                request, "Nothing was started: tick the box, for what goes cannot be brought back."
            )
        return HttpResponseRedirect(reverse("admin:observability_retentionpolicy_change", args=[policy.pk]))

    def _save(self, request: HttpRequest, policy: RetentionPolicy, form: PolicyForm) -> bool:
        if not self.has_change_permission(request, policy):
            raise PermissionDenied
        if not form.is_valid():
            return False
        days, reason = form.cleaned_data["keep_days"], form.cleaned_data["reason"]
        try:
            with transaction.atomic():
                policies.set_keep_days(
                    policy, days, by=f"staff:{request.user.pk}", reason=reason, now=timezone.now()
                )
                self.note(request, policy, f"Keep for {days} days.")
        except ValidationError as error:
            form.add_error(None, error)
            return False
        messages.success(request, f"Kept for {days:,} days from the next purge on.")
        return True

    @admin.display(description="Data", ordering="words")
    def label(self, policy: RetentionPolicy) -> str:
        return _dataset(policy).label

    @admin.display(description="Kept for", ordering="keep_days")
    def keep(self, policy: RetentionPolicy) -> str:
        return f"{policy.keep_days:,} day{'' if policy.keep_days == 1 else 's'}"

    @admin.display(description="May be")
    def bounds(self, policy: RetentionPolicy) -> str:
        dataset = _dataset(policy)
        return f"{dataset.least_days:,} to {dataset.most_days:,} days"

    @admin.display(description="Oldest after the last purge")
    def oldest(self, policy: Any) -> str:
        return ago(policy.last_oldest_at) or "-"

    @admin.display(description="Last purge")
    def last_purge(self, policy: Any) -> str:
        if policy.last_state in {None, PurgeRun.State.DONE}:
            return ago(policy.last_started_at) or "not yet"
        return pill(PurgeRun.State(policy.last_state).label, _TONES[policy.last_state])


@admin.register(PurgeRun)
class PurgeRunAdmin(ReadOnly):
    heading = "Purges"
    intro = "What was removed because its time was up: one line a purge of one kind of data."
    nothing_yet = "The first purge starts within ten minutes of the workers."
    list_display = ["label", "state_pill", "gone", "took", "cutoff", "started", "started_by", "reason"]
    list_filter = ["state", "dataset", "started_by"]
    fields = (
        "label", "dataset", "state_pill", "gone", "took", "cutoff", "oldest", "started", "started_by",
        "error", "reason",
    )  # fmt: skip
    readonly_fields = fields

    def has_delete_permission(self, request: HttpRequest, obj: PurgeRun | None = None) -> bool:
        return False

    @admin.display(description="Data", ordering="dataset")
    def label(self, run: PurgeRun) -> str:
        dataset = find(run.dataset)
        return dataset.label if dataset else run.dataset

    @admin.display(description="State", ordering="state")
    def state_pill(self, run: PurgeRun) -> SafeString:
        return state_pill(run)

    @admin.display(description="Removed")
    def gone(self, run: PurgeRun) -> str:
        return gone(run)

    @admin.display(description="Took", ordering="seconds")
    def took(self, run: PurgeRun) -> str:
        return f"{run.seconds:,.1f} s"

    @admin.display(description="Older than", ordering="cutoff_at")
    def cutoff(self, run: PurgeRun) -> str:
        return ago(run.cutoff_at)

    @admin.display(description="Oldest left")
    def oldest(self, run: PurgeRun) -> str:
        return ago(run.oldest_left_at) or "-"

    @admin.display(description="Started", ordering="started_at")
    def started(self, run: PurgeRun) -> str:
        return ago(run.started_at)


def _label() -> Case:
    return Case(*[When(dataset=one.name, then=Value(one.label)) for one in registered()])


def state_pill(run: PurgeRun) -> SafeString:
    """Return a run's state as a coloured label."""
    return pill(run.get_state_display(), _TONES[run.state])


def gone(run: PurgeRun) -> str:
    """Return what a run removed, in words."""
    parts = [
        f"{count:,} {word}{'' if count == 1 else 's'}"
        for count, word in ((run.partitions, "day"), (run.rows, "row"))
        if count
    ]
    return ", ".join(parts) or "nothing"


def _dataset(policy: RetentionPolicy) -> Dataset:
    dataset = find(policy.dataset)
    assert dataset is not None  # the queryset holds declared ones only
    return dataset


def _runs(policy: RetentionPolicy) -> list[PurgeRun]:
    return list(PurgeRun.objects.filter(dataset=policy.dataset)[:SHOWN_RUNS])
