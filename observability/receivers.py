"""The wires: which signals of Django and of sync become events. Connected once, by the app's ready().

The rule: a receiver that only observes stands behind `telemetry`; if it breaks, that is logged, and the
work that it observes goes on.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.contrib.auth.signals import user_logged_in
from django.db import connection
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate, post_save

from observability import (
    counters,
    definitions,
    draft_receivers,
    heartbeats,
    sync_receivers,
    task_context,
    tasks,
    timings,
)
from observability.alerts import channels, rules
from observability.alerts.channels import secrets
from observability.audit import receivers as audited
from observability.capture import capture
from observability.catalog.onboarding import UserLoggedIn, UserRegistered
from observability.counters import Counter
from observability.erasure import places
from observability.redaction import redact
from observability.retention import datasets, policies
from observability.telemetry import telemetry
from trainu import lanes, personal_data, schedules, transactions


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


def when_whole(receiver: Callable[..., Any]) -> Callable[..., None]:
    """Let a receiver of post_migrate run only where every table is there: not on the way back."""

    @wraps(receiver)
    def guarded(**signal: Any) -> None:
        there = set(connection.introspection.table_names())
        wanted = {model._meta.db_table for model in apps.get_app_config("observability").get_models()}
        if wanted <= there:
            receiver(**signal)

    return guarded


_AFTER_MIGRATION = [
    when_whole(receiver)
    for receiver in (
        definitions.mirror_catalog,
        tasks.make_partitions_ahead,
        tasks.mirror_schedules,
        policies.mirror,
        rules.seed,
        channels.ensure_channels,
    )
]


def connect() -> None:
    """Connect every receiver; a second call changes nothing."""
    # First, and not behind `telemetry`: what cannot be audited must not happen, and so nobody tells of it.
    audited.connect()
    sync_receivers.connect()
    draft_receivers.connect()
    personal_data.use_redactor(redact)
    user_logged_in.connect(on_login, dispatch_uid="observability.on_login")
    post_save.connect(on_user_saved, sender=get_user_model(), dispatch_uid="observability.on_user_saved")
    for receiver in _AFTER_MIGRATION:
        # Once, and not for each app that was migrated.
        post_migrate.connect(
            receiver,
            sender=apps.get_app_config("observability"),
            weak=False,
            dispatch_uid=f"observability.{receiver.__name__}",
        )
    transactions.undone.connect(on_undone, dispatch_uid="observability.on_undone")
    lanes.beaten.connect(heartbeats.on_beat, dispatch_uid="observability.on_beat")
    connection_created.connect(timings.watch, dispatch_uid="observability.watch")
    schedules.register(*tasks.SCHEDULES)
    datasets.declare()
    places.declare()
    secrets.declare()
    task_context.connect()
