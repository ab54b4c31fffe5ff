"""What every page of records owes the audit log: one transaction for act and entry, and no act unseen.

The rule: each admin class here descends from `Audited` (a test holds it), those of Django's own models
too. The entries themselves come from `observability.audit.receivers` or from the verb.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from django.contrib import admin
from django.contrib.auth import admin as auth_admin
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.http import HttpRequest

from observability.audit import changes
from observability.audit.receivers import history_only


class Audited(admin.ModelAdmin):  # type: ignore[type-arg]
    """Records whose every change is audited. Verbs that record themselves call `note` for the history."""

    # Form fields whose values the log may show: never personal, never secret, never long.
    audited_values: Sequence[str] = ()

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> Any:
        request.audited_changes = changes.of_form(form, self.audited_values)  # type: ignore[attr-defined]
        return super().construct_change_message(request, form, formsets, add)

    def response_action(self, *args: Any, **kwargs: Any) -> Any:
        # Django opens a transaction for forms, but none for the actions of a list.
        with transaction.atomic():
            return super().response_action(*args, **kwargs)

    def log_deletions(self, request: HttpRequest, queryset: Iterable[Any]) -> Any:
        # One by one: several at once Django writes by bulk_create, which sends no signal.
        log_one: Any = super().log_deletions
        return [entry for obj in queryset for entry in log_one(request, [obj])]

    def note(self, request: HttpRequest, obj: Any, words: str) -> None:
        """Write a verb into the record's own history; the verb has recorded itself."""
        with history_only():
            self.log_change(request, obj, words)


admin.site.unregister([User, Group])


@admin.register(User)
class UserAdmin(Audited, auth_admin.UserAdmin):  # type: ignore[type-arg]
    list_display = ("username", "logged_as", "email", "first_name", "last_name", "is_staff", "is_active")

    @admin.display(description="In logs and audit", ordering="pk")
    def logged_as(self, user: User) -> str:
        return f"staff:{user.pk}"


@admin.register(Group)
class GroupAdmin(Audited, auth_admin.GroupAdmin):
    audited_values = ("name",)
