"""The wires: which signals of Django and of sync become events. Connected once, by the app's ready().

The rule: a telemetry receiver runs in a savepoint of its own; if it breaks, that is logged, and the
work that it observes goes on.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

import structlog
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.contrib.auth.signals import user_logged_in
from django.db import transaction
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate, post_save

from observability import counters, definitions, task_context, tasks, timings
from observability.audit import receivers as audited
from observability.capture import capture
from observability.catalog.onboarding import UserLoggedIn, UserRegistered
from observability.counters import Counter
from observability.erasure import places
from observability.retention import datasets, policies
from trainu import transactions

log = structlog.get_logger(__name__)


def telemetry(receiver: Callable[..., None]) -> Callable[..., None]:
    """Let a receiver fail alone: roll back what it wrote, log it, and carry on."""

    @wraps(receiver)
    def guarded(*args: Any, **kwargs: Any) -> None:
        try:
            with transaction.atomic():
                receiver(*args, **kwargs)
        except Exception:
            log.exception("receiver_failed", receiver=receiver.__name__)

    return guarded


@telemetry
def on_login(user: AbstractBaseUser, **_signal: Any) -> None:
    """Somebody has logged in to this service."""
    capture(UserLoggedIn(user_id=f"staff-{user.pk}", role="staff"), distinct_id=f"staff:{user.pk}")


@telemetry
def on_user_saved(instance: AbstractBaseUser, created: bool, raw: bool = False, **_signal: Any) -> None:
    """An account of this service has been created."""
    if created and not raw:
        event = UserRegistered(user_id=f"staff-{instance.pk}", role="staff", method="admin")
        capture(event, distinct_id=f"staff:{instance.pk}")


def on_undone(sqlstate: str, **_signal: Any) -> None:
    """PostgreSQL has undone a transaction: a deadlock, or two writers in each other's way."""
    counters.add(Counter.TRANSACTION_RETRY, sqlstate)


def connect() -> None:
    """Connect every receiver; a second call changes nothing."""
    user_logged_in.connect(on_login, dispatch_uid="observability.on_login")
    post_save.connect(on_user_saved, sender=get_user_model(), dispatch_uid="observability.on_user_saved")
    post_migrate.connect(definitions.mirror_catalog, dispatch_uid="observability.mirror_catalog")
    post_migrate.connect(tasks.make_partitions_ahead, dispatch_uid="observability.make_partitions_ahead")
    post_migrate.connect(tasks.mirror_schedules, dispatch_uid="observability.mirror_schedules")
    post_migrate.connect(policies.mirror, dispatch_uid="observability.mirror_policies")
    transactions.undone.connect(on_undone, dispatch_uid="observability.on_undone")
    connection_created.connect(timings.watch, dispatch_uid="observability.watch")
    # Not behind `telemetry`: what cannot be audited must not happen.
    audited.connect()
    datasets.declare()
    places.declare()
    task_context.connect()
