"""Roles: what a viewer, an operator, a lead and an administrator may do. Each may what the one before may.

Kernel: imports no app, so permissions are named in words. The rule: the four groups are the code's, and are
set exactly to what stands here after every migration; staff make groups of their own for other needs.
"""

from dataclasses import dataclass
from typing import Any

import structlog
from django.apps import apps
from django.db import transaction

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Role:
    """What the holders of a group may do. name: of the group. label: what `up --demo` calls its login.

    permissions: all of them, as "app.codename".
    """

    name: str
    label: str
    about: str
    permissions: frozenset[str]


def _of(app: str, codenames: str) -> frozenset[str]:
    return frozenset(f"{app}.{codename}" for codename in codenames.split())


_VIEWER = (
    _of(
        "sync",
        "view_appointmentstate view_breaker view_bulkoperation view_causegroup view_contactstate"
        " view_deadletter view_groupnote view_killswitch view_ledgercheck view_letternote view_location"
        " view_reconciliation view_savedview view_silence view_syncattempt view_syncjob view_webhook"
        " view_trainerlogin view_workflowaddress view_draft open_inbox",
    )
    | _of(
        "observability",
        "view_alertrule view_apikey view_auditentry view_channel view_dashboard view_erasure view_errorminute"
        " view_event view_eventdefinition view_forwarder view_forwardrejection view_heartbeat view_incident"
        " view_logline view_notification view_purgerun view_quarantinedevent view_quarantinegroup"
        " view_retentionpolicy view_silence view_sync_health",
    )
    | _of("django_q", "view_failure view_ormq view_schedule view_success view_task")
)
_OPERATOR = (
    _VIEWER
    | _of(
        "sync",
        "redrive_deadletter discard_deadletter assign_deadletter retry_syncjob add_savedview work_draft",
    )
    | _of("observability", "reingest_quarantinegroup resend_forwardrejection work_incident")
)
_LEAD = (
    _OPERATOR
    | _of(
        "sync",
        "run_bulkoperation edit_deadletter reveal_deadletter pause_location turn_killswitch"
        " delete_savedview start_reconciliation add_location change_location",
    )
    | _of("observability", "pause_forwarder export_event change_alertrule add_silence resend_notification")
)
_ADMIN = (
    _LEAD
    | _of(
        "sync",
        "change_credential add_workflowaddress change_workflowaddress add_trainerlogin"
        " change_trainerlogin delete_trainerlogin",
    )
    | _of(
        "observability",
        "add_apikey change_apikey change_channel export_auditentry add_eventdefinition change_eventdefinition"
        " delete_eventdefinition change_retentionpolicy purge_retentionpolicy forget_contact",
    )
    | _of("auth", "add_user change_user view_user add_group change_group delete_group view_group")
    | _of("django_q", "change_failure delete_failure delete_ormq")
)

# No link of the chain: trainers work here too, and see their own drafts alone.
_TRAINER = _of("sync", "open_inbox work_draft")

VIEWER = Role("TrainU viewer", "viewer", "Sees everything, and changes nothing.", _VIEWER)
OPERATOR = Role(
    "TrainU operator", "operator", "Works dead letters and jobs: redrive, discard, assign, snooze.", _OPERATOR
)
LEAD = Role(
    "TrainU lead",
    "lead",
    "Also works many at once, edits and sees data, pauses locations, turns the kill switch.",
    _LEAD,
)
ADMIN = Role(
    "TrainU admin", "admin", "Also keeps credentials, API keys, accounts, retention and definitions.", _ADMIN
)
TRAINER = Role("TrainU trainer", "trainer", "Works their own drafts in the AI Inbox.", _TRAINER)
ROLES = (VIEWER, OPERATOR, LEAD, ADMIN)
EVERY = (*ROLES, TRAINER)


def load() -> None:
    """Make the groups, each with exactly its permissions; where permissions are missing yet, do nothing.

    No entry in the audit log: what a release means by its roles is no operator's act, as the catalog is not.
    """
    from django.contrib.auth.models import Group, Permission

    rows = Permission.objects.values_list("content_type__app_label", "codename", "pk")
    there = {f"{app}.{codename}": pk for app, codename, pk in rows}
    if not there.keys() >= _ADMIN:
        return
    with transaction.atomic():
        for role in EVERY:
            group, _ = Group.objects.get_or_create(name=role.name)
            _set(group, {there[name] for name in role.permissions})


def is_role(group_name: str) -> bool:
    """Whether a group is the code's, by its name."""
    return any(role.name == group_name for role in EVERY)


def after_migration(sender: Any, **_signal: Any) -> None:
    """Receive post_migrate: load the roles after the last app, when all permissions are there."""
    if sender == list(apps.get_app_configs())[-1]:
        load()


def _set(group: Any, wanted: set[int]) -> None:
    through = group.permissions.through
    held = set(through.objects.filter(group=group).values_list("permission_id", flat=True))
    if held == wanted:
        return
    through.objects.filter(group=group, permission_id__in=held - wanted).delete()
    through.objects.bulk_create(
        [through(group=group, permission_id=pk) for pk in wanted - held], ignore_conflicts=True
    )
    log.debug("role_loaded", role=group.name, given=len(wanted - held), taken=len(held - wanted))
