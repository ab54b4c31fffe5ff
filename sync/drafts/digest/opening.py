"""Who sees which digests, and that a trainer has opened one.

The rule: an opening is the trainer's own, and each of them counts; staff who look at it open nothing.
"""

from datetime import datetime
from typing import Literal

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser, PermissionsMixin
from django.db import transaction
from django.db.models import QuerySet

from sync import signals
from sync.drafts import visible
from sync.models import TrainerDigest
from sync.signals import DigestOpened

Surface = Literal["email", "admin"]


def digests(user: AbstractBaseUser | AnonymousUser) -> QuerySet[TrainerDigest]:
    """Return the digests that a user sees: trainers their own, staff all."""
    if not isinstance(user, PermissionsMixin) or not user.is_active:
        return TrainerDigest.objects.none()
    if user.has_perm(visible.ALL):
        return TrainerDigest.objects.all()
    trainer_id = visible.trainer_of(user) if user.has_perm(visible.OPEN) else ""
    return TrainerDigest.objects.filter(trainer_id=trainer_id) if trainer_id else TrainerDigest.objects.none()


@transaction.atomic
def opened(
    digest: TrainerDigest, *, user: AbstractBaseUser | AnonymousUser, surface: Surface, now: datetime
) -> bool:
    """Tell that a user has opened a digest, where it is theirs; return whether it is."""
    if visible.trainer_of(user) != digest.trainer_id:
        return False
    TrainerDigest.objects.filter(pk=digest.pk, viewed_at=None).update(viewed_at=now)
    told = DigestOpened(digest.pk, digest.trainer_id, surface, now)
    signals.digests_opened.send(sender=None, digests=[told])
    return True
