"""Who may sign in, and the groups that give permissions: Django's own pages, audited."""

from django.contrib import admin
from django.contrib.auth import admin as auth_admin
from django.contrib.auth.models import Group, User

from trainu.admin_records import Audited

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
