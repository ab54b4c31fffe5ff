"""The days each dataset is kept: mirrored from the declarations, changed by staff within their bounds.

The rule: what the declaration does not allow is not obeyed either, however it got into the row.
"""

from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from observability.audit.actions import Action
from observability.audit.recording import record
from observability.models import RetentionPolicy
from observability.redaction import redact
from trainu.datasets import Dataset, find, registered


def mirror(**_signal: Any) -> None:
    """Make a policy of each declared dataset that has none; days that staff have set stay."""
    RetentionPolicy.objects.bulk_create(
        [
            RetentionPolicy(dataset=one.name, keep_days=one.default_days, updated_at=timezone.now())
            for one in registered()
        ],
        ignore_conflicts=True,
    )


def keep_days(dataset: Dataset) -> int:
    """Return the days in force: the policy's, or the default where there is none, within the bounds."""
    chosen = RetentionPolicy.objects.filter(dataset=dataset.name).values_list("keep_days", flat=True).first()
    return _within(dataset, chosen)


def all_keep_days() -> dict[str, int]:
    """Return the days in force of every declared dataset, by its name."""
    chosen = dict(RetentionPolicy.objects.values_list("dataset", "keep_days"))
    return {dataset.name: _within(dataset, chosen.get(dataset.name)) for dataset in registered()}


def cutoff(dataset: Dataset, *, now: datetime) -> datetime:
    """Return the time before which the dataset's data is to go."""
    return now - timedelta(days=keep_days(dataset))


def bounds(dataset: Dataset) -> str:
    """Return what staff may choose, in words."""
    words = f"{dataset.least_days:,} to {dataset.most_days:,} days"
    return f"{words}, because {dataset.why}" if dataset.why else words


@transaction.atomic
def set_keep_days(policy: RetentionPolicy, days: int, *, by: str, reason: str, now: datetime) -> None:
    """Change a policy; the next purge obeys it.

    days: whole days. by: who, as the audit log names actors. Raises ValidationError by field
    ("keep_days", "reason") with words for staff.
    """
    dataset = find(policy.dataset)
    if dataset is None:
        raise ValidationError(
            {"keep_days": "No part of the service declares this dataset any more, so nothing obeys it."}
        )
    if days < dataset.least_days:
        why = f", because {dataset.why}" if dataset.why else ""
        raise ValidationError(
            {"keep_days": f"{dataset.label} must be kept for {dataset.least_days:,} days or more{why}."}
        )
    if days > dataset.most_days:
        raise ValidationError(
            {"keep_days": f"{dataset.label} may be kept for {dataset.most_days:,} days at most."}
        )
    if not reason.strip():
        raise ValidationError({"reason": "Say why: whoever reads this later will want to know."})
    record(
        Action.RETENTION_CHANGE,
        actor=by,
        target=policy,
        reason=reason,
        changes={"keep_days": (policy.keep_days, days)},
        now=now,
    )
    policy.keep_days = days
    policy.changed_by = by[:80]
    policy.reason = redact(reason.strip())[:200]
    policy.updated_at = now
    policy.save(update_fields=["keep_days", "changed_by", "reason", "updated_at"])


def _within(dataset: Dataset, days: int | None) -> int:
    return min(max(days or dataset.default_days, dataset.least_days), dataset.most_days)
