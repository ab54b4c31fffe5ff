"""Who sees which drafts: trainers their own, staff all. Every page and answer about drafts begins here.

The rule: who has no right to all and is no trainer sees none. Permission and trainer are asked, never a role.
"""

from collections.abc import Iterable
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser, PermissionsMixin
from django.db.models import QuerySet

from sync.jobs import MESSAGE
from sync.models import Draft, SyncJob, TrainerLogin

OPEN, ALL, WORK = "sync.open_inbox", "sync.view_draft", "sync.work_draft"


def trainer_of(user: AbstractBaseUser | AnonymousUser) -> str:
    """Return which trainer logs in as this user; an empty text for none."""
    found = TrainerLogin.objects.filter(user__pk=user.pk or 0).values_list("trainer_id", flat=True).first()
    return found or ""


def drafts(user: AbstractBaseUser | AnonymousUser) -> QuerySet[Draft]:
    """Return the drafts that a user sees."""
    if not isinstance(user, PermissionsMixin) or not user.is_active:
        return Draft.objects.none()
    if user.has_perm(ALL):
        return Draft.objects.all()
    trainer_id = trainer_of(user) if user.has_perm(OPEN) else ""
    return Draft.objects.filter(trainer_id=trainer_id) if trainer_id else Draft.objects.none()


def find(user: AbstractBaseUser | AnonymousUser, draft_id: UUID) -> Draft | None:
    """Return a draft that a user sees, with its location; None where there is none, or not for them."""
    return drafts(user).select_related("location").filter(pk=draft_id).first()


def of_job(user: AbstractBaseUser | AnonymousUser, job: SyncJob | None) -> UUID | None:
    """Return which draft a job sends, for who may open it; None for another job. One query for a message."""
    if job is None or job.operation != MESSAGE or not isinstance(user, PermissionsMixin):
        return None
    may_open = user.has_perm(OPEN)
    return drafts(user).filter(job=job.pk).values_list("pk", flat=True).first() if may_open else None


def may_read(user: AbstractBaseUser | AnonymousUser, trainer_id: str) -> bool:
    """Whether a user may read what is said of a trainer's clients: who works drafts, and the trainer."""
    if isinstance(user, PermissionsMixin) and user.is_active and user.has_perm(WORK):
        return True
    return bool(trainer_id) and trainer_of(user) == trainer_id


def readable(user: AbstractBaseUser | AnonymousUser, found: Iterable[Draft]) -> frozenset[UUID]:
    """Return which of the drafts that a user sees they may read: who works them, and their own trainer.

    Of the others they see what, whose and when, never a text.
    """
    shown = list(found)
    if isinstance(user, PermissionsMixin) and user.has_perm(WORK):
        return frozenset(draft.pk for draft in shown)
    trainer_id = trainer_of(user) if shown else ""
    return frozenset(draft.pk for draft in shown if trainer_id and draft.trainer_id == trainer_id)
