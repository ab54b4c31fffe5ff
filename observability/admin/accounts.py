"""Who may sign in, and the groups that give permissions: Django's own pages, audited.

The rule: only a superuser makes, changes or removes one, and gives single permissions to an account; the
groups of the roles are the code's.
"""

from typing import Any

from django.contrib import admin
from django.contrib.auth import admin as auth_admin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest

from trainu import roles
from trainu.admin_records import Audited, Explained

admin.site.unregister([User, Group])


@admin.register(User)
class UserAdmin(Audited, auth_admin.UserAdmin):  # type: ignore[type-arg]
    list_display = ("username", "logged_as", "email", "first_name", "last_name", "is_staff", "is_active")

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Whoever keeps accounts gives roles, and cannot make themselves more than they are."""
        fixed = tuple(super().get_readonly_fields(request, obj))
        return fixed if request.user.is_superuser else (*fixed, "is_superuser", "user_permissions")

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_change_permission(request, obj) and _may_touch(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_delete_permission(request, obj) and _may_touch(request, obj)

    @admin.display(description="In logs and audit", ordering="pk")
    def logged_as(self, user: User) -> str:
        return f"staff:{user.pk}"


@admin.register(Group)
class GroupAdmin(Explained, auth_admin.GroupAdmin):
    heading = "Groups"
    intro = (
        "Groups give permissions. Those named TrainU are the roles of this service: each release sets them"
        " anew, so they cannot be changed here. For anything else make a group of your own. Who is in a group"
        " is said on the page of each user."
    )
    audited_values = ("name",)

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return super().has_change_permission(request, obj) and not (obj and roles.is_role(obj.name))

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return super().has_delete_permission(request, obj) and not (obj and roles.is_role(obj.name))


def _may_touch(request: HttpRequest, user: User | None) -> bool:
    return request.user.is_superuser or user is None or not user.is_superuser
