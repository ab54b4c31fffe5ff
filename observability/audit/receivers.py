"""Which signals of Django are acts: signing in and out, records in the admin, roles, passwords.

The rule: these receivers raise. Whatever cannot be recorded must not happen, so they run in the
transaction of the act or, where Django opens none, before it.
"""

import json
from typing import Any

from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser, Group, Permission
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model
from django.db.models.signals import m2m_changed, post_save, pre_save
from django.utils.crypto import salted_hmac
from django.utils.text import capfirst

from observability.audit import actor
from observability.audit.actions import Action
from observability.audit.changes import Change, text
from observability.audit.recording import record
from trainu import admin_records

ROLE_FLAGS = ("is_active", "is_staff", "is_superuser")
# Entries of their own tell these, so the entry on the form does not repeat them.
_TOLD_APART = {*ROLE_FLAGS, "groups", "user_permissions", "permissions", "password", "password1", "password2"}
_ACTS = {ADDITION: Action.ADMIN_ADD, CHANGE: Action.ADMIN_CHANGE, DELETION: Action.ADMIN_DELETE}


def on_log_entry(instance: LogEntry, created: bool, raw: bool = False, **_signal: Any) -> None:
    """Somebody has added, changed or deleted a record in the admin."""
    if raw or not created or admin_records.is_history_only():
        return
    label, model = "", None
    if instance.content_type_id:
        content_type = ContentType.objects.get_for_id(instance.content_type_id)
        label = f"{content_type.app_label}.{content_type.model}"
        model = content_type.model_class()
    changes, is_told = _of_message(instance.change_message, model)
    # Where the page is ours it has put the form's own fields there, and the harmless ones with values.
    known: dict[str, Change] | None = getattr(actor.request_in_hand(), "audited_changes", None)
    if known is not None and instance.action_flag != DELETION:
        changes = {**{name: None for name in changes if name.endswith(")")}, **known}
    changes = {name: change for name, change in changes.items() if name not in _TOLD_APART}
    if instance.action_flag == CHANGE and is_told and not changes:
        return
    record(
        _ACTS[instance.action_flag],
        actor=f"staff:{instance.user_id}",
        target=(label, instance.object_id or ""),
        changes=changes,
    )


def _of_message(message: str, model: type[Model] | None) -> tuple[dict[str, Change], bool]:
    """Return the changed fields of the admin's own note, and whether it could be read as one.

    Rows of inlines are told by their kind; what they are called may be personal.
    """
    try:
        notes = json.loads(message) if message else []
    except ValueError:
        return {}, False
    names: list[str] = []
    for note in notes if isinstance(notes, list) else []:
        for act, details in note.items():
            inline = str(details.get("name", ""))
            fields = [_name_of(label, model) for label in details.get("fields", [])]
            if inline:
                names.append(f"{inline} ({act})")
            elif act == "changed":
                names += fields
    return dict.fromkeys(names), isinstance(notes, list)


def _name_of(label: str, model: type[Model] | None) -> str:
    """Return the field that a form calls `label`; Django's note holds labels, not names."""
    for field in model._meta.get_fields() if model else ():
        if capfirst(getattr(field, "verbose_name", "")) == label:
            return field.name
    return label


def on_login(user: AbstractUser, **_signal: Any) -> None:
    """Somebody has signed in."""
    record(Action.SESSION_LOGIN, actor=f"staff:{user.pk}", target=user)


def on_logout(user: AbstractUser | None, **_signal: Any) -> None:
    """Somebody has signed out."""
    if user is not None and user.pk:
        record(Action.SESSION_LOGOUT, actor=f"staff:{user.pk}", target=user)


def on_login_failed(credentials: dict[str, Any], **_signal: Any) -> None:
    """Somebody could not sign in. What was typed may be a name, an address or even a password."""
    model = get_user_model()
    typed = text(credentials.get(model.USERNAME_FIELD) or credentials.get("username") or "", 1_000)
    accounts = model._default_manager.filter(**{model.USERNAME_FIELD: typed})
    known = accounts.values_list("pk", flat=True).first()
    # Keyed: the digest of a short text could be looked up in a dictionary.
    digest = salted_hmac("observability.audit.login", typed, algorithm="sha256").hexdigest()[:12]
    record(
        Action.SESSION_LOGIN_FAILED,
        actor="anonymous",
        target=(model._meta.label_lower, known or ""),
        changes={"typed_name_digest": (None, digest)},
    )


def on_user_saving(
    instance: AbstractUser, raw: bool = False, update_fields: Any = None, **_signal: Any
) -> None:
    """An account is about to get another role or password; before, for not every save has a transaction."""
    if raw or instance._state.adding:
        return
    saved = set(update_fields) if update_fields is not None else {*ROLE_FLAGS, "password"}
    if flags := [flag for flag in ROLE_FLAGS if flag in saved]:
        before = type(instance)._default_manager.filter(pk=instance.pk).values(*flags).first() or {}
        changes: dict[str, Change] = {
            flag: (was, getattr(instance, flag))
            for flag, was in before.items()
            if was != getattr(instance, flag)
        }
        if changes:
            record(Action.ROLE_CHANGE, target=instance, changes=changes)
    # Set by set_password(), and by nothing that only upgrades the hash.
    if "password" in saved and getattr(instance, "_password", None) is not None:
        record(Action.PASSWORD_CHANGE, target=instance, changes={"password": None})


def on_user_saved(instance: AbstractUser, created: bool, raw: bool = False, **_signal: Any) -> None:
    """An account has been made that is staff from the beginning."""
    given = {flag: (False, True) for flag in ("is_staff", "is_superuser") if getattr(instance, flag)}
    if created and not raw and given:
        record(Action.ROLE_CHANGE, target=instance, changes=given)


def on_roles_changed(
    sender: Any,
    instance: Any,
    action: str,
    reverse: bool,
    model: Any,
    pk_set: set[Any] | None,
    **_signal: Any,
) -> None:
    """Groups or permissions were given or taken. Inside the transaction of Django's own statement."""
    # From the other side (group.user_set.add) the ids are those of accounts.
    field = "accounts" if reverse else _ROLE_FIELDS[sender]
    change: Change
    if action == "post_add" and pk_set:
        change = (None, _words(model, pk_set))
    elif action == "post_remove" and pk_set:
        change = (_words(model, pk_set), None)
    elif action == "pre_clear":
        # Afterwards nobody could tell what it was.
        other = sender._meta.get_field(model._meta.model_name).attname
        mine = sender._default_manager.filter(**{instance._meta.model_name: instance})
        ids = set(mine.values_list(other, flat=True))
        if not ids:
            return
        change = (_words(model, ids), None)
    else:
        return
    record(Action.ROLE_CHANGE, target=instance, changes={field: change})


def _words(model: Any, ids: set[Any]) -> list[Any]:
    """Return what was given or taken in words where they are harmless, else as ids."""
    if model is Permission:
        rows = Permission.objects.filter(pk__in=ids).values_list("content_type__app_label", "codename")
        return sorted(f"{app}.{codename}" for app, codename in rows)
    return [f"{model._meta.model_name}:{pk}" for pk in sorted(ids)]


_ROLE_FIELDS: dict[Any, str] = {}


def connect() -> None:
    """Connect every receiver; a second call changes nothing."""
    user = get_user_model()
    post_save.connect(on_log_entry, sender=LogEntry, dispatch_uid="audit.on_log_entry")
    user_logged_in.connect(on_login, dispatch_uid="audit.on_login")
    user_logged_out.connect(on_logout, dispatch_uid="audit.on_logout")
    user_login_failed.connect(on_login_failed, dispatch_uid="audit.on_login_failed")
    pre_save.connect(on_user_saving, sender=user, dispatch_uid="audit.on_user_saving")
    post_save.connect(on_user_saved, sender=user, dispatch_uid="audit.on_user_saved")
    for model, field in ((user, "groups"), (user, "user_permissions"), (Group, "permissions")):
        through = getattr(model, field).through
        _ROLE_FIELDS[through] = field
        m2m_changed.connect(on_roles_changed, sender=through, dispatch_uid=f"audit.on_{through.__name__}")
